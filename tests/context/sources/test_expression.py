"""Chains of names, calls and links read out of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.context.sources.expression import callee_before, chain_before, read_chain


@pytest.mark.parametrize(
    ("text", "receiver", "has_link"),
    [
        ("self.store.find(key).na", "self.store.find(key)", True),
        ("x = await foo(a, b[1])\n   .ba", "foo(a, b[1])", True),
        ("x?.y!.", "x?.y", True),
        ("new Foo<Bar>(1).", "Foo<Bar>(1)", True),
        ("if (a && astUtils.", "astUtils", True),
        ("ptr->", "ptr", True),
        ("Vec::<u8>::", "Vec::<u8>", True),
        ("@decorators.", "decorators", True),
        ('"abc".', "", True),
        ("for a in range(3)..", "", False),
        ("foo(bar", "", False),
        ("# A sentence.\n", "", False),
        ("// A sentence.\n  subscriber.", "subscriber", True),
        ("a; // A sentence.\n  b.c.", "b.c", True),
        ("client.\n\tGet(url).", "client.\n\tGet(url)", True),
        ("", "", False),
        ("3.", "3", True),
    ],
)
def test_chain_before(text: str, receiver: str, has_link: bool) -> None:
    assert chain_before(text) == (receiver, has_link)


@pytest.mark.parametrize(
    ("text", "callee"),
    [
        ("x = self.foo", "self.foo"),
        ("new Foo<Bar>", "Foo"),
        ("if (a && b.c", "b.c"),
        ("foo(1).bar", "foo(1).bar"),
        ("f::<T>", "f"),
        ("a = ", ""),
    ],
)
def test_callee_before(text: str, callee: str) -> None:
    assert callee_before(text) == callee


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("await a.b(c)[1].d", "a b() d"),
        ("new Foo<Bar>(1)", "Foo()"),
        ("&mut self.x", "self x"),
        ("&Foo{a: 1}", "Foo()"),
        ("Foo::<A>::new(1)?", "Foo new()"),
        ("await (await x.y()).z", "x y()"),
        ("foo.New(1), nil", "foo New()"),
        ("a < b", "a"),
        ("3 + 4", ""),
        ('"a".b', ""),
        ("", ""),
    ],
)
def test_read_chain(text: str, steps: str) -> None:
    shown = " ".join(step.name + "()" * step.is_called for step in read_chain(text))
    assert shown == steps


@given(st.text("ab.()[]<>:?!-&* \n{}\"'$#", max_size=80))
def test_any_text_is_read(text: str) -> None:
    receiver, has_link = chain_before(text)
    assert has_link or not receiver
    callee_before(text)
    assert len(read_chain(text)) <= 12
