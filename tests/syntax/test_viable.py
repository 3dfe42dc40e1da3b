"""One completion, piece by piece: what may come next, and where it may stop."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.syntax.judging import ends_of, viability_of

from fimble.core.errors import InvariantBrokenError
from fimble.syntax import viable
from fimble.syntax.around import Hole
from fimble.syntax.ends import EndJudge
from fimble.syntax.grammar import Grammar
from fimble.syntax.languages import Language, languages
from fimble.syntax.parse import TreeCache
from fimble.syntax.stop import StopVerdict
from fimble.syntax.viable import LeftConstraint, Viability, viability_for

_NAMES = [language.name for language in languages() if language.qualified]
CorpusOf = Callable[[str], tuple[bytes, ...]]
GrammarOf = Callable[[str], tuple[Language, Grammar]]
PiecesOf = Callable[[bytes], list[bytes]]


@pytest.mark.parametrize(
    ("language", "text", "allowed", "refused"),
    [
        (
            "python",
            "x = foo($0)\n",
            ["a", "1", "*", "'", '"""', "lambda", "not", ")"],
            ["]", "=", "}", " )]", "class "],
        ),
        ("python", "x = foo(a$0)\n", ["b", ",", " + ", " if", "=1", ".b"], [" b", "]", " else x", "::"]),
        (
            "python",
            "def f():\n    return 1\n$0",
            ["\n", "def", "    y", "x = 1", "@", "else"],
            ["        y = 1", "  y", "else:"],
        ),
        ("python", "if a:\n$0", ["    b", "  b", "# why", "\n"], ["b = 1", "else"]),
        ("python", "for x in$0 y:\n", [" ", "(", " in", "+ 1"], [")", "fo"]),
        ("javascript", "const a = [1, $0];\n", ["2", "...", "{", "'", "`", "/", "]"], ["}", ")", "=", "; )"]),
        ("javascript", "/* a $0 */\n", ["anything } goes ) here", "*/ b()"], ["*/ ) b"]),
        ("typescript", "let a: $0;\n", ["string", "{", "(", "A<", "'"], ["}", ")", "= =", "1 2;"]),
        # No grammar here compares the names of tags: `</b>` is taken for an end of `<p>`.
        ("typescriptreact", "const a = <p>$0</p>;\n", ["text", "{", "<b>", "&am"], ["}", "</>}"]),
        ("java", "class A { int f() { return $0; } }\n", ["1", "new ", "this", "'a"], ["}", "else;", "] "]),
        ("go", "package p\n\nfunc f() {\n\tx := $0\n}\n", ["1", "[]int{", "func(", "`", "'"], ["}", ")", ":= 1"]),
        ("rust", "fn f() { let a = $0; }\n", ["1", "match ", "&", "'a", 'r#"', "b'"], ["}", ") ", "= = "]),
        ("c", "int f(void) { return $0; }\n", ["1", "a[", "'x", "\n#", "*"], ["}", ") ", "]", "else;"]),
        ("cpp", "#include $0\n", ["<vec", '"a', "<"], ["} ", ") "]),
        ("csharp", "class A { int B => $0; }\n", ["1", "new ", '$"', '@"'], ["}", ") ", "] "]),
        ("json", '{"a": $0}\n', ["1", "-", "[", "{", '"', "tru", "null"], ["}", "]", ":", ", "]),
        ("html", "<p>$0</p>\n", ["a", "<b>", "<!-", "&am", "<"], ["<a <b"]),
        ("php", "<?php\n$a = $0;\n", ["1", "[", "fn(", "<<<", "$"], ["]", ") ", "} "]),
        ("shellscript", "if [ $0 ]; then\n  a\nfi\n", ["-f", '"$a', "$(", "! "], [") ", "; fi", ";;"]),
        ("ruby", "a = $0\n", ["1", "[", "%w[", "<<~", ":a", "->"], [") ", "] "]),
        ("kotlin", "val a = $0\n", ["1", "listOf(", '"', "if", "{"], [") ", "] ", "= 1"]),
    ],
)
def test_what_may_come_next(language: str, text: str, allowed: list[str], refused: list[str]) -> None:
    viability = viability_of(language, text)
    assert viability.left_constraint is LeftConstraint.ON
    assert [piece for piece in allowed if not viability.viable(piece.encode())] == []
    assert [piece for piece in refused if viability.viable(piece.encode())] == []


