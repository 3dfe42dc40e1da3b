"""Reads tree-sitter's own parse log up to the first error recovery: how far did the text follow the grammar?

The wording of the log is not an API. tree-sitter is pinned, and `log_is_understood` tests it at start-up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import tree_sitter

from fimble.syntax.grammar import Grammar, grammar_for
from fimble.syntax.languages import languages
from fimble.syntax.parse import SyntaxTree, changed_input, shifted_tree

_PROCESS = re.compile(r"process version:\d+, version_count:(\d+), state:(\d+), row:(\d+), col:(\d+)")
_LINE_END = re.compile(rb"\n")
_RUN = re.compile(rb"\w+|[^\w\s]+")
_ERROR_STATE = "state:0,"
# How many token positions before the end of an accepted text its successor's parse is watched from.
_N_TOKENS_REREAD = 3
# Among so many of the tokens read last are all that touch the end of the text.
_N_LAST_TOKENS = 12

# What people are told where `log_is_understood` says no.
LOG_CHANGED_NOTE = (
    "completions are checked against the language's grammar only where they end:"
    " the installed tree-sitter logs its work in other words than fimble reads"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The token that no parse of the text could take, the furthest one when several parses ran side by side.

    `position` is the end of the token before it, `start` its first byte, `end` the byte after it where known.
    `states` are the parse states that refused it.
    """

    position: int
    start: int
    end: int | None
    symbol: str
    states: frozenset[int]


