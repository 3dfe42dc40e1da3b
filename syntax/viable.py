"""Keeps one completion's text viable: may this piece come next?

One object per request. The text before the cursor is read once; each piece is judged from the tree of the text that was
accepted before it. Where the left side cannot be judged, all pieces are allowed and only `ends` is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fimble.core.errors import invariant_broken
from fimble.syntax.around import Hole
from fimble.syntax.grammar import Grammar, grammar_for
from fimble.syntax.growth import Growth, grows_safely, growth_after, growth_of
from fimble.syntax.indent import IndentBefore, IndentState, indent_before, read_lines
from fimble.syntax.judge import Judgement, LeftJudge, Standing
from fimble.syntax.keywords import misplaced_keyword
from fimble.syntax.languages import BlockStyle, Language, language_for
from fimble.syntax.left import LeftContext, LeftMemory, left_context
from fimble.syntax.parse import SyntaxTree, TreeCache
from fimble.syntax.parse_log import log_is_understood

_MAX_WHOLE_BYTES = 4_000_000


class LeftConstraint(StrEnum):
    """Whether pieces are judged, and if not, why not."""

    ON = "on"
    NOT_QUALIFIED = "the language's grammar did not pass the truncation test"
    LOG_CHANGED = "this tree-sitter's log is not the one fimble reads"
    TOO_LARGE = "the file is too large to be parsed for every completion"
    BROKEN_PREFIX = "the code before the cursor has a syntax error of its own"

    @property
    def is_on(self) -> bool:
        """Whether pieces are judged."""
        return self is LeftConstraint.ON


@dataclass(frozen=True, slots=True)
class _Step:
    """The completion up to here. `judgement` is of its first `n_judged` bytes; what follows them grew safely."""

    completion: bytes
    n_judged: int
    judgement: Judgement | None
    growth: Growth


def viability_for(
    language_id: str,
    prefix: str,
    suffix: str,
    *,
    path: str = "",
    trees: TreeCache | None = None,
    memory: LeftMemory | None = None,
) -> Viability | None:
    """A judge for the hole between `prefix` and `suffix`; None if there is no grammar for the language.

    `trees` of earlier requests make the first parse of a large file cheap, their `memory` that of a broken one.
    """
    language = language_for(language_id, path)
    grammar = grammar_for(language) if language else None
    if language is None or grammar is None:
        return None
    encoded = prefix.encode("utf-8", "surrogatepass"), suffix.encode("utf-8", "surrogatepass")
    return Viability(language, grammar, *encoded, trees=trees or TreeCache(), memory=memory)


class Viability:
    """Judges the pieces of one completion. Not shared between threads."""

    def __init__(
        self,
        language: Language,
        grammar: Grammar,
        prefix: bytes,
        suffix: bytes,
        *,
        trees: TreeCache,
        memory: LeftMemory | None = None,
    ) -> None:
        """Parse the text around the cursor, with bounded work, and read the left side."""
        self._language = language
        self._grammar = grammar
        self._judge = LeftJudge(language, grammar)
        hole = Hole.of(prefix, suffix)
        self._left: LeftContext | None = None
        self.left_constraint = self._begin_left(hole, trees, memory or LeftMemory())
        self._indent = self._indent_before()
        self._steps = [_Step(b"", 0, self._left.judgement if self._left else None, self._growth_of_left())]
        self._judged: dict[bytes, _Step | None] = {}

    @property
    def completion(self) -> bytes:
        """All accepted pieces."""
        return self._steps[-1].completion

    @property
    def n_parses(self) -> int:
        """Parses made for left judgements so far."""
        return self._judge.n_parses

    @property
    def n_left_bytes(self) -> int:
        """Length of the text that stands for the prefix in left judgements; 0 where there are none."""
        return len(self._left.text) if self._left else 0

    def viable(self, piece: bytes) -> bool:
        """Whether the accepted text and `piece` can still become part of a file without new errors.

        A piece that ends inside a UTF-8 character is allowed; the character is judged when it is whole.
        """
        if self._left is None:
            return True
        if piece not in self._judged:
            self._judged[piece] = self._next(piece)
        return self._judged[piece] is not None

    def accept(self, piece: bytes) -> None:
        """Take `piece` into the completion. A piece that is not viable may be taken too; nothing is viable after it."""
        step = self._next_or_known(piece) if self._left else None
        last = self._steps[-1]
        self._steps.append(step or _Step(last.completion + piece, last.n_judged, last.judgement, Growth.ANY))
        self._judged.clear()

    def skip(self, piece: bytes) -> None:
        """Take `piece` into the completion without judging it; it is judged together with the next one that is."""
        last = self._steps[-1]
        self._steps.append(_Step(last.completion + piece, last.n_judged, last.judgement, Growth.ANY))
        self._judged.clear()

    def pop(self) -> bytes:
        """Take the last accepted piece back and return it."""
        if len(self._steps) == 1:
            invariant_broken("pop() without an accepted piece")
            return b""
        removed = self._steps.pop()
        self._judged.clear()
        return removed.completion[len(self.completion) :]

    def _parse(self, hole: Hole, trees: TreeCache) -> tuple[SyntaxTree, SyntaxTree] | None:
        """The trees of the text with an empty hole, and of the text without the cursor's line."""
        if len(hole.prefix) + len(hole.suffix) > _MAX_WHOLE_BYTES:
            return None
        with_hole = trees.parse(self._grammar, hole.prefix + hole.suffix)
        without_line = trees.parse(self._grammar, hole.above + hole.below) if with_hole else None
        return (with_hole, without_line) if with_hole and without_line else None

    def _begin_left(self, hole: Hole, trees: TreeCache, memory: LeftMemory) -> LeftConstraint:
        if not self._language.qualified:
            return LeftConstraint.NOT_QUALIFIED
        if not log_is_understood():
            return LeftConstraint.LOG_CHANGED
        parsed = self._parse(hole, trees)
        if parsed is None:
            return LeftConstraint.TOO_LARGE
        self._left = left_context(self._judge, self._language, self._grammar, hole, *parsed, memory)
        return LeftConstraint.ON if self._left else LeftConstraint.BROKEN_PREFIX

    def _indent_before(self) -> IndentBefore:
        """The indentation of the lines before the cursor's, in a language that cares."""
        if self._left is None or self._language.block_style is not BlockStyle.INDENT:
            return IndentBefore(IndentState(is_lost=True), b"")
        return indent_before(self._left.text[: self._left.head_start])

    def _growth_of_left(self) -> Growth:
        if self._left is None or not self._left.text:
            return Growth.ANY
        return growth_of(self._left.judgement, self._left.text, self._language)

    def _next_or_known(self, piece: bytes) -> _Step | None:
        return self._judged[piece] if piece in self._judged else self._next(piece)

    def _next(self, piece: bytes) -> _Step | None:
        """The step that `piece` makes; None if it is refused."""
        last = self._steps[-1]
        left, before = self._left, last.judgement
        completion = last.completion + piece
        if left is None or before is None:
            return None
        if n_cut_bytes(completion):
            return _Step(completion, last.n_judged, before, Growth.ANY)
        text = left.text + completion
        is_judged = last.n_judged == len(last.completion) or last.growth is not Growth.ANY
        if is_judged and grows_safely(last.growth, before.standing, left.text + last.completion, piece, self._grammar):
            grown = _Step(completion, last.n_judged, before, growth_after(last.growth, piece))
            return grown if not self._breaks_indentation(completion) else None
        judgement = self._judge.judge(text, before)
        if not judgement.is_viable or self._breaks_rules_beyond_grammar(judgement, text, completion):
            return None
        return _Step(completion, len(completion), judgement, growth_of(judgement, text, self._language))

    def _breaks_rules_beyond_grammar(self, judgement: Judgement, text: bytes, completion: bytes) -> bool:
        if judgement.standing is not Standing.OPEN:
            root = judgement.reading.tree.root
            if misplaced_keyword(self._language, root, text, len(text) - len(completion), len(text)):
                return True
        return self._breaks_indentation(completion)

    def _breaks_indentation(self, completion: bytes) -> bool:
        left = self._left
        if left is None or self._indent.state.is_lost:
            return False
        head = left.text[left.head_start :]
        if head.strip() and b"\n" not in completion:
            return False
        before = self._indent.unread + head
        return any(at >= len(before) for at in read_lines(before + completion, self._indent.state).wrong)


def n_cut_bytes(text: bytes) -> int:
    """How many bytes at the end of `text` are the beginning of a UTF-8 character that is not whole yet."""
    for n_bytes in range(1, min(3, len(text)) + 1):
        byte = text[-n_bytes]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return n_bytes if n_bytes < length else 0
        if byte < 0x80:
            return 0
    return 0
