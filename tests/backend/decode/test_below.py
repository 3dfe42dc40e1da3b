"""Several lines that become what stands below anyway. `$0` marks the cursor; text comes in pieces of any size."""

from __future__ import annotations

import pytest
from tests.backend.decode.writing import MULTI, write


@pytest.mark.parametrize(
    ("language", "source", "written", "expected"),
    [
        (
            "javascript",
            "function f(context) {\n$0\n  const source = context.source;\n  let group = null;\n}\n",
            "  const source = context.source;\n  let group = null;\n\n  function g() {\n",
            "",
        ),
        # Siblings begin alike.
        (
            "python",
            "$0\n\n\n@pytest.mark.parametrize('a', [1])\ndef test_b(a):\n    pass\n",
            "@pytest.mark.parametrize('a', [1])\ndef test_c(a):\n    assert a\n",
            "@pytest.mark.parametrize('a', [1])\ndef test_c(a):\n    assert a",
        ),
    ],
)
def test_several_lines_that_begin_with_the_next_two_say_nothing(
    language: str, source: str, written: str, expected: str
) -> None:
    assert write(source, written, MULTI, 3, language)[0] == expected


@pytest.mark.parametrize("n_chars", [1, 4, 100])
@pytest.mark.parametrize(
    ("source", "written", "expected"),
    [
        # With what leads to it.
        (
            "def f(x):\n    $0\n    return 'no'\n",
            "if x:\n        return 'yes'\n    else:\n        return 'no'\n",
            "if x:\n        return 'yes'",
        ),
        # Several of them.
        (
            "def f(n):\n    while n:\n        while m:\n            $0\n            n += 1\n    if n:\n        h()\n",
            "g(n)\n        n += 1\n    if n:",
            "g(n)",
        ),
        # One line, if it is long.
        (
            "def f(n):\n    while n:\n$0\n    count = float(n)\n    return count\n",
            "        n = n[:-1]\n        count = float(n)\n",
            "        n = n[:-1]",
        ),
        # A statement of two words may well stand in an inner block and behind it.
        (
            "def f(a):\n    for b in a:\n        $0\n        return False\n",
            "if b:\n            return False\n",
            "if b:\n            return False",
        ),
    ],
)
def test_lines_that_stand_below_at_another_indentation_are_not_written_again(
    source: str, written: str, expected: str, n_chars: int
) -> None:
    assert write(source, written, MULTI, n_chars)[0].rstrip() == expected


@pytest.mark.parametrize("n_chars", [1, 4, 100])
@pytest.mark.parametrize(
    ("source", "written", "expected"),
    [
        # At another indentation, and beyond.
        (
            "def f(n):\n    while n:\n        $0\n            n += 1\n    if n:\n        h()\n    return n\n",
            "if g(n):\n            m()\n        n += 1\n    if n:\n        h()\n    return n\n\nprint(f(3))\n",
            "if g(n):\n            m()",
        ),
        # Further down, and behind a long line that stands below at another indentation.
        (
            "while n:\n    $0\nm = float(number)\nif m:\n    log(m)\n    close(n)\n    start(n)\n",
            "n = n[:-1]\n    m = float(number)\n    log(m)\n    close(n)\n    start(n)\nk()\n",
            "n = n[:-1]",
        ),
        # Further down, where the first lines below are passed over; at their own indentation only.
        (
            "def f(n):\n    $0\n    a()\n    b(n)\n    for c in n:\n        d(c)\n    return n\n",
            "if n:\n        m()\n    b(n)\n    for c in n:\n        d(c)\n    return n\n\nprint(f(3))\n",
            "if n:\n        m()",
        ),
        (
            "def f(n):\n    $0\n    a()\n    b(n)\n    for c in n:\n        d(c)\n    return n\n",
            "if n:\n        b(n)\n        for c in n:\n            d(c)\n    k()\n",
            "if n:\n        b(n)\n        for c in n:\n            d(c)\n    k()",
        ),
        # Set-up that two tests share: behind the header alone it may not end, and not within what they share either.
        (
            "def test_a():\n    f()\n\n$0\ndef b():\n    a = app()\n    c = client(a)\n    r = c.get()\n    g(r)\n",
            "def test_c():\n    a = app()\n    c = client(a)\n    r = c.get()\n    g(r)\n    h(r)\n",
            "def test_c():\n    a = app()\n    c = client(a)\n    r = c.get()\n    g(r)\n    h(r)",
        ),
        # Two lines may be chance.
        (
            "def f(n):\n    $0\n    n += 1\n    h()\n    return n\n",
            "if n:\n        n += 1\n        h()\n        k()\n    else:\n        m()\n",
            "if n:\n        n += 1\n        h()\n        k()\n    else:\n        m()",
        ),
    ],
)
def test_three_lines_that_stand_below_end_it_though_more_come(
    source: str, written: str, expected: str, n_chars: int
) -> None:
    assert write(source, written, MULTI, n_chars)[0].rstrip() == expected
