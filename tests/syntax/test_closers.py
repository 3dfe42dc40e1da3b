"""Which closers of a written line stand for those right of the cursor."""

from __future__ import annotations

import pytest

from fimble.syntax.closers import blanks_before_closer, closed_again, closed_at, closes_other, is_only_closers


@pytest.mark.parametrize(
    ("source", "line", "before_and_closers"),
    [
        ("f($0)", "a)", ("a", ")")),
        ("f($0)", "g(a)) + 1", ("g(a)", ")")),
        ("f($0)", "')' + a) + 1", ("')' + a", ")")),
        ("f($0)", r"'\')' + a)", (r"'\')' + a", ")")),
        ("f([$0])", "a], b)", ("a", "], b)")),
        ("f('$0')", "a') + 1", ("a", "')")),
        ("f(g($0));", "a)) + b;", ("a", ")) + b;")),
        ("a['$0]", "b'].c", ("b'", "]")),
        ('x = "f($0)', 'a);"', ("a", ")")),
        ("f($0)", "a) + g(b) {", ("a", ")")),
        ("f($0)", "a) + (b", None),
        ("f('$0')", "a') + g('b", None),
        ("f($0)", "g(a)", None),
        ("f($0)", "a] + b)", None),
        ("f([$0])", "a]", None),
        ("f($0)", "", None),
    ],
)
def test_where_the_line_closes_them(source: str, line: str, before_and_closers: tuple[str, str] | None) -> None:
    head, rest = source.split("$0")
    found = closed_again(head, line, rest)
    cut = (line[: found.n_before], line[found.n_before : found.n_through]) if found else None
    assert cut == before_and_closers


@pytest.mark.parametrize(("rest", "is_only"), [(")", True), ("']);", True), ("", False), (";", False), (") {", False)])
def test_what_only_closes(rest: str, is_only: bool) -> None:
    assert is_only_closers(rest) is is_only


@pytest.mark.parametrize(
    ("source", "is_other"),
    [("[$0}", True), ("f(a[$0) ", True), ("f($0)", False), ("f([a$0])", False), ("a$0)", False), ("f('($0')", False)],
)
def test_what_closes_something_else_than_the_line_has_open(source: str, is_other: bool) -> None:
    head, rest = source.split("$0")
    assert closes_other(head, rest) is is_other


@pytest.mark.parametrize(
    ("line", "closer", "places"),
    [
        ("a) {", ")", [1]),
        ("f(a), b) {", ")", [7]),
        ("a) and (b):", ")", [9, 1]),
        ("a); g(b);", ")", [7, 1]),
        ("a] + b)", ")", []),
        ("a)) + (b)", ")", [1]),
        ("')' + a)", ")", [7]),
        ("a) + ')' + (b)", ")", [13, 1]),
        ("a; b", ";", []),
        ("\n  // don't\n  f(() => {\n  })\n}\ng(() => {})\n}", "}", [29]),
        ("\n  a]", "}", []),
        ("a)", "", []),
    ],
)
def test_where_a_line_closes_what_was_open_before_it(line: str, closer: str, places: list[int]) -> None:
    assert closed_at(line, closer) == places


@pytest.mark.parametrize(
    ("source", "text", "line"),
    [
        ("  if (a) {$0}", "\n    b();", "\n  "),
        ("\tf($0);", "\n\t\ta,\n\t\tb", "\n\t"),
        ("import { $0 } from 'a'", "\n  b", "\n"),
        ('    """$0"""', "\n    A.", "\n    "),
        ('    """$0"""', "A.\n\n    B.", ""),
        ("  a = '$0'", "\n  b", ""),
        ("  if (a) {$0}", " b();", " "),
        ("  if (a) {$0}", "b();", ""),
        ("  <ul>$0</ul>", "\n    <li>A</li>", "\n  "),
        ("  <h1>$0</h1>", " A", ""),
        ("  f({$0});", " a: 1", " "),
        ("  f($0);", " a", ""),
        ("  a = `${$0}`;", " b", ""),
        ("  f(g($0)", "\n    b) + c", ""),
        ("  f({ a$0 })", "\n    b", ""),
        ("  f($0", "\n    b", ""),
        ("  $0)", "\n    b", ""),
        ("  f($0]", "\n    b", ""),
    ],
)
def test_a_closer_stands_apart_where_the_text_does_from_its_other_half(source: str, text: str, line: str) -> None:
    head, rest = source.split("$0")
    assert blanks_before_closer(head, text, rest) == line