@pytest.mark.parametrize("name", _NAMES)
def test_the_true_middle_is_never_refused_and_may_end_at_its_end(
    name: str, corpus_of: CorpusOf, grammar_of: GrammarOf, pieces_of: PiecesOf
) -> None:
    language, grammar = grammar_of(name)
    rng = random.Random(f"holes in {name}")
    trees = TreeCache()
    n_judged = 0
    for _ in range(40):
        text = rng.choice(corpus_of(name))
        start = rng.randrange(len(text))
        end = min(start + rng.choice([4, 15, 40, 120]), len(text))
        if b"\xff" in text or _splits_a_character(text, start) or _splits_a_character(text, end):
            continue
        viability = Viability(language, grammar, text[:start], text[end:], trees=trees)
        n_judged += viability.left_constraint is LeftConstraint.ON
        for piece in pieces_of(text[start:end]):
            assert viability.viable(piece), (text[:start][-60:], viability.completion, piece)
            viability.accept(piece)
        assert viability.completion == text[start:end]
        hole = Hole.of(text[:start], text[end:])
        assert EndJudge(language, grammar, hole, trees).verdict(text[start:end]).allows_stop
    assert n_judged >= 30


def _splits_a_character(text: bytes, at: int) -> bool:
    return at < len(text) and 0x80 <= text[at] < 0xC0


_JUNK = [
    b")",
    b" ]",
    b"}",
    b" else ",
    b" = ",
    b", ",
    b"x",
    b" foo",
    b"9",
    b'"',
    b"'",
    b"`",
    b"/*",
    b"*/",
    b"\n",
    b"#",
    b"(",
    b"{",
    b" ",
]


@pytest.mark.parametrize("name", _NAMES)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_reading_on_gives_the_verdict_of_reading_anew(
    name: str, corpus_of: CorpusOf, grammar_of: GrammarOf, pieces_of: PiecesOf, data: st.DataObject
) -> None:
    """Accepting and popping pieces, true ones and junk, never changes what a fresh judge says of the same text."""
    language, grammar = grammar_of(name)
    text = data.draw(st.sampled_from(corpus_of(name)), label="file")
    start = data.draw(st.integers(0, len(text) - 1), label="start")
    end = min(start + 60, len(text))
    if _splits_a_character(text, start) or _splits_a_character(text, end):
        return
    prefix, suffix = text[:start], text[end:]
    trees = TreeCache()
    viability = Viability(language, grammar, prefix, suffix, trees=trees)
    true_pieces = pieces_of(text[start:end])
    accepted: list[bytes] = []
    for _ in range(data.draw(st.integers(1, 14), label="steps")):
        if accepted and data.draw(st.integers(0, 4), label="pop") == 0:
            assert viability.pop() == accepted.pop()
        piece = data.draw(st.sampled_from([*_JUNK, *true_pieces[len(accepted) : len(accepted) + 1] * 8]), label="piece")
        fresh = Viability(language, grammar, prefix, suffix, trees=trees)
        is_viable = viability.viable(piece)
        assert is_viable == fresh.viable(b"".join([*accepted, piece]))
        if is_viable:
            viability.accept(piece)
            accepted.append(piece)
    assert viability.completion == b"".join(accepted)


def test_what_reads_as_a_comment_only_until_more_comes_is_read_anew() -> None:
    viability = viability_of("shellscript", "if [[ $a =$0b ]]; then\n  c\nfi\n")
    viability.accept(b"#")
    viability.accept(b"x")
    assert not viability.viable(b" else ")


