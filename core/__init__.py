"""The words every part of fimble speaks: types, positions, ports, options, errors. Stdlib only."""
