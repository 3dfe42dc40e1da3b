"""From repositories to a fine-tuned adapter: mine, prepare, train, export, gate. Only `training` needs torch."""
