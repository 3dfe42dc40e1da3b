"""Splitting at the cursor, sources that answer, are late or fail, and paths from URIs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import pytest

from fimble.context.gather import gather, path_of_uri
from fimble.core.flow import Chunk, CompletionRequest, Document, RequestId
from fimble.core.position import ByteOffset


def request(text: str, *, uri: str = "file:///w/a.py") -> CompletionRequest:
    """`$0` marks the cursor."""
    prefix, suffix = text.split("$0")
    document = Document(uri, "python", 3, prefix + suffix)
    return CompletionRequest(RequestId("r"), document, ByteOffset(len(prefix.encode())))


def chunk(path: str, score: float = 1.0) -> Chunk:
    return Chunk(path, f"text of {path}", "test", score)


class Source:
    """A source that does what it is told."""

    def __init__(
        self, name: str, collect: Callable[[], Sequence[Chunk]], *, until: asyncio.Event | None = None
    ) -> None:
        self.name = name
        self._collect = collect
        self._until = until
        self.was_cancelled = False

    async def collect(self, request: CompletionRequest) -> Sequence[Chunk]:
        try:
            if self._until:
                await self._until.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return self._collect()


def failing() -> Sequence[Chunk]:
    raise OSError("disk gone")


@pytest.mark.parametrize("text", ["$0", "a$0b", "é😀$0漢\r\n", "\ufeffx\r\n$0", "tail\n$0"])
async def test_text_is_split_at_the_cursor_and_kept_as_it_is(text: str) -> None:
    context = await gather(request(text))
    assert [context.prefix, context.suffix] == text.split("$0")
    assert (context.language_id, context.path, context.chunks) == ("python", "/w/a.py", ())


async def test_chunks_of_all_sources_by_their_ranks() -> None:
    sources = [
        Source("one", lambda: [chunk("a", 0.5), chunk("b", 0.1)]),
        Source("two", lambda: [chunk("c", 0.9), chunk("d", 0.5)]),
    ]
    context = await gather(request("$0"), sources)
    assert [found.path for found in context.chunks] == ["a", "c", "b", "d"]


async def test_late_and_failing_sources_are_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    late = Source("late", list, until=asyncio.Event())
    sources = [late, Source("broken", failing), Source("good", lambda: [chunk("a")])]
    context = await gather(request("x$0"), sources, time_limit_ms=20)
    assert [found.path for found in context.chunks] == ["a"]
    assert late.was_cancelled
    assert {record.levelname: record.getMessage().split(" ")[2] for record in caplog.records} == {
        "INFO": "late",
        "ERROR": "broken",
    }


async def test_sources_run_together() -> None:
    """Each waits for the other; one after the other, both would be late."""
    left, right = asyncio.Event(), asyncio.Event()

    def done(event: asyncio.Event, path: str) -> Callable[[], Sequence[Chunk]]:
        def collect() -> Sequence[Chunk]:
            event.set()
            return [chunk(path)]

        return collect

    waits = Source("waits", done(right, "a"), until=left)
    frees = Source("frees", done(left, "b"))
    context = await gather(request("$0"), [waits, frees], time_limit_ms=60_000)
    assert [found.path for found in context.chunks] == ["a", "b"]


async def test_cancelling_reaches_the_sources() -> None:
    slow = Source("slow", list, until=asyncio.Event())
    task = asyncio.create_task(gather(request("$0"), [slow], time_limit_ms=60_000))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.was_cancelled


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///home/u/a%20b.py", "/home/u/a b.py"),
        ("file:///c%3A/Users/u/a.py", "c:/Users/u/a.py"),
        ("file:///C:/a.py", "C:/a.py"),
        ("file://server/share/a.py", "//server/share/a.py"),
        ("file://localhost/a.py", "/a.py"),
        ("file:///w/%23odd%3Fname.py", "/w/#odd?name.py"),
        ("untitled:Untitled-1", "Untitled-1"),
        ("vscode-notebook-cell:/w/n.ipynb#W0sZ", "/w/n.ipynb"),
        ("vscode-remote://ssh-remote%2Bhost/w/a.py", "/w/a.py"),
        ("/plain/path.py", "/plain/path.py"),
        ("c:\\w\\a.py", "c:/w/a.py"),
        ("", ""),
    ],
)
def test_path_of_uri(uri: str, path: str) -> None:
    assert path_of_uri(uri) == path
