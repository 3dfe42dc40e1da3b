"""A generation under way, which outlives the request that began it: typing along must not start it anew."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from fimble.core.errors import BackendError
from fimble.core.flow import GenerationStats, LineMode, Prompt
from fimble.core.ports import ModelBackend
from fimble.engine.stopping import CUT

# An edit ends the old request at once, and an editor sends the new one 50 ms later (VS Code) or 60 (Neovim); between
# the two nobody waits for the generation. One that does not type along stops it without waiting for this.
_GRACE_S = 0.15


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote for one prompt, without the fragment of a line that the last of several lines may be."""

    text: str
    confidence: float | None
    stats: GenerationStats


async def write(backend: ModelBackend, prompt: Prompt, progress: list[str] | None = None) -> Written:
    """Read one generation to its end, adding each piece to `progress` as it comes.

    Raises:
        ModelError: the weights cannot be used.
        BackendError: the process that runs them failed.
    """
    generation = backend.generate(prompt)
    texts = [] if progress is None else progress
    logprobs: list[float] = []
    try:
        async for token in generation:
            if token.n_taken_back:
                del texts[-token.n_taken_back :], logprobs[-token.n_taken_back :]
            texts.append(token.text)
            logprobs.append(token.logprob)
    finally:
        await generation.aclose()
    if generation.stats is None:
        raise BackendError("The model's answer ended without its closing frame.")
    text = "".join(texts)
    if generation.stats.n_retract_chars:
        text = text[: -generation.stats.n_retract_chars]
    confidence = math.exp(sum(logprobs) / len(logprobs)) if logprobs else None
    text += generation.stats.closers
    if generation.stats.stop_reason in CUT and prompt.stop.line_mode is LineMode.MULTI:
        # Here, by this prompt's own rules: whoever types into the text later stands on a line with other ones.
        text = _without_fragment(text)
    return Written(text, confidence, generation.stats)


class Flight:
    """One generation and the requests that wait for it. Stops when nobody does any more."""

    def __init__(self, backend: ModelBackend, prompt: Prompt) -> None:
        """Start generating."""
        self._pieces: list[str] = []
        self._n_waiting = 0
        self._grace: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._task = asyncio.create_task(write(backend, prompt, self._pieces))
        self._task.add_done_callback(_retrieve)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self._task.done()

    def lets_aboard(self, typed: str) -> bool:
        """Whether it goes on, and what is written so far does not contradict what the user typed since it began."""
        if self._is_closed or self.is_over:
            return False
        written = "".join(self._pieces)
        return written.startswith(typed) or typed.startswith(written)

    async def landing(self) -> Written:
        """Wait for the end. A waiter that is cancelled leaves; the last one stops the generation, after a moment.

        Raises:
            ModelError: the weights cannot be used.
            BackendError: the process that runs them failed.
        """
        self._n_waiting += 1
        if self._grace:
            self._grace.cancel()  # else the gap before the next key would be what is left of this one's
        try:
            return await asyncio.shield(self._task)
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


def _without_fragment(text: str) -> str:
    """The lines that have an end; all of a text where none has."""
    whole_lines = text.rpartition("\n")[0]
    return whole_lines if whole_lines.strip() else text


def _retrieve(task: asyncio.Task[Written]) -> None:
    """Nobody may be left to see how it ended; asyncio would call that an oversight."""
    if not task.cancelled():
        task.exception()
