"""Where completions end when the file's syntax has a say. `$0` marks the cursor; text comes in pieces of any size."""

from __future__ import annotations

import pytest
from tests.backend.decode.writing import MULTI, SINGLE, write

from fimble.backend.decode.ending import Ending
from fimble.backend.decode.guard import guard_for
from fimble.core.flow import Constraint, LineMode, StopReason, StopRules
from fimble.syntax.parse import TreeCache


@pytest.mark.parametrize("n_chars", [1, 3, 100])
def test_a_comma_that_nothing_may_follow_goes_where_further_lines_do_not_help(n_chars: int) -> None:
    written = '"1.0",\n  "b": "",\n  "c": "",\n  "d": "",\n'
    assert write('{\n  "a": $0\n}\n', written, SINGLE, n_chars, "json") == ('"1.0"', StopReason.SYNTAX)


@pytest.mark.parametrize("n_chars", [1, 3, 100])
@pytest.mark.parametrize(
    ("source", "written", "expected", "reason"),
    [
        # A finished line ends.
        ("x = $0\n", "1 + 2\ny = 3\n", "1 + 2", StopReason.LINE_END),
        # A line that opens a bracket goes on to where it closes.
        ("x = $0\n", "call(\n    1,\n)\ny = 3\n", "call(\n    1,\n)", StopReason.LINE_END),
        # A line that opens a block goes on to its first statement.
        (
            "def f(x):\n    $0\n",
            "if x:\n        return 1\n    return 2\n",
            "if x:\n        return 1",
            StopReason.LINE_END,
        ),
        # A header whose body is there already ends.
        ("$0\n    return 1\n", "def f(x):\n    pass\n", "def f(x):", StopReason.LINE_END),
        # The editor's bracket stands there already: the written one goes.
        ("print($0)\n", "value)\nmore\n", "value", StopReason.SYNTAX),
        ("print(f($0))\n", "value))\nmore\n", "value", StopReason.SYNTAX),
        # And this one belongs to the answer.
        ("print($0)\n", "f(value)\nmore\n", "f(value)", StopReason.LINE_END),
        # A closer within a token.
        ("users[$0] = 1\n", "'Alice'] = 20\n", "'Alice'", StopReason.SUFFIX_REACHED),
        # Nothing that could stay.
        ("x = ($0\ny = 1\n", ") )\n) ]\n( ]\n] ]\n", "", StopReason.SYNTAX),
    ],
)
def test_single_lines(source: str, written: str, expected: str, reason: StopReason, n_chars: int) -> None:
    if reason is StopReason.SYNTAX and not expected:
        assert write(source, written, SINGLE, n_chars)[1] is StopReason.SYNTAX
    else:
        assert write(source, written, SINGLE, n_chars) == (expected, reason)


@pytest.mark.parametrize("n_chars", [1, 3, 100])
@pytest.mark.parametrize(
    ("language", "source", "written", "expected"),
    [
        # The line goes on behind the bracket that the editor put: all of it stands in that bracket's place.
        ("python", "def f($0)\n    return a\n", "a: int) -> str:\n    return a\n", "a: int) -> str:"),
        ("python", 'x = a["$0]\n', 'b"].c["d"]\n', 'b"].c["d"]'),
        ("javascript", 'f([\n  "g($0)\n  "h",\n]);\n', '...a);",\n  "h",\n', '...a);",'),
        # It may not: what it would leave open nothing closes. What comes before the bracket stays.
        ("typescript", "function f() {\n  if (a$0)\n}\n", " > 1) {\n    g();\n    h();\n", " > 1"),
        # Cut off before any bracket: the line lacks its colon, as it did before.
        ("python", "def f($0)\n    return a\n", "a, b", "a, b"),
        ("python", "def f($0)\n    return a\n", ")) (", ""),
    ],
)
def test_before_closers_that_the_editor_put(
    language: str, source: str, written: str, expected: str, n_chars: int
) -> None:
    assert write(source, written, SINGLE, n_chars, language)[0] == expected


