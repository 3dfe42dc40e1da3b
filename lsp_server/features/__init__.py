"""One module per LSP method or family of methods: a thin adapter each, with `register(server)`."""
