"""Second thoughts: which endings are none, and how the answer is written anew."""

from __future__ import annotations

import pytest

from fimble.backend.decode.guard import guard_for
from fimble.backend.decode.rethink import Anew, Rethinking, Step
from fimble.core.flow import Constraint, LineMode, StopRules
from fimble.syntax.parse import TreeCache


def rethinking(
    source: str,
    language: str = "python",
    neighbours: tuple[str, ...] | None = (),
    lines: LineMode = LineMode.SINGLE,
) -> Rethinking:
    prefix, suffix = source.split("$0")
    hole = Constraint(language, prefix, suffix)
    return Rethinking(StopRules(64, lines, neighbours=neighbours), hole, guard_for(hole, TreeCache()))


def steps(*texts: str, second: int = 0) -> list[Step]:
    """Tokens written, all as likely; at `second` another one was nearly so."""
    return [Step(text, -0.1, -0.2 if at == second else -5.0) for at, text in enumerate(texts)]


WRITTEN = steps("    ", "foo", "(", ")", second=1)
PLAIN = "def f():\n$0\n    a()\n    b()\n"


@pytest.mark.parametrize("left", ["", "  \n", "    a()", "    a()\n    b()"])
def test_what_is_no_answer_branches_where_the_second_choice_was_likeliest(left: str) -> None:
    assert rethinking(PLAIN, neighbours=("a()",)).instead_of(left, WRITTEN) == Anew(1)


def test_lines_that_lead_up_to_the_next_one_are_no_answer_where_one_was_wanted() -> None:
    source = "def f():\n$0\n    return False\n"
    left = "    if x:\n        return False"
    assert rethinking(source).instead_of(left, WRITTEN) == Anew(1)
    assert rethinking(source, lines=LineMode.MULTI).instead_of(left, WRITTEN) is None
    assert rethinking("def f():\n$0\n    b()\n").instead_of("    if x:\n        b()", WRITTEN) is None, "too short"


@pytest.mark.parametrize("left", ["    foo()", "    a(\n    c)", "    a(), b()", "    @a\n    def c():"])
def test_answers_stay(left: str) -> None:
    assert rethinking(PLAIN, neighbours=("a()",)).instead_of(left, WRITTEN) is None


def test_a_whole_line_with_another_below_it_branches_in_the_first() -> None:
    source, left = "def f(text):\n    if not text:\n        return None\n$0\n        g()\n", "    return 1\n\ndef h():"
    written = [
        Step("    return", -0.1, -5.0),
        Step(" 1", -0.1, -4.0),
        Step("\n\ndef", -0.1, -0.2),
        Step(" h():", -0.1, -0.2),
    ]
    assert rethinking(source).instead_of(left, written) == Anew(1)
    assert rethinking(source, lines=LineMode.MULTI).instead_of(left, written) is None
    for kept in (
        "    if a:\n        return 1",
        "    # b\n    if a:",
        "    f()\n    .g()",
        "    if (a) {\n        b\n    }",
    ):
        assert rethinking(source).instead_of(kept, written) is None, kept


@pytest.mark.parametrize(
    ("language", "source", "starts"),
    [
        (
            "javascript",
            "function f() {\n  h();\n$0\n    g();\n  }\n}\n",
            ("if", "for", "while", "else", "try", "switch"),
        ),
        ("javascript", "function f(a) {\n  h();\n$0\n    if (a) {\n      break;\n    }\n  }\n}\n", ("for", "while")),
        ("python", "def f():\n    g()\n$0\n        h()\n", ("if", "for", "while", "else", "elif", "try", "with")),
        ("shellscript", "f() {\n  h\n$0\n    g\n  fi\n}\n", ("if", "for", "while")),
        ("go", "package a\n\nfunc f() {\n\th()\n$0\n\t\tg()\n\t}\n}\n", ("if", "for", "else", "switch")),
        ("python", "def f():\n$0\n    except E:\n        h()\n", ("try",)),
        # A member of a class, and a call is given the block: nothing that a word could open.
        ("java", "class A {\n$0\n        return 1;\n    }\n}\n", ()),
        ("javascript", "function f() {\n  h();\n$0\n    g();\n  });\n}\n", ()),
    ],
)
def test_where_nothing_is_left_and_a_block_stands_below_a_word_that_opens_one_begins(
    language: str, source: str, starts: tuple[str, ...]
) -> None:
    rethought = rethinking(source, language)
    expected = Anew(0, tuple(f"    {start}" for start in starts)) if starts else Anew(1)
    assert rethought.instead_of("", steps("    return", " 1", second=1)) == expected
    assert rethought.instead_of("", steps("    return", " 1", second=1)) == Anew(1), "the same words were tried again"


def test_the_word_that_has_failed_does_not_begin_once_more() -> None:
    source = "class A {\n  int B(int[] c) {\n    int e = 0;\n$0\n      e += d;\n    }\n    return e;\n  }\n}\n"
    others = ("if", "foreach", "while", "else", "try", "switch")
    failed = steps("    ", "for", " (int d", " :", second=1)
    assert rethinking(source, "csharp").instead_of("", failed) == Anew(1, others)