@pytest.mark.parametrize("n_chars", [1, 3, 100])
@pytest.mark.parametrize(
    ("source", "written", "expected"),
    [
        ("x = $0\n", "call(\n    1,\n    2,\n    3,\n    4,\n", "call"),
        ("x$0\n", " = a['('].call(b, {\n    1: 2,\n    2: 3,\n    3: 4,\n    4: 5,\n", " = a['('].call"),
        ("$0\n", "\nx = call(\n    1,\n    2,\n    3,\n    4,\n", "\nx = call"),
        # Nothing would be right of this one.
        ("x$0\n", " = {\n    1: 2,\n    2: 3,\n    3: 4,\n    4: 5,\n", ""),
    ],
)
def test_a_call_that_goes_on_for_too_long_is_left_at_its_bracket(
    source: str, written: str, expected: str, n_chars: int
) -> None:
    assert write(source, written, SINGLE, n_chars) == (expected, StopReason.SYNTAX)


@pytest.mark.parametrize("n_chars", [1, 3, 100])
@pytest.mark.parametrize(
    ("language", "source", "written", "expected"),
    [
        (
            "go",
            "package p\n\nfunc f() {\n\tfor k, v := ran$0\n\tg()\n}\n",
            "ge c.w {\n\t\tif v {\n\t\t\th(a,\n\t\t\tb,\n",
            "ge c.w",
        ),
        (
            "java",
            "class A {\n  void f() {\n    while (a$0\n    g();\n  }\n}\n",
            "bc) {\n      if (d) {\n        h(1,\n2,\n3,\n",
            "bc)",
        ),
        # Where nothing is written yet, the file is whole: a block without its end would break it.
        ("go", "package p\n\nfunc f() {\n\t$0\n\tg()\n}\n", "for v := range c.w {\n\t\tif v {\n\t\t\th(a,\n", ""),
        (
            "go",
            "package p\n\nfunc f() {\n\t$0\n\tg()\n}\n\nfunc q( {\n}\n",
            "for v := range c.w {\n\t\tif v {\n\t\t\th(a,\n",
            "",
        ),
    ],
)
def test_a_block_that_goes_on_for_too_long_is_left_at_its_bracket(
    language: str, source: str, written: str, expected: str, n_chars: int
) -> None:
    assert write(source, written, SINGLE, n_chars, language) == (expected, StopReason.SYNTAX)


@pytest.mark.parametrize("n_chars", [1, 3, 100])
@pytest.mark.parametrize(
    ("source", "written", "expected"),
    [
        ("function f(a) {\n  if (a) {\n    g();\n  $0\n  h();\n}\n", "} else {\n    k();\n", "}"),
        ("function f(a) {\n  if (a) {\n    g();\n$0\n  h();\n}\n", "  } else {\n    k();\n", "  }"),
        # It lacks nothing: both lines are there for the `else`.
        ("function f(a) {\n  if (a) {\n    g();\n  $0\n    h();\n  }\n}\n", "} else {\n    k();\n", "} else {"),
        # What begins with the closer and is right as it stands.
        ("f([\n  1,\n$0\n", "]).then((a) => a);\n", "]).then((a) => a);"),
    ],
)
def test_a_line_that_begins_with_all_that_the_file_lacks_ends_there(
    source: str, written: str, expected: str, n_chars: int
) -> None:
    assert write(source, written, SINGLE, n_chars, "javascript") == (expected, StopReason.LINE_END)


@pytest.mark.parametrize("n_chars", [1, 4, 100])
def test_cut_off_in_the_middle_whole_lines_stay(n_chars: int) -> None:
    written = "a = 1\n    b = call(a,\n        "
    assert write("def f():\n    $0\n", written, MULTI, n_chars) == ("a = 1", StopReason.SYNTAX)


