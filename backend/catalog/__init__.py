"""Which weights exist, how they get here, and whether they are what they should be."""
