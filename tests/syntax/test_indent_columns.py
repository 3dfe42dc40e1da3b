"""How far a line is indented."""

from __future__ import annotations

import pytest

from fimble.syntax.indent import indent_columns, read_lines


@pytest.mark.parametrize(
    ("line", "n_columns"), [("", 0), ("  x", 2), ("\tx", 4), ("  \tx", 4), ("\t\t", 8), ("x\t", 0), ("é", 0), ("\r", 0)]
)
def test_indent_columns(line: str, n_columns: int) -> None:
    assert indent_columns(line) == indent_columns(line.encode()) == n_columns


@pytest.mark.parametrize(
    "line",
    [
        'x = f"{d["("]}"',
        "x = f'{d['[']:>{w['{']}}'",
        'x = f"{{(" + f"\\N{LEFT PARENTHESIS}("',
        """x = t"{f"{f"{'('}"}"}" + rf'\\{d['(']!r:#x}'""",
        """x = f'''{d['(']}\n' {d["'''"]} ('''""",
        """x = f"{(lambda a: {a: 1}[':'])(b)}(" """,
        'x = f"{\n  d["("]  # why (\n}"',
        "x = f'{x' + '('",
        'x = f"}("',
    ],
)
def test_brackets_in_strings_of_format_strings_are_not_open(line: str) -> None:
    state = read_lines(f"{line}\n".encode()).state
    assert (state.n_open_brackets, state.is_lost) == (0, False)
    [wrong] = read_lines(f"{line}\ndef f():\n    a = 1\n      b = 2\n".encode()).wrong
    assert wrong == len(f"{line}\ndef f():\n    a = 1\n      ")


@pytest.mark.parametrize("line", ['x = f"{d["', 'x = f"{d["("', 'f"{' * 200, 'x = f"{a:' + "{" * 3_000])
def test_format_strings_that_are_open_are_no_error(line: str) -> None:
    assert read_lines(line.encode()).wrong == ()
    assert read_lines(f"{line}\n{line}\n".encode()).wrong == ()