@pytest.mark.parametrize(
    ("language", "source", "written", "expected"),
    [
        # What is left without the fragment may not end so: a header without its block, a bracket without its end.
        ("python", "def f():\n    $0\n    g()\n", "a = 1\n    if a:\n        h()", "a = 1"),
        ("python", "def f():\n    $0\n    g()\n", "a = 1\n    b = k(\n        a)", "a = 1"),
        ("javascript", "f();\n$0\ng();\n", "let a = 1;\nconst b = k(\n  a);", "let a = 1;"),
        # Alone it is shown.
        ("python", "def f():\n    $0\n    g()\n", "a = h()", "a = h()"),
    ],
)
def test_cut_off_what_stays_without_the_last_line_is_judged(
    language: str, source: str, written: str, expected: str
) -> None:
    assert write(source, written, MULTI, 1, language)[0] == expected


@pytest.mark.parametrize("n_chars", [1, 4, 100])
def test_cut_off_later_a_short_rest_of_the_line_says_where_it_was_reached(n_chars: int) -> None:
    written = "lections\n    c = f(a)\n    return [b for b in c]\n\nprint(g(1,"
    kept, reason = write("def g(a):\n    import col$0)\n    return 1\n", written, MULTI, n_chars)
    assert (kept, reason) == ("lections\n    c = f(a", StopReason.SUFFIX_REACHED)


def test_cut_off_where_the_rest_would_be_a_comment_it_still_ends_where_the_rest_was_reached() -> None:
    written = "b = b, a % b\n    return a\n\nprint(gcd(3, 5))  # 1\nprint(gcd(6, 3))  # 3"
    kept, reason = write("def gcd(a, b):\n    while b:\n        a, $0 a\n", written, MULTI, 3)
    assert (kept, reason) == ("b = b, a % b\n    return", StopReason.SUFFIX_REACHED)


@pytest.mark.parametrize("n_chars", [1, 4, 100])
@pytest.mark.parametrize(
    ("language", "source", "written", "expected", "reason"),
    [
        # It went on through the rest of the line, in its own way: what comes before its own bracket was asked for.
        ("java", "{JAVA}if($0) {\n      g();\n    }\n  } }\n", "a > 1){\n  h();\n", "a > 1", "suffix_reached"),
        ("java", "{JAVA}if($0)\n      g();\n  } }\n", "a) h(b);\n  k();\n", "a", "suffix_reached"),
        ("java", "{JAVA}for($0 ){\n      g();\n    }\n  } }\n", "int i = 0; i < f(a); i++ ) h(i);\n", None, ""),
        ("python", "def f(a, b):\n    if ($0):\n        return 1\n", "a) and (b) :\n        g()\n", "a) and (b", ""),
        # Behind it a bracket is open that may be the one: it goes on.
        ("javascript", "f($0);\n", "a).then(() => {\n  g();\n}\n", "a).then(() => {\n  g();\n}", "max_tokens"),
        # So it would, but it was cut off before.
        ("javascript", "f($0);\n", "a).then(() => {\n  g();\n  h(", "a", "suffix_reached"),
        # The brackets of the line are its own.
        ("python", "x = g(\n    $0)\n", "f(a),\n    f(b),\n", "f(a),\n    f(b),", "max_tokens"),
    ],
)
def test_several_lines_end_where_their_own_closer_begins_the_rest_of_the_line(
    language: str, source: str, written: str, expected: str | None, reason: str, n_chars: int
) -> None:
    source = source.replace("{JAVA}", "class A { void f() {\n    ")
    expected = written.partition(" )")[0] if expected is None else expected
    assert write(source, written, MULTI, n_chars, language) == (expected, StopReason(reason or "suffix_reached"))


