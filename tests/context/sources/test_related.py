"""Definitions that no import leads to: files under test, siblings, similar code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.context.sources.conftest import Case

from fimble.context.index.refresh import refresh
from fimble.context.index.store import IndexStore
from fimble.context.index.upkeep import refresh_now
from fimble.context.index.workspace import Workspace
from fimble.context.sources.definitions import Definitions
from fimble.context.sources.related import Related, subjects_of
from fimble.context.sources.similar import Similar
from fimble.context.sources.surroundings import Surveyor
from fimble.context.sources.symbols import Symbols


@pytest.mark.parametrize(
    ("path", "files", "expected"),
    [
        ("tests/core/test_store.py", ["core/store.py", "other/store.py"], ["core/store.py", "other/store.py"]),
        ("pkg/store_test.go", ["pkg/store.go"], ["pkg/store.go"]),
        ("src/a.test.tsx", ["src/a.tsx"], ["src/a.tsx"]),
        ("src/test/java/p/ATest.java", ["src/main/java/p/A.java"], ["src/main/java/p/A.java"]),
        ("T/WalkerTests.cs", ["S/Walker.cs"], ["S/Walker.cs"]),
        ("src/a.py", ["lib/a.py"], []),
    ],
)
def test_files_under_test(tmp_path: Path, path: str, files: list[str], expected: list[str]) -> None:
    for name in [path, *files]:
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")
    assert subjects_of(path, Symbols(Workspace(tmp_path))) == expected


def related(found: Case) -> str:
    store = IndexStore(None)
    refresh(found.workspace.root, store)
    source = Definitions(found.workspace, 512, related=Related(store.implementations_of))
    return "".join(f"# {chunk.path}\n{chunk.text}" for chunk in source.find(found.path, found.before, found.after))


def test_a_test_sees_what_it_tests(case: Callable[[str], Case]) -> None:
    shown = related(
        case(
            """
            #- lib/parser.js
            function parse(text) {}
            globalThis.parse = parse;
            #- lib/parser.test.js
            test("parses", () => {
              $0
            });
            """
        )
    )
    assert "function parse(text)" in shown


def test_a_new_implementation_sees_its_siblings(case: Callable[[str], Case]) -> None:
    shown = related(
        case(
            """
            #- base.py
            class Shape:
                def area(self) -> float: ...
            #- circle.py
            from base import Shape
            class Circle(Shape):
                def area(self) -> float: ...
                def scaled_by(self, factor): ...
            #- square.py
            from base import Shape
            class Square(Shape):
                side: float
                $0
            """
        )
    )
    assert "def area(self) -> float" in shown
    assert "def scaled_by(self, factor)" in shown


def test_similar_code_is_found_and_stays_while_typing(case: Callable[[str], Case]) -> None:
    found = case(
        """
        #- ledger.py
        def book_invoice(ledger, invoice_number, amount):
            entry = ledger.entry(invoice_number)
            entry.book(amount)
            return entry
        #- other.py
        def unrelated(): ...
        #- main.py
        def book_receipt(ledger, invoice_number):
            entry = ledger.entry(invoice_number)
            $0
        """
    )
    store = IndexStore(None)
    refresh(found.workspace.root, store)
    source = Similar(found.workspace, lambda: store, Surveyor())
    chunks = source.find(found.path, found.before, found.after)
    assert [chunk.path for chunk in chunks] == ["ledger.py"]
    assert "entry.book(amount)" in chunks[0].text
    for typed in ("e", "entry", "entry.book(", "entry.book(1)\n    unrelated"):
        assert source.find(found.path, found.before + typed, found.after) == chunks


def test_similar_code_that_is_gone_or_changed_is_looked_for_anew(case: Callable[[str], Case]) -> None:
    found = case(
        """
        #- ledger.py
        def book_invoice(ledger, invoice_number, amount):
            return ledger.entry(invoice_number)
        #- main.py
        def book_receipt(ledger, invoice_number):
            $0
        """
    )
    root, store = found.workspace.root, IndexStore(None)
    refresh_now(found.workspace, store)
    source = Similar(found.workspace, lambda: store, Surveyor())
    assert "amount" in source.find(found.path, found.before, found.after)[0].text
    (root / "ledger.py").write_text("def book_invoice(ledger, invoice_number, currency):\n    ...\n")
    refresh_now(found.workspace, store)
    assert "currency" in source.find(found.path, found.before, found.after)[0].text
    (root / "ledger.py").unlink()
    refresh_now(found.workspace, store)
    assert source.find(found.path, found.before, found.after) == ()


def test_no_line_of_similar_code_is_shown_twice(case: Callable[[str], Case]) -> None:
    body = "".join(f"        ledger.book(invoice_{number}, receipt_{number})\n" for number in range(30))
    found = case(
        f"#- big.py\ndef book_all(ledger):\n{body}#- main.py\ndef book_some(ledger, invoice_3, receipt_3):\n  $0\n"
    )
    store = IndexStore(None)
    refresh(found.workspace.root, store)
    chunks = Similar(found.workspace, lambda: store, Surveyor()).find(found.path, found.before, found.after)
    lines = [line for chunk in chunks for line in chunk.text.splitlines()]
    assert len(lines) == len(set(lines)) > 0


def test_each_test_case_is_a_scope_of_its_own(case: Callable[[str], Case]) -> None:
    found = case(
        """
        #- a.test.ts
        import { x } from "./x";
        describe("invoices", () => {
          it("adds", async () => {
            $0
          });
        });
        describe("users", function () {
          x();
        });
        """
    )
    text, surveyor = found.before + found.after, Surveyor()

    def key(mark: str, typed: str = "") -> str:
        at = text.index(mark) + len(mark)
        around = surveyor.survey(found.path, text[:at] + typed, text[at:])
        assert around is not None
        return around.scope_key

    adds = key("async () => {\n    ")
    assert adds == key("async () => {\n    ", "const a = {") == key("async () => {\n    ", "if (x) {\n      y")
    assert len({adds, key("  x();"), key('"./x";'), key('"invoices", () => {\n')}) == 4


def test_no_secret_comes_from_similar_code(case: Callable[[str], Case], tmp_path: Path) -> None:
    found = case(
        "#- keys.py\ndef connect_to_ledger(account): ...\n#- main.py\ndef connect_to_ledger(account):\n    $0\n"
    )
    store = IndexStore(None)
    refresh(tmp_path, store)
    (tmp_path / "keys.py").write_text("def connect_to_ledger(account): ...\nKEY = '" + "AKIA" + "ABCDEFGHIJKLMNOP'\n")
    chunks = Similar(found.workspace, lambda: store, Surveyor()).find(found.path, found.before, found.after)
    assert [chunk.path for chunk in chunks] == ["keys.py"]
    assert "AKIA" not in chunks[0].text


def test_without_an_index_there_is_nothing(case: Callable[[str], Case]) -> None:
    found = case("#- a.py\nx = 1\n#- main.py\nx$0\n")
    assert Similar(found.workspace, lambda: None, Surveyor()).find(found.path, found.before, found.after) == ()