@pytest.mark.parametrize(
    ("language", "source", "left"),
    [
        ("ruby", "x = 1\n$0\ny\n", "case kind\nwhen :a then 1\nend"),
        ("shellscript", "$0\ny\n", "for a in b c\ndo\n  echo $a\ndone"),
    ],
)
def test_words_of_blocks_are_no_second_statement(language: str, source: str, left: str) -> None:
    assert rethinking(source, language).instead_of(left, WRITTEN) is None


def test_a_comment_where_a_closing_line_mends_the_file_gives_way_to_that() -> None:
    source = "class A {\n  int b() {\n    return 1;\n  }\n$0\n"
    assert rethinking(source, "java").instead_of("  // Main method", WRITTEN) == Anew(0, ("}",))
    assert rethinking(f"{source}}}\n", "java").instead_of("  // Main method", WRITTEN) is None


def test_a_closing_line_that_mends_the_file_stays_though_a_name_is_needed() -> None:
    source = "class A {\n  int b(int x) {\n    if (x > 1) {\n      g();\n$0\n    return s;\n  }\n}\n"
    rethought = rethinking(source, "java")
    written = steps("      int", " s", " = 0;\n", "    }")
    assert rethought.instead_of("      int s = 0;\n    }", written) == Anew(0, ("    }",))
    assert rethought.instead_of("    }", steps("    }")) is None


def test_a_word_that_opens_the_block_begins_where_only_blanks_were_written_first() -> None:
    rethought = rethinking("def f():\n    g()\n$0\n        h()\n")
    assert rethought.instead_of("", steps("    ", "\n", second=0)) == Anew(0)
    anew = rethought.instead_of("", steps("    return", " 1"))
    assert anew is not None
    assert "    for" in anew.starts


def test_a_comment_in_place_of_code_is_written_anew_from_where_it_begins() -> None:
    left = "    # Your code here\n    pass"
    written = steps("    ", "#", " Your code here", "\n    pass", second=3)
    assert rethinking("def f(x):\n$0\n", lines=LineMode.MULTI).instead_of(left, written) == Anew(1)
    assert rethinking("def f(x):\n$0\n").instead_of("    # the square of x", written) is None


def test_elsewhere_than_on_a_blank_line_everything_stays() -> None:
    assert rethinking(PLAIN, neighbours=None).instead_of("", WRITTEN) is None
    assert rethinking(PLAIN).instead_of("", []) is None


def test_twice_at_most() -> None:
    rethought = rethinking(PLAIN)
    assert rethought.instead_of("", WRITTEN)
    assert rethought.instead_of("", WRITTEN)
    assert rethought.instead_of("", WRITTEN) is None


def test_a_needed_name_is_asked_for_once_behind_the_indentation() -> None:
    rethought = rethinking("def f(x):\n$0\n    return s\n")
    assert rethought.instead_of("    foo()", WRITTEN) == Anew(1, ("s =",))
    assert rethought.instead_of("    foo()", WRITTEN) is None


def test_the_blanks_of_a_token_that_holds_both_stay() -> None:
    rethought = rethinking("def f(x):\n$0\n    return s\n")
    assert rethought.instead_of("    foo()", steps("   ", " foo", "()")) == Anew(1, (" s =",))


def test_a_name_that_is_written_is_not_asked_for() -> None:
    assert rethinking("def f(x):\n$0\n    return s\n").instead_of("    s = 1", steps("    s", " = 1")) is None
    assert rethinking("def f(x):\n$0\n    return s\n").instead_of("    this = 1", steps("    this", " = 1")) is not None


@pytest.mark.parametrize(
    ("source", "closer"),
    [
        ("class A {\n  int b() {\n    return 1;\n  }\n$0\n", "}"),
        ("class A {\n  int b() {\n    return 1;\n$0\n}\n", "  }"),
        ("class A {\n  int b() {\n    return 1;\n  $0\n}\n", "}"),
    ],
)
def test_where_nothing_is_left_a_closing_line_that_mends_the_file_is_the_answer(source: str, closer: str) -> None:
    rethought = rethinking(source, "java")
    assert rethought.instead_of("", WRITTEN) == Anew(0, (closer,))
    assert rethought.instead_of("", WRITTEN) == Anew(1), "the same closer was tried again"
    assert rethinking(source, "java").instead_of("    int c;", WRITTEN) is None
    assert rethinking(source, "java").instead_of("  void d() {\n    b();\n  }", WRITTEN) == Anew(0, (closer,))


def test_several_lines_stay_where_they_were_asked_for_or_nothing_is_open() -> None:
    method, open_class = "  void d() {\n    b();\n  }\n}", "class A {\n  int b() {\n    return 1;\n  }\n$0"
    assert rethinking(open_class, "java", lines=LineMode.MULTI).instead_of(method, WRITTEN) is None
    assert rethinking(open_class + "\n}\n", "java").instead_of(method[:-2], WRITTEN) is None