@pytest.mark.parametrize("mode", [SINGLE, MULTI])
@pytest.mark.parametrize("n_chars", [1, 4, 100])
@pytest.mark.parametrize(
    ("source", "written", "expected"),
    [
        # The cursor is in a word, and what is written leads through it.
        ("def f(x, y):\n    $0rn y\n", "return x\n\ndef g():\n    return 1\n", "retu"),
        ("def f(n):\n    $0e(n + 1))\n", "return sum(range(1, n + 1))\n", "return sum(rang"),
        # Where more of the rest follows is the likelier place.
        ("x = f($0, b) + 1\n", "g(a, b), b) * 2, h(\n", "g(a, b)"),
        # It may not end at the first one.
        ("x = f($0, b) + 1\n", "g(a, c), d(\n", "g(a, c)"),
    ],
)
def test_it_ends_where_it_goes_on_as_the_rest_of_the_line_begins(
    source: str, written: str, expected: str, n_chars: int, mode: LineMode
) -> None:
    assert write(source, written, mode, n_chars) == (expected, StopReason.SUFFIX_REACHED)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("    for x in s:\n        if x: return False\n", "    for x in s:\n        if x:"),
        ("    for x in s:\n        if x: return True\n", "    for x in s:\n        if x: return True\n"),
    ],
)
def test_what_ends_with_the_rest_of_the_line_leaves_that_to_it(written: str, expected: str) -> None:
    source, rest = "def f(s):\n$0        return False\n    return True\n", "        return False"
    over = StopReason.END_OF_MIDDLE
    assert write(source, written, MULTI, 4, rest_of_line=rest, over=over)[0] == expected


def test_cut_off_before_it_led_into_code_that_it_breaks_nothing_stays() -> None:
    source = "def f(s):\n    vowels = 'ae'\n$0 for c in s)\n    return n\n"
    written = "    n = 0\n    for c in s:\n        n += c in vowels\n    assert g('abc') == 2"
    assert write(source, written, MULTI, 3) == ("", StopReason.SYNTAX)


@pytest.mark.parametrize(
    ("language", "source", "written", "expected"),
    [
        ("javascript", "foo($0);\n", "a, b);\n", "a, b"),
        ("go", "package p\n\nfunc f() {\n\t$0\n}\n", "if x {\n\t\treturn\n\t}\n\ty()\n", "if x {\n\t\treturn\n\t}"),
        ("java", "class A {\n  int f() {\n    $0\n  }\n}\n", "return g(1);\n  }\n", "return g(1);"),
        ("json", '{"a": $0}\n', "[1, 2]}\n", "[1, 2]"),
        # What closes nothing that the line has open wants it opened.
        ("csharp", "class A {\n  [$0}\n  int b;\n}\n", "F] void E() {\n    g();\n", "F] void E() {"),
        ("csharp", "class A {\n  [$0}\n  int b;\n}\n", "F] void E() => g();\n", ""),
    ],
)
def test_other_languages(language: str, source: str, written: str, expected: str) -> None:
    assert write(source, written, SINGLE, 1, language)[0] == expected


@pytest.mark.parametrize("n_chars", [1, 4, 100])
@pytest.mark.parametrize("mode", [SINGLE, MULTI])
@pytest.mark.parametrize(
    ("language", "source", "written", "expected"),
    [
        # A finished call where its arguments stand below.
        ("java", "class A {\n  void f() {\n    cli.$0\n        a, b);\n  }\n}\n", "execute(c, d);\n", "execute("),
        ("python", "def f():\n    x = $0\n        1,\n        2,\n    )\n", "max(1, 2)\n    y\n", "max("),
        ("python", "x = $0\n    1,\n]\n", "[a for a in b]\n", "["),
        ("javascript", "const a = $0\n  x: 1,\n};\n", "{ y: 2 };\n", "{"),
        ("typescript", "app.$0\n  x: 1,\n}, c));\n", "use(f({ y: 2 }, d));\n", "use(f({"),
        # No bracket, or the wrong one.
        ("go", "package p\n\nfunc f() {\n\treturn $0\n\t\ta,\n\t)\n}\n", "errors.New\n", "errors.New("),
        ("typescript", "app.$0\n  x: 1,\n});\n", "use(y);\n", "use({"),
        # In the line below a blank one.
        ("rust", "fn f() {\n    $0\n        a,\n    );\n}\n", "\n    g(b);\n    h();\n", "\n    g("),
    ],
)
def test_lines_below_that_close_a_bracket_want_it_opened(
    language: str, source: str, written: str, expected: str, mode: LineMode, n_chars: int
) -> None:
    assert write(source, written, mode, n_chars, language)[0] == expected


def test_several_lines_that_have_opened_the_bracket_go_on() -> None:
    written = "m = {\n    'a': 1,\n    'b': 2,\n    'c': 3,\n    'd': 4,"
    assert write("$0\n    'e': 5,\n}\n", f"{written}\n", MULTI, 4)[0] == written


