"""Lines that stand below the cursor anyway: several lines that are written end before they become those."""

from __future__ import annotations

import re
from collections.abc import Callable

from fimble.backend.decode import places
from fimble.backend.decode.guard import SyntaxGuard
from fimble.backend.decode.paragraphs import MIN_LINE_CHARS

_ELSE = re.compile(r"\}?\s*else\b")
# Where the last lines repeat what stands below, so many more may go with them.
_MAX_LINES_BACK = 6
# One line alone is no chance where it is as long as this; a statement of a word or two may well come twice.
_MIN_LONG_LINE_CHARS = 16
# So many lines in a row that stand below anyway are no chance.
_N_IN_A_ROW = 3
# As many at the beginning are none either.
_N_TELLING = 2


class LinesBelow:
    """Follows several lines as they are written in one hole. `may_end` is asked with what would be left of them."""

    def __init__(self, guard: SyntaxGuard, may_end: Callable[[str], bool]) -> None:
        """Nothing is written yet."""
        self._guard = guard
        self._may_end = may_end
        self._is_in_refused_run = False

    def where_it_goes_on(self, text: str, n_before: int) -> int | None:
        """Where the text, of which a line has ended behind `n_before`, begins to be what stands below anyway.

        The next three lines count at any indentation, three in a row further down only at their own. None where there
        are none, or where it may not end before the first of all in that row: set-up that two tests share. A text that
        begins with the next two lines says nothing new; siblings (`<li class="a">`) may well share the first.
        """
        end = text.find("\n", n_before)
        while end >= 0:
            lines = text[:end].split("\n")
            if self._are_the_next(lines):
                return 0
            if lines[-1].strip() and (length := self._before_run(lines)) is not None:
                return length
            end = text.find("\n", end + 1)
        return None

    def _are_the_next(self, lines: list[str]) -> bool:
        written = tuple(line.rstrip() for line in (f"{self._guard.line_head}{lines[0]}", *lines[1:]) if line.strip())
        is_telling = len(written) == _N_TELLING and max(map(len, written)) >= _MIN_LONG_LINE_CHARS
        return is_telling and written == self._guard.next_lines[:_N_TELLING]

    def before_repeated(self, text: str) -> int | None:
        """Where the text has to end so as not to end with lines that stand below anyway, however indented; None where
        it does not, or may not end before them.

        The same line at the same indentation ends a completion at once; a small model also gets it wrong by a level.
        A short line alone is often right so (`break` in a block of its own), but not as all that an `else` does.
        """
        if not self._repeats(text):
            return None
        shorter = (text[:length] for length in places.at_line_ends(text)[:_MAX_LINES_BACK])
        return next((len(kept) for kept in shorter if not self._repeats(kept) and self._may_end(kept)), None)

    def _repeats(self, text: str) -> bool:
        below = self._guard.lines_below
        written = tuple(line.strip() for line in text.split("\n") if line.strip())
        is_telling = len(written) > 1 and bool(_ELSE.match(written[-2]) or len(written[-1]) >= _MIN_LONG_LINE_CHARS)
        return any(
            written[-n_lines:] == below[:n_lines] and max(map(len, written[-n_lines:])) >= MIN_LINE_CHARS
            for n_lines in range(1 if is_telling else 2, min(len(written), len(below)) + 1)
        )

    def _before_run(self, lines: list[str]) -> int | None:
        last = [at for at, line in enumerate(lines) if line.strip()][-_N_IN_A_ROW:]
        if len(last) < _N_IN_A_ROW or not self._stand_below([lines[at].rstrip() for at in last]):
            self._is_in_refused_run = False
            return None
        before = "\n".join(lines[: last[0]])
        if not self._is_in_refused_run and before.strip() and self._may_end(before):
            return len(before)
        self._is_in_refused_run = True
        return None

    def _stand_below(self, lines: list[str]) -> bool:
        stripped = tuple(line.strip() for line in lines)
        is_telling = max(map(len, stripped)) >= MIN_LINE_CHARS
        guard = self._guard
        return is_telling and (stripped == guard.lines_below[: len(lines)] or tuple(lines) in guard.runs_below)
