"""All sources together: answers in time, stays, ends, and lets no secret through."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.context.index.damage import locked

from fimble.context.gather import gather
from fimble.context.index.refresh import refresh
from fimble.context.index.store import IndexStore, index_path
from fimble.context.sources.activity import Activity
from fimble.context.sources.background import BackgroundSource
from fimble.context.sources.build import build_sources
from fimble.core.flow import Chunk, CompletionRequest, Document, RequestId
from fimble.core.position import ByteOffset

AWS = "AKIA" + "ABCDEFGHIJKLMNOP"
PRIVATE_KEY = "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END " + "RSA PRIVATE KEY-----"
DOTENV = "hunter2hunter2x9"


def request(root: Path, path: str, text: str) -> CompletionRequest:
    before, after = text.split("$0")
    document = Document((root / path).as_uri(), "python", 1, before + after)
    return CompletionRequest(RequestId("r"), document, ByteOffset(len(before.encode())))


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


async def test_from_workspace_to_context(tmp_path: Path) -> None:
    write(tmp_path, {"store.py": "class Store:\n    def find(self, key): ...\n"})
    sources = build_sources(tmp_path, n_tokens=256)
    asked = request(tmp_path, "main.py", "from store import Store\n\ndef f(s: Store):\n    s.$0\n")
    try:
        await sources.settle(asked)
        context = await gather(asked, sources)
        assert context.chunks[0].path == "store.py"
        assert "def find(self, key)" in context.chunks[0].text
    finally:
        sources.close()


@pytest.mark.parametrize("uri", ["untitled:Untitled-1", "file:///elsewhere/a.py", "vscode-notebook-cell:/w/a.ipynb#1"])
async def test_texts_outside_the_workspace_get_nothing(tmp_path: Path, uri: str) -> None:
    write(tmp_path, {"store.py": "def find(key): ...\n"})
    sources = build_sources(tmp_path, n_tokens=256)
    try:
        asked = CompletionRequest(RequestId("r"), Document(uri, "python", 1, "import store\n"), ByteOffset(0))
        await sources.settle(asked)
        assert (await gather(asked, sources)).chunks == ()
    finally:
        sources.close()


def test_without_a_workspace_there_are_none() -> None:
    assert len(build_sources(None, n_tokens=100)) == 0
    assert len(build_sources(Path("/w"), n_tokens=0)) == 0


async def test_a_planted_secret_is_in_no_chunk_no_log_and_no_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    root, cache = tmp_path / "w", tmp_path / "cache"
    secrets = (AWS, "MIIEowIBAAKCAQEA", DOTENV)
    filler = {f"pad/m{number}.py": f"def pad{number}(): ...\n" for number in range(70)}  # so that the index is on disk
    write(
        root,
        {
            "conf.py": f'KEY = "{AWS}"\nREGION = "eu"\ndef connect(region): ...\n',
            "keys.py": f'PRIVATE = """{PRIVATE_KEY}"""\ndef load_keys(): ...\n',
            ".env": f"SECRET_TOKEN={DOTENV}\n",
            "prod.env": f"SECRET_TOKEN={DOTENV}\n",
            **filler,
        },
    )
    activity = Activity()
    for path in ("conf.py", "keys.py", ".env"):
        text = (root / path).read_text()
        activity.on_open(path, "")
        activity.on_edit(path, text)
    sources = build_sources(root, n_tokens=1024, cache=cache, activity=activity)
    shown: list[Chunk] = []
    try:
        for text in (
            "import conf\nx = conf.$0\n",
            "import keys\nkeys.$0\n",
            "from conf import KEY\nKEY$0",
            "connect($0",
        ):
            asked = request(root, "main.py", text)
            await sources.settle(asked)
            shown += (await gather(asked, sources)).chunks
        await _until(lambda: _n_indexed(cache) >= 70)
        asked = request(root, "pad/again.py", "def connect(region): ...\nREGION = load_keys()\n$0\n")
        await sources.settle(asked)
        shown += (await gather(asked, sources)).chunks
    finally:
        sources.close()
    assert any("REGION" in chunk.text for chunk in shown)
    everything = [chunk.text.encode() for chunk in shown]
    everything += [record.getMessage().encode() for record in caplog.records]
    everything += [path.read_bytes() for path in cache.rglob("*") if path.is_file()]
    for secret in secrets:
        assert not any(secret.encode() in raw for raw in everything), secret


async def test_open_files_that_git_ignores_are_shown_beside_none(tmp_path: Path) -> None:
    like = "def parse(text, ledger):\n    return ledger.book(text)\n" * 3
    write(tmp_path, {".gitignore": "local_*.py\nprivate/\n", ".fimbleignore": "mine.py\n", "seen.py": like})
    activity = Activity()
    sources = build_sources(tmp_path, n_tokens=256, activity=activity)
    try:
        for path in ("local_settings.py", "private/a.py", "mine.py", "seen.py"):
            sources.on_open(Document((tmp_path / path).as_uri(), "python", 1, "import os\n"))
            sources.on_edit(Document((tmp_path / path).as_uri(), "python", 2, f"import os\n{like}"))
        asked = request(tmp_path, "main.py", "def parse(text, ledger):\n    x = ledger.book(text)\n    $0\n")
        await sources.settle(asked)
        assert {chunk.path for chunk in (await gather(asked, sources)).chunks} == {"seen.py"}
    finally:
        sources.close()


async def test_a_small_workspace_is_followed(tmp_path: Path) -> None:
    """New files, deleted ones, and growing beyond what an index in memory is for."""
    root, cache = tmp_path / "w", tmp_path / "cache"
    write(root, {"a.py": "def first(): ...\n"})
    sources = build_sources(root, n_tokens=256, cache=cache, activity=Activity())
    n_asked = 0

    async def paths_shown(text: str) -> set[str]:
        nonlocal n_asked
        n_asked += 1  # another scope each time: what was found for one stays
        asked = request(root, "main.py", text.replace("SCOPE", f"scope_{n_asked}"))
        await sources.settle(asked)
        return {chunk.path for chunk in (await gather(asked, sources)).chunks}

    async def until(text: str, path: str, *, is_shown: bool) -> None:
        for _ in range(200):
            if (path in await paths_shown(text)) is is_shown:
                return
            await asyncio.sleep(0.1)
        pytest.fail(f"{path} is{' not' if is_shown else ''} shown")

    try:
        uses_b = "from b import second\n\ndef SCOPE():\n    second($0\n"
        assert "b.py" not in await paths_shown(uses_b)
        write(root, {"b.py": "def second(wanted): ...\n"})
        await until(uses_b, "b.py", is_shown=True)
        (root / "b.py").unlink()
        await until(uses_b, "b.py", is_shown=False)
        write(root, {f"pad/m{number}.py": f"def pad{number}(): ...\n" for number in range(70)})
        await until("from pad.m7 import pad7\n\ndef SCOPE():\n    pad7($0\n", "pad/m7.py", is_shown=True)
        await _until(lambda: _n_indexed(cache) >= 70)
    finally:
        sources.close()


async def test_an_index_that_another_process_holds_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fimble.context.index.store._BUSY_S", 0.01)
    monkeypatch.setattr("fimble.context.sources.build._TRY_AGAIN_S", 0.0)
    root, cache = tmp_path / "w", tmp_path / "cache"
    like = "def parse(text, ledger):\n    return ledger.book(text)\n" * 3
    write(root, {"like.py": like, **{f"pad/m{number}.py": f"def pad{number}(): ...\n" for number in range(70)}})
    index = index_path(cache, root)
    with contextlib.closing(IndexStore(index)) as store:
        refresh(root, store)
    sources = build_sources(root, n_tokens=1024, cache=cache, keeps_index_up=False)
    asked = request(root, "main.py", "def parse_all(texts, ledger):\n    ledger.book(texts)\n    $0\n")
    try:
        with locked(index):
            await sources.settle(asked)
            assert (await gather(asked, sources)).chunks == ()
        await sources.settle(asked)
        assert {chunk.path for chunk in (await gather(asked, sources)).chunks} == {"like.py"}
    finally:
        sources.close()


def _n_indexed(cache: Path) -> int:
    paths = list(cache.rglob("*.sqlite3"))
    if not paths:
        return 0
    store = IndexStore(paths[0])
    try:
        return store.stats().n_files
    finally:
        store.close()


async def _until(check: object) -> None:
    assert callable(check)
    for _ in range(600):
        if check():
            return
        await asyncio.sleep(0.05)
    pytest.fail("it never happened")


class _Slow:
    """A finder that waits until it is told to go on."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[str] = []

    def find(self, path: str, before: str, after: str) -> Sequence[Chunk]:
        self.asked.append(before)
        self.go.wait(20)
        return [Chunk("x.py", f"def seen_{len(self.asked)}(): ...\n", "slow", 1.0)]


