"""The `fimble` command: one file per subcommand."""