def test_accept_and_pop() -> None:
    viability = viability_of("python", "x = foo($0)\n")
    viability.accept(b"a")
    viability.accept(b", ")
    assert not viability.viable(b",")
    assert viability.pop() == b", "
    assert viability.completion == b"a"
    assert viability.viable(b",")
    assert viability.pop() == b"a"
    with pytest.raises(InvariantBrokenError):
        viability.pop()


def test_nothing_is_viable_after_a_refused_piece_until_it_is_popped() -> None:
    viability = viability_of("python", "x = foo($0)\n")
    viability.accept(b" ] ")
    assert not viability.viable(b"a")
    viability.pop()
    assert viability.viable(b"a")


def test_characters_may_come_in_parts() -> None:
    viability = viability_of("python", "x = ['a', $0]\n")
    piece = "'é🎉'".encode()
    for i in range(len(piece)):
        assert viability.viable(piece[i : i + 1])
        viability.accept(piece[i : i + 1])
    assert not viability.viable("🎉".encode())  # no name, no operator


def test_names_comments_and_blanks_grow_without_a_parse() -> None:
    viability = viability_of("java", "class A {\n  /** Some $0 */\n  int b = some$0;\n}\n".replace("$0 */", "*/"))
    for piece in (b"Thing", b"Else", b"2"):
        n_parses = viability.n_parses
        assert viability.viable(piece)
        viability.accept(piece)
    assert viability.n_parses == n_parses
    comment = viability_of("java", "class A {\n  /** Some $0 */\n  int b;\n}\n")
    n_parses = comment.n_parses
    for piece in (b"words", b" (and)", b"\n   * more", b' "quoted" } text'):
        assert comment.viable(piece)
        comment.accept(piece)
    assert comment.n_parses == n_parses


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "x = g($0\n"),
        ("ruby", "x = g($0\n"),
        ("rust", "fn f() { let x = g($0\n"),
        ("php", "<?php $x = g($0\n"),
    ],
)
@pytest.mark.parametrize("opening", [b'"#', b'"# ', b'"//', b'"// ', b'"/*', b'"/* ', b'"a#', b'"a /* '])
def test_what_begins_like_a_comment_right_behind_a_quote_is_no_comment(
    language: str, text: str, opening: bytes
) -> None:
    viability = viability_of(language, text)
    for piece in (opening, b"fff", b'"', b")"):
        assert viability.viable(piece), piece
        viability.accept(piece)
    assert not viability.viable(b")")


@pytest.mark.parametrize("number", ["-1.5e+3", "1E+10", "2e-3", "1e5"])
def test_exponents_of_json(number: str) -> None:
    viability = viability_of("json", '{"a+e+b": [1, $0]}\n')
    for i in range(len(number)):
        piece = number[i : i + 1].encode()
        assert viability.viable(piece), number[: i + 1]
        viability.accept(piece)
    assert viability.viable(b", ")
    assert not viability.viable(b"+1")
    assert ends_of("json", '{"a+e+b": [1, $0]}\n').verdict(number.encode()) is StopVerdict.CLEAN
    assert ends_of("json", f'{{"a": {number}, "b": $0}}\n').verdict(b"1e+2") is StopVerdict.CLEAN


def test_null_and_default_in_one_case_of_java() -> None:
    text = "class A { int f(Object o) { return switch (o) { case B b -> 1; $0 }; } }\n"
    viability = viability_of("java", text)
    for piece in (b"case null", b", ", b"def", b"ault", b" ->", b" 2", b";"):
        assert viability.viable(piece), piece
        viability.accept(piece)
    verdicts = {
        middle: ends_of("java", text).verdict(middle.encode())
        for middle in ("case null, default -> 2;", "case null, defaultB -> 2;", "default -> 2;", "case null, -> 2;")
    }
    assert list(verdicts.values()) == [StopVerdict.CLEAN, StopVerdict.CLEAN, StopVerdict.CLEAN, StopVerdict.NO]


