"""A ModelBackend that answers from a script: for tests, demos, and editors on machines without weights.

Its vocabulary is the bytes, and one token for each marker, so prompts and budgets work as with a real model.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fimble.backend.decode.ending import Ending
from fimble.backend.decode.guard import guard_for
from fimble.core.errors import ModelMissingError
from fimble.core.flow import GenerationStats, ModelInfo, Prompt, StopReason, Token, TokenId
from fimble.syntax.parse import TreeCache

_MARKERS = {"pre": "<|fim_prefix|>", "suf": "<|fim_suffix|>", "mid": "<|fim_middle|>"}
_FIRST_MARKER = 256
_END = TokenId(_FIRST_MARKER - 1)
# A script is sure of every byte, and of many in a row.
_LOGPROB = -0.0001


@dataclass(frozen=True, slots=True)
class Rule:
    """Answer `answer` where the text before the cursor ends with `prefix_endswith`, after `delay_ms`."""

    prefix_endswith: str
    answer: str
    delay_ms: float = 0.0


class ScriptedBackend:
    """Answers with whatever `answer` says of a prompt; records the prompts it saw and how many it was told to drop."""

    def __init__(self, answer: Callable[[Prompt], str], *, delay_ms: Callable[[Prompt], float] | None = None) -> None:
        """`delay_ms` is slept before the first token."""
        self._answer = answer
        self._delay_ms = delay_ms
        self._marker_ids: dict[str, TokenId] = {}
        self.prompts: list[Prompt] = []
        self.warmed: list[Prompt] = []
        self.n_cancelled = 0

    @classmethod
    def from_file(cls, path: Path) -> ScriptedBackend:
        """A backend following a JSON list of rules, the first that fits winning.

        Raises:
            ModelMissingError: the file cannot be read, or is not a list of rules.
        """
        try:
            rules = [Rule(**item) for item in json.loads(path.read_text("utf-8"))]
        except (OSError, ValueError, TypeError) as error:
            raise ModelMissingError(
                f"No script of answers could be read from {path}: {error}",
                mend='It is a JSON list of {"prefix_endswith": ..., "answer": ...}.',
            ) from error

        def find(prompt: Prompt) -> Rule:
            prefix = prompt.constraint.prefix if prompt.constraint else ""
            return next((rule for rule in rules if prefix.endswith(rule.prefix_endswith)), Rule("", ""))

        return cls(lambda prompt: find(prompt).answer, delay_ms=lambda prompt: find(prompt).delay_ms)

    async def describe(self) -> ModelInfo:
        """A small model with Qwen's markers."""
        return ModelInfo(
            model_id="scripted",
            name="qwen2.5-coder scripted",
            architecture="qwen2",
            n_vocab=_FIRST_MARKER + 64,
            n_ctx=1 << 20,
            fim_tokens=_MARKERS,
            eog_tokens=(_END,),
            n_gpu_layers=0,
            size_bytes=0,
        )

    async def tokenize(self, texts: Sequence[str]) -> tuple[tuple[TokenId, ...], ...]:
        """One token a byte."""
        return tuple(tuple(TokenId(byte) for byte in text.encode("utf-8", "replace")) for text in texts)

    async def marker_ids(self, markers: Sequence[str]) -> tuple[TokenId | None, ...]:
        """One token for whatever is asked for as a marker."""
        return tuple(
            self._marker_ids.setdefault(marker, TokenId(_FIRST_MARKER + len(self._marker_ids))) for marker in markers
        )

    def generate(self, prompt: Prompt) -> ScriptedGeneration:
        """The scripted answer, a character at a time, ended as a real model's would be."""
        self.prompts.append(prompt)
        delay_ms = self._delay_ms(prompt) if self._delay_ms else 0.0
        return ScriptedGeneration(self, prompt, self._answer(prompt), delay_ms)

    async def n_cached(self, prompts: Sequence[Prompt]) -> tuple[int, ...]:
        """Everything: a script costs nothing."""
        return tuple(prompt.n_tokens for prompt in prompts)

    async def warm(self, prompt: Prompt) -> None:
        """Nothing to warm, but remembered."""
        self.warmed.append(prompt)

    async def aclose(self) -> None:
        """Nothing to let go of."""


class ScriptedGeneration:
    """A scripted token stream."""

    def __init__(self, backend: ScriptedBackend, prompt: Prompt, answer: str, delay_ms: float) -> None:
        """Made by ScriptedBackend.generate."""
        self._backend = backend
        self._prompt = prompt
        self._answer = answer
        self._delay_ms = delay_ms
        self._stats: GenerationStats | None = None

    @property
    def stats(self) -> GenerationStats | None:
        """What it cost; None until the stream has ended."""
        return self._stats

    async def __aiter__(self) -> AsyncIterator[Token]:
        """Characters as tokens."""
        started = time.perf_counter()
        ending = Ending(self._prompt.stop, guard_for(self._prompt.constraint, TreeCache()))
        reason, n_generated = StopReason.CANCELLED, 0
        try:
            if self._delay_ms:
                await asyncio.sleep(self._delay_ms / 1000.0)
            for char in self._answer:
                verdict = ending.push(char)
                n_generated += 1
                yield Token(TokenId(ord(char) % _FIRST_MARKER), verdict.text, _LOGPROB)
                if verdict.reason:
                    reason = verdict.reason
                    return
            reason = ending.close(StopReason.END_OF_MIDDLE)
        finally:
            self._backend.n_cancelled += reason is StopReason.CANCELLED
            total_ms = (time.perf_counter() - started) * 1000.0
            self._stats = GenerationStats(
                n_prompt_tokens=self._prompt.n_tokens,
                n_reused_tokens=0,
                n_generated_tokens=n_generated,
                queue_ms=0.0,
                prompt_ms=self._delay_ms,
                first_token_ms=self._delay_ms,
                total_ms=total_ms,
                stop_reason=reason,
                n_retract_chars=ending.n_retract_chars,
                closers=ending.closers,
            )

    async def aclose(self) -> None:
        """Nothing runs on."""
