"""Names that may follow the link at the cursor, language by language, and where nobody can tell."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.context.sources.conftest import Case

from fimble.context.sources.definitions import Definitions
from fimble.context.sources.names import NamesAtCursor
from fimble.context.sources.surroundings import Surveyor
from fimble.core.flow import CompletionRequest, Document, RequestId
from fimble.core.position import ByteOffset

CASES = [
    (
        "python: members of a type and its base",
        """
        #- shop/base.py
        class Base:
            def close(self): ...
        #- shop/store.py
        from .base import Base
        class Store(Base):
            size: int
            def find(self, key): ...
        #- main.py
        from shop.store import Store
        def run(store: Store):
            store.$0
        """,
        {"close", "size", "find"},
    ),
    (
        "python: what a module gives",
        """
        #- tools.py
        LIMIT = 3
        def load(path): ...
        #- main.py
        import tools
        tools.lo$0
        """,
        {"LIMIT", "load"},
    ),
    (
        "python: a name used behind the same receiver before",
        """
        #- store.py
        class Store:
            def find(self): ...
        #- main.py
        from store import Store
        def run(store: Store):
            store.made_by_a_decorator()
            other.elsewhere()
            store.$0
        """,
        {"find", "made_by_a_decorator"},
    ),
    (
        "python: names of an import",
        """
        #- tools.py
        def load(path): ...
        def save(path): ...
        #- main.py
        from tools import load, $0
        """,
        {"load", "save"},
    ),
    (
        "typescript: a namespace import",
        """
        #- util.ts
        export function getJob(id: string) {}
        export const limit = 3;
        #- main.ts
        import * as util from "./util";
        const job = util.$0
        """,
        {"getJob", "limit"},
    ),
    (
        "rust: methods of a type",
        """
        #- src/lib.rs
        pub mod store;
        pub mod main;
        #- src/store.rs
        pub struct Store { pub size: usize }
        impl Store { pub fn find(&self) {} }
        #- src/main.rs
        use crate::store::Store;
        fn run(store: &Store) {
            store.$0
        }
        """,
        {"size", "find"},
    ),
]

NOBODY_CAN_TELL = [
    ("no link", "#- a.py\nva$0\n"),
    ("unknown receiver", "#- a.py\nthing.$0\n"),
    ("a comment", "#- b.py\ndef f(): ...\n#- a.py\nimport b\n# b.$0\n"),
    (
        "a new attribute",
        "#- a.py\nclass A:\n    def __init__(self):\n        self.x = 1\n        self.$0\n    def g(self): ...\n",
    ),
]


# Text before the cursor, and whether that is in a comment.
PROSE = [
    ("a.ts", "const url = `https://host/${store.", False),
    ("a.js", "fetch(`//host/` + store.", False),
    ("a.ts", "const url = `https://host/${id}`; // see store.", True),
    ("a.tsx", "const url = 'https://host' + store.", False),
    ("a.ts", "// the `store.", True),
    ("a.ts", "const all = glob(`src/**/*.ts`);\nstore.", False),
    ("a.js", "const all = glob('src/**/*.js');\nstore.", False),
    ("a.js", "const all = glob('src/**/*.js'); /* all of\nstore.", True),
    ("a.ts", "/* all */ const all = glob(`/*.ts`); store.", False),
    ("a.go", "url := `http://host/` + store.", False),
    ("a.go", "url := `http://host/` + id // of store.", True),
    ("a.rs", "fn f<'a>(x: &'a str, y: Cow<'a, str>) {} // see store.", True),
    ("a.c", "char quote = '`'; // see store.", True),
    ("a.py", "url = 'host/#' + store.", False),
]


@pytest.mark.parametrize(("path", "before", "is_prose"), PROSE)
def test_what_is_a_comment(path: str, before: str, is_prose: bool) -> None:
    around = Surveyor().survey(path, before, "\n")
    assert around is not None
    assert around.is_prose == is_prose


def names_at(case: Case) -> set[str]:
    return set(Definitions(case.workspace, 512).names(case.path, case.before, case.after))


@pytest.mark.parametrize(("text", "names"), [one[1:] for one in CASES], ids=[one[0] for one in CASES])
def test_names_that_may_follow(case: Callable[[str], Case], text: str, names: set[str]) -> None:
    assert names_at(case(text)) == names


@pytest.mark.parametrize("text", [one[1] for one in NOBODY_CAN_TELL], ids=[one[0] for one in NOBODY_CAN_TELL])
def test_where_nobody_can_tell_there_are_none(case: Callable[[str], Case], text: str) -> None:
    assert names_at(case(text)) == set()


def test_a_known_attribute_is_read(case: Callable[[str], Case]) -> None:
    text = "#- a.py\nclass A:\n    def __init__(self):\n        self.size = 1\n    def g(self):\n        self.$0\n"
    assert names_at(case(text)) >= {"size", "g"}


def test_a_value_of_unknown_type_that_is_called_like_one_is_taken_for_it(case: Callable[[str], Case]) -> None:
    text = """
    #- sub.ts
    export class Subscriber<T> { next(value: T): void {} }
    export class SafeSubscriber<T> { safe(): void {} }
    #- main.ts
    import { Subscriber, SafeSubscriber } from "./sub";
    operate((source, subscriber) => {
      // A comment, with its full stop.
      subscriber.$0
    });
    """
    assert names_at(case(text)) == {"next"}


def request(root: Path, text: str = "a.") -> CompletionRequest:
    return CompletionRequest(
        RequestId("r"), Document((root / "a.py").as_uri(), "python", 1, text), ByteOffset(len(text))
    )


async def test_late_names_are_none_and_the_thread_goes_on(tmp_path: Path) -> None:
    go = threading.Event()

    def slow(path: str, before: str, after: str) -> list[str]:
        go.wait(10)
        return ["late"]

    with ThreadPoolExecutor(1) as executor:
        assert await NamesAtCursor(slow, tmp_path, executor).collect(request(tmp_path)) == ()
        go.set()
        quick = NamesAtCursor(lambda path, before, after: [path, before, after], tmp_path, executor)
        await asyncio.to_thread(executor.submit(int).result)
        assert await quick.collect(request(tmp_path)) == ("a.py", "a.", "")
        assert await quick.collect(request(tmp_path.parent / "elsewhere")) == ()


async def test_a_failure_is_no_names(tmp_path: Path) -> None:
    def broken(path: str, before: str, after: str) -> list[str]:
        raise ValueError(path)

    with ThreadPoolExecutor(1) as executor:
        assert await NamesAtCursor(broken, tmp_path, executor).collect(request(tmp_path)) == ()
