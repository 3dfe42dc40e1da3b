"""llama.cpp's own HTTP server as a completer, driven as llama.vim drives it.

One `LlamaServer` is the process with the model; a `LlamaVim` is one editor that uses it: it has the ring of chunks, the
cache of answers and the speculative request of the original. Both evaluation and replay ask it what they ask fimble.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
import urllib.parse
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from fimble.core.errors import BackendError, FimbleError
from fimble.core.flow import (
    AnswerSource,
    Completion,
    CompletionRequest,
    Document,
    Rejection,
    RejectReason,
    StopReason,
    Timings,
    Trigger,
)
from fimble.core.position import ByteOffset, ByteRange, CharIndex, LineIndex, TextIndex
from fimble.evaluation.peers import llama_vim
from fimble.evaluation.peers.llama_vim import LocalContext, Place, Ring, Shown
from fimble.evaluation.replay import ClientPolicy

_LOAD_TIMEOUT_S = 180.0
_REQUEST_TIMEOUT_S = 600.0
_SEED = 1
_MAX_CACHED = 250
_MAX_TYPED_THROUGH_CHARS = 128
# llama.vim moves a queued chunk into the ring every second once the cursor has rested for three.
_RING_REST_MS, _RING_EVERY_MS = 3000.0, 1000.0
_CTX_OF_MODEL = 0


@dataclass(frozen=True, slots=True)
class LlamaServer:
    """A running server. `pid` is its process."""

    client: httpx.AsyncClient
    pid: int
    model_id: str

    async def infill(self, body: dict[str, Any]) -> dict[str, Any]:
        """One /infill request.

        Raises:
            BackendError: the server is gone, or refuses.
        """
        try:
            response = await self.client.post("/infill", json=body)
            value: Any = response.raise_for_status().json()
        except httpx.HTTPStatusError as error:
            raise BackendError(
                f"llama-server answered {error.response.status_code}: {error.response.text[:300]}"
            ) from error
        except (httpx.HTTPError, ValueError) as error:
            raise BackendError(f"llama-server did not answer: {error!r}") from error
        return value


@contextlib.asynccontextmanager
async def run_llama_server(
    model: Path, *, model_id: str, n_threads: int, n_gpu_layers: int
) -> AsyncGenerator[LlamaServer]:
    """Start the server in a process of its own, and end it on leaving.

    Raises:
        FimbleError: xllamacpp is not installed.
        BackendError: the server does not start.
    """
    _require_package()
    command = ["-P", "-m", "fimble.evaluation.peers.serve", "--model", str(model), "--threads", str(n_threads)]
    command += ["--ctx", str(_CTX_OF_MODEL), "--gpu-layers", str(n_gpu_layers)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        address = await _address_of(process)
        timeout = httpx.Timeout(_REQUEST_TIMEOUT_S)
        # Proxy settings of the environment must not come between us and our own process.
        async with httpx.AsyncClient(base_url=address, timeout=timeout, trust_env=False) as client:
            yield LlamaServer(client, process.pid, model_id)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _address_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_LOAD_TIMEOUT_S):
            # llama.cpp may write lines of its own before ours.
            while line := await process.stdout.readline():
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    return str(json.loads(line)["address"])
    except TimeoutError:
        pass
    raise BackendError(
        "llama-server did not start.", mend="Try `python -c 'import xllamacpp'`, and whether memory is free."
    )


def _require_package() -> None:
    import importlib.util

    if importlib.util.find_spec("xllamacpp") is None:
        raise FimbleError(
            "The peer llama-server needs the package xllamacpp.", mend='Install it with: pip install "fimble[peers]"'
        )


class LlamaVim:
    """One Vim with llama.vim in it, over one server."""

    policy = ClientPolicy(debounce_ms=0.0, cancels=False, retry_ms=100.0)

    def __init__(self, server: LlamaServer, workspace: Path) -> None:
        """The other files of `workspace` count as opened before: each gave the ring one chunk."""
        self._server = server
        self._ring = Ring()
        self._cache: OrderedDict[LocalContext, str] = OrderedDict()
        self._on_screen: tuple[Place, Shown] | None = None
        self._workspace = workspace
        self._is_visited = False

    async def complete(self, request: CompletionRequest) -> Completion | Rejection:
        """Answer from the cache where what was typed follows an earlier answer, else ask the server."""
        began = time.perf_counter()
        place = _place(request.document, request.cursor)
        self._visit_others(request.document)
        context = llama_vim.local_context(place)
        self._on_screen = None
        if request.trigger is Trigger.AUTOMATIC and context.n_chars_right > llama_vim.MAX_LINE_SUFFIX:
            return _rejection(
                request, RejectReason.DISABLED, "llama.vim asks for nothing this far left of a line's end."
            )
        remembered = self._remembered(context)
        if remembered is not None:
            outcome = self._outcome(request, place, remembered, None, began)
            if isinstance(outcome, Completion):
                return outcome
        self._ring.drop_similar(place)
        body = llama_vim.request_body(context, self._ring.chunks, llama_vim.FIRST_T_MAX_PREDICT_MS, _SEED)
        try:
            response = await self._server.infill(body)
        except BackendError as error:
            return _rejection(request, RejectReason.BACKEND_FAILED, error.message, error)
        self._ring.pick_around(place, _file_name(request.document))
        self._remember(context, str(response["content"]))
        return self._outcome(request, place, str(response["content"]), response, began)

    async def follow_up(self, budget_ms: float) -> None:
        """Ask ahead, as if the suggestion on screen had been accepted; llama.vim lets no key interrupt this."""
        del budget_ms
        if self._on_screen is None:
            return
        place, on_screen = self._on_screen
        ahead = llama_vim.after_accepting(Place(place.lines, place.row, on_screen.from_column), on_screen.lines)
        context = llama_vim.local_context(ahead)
        if context not in self._cache:
            body = llama_vim.request_body(context, self._ring.chunks, llama_vim.SPECULATIVE_T_MAX_PREDICT_MS, _SEED)
            response = await self._server.infill(body)
            self._remember(context, str(response["content"]))

    async def idle(self, document: Document, cursor: ByteOffset, budget_ms: float) -> None:
        """Move chunks into the ring and have the server evaluate them, one a second after three seconds of rest."""
        del cursor
        self._visit_others(document)
        left_ms = budget_ms - _RING_REST_MS
        while left_ms > 0 and self._ring.advance():
            began = time.perf_counter()
            await self._server.infill(llama_vim.warming_body(self._ring.chunks))
            left_ms -= max(_RING_EVERY_MS, (time.perf_counter() - began) * 1000.0)

    def _visit_others(self, document: Document) -> None:
        """Entering a buffer gives the ring the lines around the cursor; a file just opened has it at the top."""
        if self._is_visited:
            return
        self._is_visited = True
        own = Path(urllib.parse.unquote(urllib.parse.urlsplit(document.uri).path))
        for path in sorted(self._workspace.rglob("*")):
            if path.is_file() and path != own:
                lines = path.read_text("utf-8", "replace").splitlines()
                name = str(path.relative_to(self._workspace))
                self._ring.pick(lines[: llama_vim.RING_CHUNK_LINES // 2 + 1], name, evicts=True)
                self._ring.advance()

    def _remembered(self, context: LocalContext) -> str | None:
        """The answer to this very context, or the rest of one whose beginning has been typed since."""
        if context in self._cache:
            return self._cache[context]
        before = context.prefix + context.middle
        for n_typed in range(1, min(_MAX_TYPED_THROUGH_CHARS, len(before)) + 1):
            typed = before[-n_typed:]
            for known, content in reversed(self._cache.items()):
                is_before = known.suffix == context.suffix and known.prefix + known.middle == before[:-n_typed]
                if is_before and content.startswith(typed) and len(content) > n_typed:
                    return content[n_typed:]
        return None

    def _remember(self, context: LocalContext, content: str) -> None:
        self._cache[context] = content
        while len(self._cache) > _MAX_CACHED:
            self._cache.popitem(last=False)

    def _outcome(
        self, request: CompletionRequest, place: Place, content: str, response: dict[str, Any] | None, began: float
    ) -> Completion | Rejection:
        total_ms = (time.perf_counter() - began) * 1000.0
        timings: dict[str, float] = response["timings"] if response else {}
        n_evaluated = int(timings.get("prompt_n", 0))
        n_reused = max(0, int(timings.get("cache_n", 0)))
        times = Timings(
            queue_ms=0.0,
            prompt_ms=timings.get("prompt_ms", 0.0),
            first_token_ms=total_ms - timings.get("predicted_ms", 0.0),
            total_ms=total_ms,
        )
        n_written = int(timings.get("predicted_n", 0))
        counts = (n_evaluated + n_reused, n_reused, n_written)
        made = llama_vim.shown(content, place)
        if made is None:
            reason = RejectReason.REPEATS_SUFFIX if content.strip() else RejectReason.EMPTY
            detail = "llama.vim shows nothing for this answer."
            return Rejection(request.request_id, reason, detail, times, self._server.model_id, *counts)
        self._on_screen = (place, made)
        text, replace = _edit(request.document.text, place, made)
        return Completion(
            request.request_id,
            text,
            replace,
            self._server.model_id,
            times,
            *counts,
            stop_reason=_stop_reason(response),
            source=AnswerSource.MODEL if response else AnswerSource.TYPE_THROUGH,
        )


def _place(document: Document, cursor: ByteOffset) -> Place:
    index = TextIndex(document.text)
    at = index.to_char(cursor)
    row = index.line_of(at)
    lines = tuple(index.line_text(LineIndex(line)) for line in range(index.n_lines))
    if not lines[-1] and row < len(lines) - 1:
        lines = lines[:-1]  # to Vim the last line end begins no line
    return Place(lines, row, min(at - index.line_start(row), len(lines[row])))


def _edit(text: str, place: Place, made: Shown) -> tuple[str, ByteRange]:
    """The suggestion as a replacement within the cursor's line, in the file's line ends."""
    index = TextIndex(text)
    row = LineIndex(place.row)
    start = CharIndex(index.line_start(row) + made.from_column)
    end = start if made.keeps_right else index.line_end(row)
    line_end = "\r\n" if "\r\n" in text else "\n"
    return line_end.join(made.lines), ByteRange(index.to_byte(start), index.to_byte(end))


def _stop_reason(response: dict[str, Any] | None) -> StopReason:
    if response is None or response.get("stop_type") != "limit":
        return StopReason.END_OF_MIDDLE
    if int(response["timings"]["predicted_n"]) >= llama_vim.N_PREDICT:
        return StopReason.MAX_TOKENS
    # Below the token limit it is the time box or the indentation rule; the server does not say which.
    return StopReason.TIME_BOX


def _rejection(
    request: CompletionRequest, reason: RejectReason, detail: str, error: FimbleError | None = None
) -> Rejection:
    return Rejection(request.request_id, reason, detail, Timings(0.0, 0.0, 0.0, 0.0), error=error)


def _file_name(document: Document) -> str:
    return document.uri.rpartition("/")[2]
