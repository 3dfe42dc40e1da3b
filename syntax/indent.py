"""How far a line is indented; and Python's rules, which tree-sitter's grammar does not enforce: where may it begin?

Lexical: reads strings, comments, brackets and line starts only, and has no opinion once it has lost its way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_TAB_COLUMNS = 4  # as editors show it, to compare lines by
_TAB_WIDTH = 8  # what CPython's tokenizer counts a tab as
_TOKEN = re.compile(
    rb"""
    (?P<prefix>[rRbBuUfFtT]{1,2})?(?P<string>'''|\"\"\"|'|\")
    |(?P<newline>\n)
    |(?P<blank>[ \t\f\r]+|\#[^\n]*)
    |(?P<continuation>\\\r?\n)
    |(?P<open>[(\[{])
    |(?P<close>[)\]}])
    |(?P<colon>:)
    |(?P<other>\w+|.)
    """,
    re.VERBOSE,
)
_STRING_REST = {
    b"'''": re.compile(rb"(?:[^\\']|\\.|'(?!''))*+'''", re.DOTALL),
    b'"""': re.compile(rb'(?:[^\\"]|\\.|"(?!""))*+"""', re.DOTALL),
    b"'": re.compile(rb"(?:[^\\\n']|\\.)*+'", re.DOTALL),
    b'"': re.compile(rb'(?:[^\\\n"]|\\.)*+"', re.DOTALL),
}  # The text of a format string up to its end or to a field; `{{` and `\N{DASH}` begin none.
_FORMAT_TEXT = {
    b"'''": re.compile(rb"(?:[^\\'{]|\\N\{[^{}\n]*\}|\\[^{]|\\(?=\{)|\{\{|'(?!''))*+", re.DOTALL),
    b'"""': re.compile(rb'(?:[^\\"{]|\\N\{[^{}\n]*\}|\\[^{]|\\(?=\{)|\{\{|"(?!""))*+', re.DOTALL),
    b"'": re.compile(rb"(?:[^\\\n'{]|\\N\{[^{}\n]*\}|\\[^{]|\\(?=\{)|\{\{)*+"),
    b'"': re.compile(rb'(?:[^\\\n"{]|\\N\{[^{}\n]*\}|\\[^{]|\\(?=\{)|\{\{)*+'),
}
_FORMAT_SPEC = re.compile(rb"[^{}]*")
# What is longer, or nested deeper, was not written by hand.
_MAX_FIELD_BYTES = 2_000
_MAX_NESTED = 20


def indent_columns(line: str | bytes) -> int:
    """Width of a line's indentation; a tab goes to the next multiple of four columns."""
    if isinstance(line, bytes):
        return len(line[: len(line) - len(line.lstrip(b" \t"))].expandtabs(_TAB_COLUMNS))
    return len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs(_TAB_COLUMNS))


@dataclass(frozen=True, slots=True)
class IndentState:
    """What the lines read so far demand of the next one.

    `columns` are the open indentations; `after_header` says that the last logical line ended with a colon; `is_lost`
    that a string without an end was met, after which nothing is known.
    """

    columns: tuple[int, ...] = (0,)
    n_open_brackets: int = 0
    after_header: bool = False
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class IndentReport:
    """`line_starts` are the offsets of logical lines' first tokens, `wrong` those that Python would refuse.

    `state` holds at the offset `state_at`, the start of a line.
    """

    line_starts: tuple[int, ...]
    wrong: tuple[int, ...]
    state: IndentState
    state_at: int


@dataclass(frozen=True, slots=True)
class IndentBefore:
    """What stands before a text to be judged: `state`, then `unread`, which a string may have kept from being read."""

    state: IndentState
    unread: bytes


def indent_before(text: bytes) -> IndentBefore:
    """Read `text`, which begins a file, for judging what follows it."""
    report = read_lines(text)
    return IndentBefore(report.state, text[report.state_at :])


_START = IndentState()


def read_lines(text: bytes, state: IndentState = _START) -> IndentReport:
    """Read `text`, which begins at the start of a line that `state` holds for.

    A line is judged as soon as its first token has begun; comments and blank lines are free.
    """
    return _Reader(text, state).report()


class _Reader:
    def __init__(self, text: bytes, state: IndentState) -> None:
        self._text = text
        self._columns = list(state.columns)
        self._n_open = state.n_open_brackets
        self._after_header = state.after_header
        self._state, self._state_at = state, 0
        self._line_starts: list[int] = []
        self._wrong: list[int] = []

    def report(self) -> IndentReport:
        if not self._state.is_lost and not self._read_all():
            self._state, self._state_at = replace(self._state, is_lost=True), len(self._text)
        return IndentReport(tuple(self._line_starts), tuple(self._wrong), self._state, self._state_at)

    def _read_all(self) -> bool:
        """Read to the end; False when lost."""
        text, at = self._text, 0
        in_line = self._n_open > 0  # whether the logical line has a token yet
        last_is_colon = False
        while at < len(text):
            matched = _TOKEN.match(text, at)
            if matched is None:
                return False
            kind, here, at = matched.lastgroup, matched.start(), matched.end()
            if kind == "blank":
                continue
            if kind == "newline":
                if self._n_open == 0 and in_line:
                    self._after_header, in_line = last_is_colon, False
                self._state = IndentState(tuple(self._columns), self._n_open, self._after_header)
                self._state_at = at
                continue
            if not in_line:
                in_line = True
                if kind != "continuation":
                    self._enter_line(here)
            last_is_colon = kind == "colon" and self._n_open == 0
            if kind == "open":
                self._n_open += 1
            elif kind == "close":
                self._n_open = max(self._n_open - 1, 0)
            elif kind == "string":
                end = _end_of_string(text, matched)
                if end is None:
                    # Still open at the end: fine, the state stays at the line it began in.
                    return len(matched["string"]) == 3 or b"\n" not in text[at:]
                at = end
        return True

    def _enter_line(self, at: int) -> None:
        """Open or close indentations for the line whose first token is at `at`."""
        self._line_starts.append(at)
        column = _column(self._text[self._text.rfind(b"\n", 0, at) + 1 : at])
        columns = self._columns
        is_right = (column > columns[-1]) == self._after_header
        if column > columns[-1]:
            columns.append(column)
        else:
            while columns[-1] > column:
                columns.pop()
            if columns[-1] != column:
                columns.append(column)
                is_right = False
        if not is_right:
            self._wrong.append(at)
        self._after_header = False


def _end_of_string(text: bytes, opened: re.Match[bytes]) -> int | None:
    """Where the string that a token opens ends. A format string that makes no sense is read as a plain one."""
    quote, at = opened["string"], opened.end()
    rest = _STRING_REST[quote].match(text, at)
    if _is_format(opened) and (rest is None or b"{" in rest.group()):
        end = _end_of_format(text, at, quote, len(text), 0)
        if end is not None:
            return end
    return rest.end() if rest else None


def _is_format(opened: re.Match[bytes]) -> bool:
    return any(letter in (opened["prefix"] or b"") for letter in b"fFtT")


def _end_of_format(text: bytes, at: int, quote: bytes, limit: int, n_nested: int) -> int | None:
    """Where a format string ends whose text begins at `at`; since Python 3.12 its fields may hold its own quotes."""
    while matched := _FORMAT_TEXT[quote].match(text, at, limit):
        at = matched.end()
        if text.startswith(quote, at, limit):
            return at + len(quote)
        field_end = _end_of_field(text, at + 1, limit, n_nested) if text.startswith(b"{", at, limit) else None
        if field_end is None:
            return None
        at = field_end
    return None


def _end_of_field(text: bytes, at: int, limit: int, n_nested: int) -> int | None:
    """Where a field of a format string ends that begins at `at`, behind its brace."""
    limit = min(limit, at + _MAX_FIELD_BYTES)
    n_open = 0
    while n_nested < _MAX_NESTED and (matched := _TOKEN.match(text, at, limit)):
        kind, at = matched.lastgroup, matched.end()
        if kind == "string":
            quote = matched["string"]
            if _is_format(matched):
                end = _end_of_format(text, at, quote, limit, n_nested + 1)
            else:
                rest = _STRING_REST[quote].match(text, at, limit)
                end = rest.end() if rest else None
            if end is None:
                return None
            at = end
        elif kind == "open":
            n_open += 1
        elif kind == "close" and n_open == 0:
            return at
        elif kind == "close":
            n_open -= 1
        elif kind == "colon" and n_open == 0:
            return _end_of_spec(text, at, limit, n_nested)
    return None


def _end_of_spec(text: bytes, at: int, limit: int, n_nested: int) -> int | None:
    """Where a field ends whose format specification begins at `at`; that may hold fields of its own."""
    while matched := _FORMAT_SPEC.match(text, at, limit):
        at = matched.end() + 1
        if not text.startswith(b"{", matched.end(), limit):
            return at if text.startswith(b"}", matched.end(), limit) else None
        field_end = _end_of_field(text, at, limit, n_nested + 1)
        if field_end is None:
            return None
        at = field_end
    return None


def _column(blanks: bytes) -> int:
    column = 0
    for byte in blanks:
        if byte == 0x09:
            column = (column // _TAB_WIDTH + 1) * _TAB_WIDTH
        elif byte == 0x0C:  # a form feed starts the count again
            column = 0
        elif byte == 0x20:
            column += 1
    return column
