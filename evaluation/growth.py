"""How the cost of an answer grows: with the file's length, with code from elsewhere, with clients at once.

Types at the real server over stdio. The files are this checkout's own, so anyone can run it: real code, no set needed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psutil

from fimble.core.errors import InputError
from fimble.core.flow import Completion, CompletionRequest, Document, Rejection, RequestId, Trigger
from fimble.core.position import CharIndex, TextIndex
from fimble.engine.settings import Settings
from fimble.evaluation.replay import ReplayTarget
from fimble.evaluation.results import write_atomically
from fimble.evaluation.statistics import percentile
from fimble.evaluation.targets import Subject

SCHEMA: Final = "fimble-growth/1"
FILE_LINES: Final = (100, 1_000, 5_000, 20_000)
CHUNK_TOKENS: Final = (0, 512, 1_024, 2_048, 4_096)
N_CLIENTS: Final = (1, 2, 3, 4)
# A fast typist; between two keys the server may work ahead.
_GAP_MS: Final = 150.0
_N_KEYS: Final = 40
_N_PLACES: Final = 3
_MIN_LINE_CHARS: Final = 24
_ROOM_TOKENS: Final = 1_024
# The first rest finds the sources looking, the second what they found.
_N_RESTS: Final = 3
_MAX_REST_MS: Final = 120_000.0
_MIB: Final = 2**20

OpenSubject = Callable[[Settings], AbstractAsyncContextManager[Subject]]


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement. `kind` says what `x` counts: file_lines, chunk_tokens or clients.

    `cold_ms` is the first answer in a place never seen; where `kind` is chunk_tokens the cursor rests there first, till
    all that is wanted has been read, and that counts. `typing` are the keys after it. `memory_mib` is that of all
    servers and the model process, pages they share counted once.
    """

    kind: str
    x: int
    cold_ms: float
    typing_p50_ms: float
    typing_p95_ms: float
    n_prompt_tokens: int
    n_evaluated_mean: float
    memory_mib: float


async def measure(settings: Settings, open_subject: OpenSubject, on_point: Callable[[Point], None]) -> list[Point]:
    """All points, smallest first. `open_subject` loads the model; every measurement begins with an empty cache.

    Raises:
        FimbleError: the model, its process or the server is missing or broken.
    """
    points: list[Point] = []

    async def add(kind: str, x: int, with_settings: Settings, files: Sequence[tuple[str, str]]) -> None:
        async with open_subject(with_settings) as subject:
            points.append(await _one(subject, kind, x, files))
        on_point(points[-1])

    for n_lines in FILE_LINES:
        await add("file_lines", n_lines, settings, [_long_file(n_lines)])
    for n_tokens in CHUNK_TOKENS:
        await add("chunk_tokens", n_tokens, _with_room(settings, n_tokens), [_own_file(0)])
    for n_clients in N_CLIENTS:
        await add("clients", n_clients, settings, [_own_file(rank) for rank in range(n_clients)])
    return points


def _with_room(settings: Settings, n_tokens: int) -> Settings:
    """The settings with so much room for code from elsewhere, and a cache that holds two of the largest prompts."""
    config = settings.config
    n_max = 2 * n_tokens + _ROOM_TOKENS
    n_ctx = max(config.model.n_ctx, 2 * (2 * max(CHUNK_TOKENS) + _ROOM_TOKENS))
    prompt = dataclasses.replace(config.prompt, chunk_tokens=n_tokens, max_tokens=n_max)
    model = dataclasses.replace(config.model, n_ctx=n_ctx)
    return dataclasses.replace(settings, config=dataclasses.replace(config, prompt=prompt, model=model))


def save(path: Path, points: Sequence[Point], machine: dict[str, Any], model: str) -> None:
    """Write the points, whole or not at all.

    Raises:
        InputError: the folder cannot be written to.
    """
    value = {"schema": SCHEMA, "machine": machine, "model": model, "points": [dataclasses.asdict(p) for p in points]}
    write_atomically(path, json.dumps(value, indent=1) + "\n")


