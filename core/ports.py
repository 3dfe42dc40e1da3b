"""What the parts ask of each other, as Protocols; engine.wiring plugs concrete parts into them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from fimble.core.flow import (
    Chunk,
    CompletionRequest,
    Event,
    GenerationStats,
    ModelInfo,
    Prompt,
    RequestId,
    Token,
    TokenId,
)
from fimble.core.position import ByteOffset


class Clock(Protocol):
    """Time, so that tests can hold it still."""

    def monotonic_ms(self) -> float:
        """Milliseconds since some fixed moment, never going back."""
        ...

    def unix_ms(self) -> float:
        """Milliseconds since 1970-01-01 UTC."""
        ...


class Tokenizer(Protocol):
    """Text to the model's token ids."""

    async def tokenize(self, texts: Sequence[str]) -> tuple[tuple[TokenId, ...], ...]:
        """Ids of each text. Special tokens stay off: `<|fim_middle|>` in a text is ordinary text."""
        ...

    async def marker_ids(self, markers: Sequence[str]) -> tuple[TokenId | None, ...]:
        """The id of each marker, None where the vocabulary has no single token for it."""
        ...


class Generation(Protocol):
    """A running token stream. Closing it, or cancelling the task that reads it, stops the model."""

    def __aiter__(self) -> AsyncIterator[Token]:
        """Tokens as they are decoded."""
        ...

    @property
    def stats(self) -> GenerationStats | None:
        """What it cost; None until the stream has ended."""
        ...

    async def aclose(self) -> None:
        """Stop the model's work on this stream."""
        ...


class ModelBackend(Tokenizer, Protocol):
    """Something that continues a prompt.

    Every method may raise ModelError (the weights) or BackendError (the process that runs them).
    """

    async def describe(self) -> ModelInfo:
        """What model answers; loads it if need be."""
        ...

    def generate(self, prompt: Prompt) -> Generation:
        """Continue `prompt`, greedily."""
        ...

    async def n_cached(self, prompts: Sequence[Prompt]) -> tuple[int, ...]:
        """How many tokens of each prompt need no evaluation now. A hint: a request before yours may change it."""
        ...

    async def warm(self, prompt: Prompt) -> None:
        """Bring `prompt` into the KV cache in idle time; any request interrupts this."""
        ...

    async def aclose(self) -> None:
        """Let go of the model."""
        ...


class ContextSource(Protocol):
    """One place to find useful code in."""

    @property
    def name(self) -> str:
        """Short name, shown by `fimble explain`."""
        ...

    async def collect(self, request: CompletionRequest) -> Sequence[Chunk]:
        """Chunks for this request, best first."""
        ...


class EventSink(Protocol):
    """Where events go."""

    def record(self, event: Event) -> None:
        """Take an event; never blocks, never raises."""
        ...


class CodeSink(Protocol):
    """Where the user's code goes once they turned that on; elsewhere events hold none."""

    def record_code(self, request_id: RequestId, part: str, text: str) -> None:
        """Keep a text (`part`: prefix, suffix, accepted, kept); never blocks, never raises, drops it unless allowed."""
        ...


class CompletionWatcher(EventSink, Protocol):
    """Follows suggestions through what is done to the texts. Loop thread only; keeps texts in memory, records none.

    `start` counts bytes of the text as it was before the edit; `old_text` is what stood there, `new_text` what stands
    there now. Edits of one change come one by one, in the order in which they apply.
    """

    def on_answered(
        self,
        request_id: RequestId,
        uri: str,
        version: int,
        start: ByteOffset,
        old_text: str,
        new_texts: Sequence[str],
        n_menu_chars: int = 0,
    ) -> None:
        """Items went to the client: each of `new_texts` (the candidates) would replace `old_text` at `start`.

        They begin with the `n_menu_chars` characters of the item that is selected in the editor's own menu.
        """
        ...

    def on_withdrawn(self, uri: str) -> None:
        """A request was answered with nothing: no suggestion is on the screen there."""
        ...

    def on_open(self, uri: str, version: int, text: str) -> None:
        """A text was opened."""
        ...

    def on_edit(self, uri: str, version: int, start: ByteOffset, old_text: str, new_text: str) -> None:
        """The text was edited in the editor."""
        ...

    def on_external_change(self, uri: str, version: int, old_text: str, new_text: str) -> None:
        """The whole text was replaced from outside the editor, e.g. by a checkout."""
        ...

    def on_rename(self, old_uri: str, new_uri: str) -> None:
        """A file or folder was renamed; may come before or after the close and open of its texts."""
        ...

    def on_close(self, uri: str) -> None:
        """A text was closed."""
        ...

    def tick(self) -> None:
        """Measure what has become due; call it every few seconds."""
        ...

    def close(self) -> None:
        """The session ends: measure everything once more."""
        ...
