"""Lines elsewhere that use what may follow at the cursor: which names, which lines, and when they are looked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.context.sources.conftest import Case

from fimble.context.index.refresh import refresh
from fimble.context.index.store import IndexStore
from fimble.context.sources.definitions import Definitions
from fimble.context.sources.surroundings import Surveyor
from fimble.context.sources.usages import Usages


def source_of(found: Case) -> Usages:
    store = IndexStore(None)
    refresh(found.workspace.root, store)
    surveyor = Surveyor()
    names = Definitions(found.workspace, 512, surveyor).usable_names
    return Usages(found.workspace, lambda: store, surveyor, names)


def shown(found: Case, before: str | None = None) -> list[str]:
    chunks = source_of(found).find(found.path, found.before if before is None else before, found.after)
    return [line for chunk in chunks for line in chunk.text.splitlines()]


STORE = """
#- store.py
class Store:
    def load(self, key): ...
    def save(self, key, value): ...
    def close(self): ...
#- jobs.py
from store import Store
def run(store: Store, key):
    # store.save is slow
    store.save(key, value=compute(key))
    store.load(key)
def end(store):
    store.close()
"""


def test_uses_of_what_the_receiver_has_and_the_file_does_not_use_yet(case: Callable[[str], Case]) -> None:
    lines = shown(
        case(
            f"""{STORE}
#- main.py
from store import Store
def copy(store: Store, key):
    value = store.load(key)
    store.$0
"""
        )
    )
    assert set(lines) == {"store.save(key, value=compute(key))", "store.close()"}


def test_a_half_typed_name_leaves_those_that_begin_so(case: Callable[[str], Case]) -> None:
    found = case(f"{STORE}\n#- main.py\nfrom store import Store\ndef copy(store: Store):\n    store.s$0\n")
    assert shown(found) == ["store.save(key, value=compute(key))"]


def test_what_stands_near_a_like_place_comes_first(case: Callable[[str], Case]) -> None:
    lines = shown(
        case(
            """
            #- store.py
            class Store:
                def load(self, key): ...
            #- a.py
            def a(anything):
                return anything.load(17)
            #- b.py
            def b(store, invoice, customer):
                ledger = customer.ledger(invoice)
                entry = store.load(invoice.number)
            #- main.py
            from store import Store
            def main(store: Store, invoice, customer):
                ledger = customer.ledger(invoice)
                entry = store.$0
            """
        )
    )
    assert lines == ["entry = store.load(invoice.number)", "return anything.load(17)"]


def test_a_receiver_that_nobody_knows_may_have_the_same_name_elsewhere(case: Callable[[str], Case]) -> None:
    lines = shown(
        case(
            """
            #- a.js
            function a(emitter) { emitter.emit("done", 1); }
            function b(other) { other.send(2); }
            #- main.js
            function main(emitter) {
              emitter.$0
            }
            """
        )
    )
    assert lines == ['function a(emitter) { emitter.emit("done", 1); }']


@pytest.mark.parametrize(
    "text",
    [
        # The same package.
        """
        #- p/Parser.java
        package p;
        class Parser { static Parser of(String text) { return null; } }
        #- p/Reader.java
        package p;
        class Reader { Object read(String text) { return Parser.of(text); } }
        #- p/Main.java
        package p;
        class Main { Object main(String text) { return $0; } }
        """,
        # An import that is not used yet.
        """
        #- parser.py
        def parse(text): ...
        #- reader.py
        from parser import parse
        def read(text):
            return parse(text)
        #- main.py
        from parser import parse
        def main(text):
            return $0
        """,
    ],
)
def test_without_a_link_uses_of_what_the_file_sees(case: Callable[[str], Case], text: str) -> None:
    assert any("parse(text)" in line or "Parser.of(text)" in line for line in shown(case(text)))


def test_what_follows_a_like_head_elsewhere(case: Callable[[str], Case]) -> None:
    found = case(
        """
        #- a.ts
        export function a(reply, status) {
          throw failure(reply, status);
        }
        const thrown = other(17);
        #- main.ts
        function main(reply, status) {
          throw $0
        }
        """
    )
    assert shown(found) == ["throw failure(reply, status);"]
    assert shown(found, found.before + "fa") == ["throw failure(reply, status);"]
    assert shown(found, found.before + "new") == []


@pytest.mark.parametrize("cursor", ["# store.$0", "$0", "x = 1$0"])
def test_where_nothing_may_follow_there_is_nothing(case: Callable[[str], Case], cursor: str) -> None:
    assert shown(case(f"{STORE}\n#- other.py\ny = 2\n#- main.py\ndef f(store):\n    {cursor}\n")) == []


@pytest.mark.parametrize("unit", ["a", "a(", "a.", "a b "])
def test_a_line_without_end_is_no_riddle(case: Callable[[str], Case], unit: str) -> None:
    line = unit * (100_000 // len(unit))
    other = "#- other.js\nfunction other(store, key) { store.save(key); }\n"
    found = case(f"{other}#- main.js\nfunction f(store) {{\n  {line} store.$0\n}}\n")
    assert shown(found) == ["function other(store, key) { store.save(key); }"]


def test_while_typing_the_lines_of_the_scope_stay(case: Callable[[str], Case]) -> None:
    found = case(
        f"{STORE}\n#- main.py\nfrom store import Store\ndef f(store: Store):\n    store.$0\ndef g():\n    pass\n"
    )
    source = source_of(found)
    assert source.kept(found.path, found.before, found.after) == ()
    chunks = source.find(found.path, found.before, found.after)
    assert chunks
    for typed in ("s", "save(", "save(1)\n    store."):
        assert source.kept(found.path, found.before + typed, found.after) == chunks
    head, _, tail = found.after.partition("pass")
    assert source.kept(found.path, found.before + head, tail) == ()


def test_no_secret_is_shown(case: Callable[[str], Case], tmp_path: Path) -> None:
    found = case(f"{STORE}\n#- main.py\nfrom store import Store\ndef f(store: Store):\n    store.$0\n")
    source = source_of(found)
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    jobs = tmp_path / "jobs.py"
    jobs.write_text(jobs.read_text().replace("compute(key)", f"'{key}'"))
    chunks = source.find(found.path, found.before, found.after)
    assert chunks
    assert all(key not in chunk.text for chunk in chunks)
