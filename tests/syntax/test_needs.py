"""Names that the code below a blank line needs and nothing defines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.syntax.needs import Need, needed_definition

CASES = {
    "a variable used below": ("def f(x):\n    $0\n    return s\n", "s ="),
    "used in a call below": ("def f(x):\n    $0\n    return len(s)\n", "s ="),
    "a loop's variable, used in its body": ("def f(n):\n    $0\n        print(i)\n", "for i in"),
    "in a method": ("class A:\n    def f(self):\n        $0\n        self.x = total\n", "total ="),
    "in a nested function": ("def f():\n    def g():\n        $0\n        return y\n    return g\n", "y ="),
    "a decorated function": ("@cache\ndef f(x):\n    $0\n    return s\n", "s ="),
    "added to in place": ("def f(xs):\n    $0\n    for x in xs:\n        total += x\n    return total\n", "total ="),
    "an item of it is set": ("def f(xs):\n    $0\n    seen[xs] = 1\n", "seen ="),
    "behind more blank lines": ("def f(x):\n    $0\n\n\n\n    return s\n", "s ="),
    "other line ends": ("import x\r\ndef f(x):\r\n    $0\r\n    return s\r\n\r\n\r\nx = 1\r\n", "s ="),
    "broken code above": ("def f(x):\n    y = (x +\n    $0\n    return s\n", "s ="),
}
NONE = {
    "defined above": "def f(x):\n    s = 1\n    $0\n    return s\n",
    "defined below": "def f(x):\n    $0\n    s = 1\n    return s\n",
    "a parameter": "def f(s):\n    $0\n    return s\n",
    "a parameter with a type and a default": "def f(*, s: int = 1, **kw: str):\n    $0\n    return s, kw\n",
    "a builtin": "def f(x):\n    $0\n    return len(x)\n",
    "imported": "import s\ndef f(x):\n    $0\n    return s\n",
    "imported inside": "def f(x):\n    from a.b import c as s, d\n    $0\n    return s, d\n",
    "global": "s = 1\ndef f(x):\n    $0\n    return s\n",
    "a global defined further down": "def f(x):\n    $0\n    return s\n\ns = 1\n",
    "declared global": "def f(x):\n    global s\n    $0\n    return s\n",
    "an attribute": "def f(x):\n    $0\n    return x.s\n",
    "a keyword": "def f(x):\n    $0\n    return x(s=1)\n",
    "a loop's own variable": "def f(x):\n    $0\n    for a, (b, c) in x:\n        print(a, b, c)\n",
    "of a comprehension": "def f(x):\n    $0\n    return [s for s in x if (t := s)], t\n",
    "of with and except": "def f(x):\n    $0\n    with x as s:\n        s()\n",
    "of an exception": "def f(x):\n    $0\n    try:\n        x()\n    except ValueError as s:\n        raise s\n",
    "of a lambda": "def f(x):\n    $0\n    return lambda s, *t: s + t\n",
    "of a pattern": "def f(x):\n    $0\n    match x:\n        case [s, t]:\n            return s, t\n",
    "a function that is called": "def f(x):\n    $0\n    return s(x)\n",
    "two names": "def f(x):\n    $0\n    return s + t\n",
    "outside of functions": "x = 1\n$0\nprint(s)\n",
    "nothing below": "def f(x):\n    $0\n",
    "another function below": "def f(x):\n    $0\n\ndef g():\n    return s\n",
    "named in a comment elsewhere": "# s is set by the framework\ndef f(x):\n    $0\n    return s\n",
}


@pytest.mark.parametrize("case", CASES)
def test_the_missing_name_is_found(case: str) -> None:
    source, start = CASES[case]
    need = _need(source)
    assert need is not None
    assert need.start == start
    assert need.name in start.split()


@pytest.mark.parametrize("case", NONE)
def test_what_is_not_certain_counts_as_defined(case: str) -> None:
    assert _need(NONE[case]) is None


def test_other_languages_have_no_needs() -> None:
    assert needed_definition("javascript", "function f() {\n", "\n  return s\n}\n", "  ") is None


def test_long_functions_are_not_looked_through() -> None:
    filler = "    pass\n" * 400
    assert _need("def f():\n" + filler + "    $0\n    return s\n") is None
    assert _need("def f():\n    $0\n" + filler + "    return s\n") is None


@given(st.text(st.sampled_from("def f(x):\n    return s=12'\"[]#\t"), max_size=80), st.text(max_size=40))
def test_any_text_is_looked_at(prefix: str, suffix: str) -> None:
    needed_definition("python", f"def f():\n{prefix}\n", f"\n{suffix}", "    ")


def _need(source: str) -> Need | None:
    prefix, suffix = source.split("$0")
    return needed_definition("python", prefix, suffix, prefix.rpartition("\n")[2])