def test_commas_before_closing_brackets_of_jsonc() -> None:
    for gap in ("", "\n", " // why, [\n", " // a,\n // b,\n /* c, */ // d\n // e\n\n"):
        for piece in (b"]", b"3", b"3,", b"3 ]", b"// [\n]"):
            text = f'{{"a": [1, 2,{gap}$0\n'
            assert viability_of("jsonc", text).viable(piece), (gap, piece)
        text = f'{{"a": [1, 2,{gap}$0{gap}], "b,]": {{"c": 1,{gap}}},{gap}}}\n'
        verdicts = {piece: ends_of("jsonc", text).verdict(piece) for piece in (b"", b"3", b"3,", b"3,\n", b",", b"}")}
        assert [piece for piece, verdict in verdicts.items() if verdict is StopVerdict.CLEAN] == [
            b"",
            b"3",
            b"3,",
            b"3,\n",
        ]
    viability = viability_of("jsonc", '{"a": [1, 2, // why\n // not\n // so\n$0\n')
    for piece in (b"]", b",", b" // then\n", b"}", b"\n"):
        assert viability.viable(piece)
        viability.accept(piece)
    assert not viability.viable(b",")
    assert not viability_of("jsonc", "[1, 2,$0\n").viable(b", ")
    assert not viability_of("json", "[1, 2,$0\n").viable(b"] ")
    assert ends_of("json", "[1, 2,$0]\n").verdict(b"") is not StopVerdict.CLEAN


def test_a_name_that_becomes_a_keyword_is_judged() -> None:
    viability = viability_of("javascript", "x = i$0;\n")
    assert viability.viable(b"tems")
    assert not viability.viable(b"f;")
    viability.accept(b"n")
    assert not viability.viable(b";")
    assert viability.viable(b"fo")


@pytest.mark.parametrize(
    ("language", "text", "wrong", "right"),
    [
        ("java", 'class A { String s = "*/*"; int f() { $0 return 1; } }\n', "int return = 5;", "int returned = 5;"),
        ("java", "class A { // see src/*\n int f() { $0 return 1; } }\n", "int return = 5;", "int returned = 5;"),
        ("c", 'char *s = "src/*";\nint f(void) { $0 return 1; }\n', "int return = 5;", "int returned = 5;"),
        ("rust", 'const S: &str = "src/*";\nfn f() { $0 }\n', "let match = 5;", "let matched = 5;"),
        ("rust", "/// See src/*\nfn f() { $0 }\n", "let match = 5;", "let matched = 5;"),
        ("typescript", "const s = 'src/*', t = `*/*`;\n$0\n", "foo(a, return);", "foo(a, returned);"),
        ("csharp", 'class A { string s = "*/*"; int F() { $0 return 1; } }\n', "int return = 5;", "int returned = 5;"),
    ],
)
def test_what_looks_like_a_comment_in_a_string_hides_no_reserved_word(
    language: str, text: str, wrong: str, right: str
) -> None:
    assert ends_of(language, text).verdict(wrong.encode()) is StopVerdict.NO
    assert ends_of(language, text).verdict(right.encode()) is StopVerdict.CLEAN
    assert not viability_of(language, text).viable(wrong.encode())
    assert viability_of(language, text).viable(right.encode())


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("java", 'class A {\n  int f() {\n    /* what "*/*" and "src/*" are $0\n    int b;\n  }\n}\n'),
        ("c", 'int f(void) {\n  /* what "src/*" is $0\n  int b;\n}\n'),
        ("rust", "fn f() {\n  /* what it is $0\n  let b = 1;\n}\n"),
        ("typescript", "function f() {\n  /* what 'src/*' is $0\n  let b = 1;\n}\n"),
    ],
)
def test_words_of_an_open_comment_are_not_reserved(language: str, text: str) -> None:
    for words in (b"int return x = 3;", b"let match of the return x = 3;"):
        viability = viability_of(language, text)
        assert viability.viable(words)
        assert ends_of(language, text).verdict(words) is not StopVerdict.NO


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        ("x = foo($0)\n", {"a": "clean", "a, b": "clean", "a,": "clean", "a, b(": "no", "a)": "no"}),
        ("def f():\n    $0\n", {"pass": "clean", "if a:": "no", "if a:\n        b": "clean", "x = (": "no"}),
        ("a = 1\nx = = 2\nb = f($0)\n", {"1": "strong", "1)": "no"}),
    ],
)
def test_where_a_completion_may_end(text: str, verdicts: dict[str, str]) -> None:
    ends = ends_of("python", text)
    assert {middle: ends.verdict(middle.encode()).value for middle in verdicts} == verdicts


