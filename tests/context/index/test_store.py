"""The index on disk: what goes in comes out, and it survives whatever is done to its file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.context.index.damage import damaged_pages, locked

from fimble.context.index.entries import entry_of, words_of_code
from fimble.context.index.files import Stamp
from fimble.context.index.store import BusyIndexError, DamagedIndexError, IndexStore, Place, index_path
from fimble.context.index.workspace import code_language


def put(store: IndexStore, **files: str) -> None:
    entries = []
    for number, (name, text) in enumerate(files.items()):
        path = name.replace("__", "/") + ".py"
        language = code_language(path)
        assert language is not None
        entries.append(entry_of(path, language, Stamp(len(text), number), text))
    store.put(entries)


@pytest.fixture
def store(tmp_path: Path) -> IndexStore:
    return IndexStore(tmp_path / "index.sqlite3")


def test_definitions_are_found_by_name(store: IndexStore) -> None:
    put(store, a="class A:\n    def run(self): ...\n", pkg__b="def run(): ...\n")
    assert store.places_of("run") == [Place("a.py", 1), Place("pkg/b.py", 0)]
    assert store.places_of("walk") == []


def test_implementations_are_found_by_base(store: IndexStore) -> None:
    put(store, a="class A(m.Base): ...\nclass B(Base[int]): ...\n", b="class C(Other): ...\n")
    assert store.implementations_of("Base") == [("a.py", "A"), ("a.py", "B")]


def test_similar_windows_share_the_rarest_words(store: IndexStore) -> None:
    common = "def helper(value):\n    return value\n" * 8
    put(
        store,
        a=common,
        b=common + "def parse_invoice(invoice_number):\n    return ledger[invoice_number]\n",
        c=common,
    )
    words = store.rarest(["return", "invoice_number", "ledger", "unknown_word", "value"], 2)
    assert set(words) == {"invoice_number", "ledger"}
    found = store.similar(words, language_names=["python"], limit=5)
    assert {place.path for place in found} == {"b.py"}
    assert store.similar(words, language_names=["go"], limit=5) == []
    assert store.similar([], language_names=["python"], limit=5) == []


def test_words_of_the_asking_file_are_counted_as_the_index_knows_it(store: IndexStore) -> None:
    text = "def parse(ledger, invoice):\n    return ledger\n"
    put(store, a=text, b=text)
    assert set(store.rarest(["ledger", "invoice"], 2, not_in="new.py")) == {"ledger", "invoice"}
    assert set(store.rarest(["ledger", "invoice"], 2, not_in="a.py")) == {"ledger", "invoice"}
    store.remove(["b.py"])
    assert store.rarest(["ledger", "invoice"], 2, not_in="a.py") == []


def test_lines_keep_their_numbers_below_secrets(store: IndexStore) -> None:
    secret = "token = '" + "ghp_" + "abcDEF123456" * 3 + "'\n"
    put(store, a=f"{secret * 20}def needle(): ...\n")
    assert store.places_of("needle") == [Place("a.py", 20)]


def test_a_file_is_replaced_whole(store: IndexStore) -> None:
    put(store, a="def old_name(): ...\nclass X(Old): ...\n")
    put(store, a="def new_name(): ...\n")
    assert (store.places_of("old_name"), store.implementations_of("Old")) == ([], [])
    assert store.places_of("new_name") == [Place("a.py", 0)]
    assert store.rarest(["old_name"], 3) == []
    store.remove(["a.py", "never.py"])
    assert store.content() == []


def test_a_generated_file_is_known_and_not_read(store: IndexStore) -> None:
    put(store, a="# @generated\ndef secretly(): ...\n")
    assert "a.py" in store.stamps()
    assert store.places_of("secretly") == []


def test_secrets_do_not_get_in(tmp_path: Path) -> None:
    token = "ghp_" + "a1B2" * 9
    store = IndexStore(tmp_path / "i.sqlite3")
    put(store, a=f"def f(): ...\nTOKEN = '{token}'\nx = '{'AKIA' + 'B2' * 8}'\n")
    store.close()
    for part in tmp_path.iterdir():
        raw = part.read_bytes()
        assert token.encode() not in raw
        assert b"AKIA" not in raw


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to be looked at" * 40])
def test_a_broken_index_is_made_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "i.sqlite3"
    path.write_bytes(content)
    store = IndexStore(path)
    put(store, a="def f(): ...\n")
    assert store.places_of("f")


def test_damage_behind_the_header_is_told_once_and_mended(tmp_path: Path) -> None:
    files = {f"m{n}": f"def find_{n}(key_{n}): ...\nclass Thing{n}(Base{n}): ...\n" * 9 for n in range(60)}
    path = tmp_path / "i.sqlite3"
    made = IndexStore(path)
    put(made, **files)
    made.close()
    n_told = 0
    for _ in damaged_pages(path):
        store = IndexStore(path)
        questions: list[Callable[[], object]] = [
            lambda store=store: store.places_of("find_7"),
            lambda store=store: store.implementations_of("Base7"),
            lambda store=store: store.rarest(["find_7", "key_7"], 2),
            lambda store=store: store.similar(["find_7"], language_names=["python"], limit=3),
            store.stamps,
            store.content,
            lambda store=store: put(store, m7="def other(): ...\n"),
            store.check,
        ]
        told = [question for question in questions if _is_told_of_damage(question)]
        assert len(told) == 1
        n_told += told[0] is not store.check
        for question in questions:
            question()
        assert store.places_of("other")
        store.close()
    assert n_told > 10


def _is_told_of_damage(question: Callable[[], object]) -> bool:
    try:
        question()
    except DamagedIndexError:
        return True
    return False


def test_who_comes_upon_damage_late_takes_the_index_that_was_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "i.sqlite3"
    made = IndexStore(path)
    put(made, a="def f(): ...\n")
    made.close()
    for _ in damaged_pages(path):
        one, two = IndexStore(path), IndexStore(path)
        with pytest.raises(DamagedIndexError):
            one.check()
        put(one, b="def g(): ...\n")
        with pytest.raises(DamagedIndexError):
            two.check()
        assert two.places_of("g")
        assert one.places_of("g")
        one.close()
        two.close()


def test_a_busy_index_is_not_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fimble.context.index.store._BUSY_S", 0.01)
    path = tmp_path / "i.sqlite3"
    store = IndexStore(path)
    put(store, a="def f(): ...\n")
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusyIndexError, match="locked"):
        put(store, b="def g(): ...\n")
    other.close()
    assert store.places_of("f")


def test_an_index_that_is_busy_at_opening_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fimble.context.index.store._BUSY_S", 0.01)
    path = tmp_path / "i.sqlite3"
    store = IndexStore(path)
    put(store, a="def f(): ...\n")
    store.close()
    with locked(path), pytest.raises(BusyIndexError, match="locked"):
        IndexStore(path)
    assert IndexStore(path).places_of("f")


def test_an_index_of_another_version_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "i.sqlite3"
    first = IndexStore(path)
    put(first, a="def f(): ...\n")
    first._db.execute("PRAGMA user_version = 999")
    first.close()
    assert IndexStore(path).stamps() == {}


def test_two_processes_may_use_one_index(tmp_path: Path) -> None:
    path = tmp_path / "i.sqlite3"
    one, two = IndexStore(path), IndexStore(path)
    put(one, a="def f(): ...\n")
    assert two.places_of("f")
    put(two, b="def g(): ...\n")
    assert one.places_of("g")


def test_several_who_make_one_index_at_once_all_get_it(tmp_path: Path) -> None:
    n_makers = 4
    start = threading.Barrier(n_makers)

    def make(path: Path) -> IndexStore:
        start.wait()
        return IndexStore(path)

    with ThreadPoolExecutor(n_makers) as executor:
        for number in range(40):
            path = tmp_path / f"{number}.sqlite3"
            stores = list(executor.map(make, [path] * n_makers))
            put(stores[0], a="def f(): ...\n")
            assert all(store.places_of("f") for store in stores)
            for store in stores:
                store.close()


def test_workspaces_have_indexes_of_their_own(tmp_path: Path) -> None:
    assert index_path(tmp_path, Path("/a/x")) != index_path(tmp_path, Path("/b/x"))
    assert index_path(tmp_path, Path("/a/x")) == index_path(tmp_path, Path("/a/x"))


def test_an_index_in_memory_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = IndexStore(None)
    put(store, a="def f(): ...\n")
    assert store.stats().n_definitions == 1
    assert list(tmp_path.iterdir()) == []


def test_words_of_code() -> None:
    assert words_of_code("def find_it(self, x): return self.find_it") == ["def", "find_it", "self", "return"]
