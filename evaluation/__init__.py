"""Is it right, and how fast, against a peer in the same run."""
