"""The words every part of fimble speaks: types, ports, options, errors. Stdlib only, and no files."""