async def test_a_late_answer_is_the_last_one(tmp_path: Path) -> None:
    slow = _Slow()
    executor = ThreadPoolExecutor(1)
    source = BackgroundSource("slow", slow.find, tmp_path, executor, patience_ms=30)
    try:
        assert await source.collect(request(tmp_path, "a.py", "a$0")) == ()
        slow.go.set()
        await source.settle(request(tmp_path, "a.py", "ab$0"))
        first = await source.collect(request(tmp_path, "a.py", "abc$0"))
        slow.go.clear()
        assert await source.collect(request(tmp_path, "a.py", "abcd$0")) == first
        assert await source.collect(request(tmp_path, "other.py", "abcd$0")) == ()
    finally:
        slow.go.set()
        executor.shutdown()


async def test_only_the_latest_waiting_question_is_looked_at(tmp_path: Path) -> None:
    slow = _Slow()
    executor = ThreadPoolExecutor(1)
    source = BackgroundSource("slow", slow.find, tmp_path, executor, patience_ms=5)
    try:
        for text in ("a$0", "ab$0", "abc$0", "abcd$0"):
            await source.collect(request(tmp_path, "a.py", text))
        slow.go.set()
        await source.settle(request(tmp_path, "a.py", "abcde$0"))
        assert slow.asked == ["a", "abcde"]
    finally:
        slow.go.set()
        executor.shutdown()


async def test_closing_while_asked(tmp_path: Path) -> None:
    sources = build_sources(tmp_path, n_tokens=100)
    asked = request(tmp_path, "a.py", "x$0")
    waiting = asyncio.create_task(gather(asked, sources))
    await asyncio.sleep(0)
    sources.close()
    assert (await waiting).chunks == ()
    assert (await gather(asked, sources)).chunks == ()
