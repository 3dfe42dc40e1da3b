"""Is a text a viable prefix of its language? Follows the parse log, and forgives what is only unfinished."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from fimble.syntax.grammar import Grammar
from fimble.syntax.languages import Closer, Language
from fimble.syntax.parse_log import LogReader, Reading, Refusal
from fimble.syntax.unfinished import (
    can_grow,
    is_directive,
    is_in_continuation,
    is_in_mixed_token,
    is_in_number,
    likely_closers,
    touches_end,
    without_escape,
)

# Each may begin or end an expression inside a string, or an escape.
_INTERPOLATION_CHARACTERS = b"${}#\\"


class Standing(Enum):
    """How a text stands at its end."""

    TAKEN = auto()  # every token was taken
    UNFINISHED = auto()  # the last token was not, and may become one that is
    OPEN = auto()  # the end lies in a string, comment or other lexeme that is not closed yet
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known of a text.

    `reading` is of this text, or of the longest judged text before an open lexeme: what the next judgement starts from.
    `n_bytes` is the length of the judged text; `closer` would end the open lexeme, where that is sure.
    """

    standing: Standing
    reading: Reading
    n_bytes: int
    closer: Closer | None = None

    @property
    def is_viable(self) -> bool:
        """Whether some text after this one makes it whole."""
        return self.standing is not Standing.REFUSED


class LeftJudge:
    """Judges texts of one language. One per thread."""

    def __init__(self, language: Language, grammar: Grammar) -> None:
        """Judge with a parser of our own."""
        self._language = language
        self._grammar = grammar
        self._reader = LogReader(grammar)

    @property
    def n_parses(self) -> int:
        """Parses so far."""
        return self._reader.n_parses

    def judge(self, text: bytes, before: Judgement | None = None) -> Judgement:
        """Judge `text`; `before` is the judgement of a viable prefix of it, and saves reading that prefix again."""
        base = before.reading if before else None
        if before and before.closer and self._is_still_open(before.closer, before, text):
            return Judgement(Standing.OPEN, before.reading, len(text), before.closer)
        reading = self._reader.read(text, base)
        refusal = reading.refusal
        if refusal is None or refusal.start >= len(text.rstrip()):
            return Judgement(Standing.TAKEN, reading, len(text))
        if self._may_grow(refusal, text) or is_in_continuation(refusal, text):
            return Judgement(Standing.UNFINISHED, reading, len(text))
        found = self._open_lexeme(refusal, text, base)
        if found is not None:
            opened_at, closer = found
            return Judgement(Standing.OPEN, base or self._reading_before(text, refusal, opened_at), len(text), closer)
        outside = without_escape(text)
        if outside is not None:
            reads_on = before is not None and len(before.reading.tree.text) <= len(outside)
            before_escape = self.judge(outside, before if reads_on else None)
            is_open = before_escape.standing is Standing.OPEN
            if is_open or (before_escape.is_viable and len(outside) <= refusal.start):
                return Judgement(Standing.UNFINISHED, before_escape.reading, len(text))
        if is_in_number(refusal, text):
            return Judgement(Standing.UNFINISHED, base or self._reading_before(text, refusal), len(text))
        return Judgement(Standing.REFUSED, reading, len(text))

    def _reading_before(self, text: bytes, refusal: Refusal, opened_at: int = -1) -> Reading:
        """The reading of what stands before an open lexeme, to start from while it stays open."""
        outside = text[: refusal.position if opened_at < 0 else min(refusal.position, opened_at)]
        reading = self._reader.read(outside)
        if reading.refusal is None or reading.refusal.start >= len(outside.rstrip()):
            return reading
        return self._reader.read(b"")

    def _may_grow(self, refusal: Refusal, text: bytes) -> bool:
        if is_directive(text, self._language) or is_in_mixed_token(refusal, text, self._grammar, self._language):
            return True
        if text[-1:].isspace() or not touches_end(refusal, text, self._language):
            return False
        return can_grow(refusal, text, self._grammar, self._language)

    def _is_still_open(self, closer: Closer, before: Judgement, text: bytes) -> bool:
        """Whether the lexeme that `closer` would have ended before is open still, nothing new having ended it."""
        added = text[before.n_bytes :]
        if any(character in added for character in closer.text.split()[0] + _INTERPOLATION_CHARACTERS):
            return False
        return self._reach_of(closer, text, before.reading) >= len(text) + len(closer.text.rstrip())

    def _open_lexeme(self, refusal: Refusal, text: bytes, base: Reading | None) -> tuple[int, Closer | None] | None:
        """Where the lexeme around the refusal begins and what would end it, if it is one that is only unfinished.

        The closer is None where one only made the tokens before it be taken, without being taken itself.
        """
        reached: int | None = None
        for closer in likely_closers(refusal, text, self._language):
            reach = self._reach_of(closer, text, base)
            opened_at = text.rfind(closer.opener, 0, refusal.start + len(closer.opener))
            if reach >= len(text) + len(closer.text.rstrip()):
                return opened_at, closer if _is_one_lexeme(closer, text[opened_at:]) else None
            if reach >= len(text.rstrip()) and reach > refusal.start:
                reached = opened_at if reached is None else reached
        return None if reached is None else (reached, None)

    def _reach_of(self, closer: Closer, text: bytes, base: Reading | None) -> int:
        """Up to where the tokens of `text` with `closer` after it are taken."""
        whole = text + closer.text
        refusal = self._reader.read(whole, base).refusal
        return len(whole) if refusal is None else refusal.start


def _is_one_lexeme(closer: Closer, text: bytes) -> bool:
    """Whether `text`, which begins with the closer's opener, surely is one open comment or string."""
    if closer.opener == b"/*":
        return True
    if closer.opener != closer.text or text.count(closer.opener) != 1:
        return False
    return len(closer.text) > 1 or b"\n" not in text