@pytest.mark.parametrize(
    ("language", "source", "written", "expected"),
    [
        ("java", "class A {\n  void f() {\n    $0\n      b++;\n  }\n}\n", "if (a) {\n      b++;\n    }\n", "if (a)"),
        ("c", "void f() {\n  if (b)\n    g();\n$0\n    h();\n}\n", "  else {\n    g();\n  }\n", "  else"),
        # Nothing, one statement too many, or what goes on with the line is no body of it; nor is a block a call's.
        ("java", "class A {\n  void f() {\n    $0\n    b++;\n  }\n}\n", "if (a) {\n      b++;\n    }\n", None),
        ("c", "void f() {\n  $0\n    g();\n    h();\n}\n", "while (a) {\n    b();\n  }\n", None),
        ("kotlin", "fun f() {\n    $0\n        .first()\n}\n", "val x = a.map {\n        it.b\n    }\n", None),
        ("kotlin", "fun f() {\n    $0\n        .first()\n}\n", "if (a) {\n        it.b\n    }\n", None),
    ],
)
def test_the_brace_of_a_body_that_stands_below_without_one_goes(
    language: str, source: str, written: str, expected: str | None
) -> None:
    assert write(source, written, SINGLE, 3, language)[0] == (written.rstrip("\n") if expected is None else expected)


def test_cut_off_far_outside_of_its_block_the_lines_before_that_stay() -> None:
    source = "fn f(x: T) -> T {\n    let y = match x {\n        A => B,\n$0\n\n        y => y,\n    };\n    g(y)\n}\n"
    outside = "".join(f"\n    fn f{i}(&self) {{\n        g({i});\n    }}\n" for i in range(12))
    written = f"        C => D,\n    }};\n    g(y)\n}}\n\nimpl A {{{outside}    fn g(&self) {{"
    assert write(source, written, MULTI, 4, "rust")[0] == "        C => D,"


def test_several_lines_that_open_no_bracket_end_early() -> None:
    source = "class A {\n  void f() {\n    cli.$0\n        a, b);\n  }\n}\n"
    lines = [f"    g{i}();\n" for i in range(20)]
    prefix, suffix = source.split("$0")
    ending = Ending(StopRules(64, MULTI), guard_for(Constraint("java", prefix, suffix), TreeCache()))
    n_pushed = next(n for n, line in enumerate(["execute(c, d);\n", *lines]) if ending.push(line).reason)
    assert n_pushed < 6


def test_a_file_broken_elsewhere_is_judged_by_what_is_new() -> None:
    broken = "def broken(:\n    pass\n\n\n\nx = $0\n"
    assert write(broken, "1 + 2\n", SINGLE, 1)[0] == "1 + 2"


def test_without_a_grammar_the_rules_alone_decide() -> None:
    assert write("x = $0\n", "((((\nmore", SINGLE, 1, language="cobol") == ("((((", StopReason.LINE_END)


def test_the_models_own_end_is_refused_where_a_bracket_is_open() -> None:
    ending = Ending(StopRules(64, SINGLE), guard_for(Constraint("python", "x = ", "\n"), TreeCache()))
    ending.push("call(1")
    assert not ending.may_stop_here()
    ending.push(")")
    assert ending.may_stop_here()


@pytest.mark.parametrize(
    ("language", "source", "written", "expected"),
    [
        # The user's line is broken without its brackets, and would be with what was written so far.
        ("python", "x = f(a, [$0\ny = 1\n", "b, c, ", "b, c])"),
        # In a string nobody knows what else was to come; and where all was whole, a line cut off is no answer.
        ("python", "x = f(a, $0\ny = 1\n", "'b, c", ""),
        ("python", "$0\ny = 1\n", "x = [a, b", ""),
        # A block around the cursor that nothing closes.
        (
            "rust",
            "mod a {\n    fn b() {}\n    $0\n\nfn c() {}\n",
            "fn d() {}\n    fn e(x: i3",
            "fn d() {}\n}",
        ),
    ],
)
def test_what_the_user_has_begun_is_closed(language: str, source: str, written: str, expected: str) -> None:
    assert write(source, written, MULTI, 1, language)[0] == expected


