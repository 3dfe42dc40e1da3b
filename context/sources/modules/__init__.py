"""Which files of the workspace an import means, language by language."""
