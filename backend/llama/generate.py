"""Prompt to tokens on one context: place it in the cache, evaluate the rest, decode until something says stop."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fimble.backend.decode import sampler
from fimble.backend.decode.constraint import LeftConstraint
from fimble.backend.decode.ending import Ending
from fimble.backend.decode.guard import SyntaxGuard
from fimble.backend.decode.heal import Healer
from fimble.backend.decode.loops import n_before_circle
from fimble.backend.decode.names import KnownNames
from fimble.backend.decode.rethink import Rethinking, Step
from fimble.backend.decode.stop import Verdict
from fimble.backend.decode.text import Utf8Stream
from fimble.backend.llama.context import Aborted, LlamaContext
from fimble.backend.llama.model import LlamaModel
from fimble.core.flow import GenerationStats, LineMode, Prompt, StopReason, Token, TokenId

# Of a time box, what writing gets however long reading took.
_WRITING_SHARE = 0.5
# Where nothing of what is written by the end of a time box may be shown, it is given once more, but no more than this.
_MAX_MORE_MS = 1_000
# Where the grammar refuses the likeliest token, so many others may be tried, and none much less likely.
_MAX_CANDIDATES = 8
_MIN_LOG_RATIO = math.log(0.02)
_MAX_NARROW = 64
# How often a completion may go back to an earlier token that led nowhere.
_MAX_WAYS_BACK = 3


@dataclass(frozen=True, slots=True)
class _Back:
    """The last `n_tokens` do not lead on: at the place of the first of them `token` must not come again."""

    n_tokens: int
    token: TokenId


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The token to write, its log probability, and that of the likeliest one that it was preferred to."""

    token: TokenId
    logprob: float
    second_logprob: float