def load(path: Path) -> tuple[dict[str, Any], list[Point]]:
    """The file's machine and model, and its points.

    Raises:
        InputError: not such a file.
    """
    try:
        value: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if value["schema"] != SCHEMA:
            raise InputError(f"{path}: is not a {SCHEMA} file", mend="Run `fimble bench --only growth`.")
        return value, [Point(**fields) for fields in value["points"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: is not a {SCHEMA} file: {error!r}", mend="Run `fimble bench --only growth`."
        ) from error


async def _one(subject: Subject, kind: str, x: int, files: Sequence[tuple[str, str]]) -> Point:
    """Each file typed into by a client of its own, all at once."""
    async with AsyncExitStack() as stack:
        typists: list[_Typist] = []
        for name, text in files:
            workspace = Path(stack.enter_context(TemporaryDirectory(prefix="fimble-growth-")))
            _lay_out(workspace)
            (workspace / name).write_text(text, "utf-8")
            target = await stack.enter_async_context(subject.replay(workspace))
            typists.append(_Typist(target, (workspace / name).as_uri(), text, rests=kind == "chunk_tokens"))
        await asyncio.gather(*(typist.type_all() for typist in typists))
        memory_mib = _memory_mib()
    cold = [wait for typist in typists for wait in typist.cold_ms]
    waits = [wait for typist in typists for wait in typist.typing_ms]
    evaluated = [n for typist in typists for n in typist.n_evaluated]
    return Point(
        kind=kind,
        x=x,
        cold_ms=percentile(cold, 0.5) or 0.0,
        typing_p50_ms=percentile(waits, 0.5) or 0.0,
        typing_p95_ms=percentile(waits, 0.95) or 0.0,
        n_prompt_tokens=max(typist.n_prompt_tokens for typist in typists),
        n_evaluated_mean=sum(evaluated) / len(evaluated),
        memory_mib=memory_mib,
    )


class _Typist:
    """Types lines of a file anew, each in a place that the model has not seen."""

    def __init__(self, target: ReplayTarget, uri: str, text: str, *, rests: bool) -> None:
        self._target = target
        self._uri = uri
        self._text = text
        self._rests = rests
        self._numbers = itertools.count()
        self.cold_ms: list[float] = []
        self.typing_ms: list[float] = []
        self.n_evaluated: list[int] = []
        self.n_prompt_tokens = 0

    async def type_all(self) -> None:
        """At a few places."""
        for start, line in _places(self._text):
            first, *keys = range(1, min(len(line), _N_KEYS))
            rested_ms = await self._rest(start, line, first) if self._rests else 0.0
            wait_ms, outcome = await self._ask(start, line, first)
            self.cold_ms.append(rested_ms + wait_ms)
            self.n_prompt_tokens = max(self.n_prompt_tokens, outcome.n_prompt_tokens)
            await self._target.follow_up(4 * _GAP_MS)
            for n_typed in keys:
                wait_ms, outcome = await self._ask(start, line, n_typed)
                self.typing_ms.append(wait_ms)
                self.n_evaluated.append(outcome.n_prompt_tokens - outcome.n_reused_tokens)
                await self._target.follow_up(max(0.0, _GAP_MS - wait_ms))

    async def _rest(self, start: int, line: str, n_typed: int) -> float:
        """The cursor rests until the sources have looked and what they found is read; how long that took, in ms."""
        request = self._request(start, line, n_typed)
        began = time.perf_counter()
        for _ in range(_N_RESTS):
            await self._target.idle(request.document, request.cursor, _MAX_REST_MS)
        return (time.perf_counter() - began) * 1000.0

    async def _ask(self, start: int, line: str, n_typed: int) -> tuple[float, Completion | Rejection]:
        request = self._request(start, line, n_typed)
        began = time.perf_counter()
        outcome = await self._target.complete(request)
        return (time.perf_counter() - began) * 1000.0, outcome

    def _request(self, start: int, line: str, n_typed: int) -> CompletionRequest:
        text = self._text[:start] + line[:n_typed] + self._text[start + len(line) :]
        number = next(self._numbers)
        cursor = TextIndex(text).to_byte(CharIndex(start + n_typed))
        document = Document(self._uri, "python", number, text)
        return CompletionRequest(RequestId(str(number)), document, cursor, Trigger.AUTOMATIC)


def _places(text: str) -> list[tuple[int, str]]:
    """Where lines to type begin behind their indentation, spread over the middle of the text, and those lines."""
    found: list[tuple[int, str]] = []
    lines = text.split("\n")
    starts = list(itertools.accumulate((len(line) + 1 for line in lines), initial=0))
    after = 0
    for share in range(1, _N_PLACES + 1):
        for row in range(max(after, len(lines) * share // (_N_PLACES + 1)), len(lines)):
            body = lines[row].lstrip()
            if lines[row].startswith("    ") and len(body) >= _MIN_LINE_CHARS and not body.startswith(("#", '"')):
                found.append((starts[row] + len(lines[row]) - len(body), body))
                after = row + 1
                break
    return found


def _checkout() -> list[Path]:
    top = Path(__file__).resolve().parent.parent
    files = [
        path for room in ("core", "syntax", "context", "engine", "lsp_server") for path in (top / room).glob("*.py")
    ]
    return sorted(files, key=lambda path: (-path.stat().st_size, path))


def _long_file(n_lines: int) -> tuple[str, str]:
    lines: list[str] = []
    for path in itertools.cycle(_checkout()):
        lines += path.read_text("utf-8").splitlines()
        if len(lines) >= n_lines:
            return "long.py", "\n".join(lines[:n_lines]) + "\n"
    raise AssertionError("a checkout has files")


def _own_file(rank: int) -> tuple[str, str]:
    path = _checkout()[rank]
    return f"{path.parent.name}_{path.name}", path.read_text("utf-8")


def _lay_out(workspace: Path) -> None:
    """The rest of the checkout, for the sources to find something in."""
    for path in _checkout():
        place = workspace / "fimble" / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())


def _memory_mib() -> float:
    """Of everything this process has started."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            info = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        total += getattr(info, "pss", info.rss)
    return total / _MIB
