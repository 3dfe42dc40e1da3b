"""How far a line is indented."""

from __future__ import annotations

import pytest

from fimble.syntax.indent import indent_columns


@pytest.mark.parametrize(
    ("line", "n_columns"), [("", 0), ("  x", 2), ("\tx", 4), ("  \tx", 4), ("\t\t", 8), ("x\t", 0), ("é", 0), ("\r", 0)]
)
def test_indent_columns(line: str, n_columns: int) -> None:
    assert indent_columns(line) == indent_columns(line.encode()) == n_columns