class Generation:
    """One token stream. Iterate over it once; `stats` holds when it has ended."""

    def __init__(
        self,
        model: LlamaModel,
        context: LlamaContext,
        prompt: Prompt,
        *,
        guard: SyntaxGuard | None = None,
        constraint: LeftConstraint | None = None,
        queue_ms: float = 0.0,
    ) -> None:
        """Prepare; nothing is evaluated before the first step.

        `guard` keeps the file's syntax whole where the completion ends, `constraint` on the way there.
        """
        self._guard = guard
        self._constraint = constraint
        self._model = model
        self._context = context
        self._prompt = prompt
        self._queue_ms = queue_ms
        self._ends = frozenset(prompt.stop.stop_tokens)
        self._tokens, self._owed = self._split_last_token()
        self._written: list[TokenId] = []
        self._steps: list[Step] = []
        self._n_chars_to_take_back = 0
        self._refused: dict[int, set[TokenId]] = {}
        self._n_ways_back = 0
        self._last_is_judged = True
        self._names = KnownNames(prompt.name_rests, model.piece_index)
        self._rethinking = Rethinking(prompt.stop, prompt.constraint, guard)
        # Tokens that come next whatever the model would write, and the places of those it was given.
        self._ordered: list[TokenId] = []
        self._order_span = range(0)
        self._begin_text()
        self.stats: GenerationStats | None = None

    def __iter__(self) -> Iterator[Token]:
        """Decode. Ends early, with StopReason.CANCELLED in the stats, when the context is aborted."""
        started = time.perf_counter()
        rules, context = self._prompt.stop, self._context
        prompt_ms = first_token_ms = 0.0
        n_generated = n_reused = n_taken_back = 0
        has_more_time = False
        reason = StopReason.CANCELLED
        try:
            if self._constraint:
                self._constraint.start()
            seq, n_reused = context.place(self._tokens, rules.max_new_tokens)
            context.evaluate(seq, self._tokens[n_reused:])
            while True:
                choice = self._choose()
                prompt_ms = prompt_ms or _ms_since(started)
                first_token_ms = first_token_ms or prompt_ms
                end: StopReason | None = None
                if isinstance(choice, _Back):
                    if n_back := self._go_back(seq, choice):
                        n_taken_back += n_back
                        continue
                    end = self._ending.close(StopReason.SYNTAX)
                elif choice.token in self._ends:
                    end = self._ending.close(StopReason.END_OF_MIDDLE)
                else:
                    n_generated += 1
                    verdict = self._write(choice)
                    yield Token(choice.token, verdict.text, choice.logprob, n_taken_back)
                    n_taken_back = self._n_chars_to_take_back = 0
                    end = verdict.reason or self._end_of_circle()
                if end is not None:
                    if n_back := self._write_anew(seq, started, prompt_ms):
                        n_taken_back += n_back
                        continue
                    reason = end
                    break
                if n_generated >= rules.max_new_tokens:
                    reason = self._ending.close(StopReason.MAX_TOKENS)
                    break
                if self._ending.has_content and self._is_out_of_time(started, prompt_ms, more=has_more_time):
                    reason = self._ending.close(StopReason.TIME_BOX)
                    if has_more_time or self._kept_text.strip() or not self._may_judge:
                        break
                    has_more_time, reason = True, StopReason.CANCELLED
                    self._begin_text(self._written)
                if len(context.held(seq)) + 1 >= context.n_ctx:
                    reason = self._ending.close(StopReason.CONTEXT_FULL)
                    break
                context.evaluate(seq, (self._written[-1],))
        except Aborted:
            reason = StopReason.CANCELLED
        finally:
            constraint, guard = self._constraint, self._guard
            self.stats = GenerationStats(
                n_prompt_tokens=self._prompt.n_tokens,
                n_reused_tokens=n_reused,
                n_generated_tokens=n_generated,
                queue_ms=self._queue_ms,
                prompt_ms=prompt_ms,
                first_token_ms=self._queue_ms + first_token_ms,
                total_ms=self._queue_ms + _ms_since(started),
                stop_reason=reason,
                # What was taken back with no token after it to say so goes with the rest.
                n_retract_chars=self._ending.n_retract_chars + self._n_chars_to_take_back,
                closers=self._ending.closers,
                n_checked=constraint.n_checked if constraint else 0,
                n_rejected=constraint.n_rejected if constraint else 0,
                constraint_ms=(constraint.spent_ms if constraint else 0.0) + (guard.spent_ms if guard else 0.0),
            )

    @property
    def _kept_text(self) -> str:
        """What stays of the text written so far."""
        text = "".join(step.text for step in self._steps)
        return text[: len(text) - self._ending.n_retract_chars]

    def _end_of_circle(self) -> StopReason | None:
        """Where the last tokens go round in circles, writing ends with the first round."""
        n_tokens = n_before_circle(self._written)
        if n_tokens is None:
            return None
        return self._ending.close_before(sum(len(step.text) for step in self._steps[:n_tokens]), StopReason.LOOP)

    def _choose(self) -> _Chosen | _Back:
        """The likeliest token that may come next; or how far to go back where none does."""
        place = len(self._written)
        if self._ordered:
            token = self._ordered.pop(0)
            if self._try(token) is None:
                return _Chosen(token, sampler.logprob(self._context.logits(), token), -math.inf)
            if n_written := place - self._order_span.start:
                return _Back(n_written, self._written[-n_written])
            self._ordered, self._order_span, self._refused[place] = [], range(0), {token}
        refused = self._refused.get(place, ())
        next_bytes = self._constraint.next_bytes() if self._constraint else None
        choices = self._candidates(next_bytes, is_first_try=not refused)
        # Among the few that a narrow grammar leaves, an unlikely one may be the only right one.
        max_tried, min_log_ratio = (_MAX_CANDIDATES, _MIN_LOG_RATIO) if next_bytes is None else (_MAX_NARROW, -math.inf)
        n_tried, least = 0, -math.inf
        for rank, choice in enumerate(choices):
            if place == 0 and rank < self._prompt.first_choice:
                continue
            if choice.token in self._ends:
                if self._may_end_here():
                    return _Chosen(choice.token, choice.logprob, -math.inf)
                continue
            if choice.token in refused:
                continue
            if n_tried == max_tried or (choice.logprob < least and self._may_go_back(1)):
                break
            back = self._try(choice.token)
            if back is None:
                # A second look at the vocabulary, for each token: only where it may be gone back to.
                seconds = choices if self._rethinking.something_is_wanted else ()
                second = next((other for other in seconds if other.token not in self._ends), None)
                return _Chosen(choice.token, choice.logprob, second.logprob if second else -math.inf)
            if back.n_tokens:
                return back
            least = max(least, choice.logprob + min_log_ratio)
            n_tried += 1
        return _Back(1, self._written[-1] if self._written else self._tokens[-1])

    def _candidates(self, next_bytes: Sequence[int] | None, *, is_first_try: bool) -> Iterator[sampler.Choice]:
        """Tokens that may come next, likeliest first; where a known name is better, those that lead to one before."""
        logits, allowed = self._context.logits(), self._allowed(next_bytes)
        naming = self._names.narrow(logits, allowed, self._new, self._healer.owed) if is_first_try else None
        if naming is not None:
            yield from sampler.candidates(logits, allowed, naming)
        yield from sampler.candidates(logits, allowed)

    def _allowed(self, next_bytes: Sequence[int] | None) -> npt.NDArray[np.int64] | None:
        """The only tokens that may come next, or None when any may."""
        allowed = self._healer.allowed(next_bytes)
        if next_bytes is None or allowed is None or not self._ending.has_content:
            return allowed
        return np.concatenate([allowed, np.array(sorted(self._ends), dtype=np.int64)])

    def _try(self, token: TokenId) -> _Back | None:
        """Give a token to the grammar; None if it is taken. A line end where the completion ends need not be asked."""
        if self._constraint is None or not self._constraint.is_on:
            return None
        piece = self._healer.new_part(self._model.piece(token))
        self._last_is_judged = not self._ends_the_only_line(piece)
        if not self._last_is_judged:
            return None
        refusal = self._constraint.push(piece)
        if refusal is None:
            return None
        return _Back(refusal.n_back, self._written[-refusal.n_back] if refusal.n_back else token)

    def _may_end_here(self) -> bool:
        """Whether the model's end marker is taken. On a blank line something is wanted."""
        is_wanted = self._rethinking.something_is_wanted and not self._ending.has_content
        return not is_wanted and self._ending.may_stop_here()

    def _write_anew(self, seq: int, started: float, prompt_ms: float) -> int:
        """Go back instead of ending here, if this is no end: by how many tokens, 0 to end."""
        if self._is_out_of_time(started, prompt_ms):
            return 0
        anew = self._rethinking.instead_of(self._kept_text, self._steps)
        if anew is None:
            return 0
        n_tokens = len(self._written) - anew.n_kept
        self._n_ways_back = -1  # this one is no failure, and what is written anew may fail as often as the first
        n_back = self._go_back(seq, _Back(n_tokens, self._written[anew.n_kept]))
        if n_back and anew.starts:
            owed, logits = self._healer.owed.decode("utf-8", "replace"), self._context.logits()
            orders = [self._model.tokenize(owed + start) for start in anew.starts]
            self._ordered = max(orders, key=lambda tokens: float(logits[tokens[0]]))
            self._order_span = range(anew.n_kept, anew.n_kept + len(self._ordered))
        return n_back

    def _ends_the_only_line(self, piece: bytes) -> bool:
        is_line_end = self._prompt.stop.line_mode is LineMode.SINGLE and piece.lstrip(b" \t\r").startswith(b"\n")
        return is_line_end and self._ending.has_content and self._ending.may_stop_here()

    def _write(self, choice: _Chosen) -> Verdict:
        new = self._healer.take(self._model.piece(choice.token))
        self._new += new
        verdict = self._ending.push(self._stream.push(new))
        self._written.append(choice.token)
        self._steps.append(Step(verdict.text, choice.logprob, choice.second_logprob))
        return verdict

    def _begin_text(self, kept: Sequence[TokenId] = ()) -> None:
        """Take the text up anew, with the first tokens that were written before."""
        again = [_Chosen(t, s.logprob, s.second_logprob) for t, s in zip(kept, self._steps, strict=False)]
        self._written, self._steps = [], []
        self._ending, self._stream = Ending(self._prompt.stop, self._guard), Utf8Stream()
        self._healer = Healer(self._owed, self._model.piece_index)
        self._new = b""
        for choice in again:
            self._write(choice)

    def _may_go_back(self, n_tokens: int) -> bool:
        return n_tokens <= len(self._written) and self._n_ways_back < _MAX_WAYS_BACK

    def _go_back(self, seq: int, back: _Back) -> int:
        """Stand again where the first of the refused tokens was chosen: how many were taken back, 0 if that may not be.

        What was ordered is kept or dropped as a whole; where it is dropped the model may choose as it did before.
        """
        if not self._may_go_back(back.n_tokens):
            return 0
        self._n_ways_back += 1
        n_kept = len(self._written) - back.n_tokens
        self._refused = {place: tokens for place, tokens in self._refused.items() if place <= n_kept}
        if n_kept in self._order_span:
            n_kept = self._order_span.start
            self._refused = {place: tokens for place, tokens in self._refused.items() if place < n_kept}
            self._refused[n_kept] = {self._written[n_kept]}
            self._order_span = range(0)
        else:
            self._refused.setdefault(n_kept, set()).add(back.token)
        n_tokens = len(self._written) - n_kept
        self._n_chars_to_take_back += sum(len(step.text) for step in self._steps[n_kept:])
        if self._constraint:
            self._constraint.take_back(n_tokens - (not self._last_is_judged))
            self._last_is_judged = True
        kept = self._written[:n_kept]
        self._ordered = []
        self._begin_text(kept)
        tokens = (*self._tokens, *kept)
        self._context.cut(seq, len(tokens) - 1)
        self._context.evaluate(seq, tokens[len(self._context.held(seq)) :])
        return n_tokens

    @property
    def _may_judge(self) -> bool:
        """Whether what is still to be written could be judged, and so be shown."""
        return self._guard is None or self._guard.has_time()

    def _is_out_of_time(self, started: float, prompt_ms: float, *, more: bool = False) -> bool:
        """Whether the time box is over, or `more` than that. Reading a long prompt may take all of it on a busy
        machine; then a share of it is added for writing, or the wait was for nothing.
        """
        box_ms = self._prompt.stop.time_box_ms
        if box_ms is None:
            return False
        more_ms = min(box_ms, _MAX_MORE_MS) if more else 0.0
        return _ms_since(started) > max(box_ms, prompt_ms + _WRITING_SHARE * box_ms) + more_ms

    def _split_last_token(self) -> tuple[tuple[TokenId, ...], bytes]:
        """The tokens to evaluate, and the bytes that the answer must begin with instead of the last one."""
        tokens = self._prompt.tokens
        if not self._prompt.heals or len(tokens) < 2:
            return tokens, b""
        return tokens[:-1], self._model.piece(tokens[-1])


def warm(context: LlamaContext, tokens: tuple[TokenId, ...]) -> None:
    """Evaluate a prompt for later; ends quietly when aborted."""
    try:
        seq, n_reused = context.place(tokens, 0)
        context.evaluate(seq, tokens[n_reused:])
    except Aborted:
        return


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000.0
