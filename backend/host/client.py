"""The supervisor's side of the model process: a ModelBackend that starts it, speaks to it and survives its death."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from fimble.backend.host import launch, protocol
from fimble.backend.host.protocol import Frame, ModelSpec
from fimble.core.config import HostOptions
from fimble.core.errors import BackendError, ModelProcessDiedError
from fimble.core.flow import GenerationStats, ModelInfo, Prompt, Token, TokenId
from fimble.core.paths import Paths

_CRASH_WINDOW_S = 60.0
_N_CRASHES_BEFORE_WAIT = 3
_FIRST_WAIT_S = 2.0
_MAX_WAIT_S = 60.0
_CLOSED_HERE = "The connection to the model process was closed here."


class HostBackend:
    """Speaks for one model over one connection; reconnects, and restarts the process, with the next request."""

    def __init__(self, find_model: Callable[[], ModelSpec], paths: Paths, options: HostOptions) -> None:
        """Nothing is started before the first request.

        `find_model` is asked until it does not raise, and again once the files that it found have been replaced.
        """
        self._find_model = find_model
        self._spec: ModelSpec | None = None
        self._has_extra_kernels = True
        self._options = options
        self._places = launch.places(paths)
        self._link: _Link | None = None
        self._connecting: asyncio.Task[_Link] | None = None
        self._crashes: deque[float] = deque(maxlen=16)
        self._info: ModelInfo | None = None
        self._markers: dict[str, TokenId | None] = {}

    async def describe(self) -> ModelInfo:
        """Load the model if need be and say what it is.

        Files that were replaced since are taken up here and nowhere else: every answer begins with this question, and
        what follows of it must come from the same weights.
        """
        if self._spec and (stamp := _stamp_of(self._spec)) and stamp != self._spec.files_stamp:
            self._spec, self._info, self._markers = None, None, {}
        if self._info is None:
            result = await self._ask({"op": "describe"}, timeout_s=self._options.load_timeout_s)
            self._info = protocol.info_from_wire(result["info"])
        return self._info

    async def tokenize(self, texts: Sequence[str]) -> tuple[tuple[TokenId, ...], ...]:
        """Ids of each text, special tokens off."""
        result = await self._ask({"op": "tokenize", "texts": list(texts)}, timeout_s=self._options.load_timeout_s)
        return tuple(tuple(ids) for ids in result["ids"])

    async def marker_ids(self, markers: Sequence[str]) -> tuple[TokenId | None, ...]:
        """The id of each marker, asked once a model."""
        unknown = [marker for marker in markers if marker not in self._markers]
        if unknown:
            result = await self._ask({"op": "markers", "markers": unknown}, timeout_s=self._options.load_timeout_s)
            self._markers.update(zip(unknown, result["ids"], strict=True))
        return tuple(self._markers[marker] for marker in markers)

    def generate(self, prompt: Prompt) -> HostGeneration:
        """Continue `prompt`."""
        return HostGeneration(self, prompt)

    async def n_cached(self, prompts: Sequence[Prompt]) -> tuple[int, ...]:
        """How many tokens of each prompt need no evaluation now."""
        token_lists = [prompt.tokens for prompt in prompts]
        result = await self._ask({"op": "cached", "prompts": token_lists}, timeout_s=self._options.load_timeout_s)
        return tuple(result["n_cached"])

    async def warm(self, prompt: Prompt) -> None:
        """Evaluate `prompt` when nothing else is to do."""
        await self._ask({"op": "warm", "prompt": protocol.prompt_to_wire(prompt)}, timeout_s=None)

    async def aclose(self) -> None:
        """Leave; the process ends by itself when nobody else uses it."""
        if self._connecting:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._link:
            await self._link.aclose()
            self._link = None

    async def open_stream(self, frame: Frame) -> Stream:
        """Send a request and listen for its frames."""
        spec = self._spec
        if spec is None:
            found = await asyncio.to_thread(self._find_model)
            self._spec = spec = replace(found, files_stamp=_stamp_of(found))
        link = await self._connected()
        spec = replace(spec, has_extra_kernels=self._has_extra_kernels)
        return link.send({**frame, "model": protocol.spec_to_wire(spec)})

    async def _ask(self, frame: Frame, *, timeout_s: float | None) -> Frame:
        stream = await self.open_stream(frame)
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    answer = await stream.next_frame()
                    if "result" in answer:
                        return answer["result"]
        except TimeoutError as error:
            raise BackendError(
                f"The model process did not answer within {timeout_s:g} s.",
                mend="A slow disk or a model too large for memory makes loading slow; see `fimble doctor`.",
            ) from error
        finally:
            stream.close()

    async def _connected(self) -> _Link:
        """The connection, made if need be.

        The process takes longer to start than a key to come: a caller that is cancelled meanwhile leaves the work to
        the next one.
        """
        if self._link and not self._link.is_closed:
            return self._link
        connecting = self._connecting
        if connecting is None or connecting.done():
            self._wait_after_crashes()
            self._connecting = connecting = asyncio.create_task(self._connect())
            connecting.add_done_callback(_retrieve)
        await asyncio.wait([connecting])
        if connecting.cancelled():
            raise BackendError(_CLOSED_HERE)
        return connecting.result()

    async def _connect(self) -> _Link:
        reader, writer, process = await launch.connect(self._places, self._options)
        self._link = _Link(reader, writer, process, self._places, self._on_died)
        return self._link

    def _on_died(self, code: int | None) -> None:
        self._crashes.append(time.monotonic())
        if code == -signal.SIGILL:
            self._has_extra_kernels = False

    def _wait_after_crashes(self) -> None:
        """A model that crashes at once must not be loaded again with every key."""
        now = time.monotonic()
        recent = [at for at in self._crashes if now - at < _CRASH_WINDOW_S]
        n_extra = len(recent) - _N_CRASHES_BEFORE_WAIT
        if n_extra < 0:
            return
        wait_s = min(_MAX_WAIT_S, _FIRST_WAIT_S * 2**n_extra)
        left_s = recent[-1] + wait_s - now
        if left_s > 0:
            raise BackendError(
                f"The model process died {len(recent)} times within a minute; it is tried again in {left_s:.0f} s.",
                mend=f"Its log is {self._places.log}. A smaller model may help; `fimble doctor` checks memory.",
            )


class HostGeneration:
    """A token stream from the model process."""

    def __init__(self, backend: HostBackend, prompt: Prompt) -> None:
        """Nothing is sent before the first step."""
        self._backend = backend
        self._prompt = prompt
        self._stats: GenerationStats | None = None
        self._stream: Stream | None = None

    @property
    def stats(self) -> GenerationStats | None:
        """What it cost; None until the stream has ended."""
        return self._stats

    async def __aiter__(self) -> AsyncIterator[Token]:
        """Tokens as they come; leaving early stops the model."""
        stream = await self._backend.open_stream({"op": "generate", "prompt": protocol.prompt_to_wire(self._prompt)})
        self._stream = stream
        try:
            while True:
                frame = await stream.next_frame()
                if "token" in frame:
                    yield protocol.token_from_wire(frame["token"])
                else:
                    self._stats = protocol.stats_from_wire(frame["result"]["stats"])
                    return
        finally:
            stream.close()

    async def aclose(self) -> None:
        """Stop the model's work on this stream."""
        if self._stream:
            self._stream.close()


