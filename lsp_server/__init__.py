"""LSP to core and back; no logic."""
