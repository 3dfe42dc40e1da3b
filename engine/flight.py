"""A generation under way, which outlives the request that began it: typing along must not start it anew."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from fimble.core.errors import BackendError
from fimble.core.flow import GenerationStats, Prompt
from fimble.core.ports import ModelBackend
from fimble.engine.confidence import Confidence

# An edit ends the old request at once, and an editor sends the new one 50 ms later (VS Code) or 60 (Neovim); between
# the two nobody waits for the generation. One that does not type along stops it without waiting for this.
_GRACE_S = 0.15


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote for one prompt, as far as it stays."""

    text: str
    confidence: Confidence
    stats: GenerationStats


async def write(
    backend: ModelBackend, prompt: Prompt, on_piece: Callable[[Sequence[str]], None] | None = None
) -> Written:
    """Read one generation to its end. `on_piece` hears with each piece of all that stand so far.

    Raises:
        ModelError: the weights cannot be used.
        BackendError: the process that runs them failed.
    """
    generation = backend.generate(prompt)
    texts: list[str] = []
    logprobs: list[float] = []
    try:
        async for token in generation:
            if token.n_taken_back:
                del texts[-token.n_taken_back :], logprobs[-token.n_taken_back :]
            texts.append(token.text)
            logprobs.append(token.logprob)
            if on_piece:
                on_piece(texts)
    finally:
        await generation.aclose()
    if generation.stats is None:
        raise BackendError("The model's answer ended without its closing frame.")
    written = "".join(texts)
    length = len(written) - generation.stats.n_retract_chars
    confidence = Confidence.of(texts, logprobs, length)
    return Written(written[:length] + generation.stats.closers, confidence, generation.stats)


class Flight:
    """One generation and the requests that wait for it. Stops when nobody does any more."""

    def __init__(self, backend: ModelBackend, prompt: Prompt) -> None:
        """Start generating."""
        self._written = ""
        self._has_moved = asyncio.Event()
        self._n_waiting = 0
        self._grace: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._task = asyncio.create_task(write(backend, prompt, self._take))
        self._task.add_done_callback(self._end)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self._task.done()

    def lets_aboard(self, typed: str) -> bool:
        """Whether it goes on, and what is written so far does not contradict what the user typed since it began."""
        return not self._is_closed and not self.is_over and self._agrees_with(typed)

    async def landing(self) -> Written:
        """Wait for the end. A waiter that is cancelled leaves; the last one stops the generation, after a moment.

        Raises:
            ModelError: the weights cannot be used.
            BackendError: the process that runs them failed.
        """
        with self._waiting():
            return await asyncio.shield(self._task)

    async def landing_with(self, typed: str) -> Written | None:
        """The same; None as soon as what is written contradicts what the user typed since it began."""
        with self._waiting():
            while not self.is_over and self._agrees_with(typed):
                self._has_moved.clear()
                await self._has_moved.wait()
            return await asyncio.shield(self._task) if self.is_over else None

    @contextlib.contextmanager
    def _waiting(self) -> Generator[None]:
        self._n_waiting += 1
        if self._grace:
            self._grace.cancel()  # else the gap before the next key would be what is left of this one's
        try:
            yield
        finally:
            self._n_waiting -= 1
            if self._is_closed:
                self.stop_if_forsaken()
            elif not self._n_waiting and not self._task.done():
                self._grace = asyncio.get_running_loop().call_later(_GRACE_S, self.stop_if_forsaken)

    async def end(self) -> Written | None:
        """Wait for the end without being anybody: what it wrote, or None where it was stopped or failed."""
        await asyncio.wait([self._task])
        return None if self._task.cancelled() or self._task.exception() else self._task.result()

    async def over(self) -> None:
        """Wait until it is over, however that comes."""
        await asyncio.wait([self._task])

    def close(self) -> None:
        """Let nobody aboard any more: stop now, or as soon as the last waiter leaves."""
        self._is_closed = True
        self.stop_if_forsaken()

    def stop_if_forsaken(self) -> None:
        """Stop generating if nobody waits for it."""
        if not self._n_waiting:
            self._is_closed = True  # the task ends a turn of the loop later: until then one could still come aboard
            self._task.cancel()

    def _agrees_with(self, typed: str) -> bool:
        return self._written.startswith(typed) or typed.startswith(self._written)

    def _take(self, pieces: Sequence[str]) -> None:
        self._written = "".join(pieces)
        self._has_moved.set()

    def _end(self, task: asyncio.Task[Written]) -> None:
        if not task.cancelled():
            task.exception()  # nobody may be left to see how it ended; asyncio would call that an oversight
        self._has_moved.set()
