"""LSP to core and back, and what one client's session remembers."""
