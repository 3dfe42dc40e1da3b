"""Prompt to tokens on one context: place it in the cache, evaluate the rest, decode until something says stop."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from fimble.backend.decode import sampler
from fimble.backend.decode.ending import Ending
from fimble.backend.decode.guard import SyntaxGuard
from fimble.backend.decode.heal import Healer
from fimble.backend.decode.text import Utf8Stream
from fimble.backend.llama.context import Aborted, LlamaContext
from fimble.backend.llama.model import LlamaModel
from fimble.core.flow import GenerationStats, Prompt, StopReason, Token, TokenId

# Of a time box, what writing gets however long reading took.
_WRITING_SHARE = 0.5


class Generation:
    """One token stream. Iterate over it once; `stats` holds when it has ended."""

    def __init__(
        self,
        model: LlamaModel,
        context: LlamaContext,
        prompt: Prompt,
        *,
        guard: SyntaxGuard | None = None,
        queue_ms: float = 0.0,
    ) -> None:
        """Prepare; nothing is evaluated before the first step. `guard` keeps the file's syntax whole."""
        self._guard = guard
        self._model = model
        self._context = context
        self._prompt = prompt
        self._queue_ms = queue_ms
        self._ends = frozenset(prompt.stop.stop_tokens)
        self.stats: GenerationStats | None = None

    def __iter__(self) -> Iterator[Token]:
        """Decode. Ends early, with StopReason.CANCELLED in the stats, when the context is aborted."""
        started = time.perf_counter()
        prompt, context = self._prompt, self._context
        rules = prompt.stop
        ending, stream = Ending(rules, self._guard), Utf8Stream()
        tokens, healer = self._split_last_token()
        prompt_ms = first_token_ms = 0.0
        n_generated = n_reused = 0
        reason = StopReason.CANCELLED
        try:
            seq, n_reused = context.place(tokens, rules.max_new_tokens)
            context.evaluate(seq, tokens[n_reused:])
            choice = sampler.greedy(context.logits(), prompt.first_choice, healer.allowed())
            prompt_ms = first_token_ms = _ms_since(started)
            while True:
                if choice.token in self._ends and not ending.may_stop_here():
                    choice = self._other_than_the_end(context)
                if choice.token in self._ends:
                    reason = ending.close(StopReason.END_OF_MIDDLE)
                    break
                n_generated += 1
                verdict = ending.push(stream.push(healer.take(self._model.piece(choice.token))))
                yield Token(choice.token, verdict.text, choice.logprob)
                if verdict.reason:
                    reason = verdict.reason
                    break
                if n_generated >= rules.max_new_tokens:
                    reason = ending.close(StopReason.MAX_TOKENS)
                    break
                if ending.has_content and self._is_out_of_time(started, prompt_ms):
                    reason = ending.close(StopReason.TIME_BOX)
                    break
                if len(context.held(seq)) + 1 >= context.n_ctx:
                    reason = ending.close(StopReason.CONTEXT_FULL)
                    break
                context.evaluate(seq, (choice.token,))
                choice = sampler.greedy(context.logits(), allowed=healer.allowed())
        except Aborted:
            reason = StopReason.CANCELLED
        finally:
            self.stats = GenerationStats(
                n_prompt_tokens=prompt.n_tokens,
                n_reused_tokens=n_reused,
                n_generated_tokens=n_generated,
                queue_ms=self._queue_ms,
                prompt_ms=prompt_ms,
                first_token_ms=self._queue_ms + first_token_ms,
                total_ms=self._queue_ms + _ms_since(started),
                stop_reason=reason,
                n_retract_chars=ending.n_retract_chars,
            )

    def _is_out_of_time(self, started: float, prompt_ms: float) -> bool:
        """Whether the time box is over. Reading a long prompt may take all of it on a busy machine; then a share of it
        is added for writing, or the wait was for nothing.
        """
        box_ms = self._prompt.stop.time_box_ms
        return box_ms is not None and _ms_since(started) > max(box_ms, prompt_ms + _WRITING_SHARE * box_ms)

    def _other_than_the_end(self, context: LlamaContext) -> sampler.Choice:
        """The likeliest token that is no end marker: the file's syntax does not allow an end here."""
        logits = context.logits()
        logits[list(self._ends)] = -np.inf
        return sampler.greedy(logits)

    def _split_last_token(self) -> tuple[tuple[TokenId, ...], Healer]:
        tokens = self._prompt.tokens
        if not self._prompt.heals or len(tokens) < 2:
            return tokens, Healer(b"", self._model.piece_index)
        return tokens[:-1], Healer(self._model.piece(tokens[-1]), self._model.piece_index)


def warm(context: LlamaContext, tokens: tuple[TokenId, ...]) -> None:
    """Evaluate a prompt for later; ends quietly when aborted."""
    try:
        seq, n_reused = context.place(tokens, 0)
        context.evaluate(seq, tokens[n_reused:])
    except Aborted:
        return


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000.0
