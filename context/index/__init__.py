"""What the workspace holds: symbols, kept up to date in the background."""
