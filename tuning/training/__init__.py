"""Sequences to an adapter. Modules that import torch say so by a comment in their second paragraph."""
