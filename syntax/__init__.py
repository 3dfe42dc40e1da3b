"""What the text means to its language: trees, viable prefixes, scopes. The only place that knows tree-sitter."""
