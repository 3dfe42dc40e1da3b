"""Repositories to examples: what may be learned from, and the gaps in it."""
