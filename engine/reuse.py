"""Answers that need no model: the user types into an earlier answer, or comes back to where one was given.

Keyed by what an answer depends on: file, whole prefix, whole suffix, and a digest of model, options and how often other
files were edited. What the sources know is not looked at: asking them would cost more than most answers from memory.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from fimble.core.flow import Document, StopReason
from fimble.engine.confidence import Confidence
from fimble.syntax.closers import is_only_closers, opens_any

_MAX_ANSWERS = 128
_MAX_CHARS = 16_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model wrote between a prefix and a suffix, before shaping. Empty text: it had nothing to say."""

    uri: str
    digest: str
    prefix: str
    suffix: str
    text: str
    confidence: Confidence
    stop_reason: StopReason

    def after(self, prefix: str, suffix: str) -> str | None:
        """What is left of the answer once `prefix` is there; None where it does not apply."""
        typed = typed_into(self.prefix, prefix)
        left = None if typed is None else left_of(self.text, typed)
        if typed is None or left is None or suffix == self.suffix:
            return left
        line = self._line_put_before_closer(suffix)
        if line and left.endswith(line):
            return left.removesuffix(line)
        return left if self._is_typed_over(typed, left, suffix) else None

    def _line_put_before_closer(self, suffix: str) -> str:
        """The line end and indentation that an editor puts before its closer where the user ends the line."""
        line = suffix.removesuffix(self.suffix).replace("\r\n", "\n")
        is_line = suffix.endswith(self.suffix) and line.startswith("\n") and line.strip(" \t") == "\n"
        return line if is_line else ""

    def _is_typed_over(self, typed: str, left: str, suffix: str) -> bool:
        """Whether what is missing of the suffix are closers that the typed text ends with: editors go over theirs.

        They must be the answer's own: those that it left for what it opens later would be missing there.
        """
        closers = self.suffix[: len(self.suffix) - len(suffix)]
        is_gone_over = self.suffix.endswith(suffix) and is_only_closers(closers) and typed.endswith(closers)
        return is_gone_over and not opens_any(left, closers)


def typed_into(before: str, now: str) -> str | None:
    """What was typed between two prefixes, with line ends as models write them; None where anything else happened."""
    if len(now) < len(before) or not now.startswith(before):
        return None
    return now[len(before) :].replace("\r\n", "\n")


def left_of(text: str, typed: str) -> str | None:
    """What is left of an answer once `typed` is typed; None where the user went another way, or to its end.

    An answer typed to its end, white space aside, says nothing about what comes next.
    """
    if not typed:
        return text
    left = text[len(typed) :]
    return left if text.startswith(typed) and left.strip() else None


class Edits:
    """How often texts were edited, so that answers from before an edit elsewhere can be told from later ones.

    An edit shows when a text is seen again; one that is only looked at was not edited, nor was one that is closed.
    """

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._texts: dict[str, str] = {}
        self._n_edits: dict[str, int] = {}
        self._n_edits_of_all = 0

    def see(self, document: Document) -> None:
        """A text is now this one."""
        before = self._texts.get(document.uri, document.text)
        self._texts[document.uri] = document.text
        if before != document.text:
            self._n_edits[document.uri] = self._n_edits.get(document.uri, 0) + 1
            self._n_edits_of_all += 1

    def closed(self, uri: str) -> None:
        """A text need not be held any longer."""
        self._texts.pop(uri, None)

    def n_elsewhere(self, uri: str) -> int:
        """Edits of all texts but this one: typing in a text leaves it as it is."""
        return self._n_edits_of_all - self._n_edits.get(uri, 0)


class Recall:
    """The last answers, newest first."""

    def __init__(self) -> None:
        """Empty."""
        self._answers: deque[Answer] = deque(maxlen=_MAX_ANSWERS)
        self._n_chars = 0

    def keep(self, answer: Answer) -> None:
        """Remember an answer."""
        if len(self._answers) == _MAX_ANSWERS:
            self._forget_oldest()
        self._answers.appendleft(answer)
        self._n_chars += _size(answer)
        while self._n_chars > _MAX_CHARS and self._answers:
            self._forget_oldest()

    def find(self, uri: str, digest: str, prefix: str, suffix: str) -> tuple[Answer, str] | None:
        """The newest answer that still applies, and what is left of it."""
        for answer in self._answers:
            if answer.uri == uri and answer.digest == digest:
                rest = answer.after(prefix, suffix)
                if rest is not None:
                    return answer, rest
        return None

    def _forget_oldest(self) -> None:
        self._n_chars -= _size(self._answers.pop())


def _size(answer: Answer) -> int:
    return len(answer.prefix) + len(answer.suffix) + len(answer.text)