@dataclass(frozen=True, slots=True)
class LastToken:
    """The token that touches the end of a text, as it was read before any recovery from errors."""

    start: int
    symbol: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A parsed text: its tree, where it left the grammar, and from where a longer text must be watched again.

    `last_token` is None where none touches the end, or where ways of reading the text differ on it.
    """

    tree: SyntaxTree
    refusal: Refusal | None
    resync: int
    last_token: LastToken | None = None


class LogReader:
    """Parses texts while listening to the parser. One per thread."""

    def __init__(self, grammar: Grammar) -> None:
        """Listen to a parser of our own."""
        self._grammar = grammar
        self._parser = grammar.new_parser()
        self.n_parses = 0

    def read(self, text: bytes, base: Reading | None = None) -> Reading:
        """Parse `text`. `base` must be the reading of a prefix of `text` that was judged viable.

        Only from `base.resync` on is the log looked at: each of its lines costs 0.6 us. The tokens before are the same,
        and they were taken then. Never start from the tree of a refused text: subtrees that hold its error would be
        reused whole, without a word in the log.
        """
        self.n_parses += 1
        if base is not None and base.resync > 0:
            listener = _Listener()
            start, _ = changed_input(self._grammar, base.tree.text, text, base.resync, len(base.tree.text))
            tree = self._parse(text, shifted_tree(base.tree, start, len(base.tree.text), text), start, listener)
            reading = listener.reading(SyntaxTree(text, tree), start)
            if reading is not None:
                return reading
        listener = _Listener()
        tree = SyntaxTree(text, self._parse(text, None, 0, listener))
        reading = listener.reading(tree, 0)
        # Listening from the start, a missing word can only mean that the wording changed; then nothing is refused.
        return reading or Reading(tree, None, 0)

    def _parse(
        self, text: bytes, old_tree: tree_sitter.Tree | None, listen_from: int, listener: _Listener
    ) -> tree_sitter.Tree:
        parser = self._parser
        view = self._grammar.parser_input(text)
        listening = listen_from == 0

        def stop_listening() -> None:
            parser.logger = None  # pyright: ignore[reportAttributeAccessIssue] - the stub forgets None

        def hear(log_type: tree_sitter.LogType, message: str) -> None:
            if not log_type and not listener.hear(message):
                stop_listening()

        def read(offset: int, _point: tree_sitter.Point) -> memoryview:
            nonlocal listening
            if offset < listen_from:
                return view[offset:listen_from]
            if not listening:
                listening = True
                parser.logger = hear
            return view[offset:]

        if listening:
            parser.logger = hear
        try:
            return parser.parse(read) if old_tree is None else parser.parse(read, old_tree)
        finally:
            stop_listening()


class _Listener:
    """Keeps the lines that matter until the parser gives up its last way of reading the text."""

    def __init__(self) -> None:
        self._process = ""
        self._lexed = ""
        self._processes: list[str] = []
        self._tokens: list[tuple[str, str]] = []
        self._refused: list[tuple[str, str, str]] = []
        self._all_ways_failed = False

    def hear(self, message: str) -> bool:
        """Take a line; False when no later line matters."""
        first = message[0]
        if first == "p":
            if message.startswith("process"):
                self._process = message
                self._processes.append(message)
                self._lexed = ""
        elif first == "l":
            if message.startswith("lexed_lookahead"):
                self._lexed = message
                self._tokens.append((self._process, message))
        elif first == "d":
            if message.startswith("detect_error"):
                self._refused.append((self._process, self._lexed, message[len("detect_error lookahead:") :]))
        elif first == "r" and message.startswith("resume version"):
            self._all_ways_failed = True
            return False
        return True

    def reading(self, tree: SyntaxTree, listened_from: int) -> Reading | None:
        """What was heard; None when the log does not tell the whole story."""
        if any(_ERROR_STATE in line for line in self._processes):
            return None
        if not self._all_ways_failed and not tree.is_clean:
            return None
        lines = _Lines(tree.text)
        positions: list[int] = []
        forked: set[int] = set()
        for message in self._processes:
            position = lines.position(message)
            if position is None:
                return None
            if not positions or position > positions[-1]:
                positions.append(position)
            if "version_count:1," not in message:
                forked.add(position)
        refusal = self._refusal(tree.text, lines) if self._all_ways_failed else None
        if self._all_ways_failed and (
            refusal is None or (refusal.position <= listened_from and self._missed_a_process)
        ):
            return None
        n_taken = len(positions) if refusal is None else sum(position <= refusal.position for position in positions)
        # Where several ways of reading the text were alive, the tree holds one of them, and a longer text may need
        # another: what was read since they parted must be read again.
        safe = [position for position in positions[: max(n_taken - _N_TOKENS_REREAD + 1, 0)] if position not in forked]
        return Reading(tree, refusal, safe[-1] if safe else listened_from, self._last_token(tree.text, lines))

    def _last_token(self, text: bytes, lines: _Lines) -> LastToken | None:
        found: set[LastToken] = set()
        for process, lexed in self._tokens[-_N_LAST_TOKENS:]:
            position = lines.position(process)
            symbol = lexed[len("lexed_lookahead sym:") : lexed.rindex(", size:")]
            if position is not None:
                start, end = _token_range(text, position, lexed, symbol)
                if start < len(text) == end:
                    found.add(LastToken(start, symbol))
        return found.pop() if len(found) == 1 else None

    @property
    def _missed_a_process(self) -> bool:
        """Whether a refusal was heard of a token that the parser had begun with before we listened.

        That token begins no later than where we began to listen, so it matters only if no other came further.
        """
        return not all(process for process, _, _ in self._refused)

    def _refusal(self, text: bytes, lines: _Lines) -> Refusal | None:
        best: Refusal | None = None
        lexed_at: dict[int, str] = {}
        for process, lexed, symbol in self._refused:
            matched = _PROCESS.match(process)
            position = lines.position(process)
            if matched is None or position is None:
                continue
            # A second way of reading the text takes the token from the first one's cache, without a line in the log.
            lexed = lexed or lexed_at.get(position, "")
            lexed_at[position] = lexed
            start, end = _token_range(text, position, lexed, symbol)
            states = frozenset([int(matched[2])])
            if best is None or start > best.start:
                best = Refusal(position, start, end, symbol, states)
            elif start == best.start:
                best = Refusal(best.position, best.start, best.end, best.symbol, best.states | states)
        return best


class _Lines:
    """Byte offsets of a text's rows."""

    def __init__(self, text: bytes) -> None:
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    def position(self, process_line: str) -> int | None:
        """Where a `process` line of the log stands in the text; None if it cannot be read."""
        matched = _PROCESS.match(process_line)
        if matched is None or int(matched[3]) >= len(self._starts):
            return None
        return self._starts[int(matched[3])] + int(matched[4])


def _token_range(text: bytes, position: int, lexed: str, symbol: str) -> tuple[int, int | None]:
    if symbol == "end":
        return len(text), len(text)
    end = position + int(lexed.rsplit(":", 1)[1]) if lexed else None
    token = text[position:end]
    start = position + len(token) - len(token.lstrip())
    if "semi" in symbol and end is not None and (first := _RUN.match(text, start, end)):
        # A line end that the scanner found behind characters it could not read: they are what was refused.
        end = first.end()
    return start, end


@cache
def log_is_understood() -> bool:
    """Whether this tree-sitter's log says what we read in it: a misplaced `=` must be refused where it stands."""
    for language in languages():
        if language.name == "python" and (grammar := grammar_for(language)):
            reader = LogReader(grammar)
            taken = reader.read(b"foo(a, ")
            refused = reader.read(b"foo(a, = 3").refusal
            refused_later = reader.read(b"foo(a, = 3", taken).refusal
            return (
                taken.refusal is not None
                and taken.refusal.symbol == "end"
                and refused is not None
                and (refused.start, refused.symbol) == (7, "=")
                and refused == refused_later
            )
    return False
