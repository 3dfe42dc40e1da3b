"""Names that the code below a blank line needs and nothing defines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.syntax.needs import Need, defines, needed_definition

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
    "a module of the standard library": ("def f(x):\n    $0\n    return hashlib.md5(x)\n", "import hashlib"),
    "a variable with a module's name": ("def f(x):\n    $0\n    return token\n", "token ="),
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
    "defined in what the hole breaks": "def f(x):\n    s = {\n        1: 2,\n$0\n    return s[x]\n",
    "named in a comment elsewhere": "# s is set by the framework\ndef f(x):\n    $0\n    return s\n",
}


@pytest.mark.parametrize("case", CASES)
def test_the_missing_name_is_found(case: str) -> None:
    source, start = CASES[case]
    need = _need(source)
    assert need is not None
    assert need.starts == (start,)
    assert need.name in start.split()


@pytest.mark.parametrize("case", NONE)
def test_what_is_not_certain_counts_as_defined(case: str) -> None:
    assert _need(NONE[case]) is None


SCRIPTS = {
    "a variable": ("function f(x) {\n  $0\n  return s + x;\n}\n", ("const s =", "let s =", "var s =")),
    "a loop's": ("function f(x) {\n  $0\n    x[k] = 1;\n  }\n}\n", ("for (let k",)),
    "a loop's, as others are written": (
        "function f(x) {\n  for(var i = 0; i < 2; i++) {\n  }\n  $0\n    x[k] = 1;\n  }\n}\n",
        ("for(var k",),
    ),
    "in a method": (
        "class A {\n  f(x) {\n    $0\n    return g(total);\n  }\n}\n",
        ("const total =", "let total =", "var total ="),
    ),
}
NO_SCRIPTS = {
    "a global thing": "function f(x) {\n  $0\n  return document.body;\n}\n",
    "a class": "function f(x) {\n  $0\n  return new Thing(x), Other;\n}\n",
    "called": "function f(x) {\n  $0\n  return g(x);\n}\n",
    "taken apart": "function f({a, b: c, ...d}, [e], g = 1) {\n  $0\n  return a + c + d + e + g;\n}\n",
    "imported": "import s, {t as u} from 'x'\nfunction f() {\n  $0\n  return s + u;\n}\n",
    "a handler's": "const f = async (x) => {\n  $0\n  try { x() } catch (e) { throw e }\n  for (const k of x) k\n}\n",
    "keys": "function f(x) {\n  $0\n  return {s: x, ...x}\n}\n",
    "set without being declared": "function f(x) {\n  $0\n  s = 1\n  return s\n}\n",
}


@pytest.mark.parametrize("language", ["javascript", "typescript", "typescriptreact"])
@pytest.mark.parametrize("case", SCRIPTS)
def test_scripts(case: str, language: str) -> None:
    source, starts = SCRIPTS[case]
    need = _need(source, language)
    assert need is not None
    assert need.starts == starts


@pytest.mark.parametrize("language", ["javascript", "typescript"])
@pytest.mark.parametrize("case", NO_SCRIPTS)
def test_scripts_without_a_need(case: str, language: str) -> None:
    assert _need(NO_SCRIPTS[case], language) is None


def test_types() -> None:
    source = "function f(x: A, y?: B): C<D> {\n  $0\n  const z: E = x as F;\n  return [y, z, s];\n}\n"
    need = _need(source, "typescript")
    assert need is not None
    assert need.name == "s"


JAVA = (
    "class A {\n  long fld;\n  long f(List<Long> q) {\n    $0\n"
    "    while (temp > 0) { q.get(temp); fld += Math.max(1, temp); }\n    return fld;\n  }\n}\n"
)


def test_java_needs_a_type() -> None:
    need = _need(JAVA, "java")
    assert need is not None
    assert need.name == "temp"
    assert "long temp =" in need.starts
    assert _need(JAVA.replace("class A", "class A extends B"), "java") is None
    assert _need(JAVA.replace("    $0", "    long temp = 1;\n    $0"), "java") is None
    assert _need(JAVA.replace("temp", "TEMP"), "java") is None
    for bound in ("for (int temp : q) {}", "g(temp -> 1);", "try {} catch (E temp) {}", "if (q instanceof X temp) {}"):
        assert _need(JAVA.replace("    while", f"    {bound}\n    while"), "java") is None


@pytest.mark.parametrize("used", ["int a = parts[0];", "parts[0] = 1;", "g(parts[1].b(), parts.length);"])
def test_what_is_indexed_in_java_is_an_array(used: str) -> None:
    source = f"class A {{\n  int f(String x, E[] es) {{\n    E[] o = es;\n    $0\n    {used}\n    return 1;\n  }}\n}}\n"
    need = _need(source, "java")
    assert need is not None
    assert {"int[] parts =", "String[] parts =", "E[] parts ="} <= set(need.starts)
    assert all("[] " in start for start in need.starts)


RECEIVER = (
    "class A {\n  int f(List<Long> q) {\n    List<Long> copy = q;\n    $0\n"
    "    if (s.startsWith(copy)) return 1;\n    return 2;\n  }\n}\n"
)


def test_in_java_what_a_method_is_called_of_is_a_variable_and_no_number() -> None:
    need = _need(RECEIVER, "java")
    assert need is not None
    assert need.starts == ("String s =", "List<Long> s =")
    for other in ("Sys.x(copy)", "org.acme.Tool.x(copy)", "s.tools.x(copy)", "this.s.x(copy)"):
        assert _need(RECEIVER.replace("s.startsWith(copy)", other), "java") is None


DEFINED = {
    "int temp = n;": True,
    "int x = 1, temp = n;": True,
    "for (int temp = n; temp > 0; temp--) { n += temp; }": False,
    "for (int temp : q) { n += temp; }": False,
    "if (n > 0) { int temp = n; }": False,
    "for (int temp = 0; temp < n; temp++) {": True,  # goes on below
    "n += temp;": False,
    "n += q.temp;": False,
    "n += tempered;": False,
    "temp = n;": True,
    "g(temp -> 1);": False,
}


@pytest.mark.parametrize("written", DEFINED)
def test_what_defines_a_java_name_for_the_code_below(written: str) -> None:
    prefix, suffix = JAVA.split("$0")
    assert defines("java", prefix, written, suffix, "temp") is DEFINED[written]


@pytest.mark.parametrize(
    ("language", "source", "written", "expected"),
    [
        ("python", "def f(x):\n    $0\n    return s\n", "s = 1", True),
        ("python", "def f(x):\n    $0\n    return s\n", "for s in x:\n        pass", True),  # Python's outlive the loop
        ("python", "def f(x):\n    $0\n    return s\n", "y = [s for s in x]", False),
        ("python", "def f(x):\n    $0\n    return s\n", "def s():\n        return 1", True),
        ("python", "def f(x):\n    $0\n    return s\n", "g = lambda s: s", False),
        ("python", "def f(x):\n    $0\n    return s\n", "print(s)", False),
        ("javascript", "function f(x) {\n  $0\n  return s;\n}\n", "const s = x;", True),
        ("javascript", "function f(x) {\n  $0\n  return s;\n}\n", "for (const s of x) { g(s); }", False),
        ("javascript", "function f(x) {\n  $0\n  return s;\n}\n", "x.map(s => s + 1);", False),
        ("javascript", "function f(x) {\n  $0\n  return s;\n}\n", "function s() {}", True),
        ("go", "func f() {\n\t$0\n\treturn s\n}\n", "print(s)", True),  # nobody can say
    ],
)
def test_what_defines_a_name_for_the_code_below(language: str, source: str, written: str, expected: bool) -> None:
    prefix, suffix = source.split("$0")
    assert defines(language, prefix, written, suffix, "s") is expected


def test_what_broken_braces_hide_counts_as_defined() -> None:
    source = "class A {\n  void f(int[] q) {\n    }}\n    int j = 0;\n    $0\n    q[j] = 1;\n    }\n  }\n"
    assert _need(source, "java") is None


def test_keywords_are_no_names() -> None:
    source = "class A {\n  void f(int q) {\n    if (q == 1) {\n      q++;\n$0\n    else {\n      q--;\n    }\n  }\n}\n"
    assert _need(source, "java") is None


def test_a_java_loop() -> None:
    need = _need("class A {\n  void f(int[] q) {\n    $0\n      q[j] = 1;\n    }\n  }\n}\n", "java")
    assert need is not None
    assert need.starts == ("for (int j =",)


def test_other_languages_have_no_needs() -> None:
    assert _need("func f() {\n\t$0\n\treturn s\n}\n", "go") is None


def test_long_functions_are_not_looked_through() -> None:
    filler = "    pass\n" * 400
    assert _need("def f():\n" + filler + "    $0\n    return s\n") is None
    assert _need("def f():\n    $0\n" + filler + "    return s\n") is None


@given(st.text(st.sampled_from("def f(x):\n    return s=12'\"[]#\t"), max_size=80), st.text(max_size=40))
def test_any_text_is_looked_at(prefix: str, suffix: str) -> None:
    needed_definition("python", f"def f():\n{prefix}\n", f"\n{suffix}", "    ")


def _need(source: str, language_id: str = "python") -> Need | None:
    prefix, suffix = source.split("$0")
    return needed_definition(language_id, prefix, suffix, prefix.rpartition("\n")[2])