@pytest.mark.parametrize(
    ("language", "text", "wrong", "right"),
    [
        ("java", "package a;\n$0\n\n// B.\nimport c.D;\n\nclass E {}\n", "class B {}", "import b.B;"),
        ("java", "package a;\nimport c.D;\n$0\n\nclass E {}\n", "import f", "class B {}"),
        ("go", 'package a\n\n$0\n\nimport "b"\n\nfunc f() {}\n', "func g() {}", 'import "c"'),
        ("csharp", "$0\n#region B\nusing B;\nclass E {}\n", "class C {}", "using C;"),
        ("csharp", "$0\nusing B;\nclass E {}\n", "class C {}", "namespace A;"),
        ("csharp", "$0\nusing B;\nclass E {}\n", "namespace A { class C {} }", "namespace A;\nusing C;"),
    ],
)
def test_nothing_stands_above_imports(language: str, text: str, wrong: str, right: str) -> None:
    assert ends_of(language, text).verdict(wrong.encode()) is StopVerdict.NO
    assert ends_of(language, text).verdict(right.encode()) is StopVerdict.CLEAN


@pytest.mark.parametrize(
    ("text", "wrong", "right"),
    [
        ("package a\n\nvar b = []int{$0}\n", "\n\t1, 2\n", "\n\t1,\n"),
        ("package a\n\nvar b = []int{$0\n}\n", "\n\t1, 2 // c", "\n\t1, /* c */"),
        ("package a\n\nfunc f() {\n\t$0\n}\n", "g(\n\t\ta,\n\t\tb\n\t)", "g(\n\t\ta,\n\t\tb)"),
        ("package a\n\nfunc f() {\n\tg(\n\t\t$0\n\t)\n}\n", "a", "a,"),
        ("package a\n\n$0\n", "func f(\n\ta int\n) {\n}", "func f(\n) {\n\tg()\n}"),
        ("package a\n\nvar b = c[$0]\n", "\n\t1\n", "\n\t1"),
    ],
)
def test_go_wants_a_comma_where_a_line_ends_before_a_bracket_closes(text: str, wrong: str, right: str) -> None:
    assert ends_of("go", text).verdict(wrong.encode()) is StopVerdict.NO
    assert ends_of("go", text).verdict(right.encode()) is StopVerdict.CLEAN


def test_which_verdicts_allow_a_stop() -> None:
    allowing = {verdict for verdict in StopVerdict if verdict.allows_stop}
    assert allowing == {StopVerdict.CLEAN, StopVerdict.STRONG, StopVerdict.UNKNOWN}


def test_no_grammar_no_judge() -> None:
    assert viability_for("toml", "a = ", "\n") is None
    assert viability_for("plaintext", "a", "b", path="notes.txt") is None
    assert viability_for("plaintext", "a = ", "\n", path="x.py") is not None


# Where the left side cannot be judged, every piece is allowed and the stop rule stays.


def test_an_unqualified_grammar_gets_the_stop_rule_only(grammar_of: GrammarOf) -> None:
    language, grammar = grammar_of("python")
    viability = Viability(replace(language, qualified=False), grammar, b"x = (", b")\n", trees=TreeCache())
    assert viability.left_constraint is LeftConstraint.NOT_QUALIFIED
    assert viability.viable(b" ] ] ")
    viability.accept(b" ] ] ")
    assert viability.pop() == b" ] ] "


def test_a_changed_log_turns_the_left_constraint_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viable, "log_is_understood", lambda: False)
    viability = viability_of("python", "x = ($0)\n")
    assert viability.left_constraint is LeftConstraint.LOG_CHANGED
    assert viability.viable(b" ] ] ")