class Stream:
    """The frames of one request, in order."""

    def __init__(self, link: _Link, request_id: int) -> None:
        """Made by `_Link.send`."""
        self._link = link
        self._request_id = request_id
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()
        self._is_over = False

    async def next_frame(self) -> Frame:
        """The next frame.

        Raises:
            FimbleError: what the model process reported, or that it died.
        """
        frame = await self._frames.get()
        if "token" not in frame:
            self._is_over = True
        if "error" in frame:
            raise protocol.error_from_wire(frame["error"])
        return frame

    def push(self, frame: Frame) -> None:
        """Take a frame from the link."""
        self._frames.put_nowait(frame)

    def close(self) -> None:
        """Stop listening; if no answer has come the model is told to stop."""
        self._link.forget(self._request_id, cancel=not self._is_over)
        self._is_over = True


class _Link:
    """One connection: numbers requests and hands frames to their streams."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        process: subprocess.Popen[bytes] | None,
        where: launch.HostPlaces,
        on_died: Callable[[int | None], None],
    ) -> None:
        self._writer = writer
        self._process = process
        self._places = where
        self._on_died = on_died
        self._streams: dict[int, Stream] = {}
        self._n_sent = 0
        self.is_closed = False
        self._listener = asyncio.create_task(self._listen(reader))

    def send(self, frame: Frame) -> Stream:
        self._n_sent += 1
        stream = Stream(self, self._n_sent)
        self._streams[self._n_sent] = stream
        self._writer.write(protocol.encode_frame({"id": self._n_sent, **frame}))
        return stream

    def forget(self, request_id: int, *, cancel: bool) -> None:
        if self._streams.pop(request_id, None) and cancel and not self.is_closed:
            self._writer.write(protocol.encode_frame({"id": 0, "op": "cancel", "target": request_id}))

    async def aclose(self) -> None:
        self.is_closed = True
        self._writer.close()
        self._listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listener
        self._end_streams(BackendError(_CLOSED_HERE))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        reason = "The model process closed the connection."
        try:
            while frame := await protocol.read_frame(reader):
                if stream := self._streams.get(frame["id"]):
                    stream.push(frame)
        except BackendError as error:
            reason = error.message
        self.is_closed = True
        self._writer.close()
        code = await self._exit_code()
        if self._streams:
            self._on_died(code)
        reason = f"{reason}{self._cause_of_death(code)}"
        self._end_streams(
            ModelProcessDiedError(reason, mend=f"The next request starts it again. Its log is {self._places.log}.")
        )

    def _end_streams(self, error: BackendError) -> None:
        for stream in list(self._streams.values()):
            stream.push({"error": protocol.error_to_wire(error)})

    async def _exit_code(self) -> int | None:
        """How it ended, where this process started it and so can know."""
        if self._process is None:
            return None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while self._process.poll() is None:
                    await asyncio.sleep(0.01)
        return self._process.returncode

    def _cause_of_death(self, code: int | None) -> str:
        if code is None:
            return ""
        if code == -signal.SIGKILL:
            return " It was killed (signal 9): by someone, or by the system when memory ran out."
        if code == -signal.SIGILL:
            return (
                " It was ended by SIGILL: llama.cpp was not built for this processor, or wrongly. From now on it runs"
                " without its extra kernels, which may be slower; `fimble doctor` has the mend."
            )
        if code < 0:
            return f" It was ended by {signal.Signals(-code).name}."
        return f" It exited with code {code}: {launch.log_tail(self._places)}"


def _stamp_of(spec: ModelSpec) -> str:
    """Size and time of change of a spec's files; empty where one is gone: no reason to give up a loaded model."""
    try:
        facts = [path.stat() for path in (spec.path, spec.adapter) if path]
    except OSError:
        return ""
    return " ".join(f"{fact.st_size}/{fact.st_mtime_ns}" for fact in facts)


def _retrieve(connecting: asyncio.Task[_Link]) -> None:
    """Nobody may be left to see how it ended; asyncio would call that an oversight."""
    if not connecting.cancelled():
        connecting.exception()
