"""The same work through other completers."""