@pytest.mark.parametrize(
    ("source", "written", "n_worth", "expected"),
    [
        ("x = f($0\ny = 1\n", "a, 0, 0, 0, 0, 0,", 4, "a, 0)"),
        ("$0\ny = 1\n", "x = [0, 0, 0, 0, 0,", 8, "x = [0]"),
        ("$0\ny = 1\n", "x = 1\nx = 1\nx = 1\n", 5, "x = 1"),
        ("f($0)\ny = 1\n", "0, 0, 0, 0, 0, 0", 2, "0,"),
    ],
)
def test_circles_are_left_after_the_first_round(source: str, written: str, n_worth: int, expected: str) -> None:
    prefix, suffix = source.split("$0")
    ending = Ending(StopRules(64, MULTI), guard_for(Constraint("python", prefix, suffix), TreeCache()))
    text = "".join(ending.push(char).text for char in written)
    assert ending.close_before(n_worth, StopReason.LOOP) in (StopReason.LOOP, StopReason.SYNTAX)
    assert text[: len(text) - ending.n_retract_chars] + ending.closers == expected


# An error far above makes each judgement dear, and each of these texts takes several.
HARD = [
    ("python", "x = (\ndef g():\n    $0\ndef h():\n    pass\n", "t = f(a)) ] + g(b)) ] + h(c)) ]"),
    ("python", "x = (\ndef g():\n    $0\ndef h():\n    pass\n", "t = [1, (2\n    for x in y:\n        z = 1 +"),
    ("python", "def f($0)\n    return a\n", "a: int) -> str:\n    return (a"),
    ("python", "def f(x):\n    $0\n    return 'no'\n", "if x:\n        return 'yes'\n    else:\n        return 'no'\n"),
    ("python", "x = f($0\ny = 1\n", "a, 0, 0, (0"),
    ("rust", "mod a {\n    fn b() {}\n    $0\n\nfn c() {}\n", "fn d() {}\n    fn e(x: i3"),
    ("javascript", "function a() {\nfunction g() {\n  $0\n}\n", "f(1, [2;\n  for (x of y) {\n    g(x, (1,"),
    ("typescript", "function f() {\n  if (a$0)\n}\n", " > 1) {\n    g();\n    h();\n"),
]


def write_in_time(hole: Constraint, written: str, mode: LineMode, n_most: int) -> tuple[str, int]:
    """What is shown where there is time for `n_most` judgements, and how many there were."""
    n_asked = 0

    def check() -> None:
        nonlocal n_asked
        n_asked += 1
        guard.spent_ms = 0.0 if n_asked <= n_most else 1_000.0

    made = guard_for(hole, TreeCache(), time_box_ms=1_000.0, check=check)
    assert made is not None
    guard = made
    ending = Ending(StopRules(64, mode), guard)
    text, reason = "", None
    for char in written:
        verdict = ending.push(char)
        text, reason = text + verdict.text, verdict.reason
        if reason:
            break
    if reason is None:
        ending.close(StopReason.TIME_BOX)
    return text[: len(text) - ending.n_retract_chars] + ending.closers, guard.n_judgements


@pytest.mark.parametrize("mode", [SINGLE, MULTI])
@pytest.mark.parametrize(("language", "source", "written"), HARD)
def test_what_there_is_no_time_to_judge_is_not_shown(language: str, source: str, written: str, mode: LineMode) -> None:
    prefix, suffix = source.split("$0")
    hole = Constraint(language, prefix, suffix)
    judge = guard_for(hole, TreeCache())
    assert judge is not None
    _, n_needed = write_in_time(hole, written, mode, 1_000)
    assert n_needed > 0
    for n_most in range(n_needed + 1):
        shown, n_judgements = write_in_time(hole, written, mode, n_most)
        assert n_judgements <= n_most
        assert not shown or judge.may_end_unfinished(shown) or judge.may_end_instead(shown)
