"""Files that are broken, huge, minified, deep or mixed: what may come next there, in bounded time."""

from __future__ import annotations

import pytest
from tests.syntax.conftest import language_and_grammar
from tests.syntax.judging import ends_of, viability_of

from fimble.syntax.left import LeftMemory
from fimble.syntax.parse import TreeCache
from fimble.syntax.stop import StopVerdict
from fimble.syntax.viable import LeftConstraint, Viability, viability_for


def test_broken_code_right_before_the_cursor_is_not_judged() -> None:
    viability = viability_of("python", "x = ) + $0\n")
    assert viability.left_constraint is LeftConstraint.BROKEN_PREFIX
    assert viability.viable(b"anything ) at ] all")


@pytest.mark.parametrize(
    ("language", "broken", "good"),
    [
        ("python", "def f(:\n    x = = 3\n\n\n", "def g(a):\n    b = a$0\n"),
        ("javascript", "function f( {\n  return ) 3;\n}\n\n", "function g(a) {\n  return a$0;\n}\n"),
        ("go", "package p\n\nfunc f( {\n\tx = = 3\n}\n\n", "func g() int {\n\treturn 1$0\n}\n"),
        ("java", "class A {\n  int f() { return = 3; }\n\n", "  int g() {\n    return 1$0;\n  }\n}\n"),
    ],
)
def test_an_error_far_above_changes_little(language: str, broken: str, good: str) -> None:
    viability = viability_of(language, broken + good)
    assert viability.viable(b" + 1")
    ends = ends_of(language, broken + good)
    assert ends.verdict(b" + 1").allows_stop
    assert not ends.verdict(b" + (1").allows_stop
    # Members of one class are not told from each other by what stands at the very left.
    expected = LeftConstraint.BROKEN_PREFIX if language == "java" else LeftConstraint.ON
    assert viability.left_constraint is expected
    assert viability.viable(b" ] ") is (expected is LeftConstraint.BROKEN_PREFIX)


def test_macros_that_no_grammar_knows() -> None:
    macros = "".join(
        f"DECLARE_THING(foo{i}, int) BEGIN_X\n#define M{i}(x) do {{ x; \nstatic FOO(a) bar{i}() {{ M(1) }}\n"
        for i in range(60)
    )
    source = macros + "int f(void) {\n  return $0\n}\n" + macros
    assert viability_of("c", source).viable(b"1;")
    ends = ends_of("c", source)
    assert ends.verdict(b"1;").allows_stop
    assert ends.verdict(b"1; ) ) }") in (StopVerdict.NO, StopVerdict.WEAK)


# Files of any size cost the same at every piece.


def _python_file(n_functions: int) -> str:
    return "".join(
        f"def function_{i}(a, b):\n    '''Doc {i}.'''\n    if a > {i}:\n"
        f"        return [a, b, {{'k': {i}}}]\n    return None\n\n\n"
        for i in range(n_functions)
    )


