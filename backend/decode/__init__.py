"""Which token comes next and when to stop."""