def test_a_file_of_20_000_lines() -> None:
    text = _python_file(3_000)
    assert text.count("\n") > 20_000
    middle = text.index("    return None", len(text) // 2)
    prefix, suffix = text[:middle], text[middle:]
    viability = viability_for("python", prefix, suffix)
    assert viability is not None
    assert viability.left_constraint is LeftConstraint.ON
    n_parses = viability.n_parses
    for piece in ("    if", " b", ":\n", "        return", " 2\n"):
        assert viability.viable(piece.encode())
        viability.accept(piece.encode())
    assert viability.n_parses - n_parses <= 5
    ends = ends_of("python", f"{prefix}$0{suffix}")
    assert ends.verdict(viability.completion).allows_stop
    assert not ends.verdict(b"    x = (").allows_stop


def test_the_left_text_does_not_grow_with_the_file() -> None:
    sizes = []
    for n_functions in (40, 1_200):
        text = _python_file(n_functions)
        middle = text.index("    return None", len(text) // 2)
        viability = viability_for("python", text[:middle], text[middle:])
        assert viability is not None
        sizes.append(viability.n_left_bytes)
    assert sizes[1] < 1.5 * sizes[0]
    assert sizes[1] < 2_000


def test_a_file_past_all_bounds_is_judged_by_what_is_near() -> None:
    text = _python_file(16_000)
    middle = text.index("    return None", len(text) // 2)
    viability = viability_for("python", text[:middle], text[middle:])
    assert viability is not None
    assert viability.left_constraint is LeftConstraint.TOO_LARGE
    assert viability.viable(b" ] ] ")
    ends = ends_of("python", f"{text[:middle]}$0{text[middle:]}")
    assert not ends.sees_all
    assert ends.verdict(b"    x = 1\n").allows_stop
    assert ends.verdict(b"    x = (\n") is StopVerdict.NO


def test_within_a_long_block_of_a_file_past_all_bounds_indentation_is_not_judged() -> None:
    body = "".join(f"        if a:\n            self.f({i})\n" for i in range(20_000))
    ends = ends_of("python", f"class A:\n    def f(self):\n{body}        $0\n    def g(self):\n        pass\n")
    assert not ends.sees_all
    assert ends.verdict(b"b = 1").allows_stop
    assert not ends.verdict(b"b = f(").allows_stop


def test_minified_code_on_one_line() -> None:
    code = "".join(
        f"function f{i}(a,b){{var c=a+b*{i};if(c>1){{return[c,'x']}}else{{return{{a:c}}}}}}" for i in range(600)
    )
    text = "(function(){" + code + "})();"
    assert "\n" not in text
    middle = text.index("if(c>1)", len(text) // 2)
    viability = viability_for("javascript", text[:middle], text[middle:])
    assert viability is not None
    assert viability.left_constraint is LeftConstraint.ON
    assert viability.n_left_bytes < 1_000
    assert viability.viable(b"if(c<0)")
    assert not viability.viable(b"if(c<0]")
    ends = ends_of("javascript", f"{text[:middle]}$0{text[middle:]}")
    assert ends.verdict(b"c++;") is StopVerdict.CLEAN
    assert ends.verdict(b"c++)") is StopVerdict.NO


def test_a_very_deep_text() -> None:
    viability = viability_for("json", "[" * 5_000, "]" * 5_000)
    assert viability is not None
    assert viability.viable(b"1")
    assert ends_of("json", "[" * 5_000 + "$0" + "]" * 5_000).verdict(b"1") is StopVerdict.CLEAN


@pytest.mark.parametrize("text", ["$0", "\n$0", "$0\n", "x$0", " \t$0  ", "\ufeff$0\n", "x = 1\r\n$0\r\ny = 2\r\n"])
def test_nearly_empty_texts(text: str) -> None:
    viability = viability_of("python", text)
    assert viability.viable(b"\n")
    assert ends_of("python", text).verdict(b"").allows_stop


def test_languages_within_languages() -> None:
    page = "<html>\n<script>\n  const a = { b: $0 };\n</script>\n<style>p { }</style>\n</html>\n"
    html = viability_of("html", page)
    assert html.viable(b"1 } ) anything")  # a script is text to HTML
    assert ends_of("html", page).verdict(b"1").allows_stop
    listing = "<ul>\n<?php foreach ($a as $b): ?>\n  <li><?= $0 ?></li>\n<?php endforeach; ?>\n</ul>\n"
    php = viability_of("php", listing)
    assert php.viable(b"$b->name")
    assert not php.viable(b") ]")
    assert ends_of("php", listing).verdict(b"$b") is StopVerdict.CLEAN
    assert ends_of("php", listing).verdict(b"$b(") is StopVerdict.NO


def test_an_edit_nearby_is_parsed_from_the_last_tree() -> None:
    text = _python_file(300)
    middle = text.index("    return None", len(text) // 2)
    trees = TreeCache()
    for typed in ("", "    ", "    x", "    x ="):
        assert viability_for("python", text[:middle] + typed, text[middle:], trees=trees) is not None
    assert trees.n_full_parses == 1


# What is open above the cursor is no bracket, so nothing makes those lines whole.
_OPEN_ABOVE = {
    "python": (
        'def f(a):\n    """\n    The first, (\n',
        '    and the rest. """\n    b = g(a, [1, 2])\n    if b:\n        h(b)\n',
    ),
    "java": ("class A {\n  /**\n   * What (\n", "   * it is. */\n  void f(int a) {\n    int c = g(a, 1);\n"),
    "typescript": ("function f(a: A) {\n  /*\n  What (\n", "  it is. */\n  const c: C = g(a, [1, 2]);\n  if (c) {\n"),
}


@pytest.mark.parametrize("name", _OPEN_ABOVE)
def test_typing_in_a_broken_file_reads_what_stands_before_once(name: str) -> None:
    language, grammar = language_and_grammar(name)
    above, typed = (text.encode() for text in _OPEN_ABOVE[name])
    memory, trees = LeftMemory(), TreeCache()
    for n_typed in range(len(typed)):
        at = above + typed[:n_typed], b"\n\n"
        kept = Viability(language, grammar, *at, trees=trees, memory=memory)
        fresh = Viability(language, grammar, *at, trees=trees)
        assert kept.left_constraint is fresh.left_constraint is LeftConstraint.ON
        for piece in (b")", b"]", b"}", b" = ", b"x", b"\n", b"'", b" else ", b"(", typed[n_typed : n_typed + 4]):
            assert kept.viable(piece) == fresh.viable(piece), (at, piece)
    assert memory.n_read_whole == 1


def test_a_broken_left_side_is_read_once() -> None:
    memory, trees = LeftMemory(), TreeCache()
    n_read: list[int] = []
    for typed in ("", "y", "y ", "y =", "y = 1\nz"):
        viability = viability_for("python", f"x = ) (\n{typed}", "\n", trees=trees, memory=memory)
        assert viability is not None
        assert viability.left_constraint is LeftConstraint.BROKEN_PREFIX
        n_read.append(memory.n_read_whole)
    assert n_read[0] == n_read[3] > 0


def test_a_wrong_line_is_forgotten_with_its_last_key() -> None:
    memory, trees = LeftMemory(), TreeCache()
    above = '"""Tools.\n\nimport tools\n"""\n\ndef f():\n    """\n    Of (\n'
    for typed in ('    """\n    x = )', '    """\n    x = '):
        viability = viability_for("python", above + typed, "\n", trees=trees, memory=memory)
    assert viability is not None
    assert viability.viable(b"1")
    assert not viability.viable(b")")


def test_a_line_too_long_to_be_written_by_hand_and_then_shorter() -> None:
    memory, trees = LeftMemory(), TreeCache()
    above, line = 'def f():\n    """\n', "words " * 200
    for cursor, suffix in ((600, line[600:] + "\n"), (600, "\n"), (0, "\n")):
        viability = viability_for("python", above + line[:cursor], suffix, trees=trees, memory=memory)
        fresh = viability_for("python", above + line[:cursor], suffix)
        assert viability is not None
        assert fresh is not None
        assert viability.left_constraint is fresh.left_constraint
        assert viability.n_left_bytes == fresh.n_left_bytes
        for piece in (b"x", b") (", b'"""\n', b'"""\n)'):
            assert viability.viable(piece) == fresh.viable(piece)
