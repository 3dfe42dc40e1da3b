"""What the left constraint starts from: a short text that stands for everything before the cursor, judged viable."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter

from fimble.core.position import ByteOffset
from fimble.syntax.around import Hole
from fimble.syntax.frame import shrink
from fimble.syntax.grammar import Grammar
from fimble.syntax.judge import Judgement, LeftJudge, Standing
from fimble.syntax.languages import Language
from fimble.syntax.parse import SyntaxTree, edited, parse
from fimble.syntax.parse_log import Reading
from fimble.syntax.unclosed import closers_at_end

# Reading all of a text's log costs 1.4 us a byte; more than this is never read whole.
_MAX_READ_BYTES = 16_000
# A longer frame costs too much at every token.
_MAX_LEFT_BYTES = 48_000
# Tokens this near the end of a text that is known to be viable are read again with the completion's.
_REREAD_BYTES = 64
_MAX_ANCESTORS = 64
# The cursor in one of these stands inside a token that may be open for many lines.
_TOKEN_KIND_PARTS = ("string", "comment", "heredoc", "template", "text", "regex", "character")

_TOP_LEVEL_LINE = re.compile(rb"\n\r?\n([A-Za-z_@][^\n]*)")
_N_RESTARTS = 2
_N_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class LeftContext:
    """`text` ends at the cursor, like the true prefix, and `judgement` is of it. `head_start` begins its last line."""

    text: bytes
    head_start: int
    judgement: Judgement


class LeftMemory:
    """Texts of one thread's requests that end with a line, and their judgements: what is typed is judged on from them.

    Only where a file has an error somewhere, an open comment above the cursor mostly: a whole file's frame needs no
    reading.
    """

    def __init__(self) -> None:
        """Nothing is remembered."""
        self._known: OrderedDict[tuple[Grammar, bytes], Judgement] = OrderedDict()
        self.n_read_whole = 0

    def judge(self, judge: LeftJudge, grammar: Grammar, text: bytes) -> Judgement:
        """The judgement of `text`, read from the longest known one that it begins with."""
        judgement = self._known.get((grammar, text))
        if judgement is None:
            before = self._nearest(grammar, text)
            self.n_read_whole += before is None
            judgement = self._known[grammar, text] = judge.judge(text, before)
        self._known.move_to_end((grammar, text))
        if len(self._known) > _N_REMEMBERED:
            self._known.popitem(last=False)
        return judgement

    def _nearest(self, grammar: Grammar, text: bytes) -> Judgement | None:
        near = [
            (len(known), judgement)
            for (of, known), judgement in self._known.items()
            if of is grammar and judgement.is_viable and text.startswith(known)
        ]
        return max(near, key=lambda found: found[0])[1] if near else None


def left_context(
    judge: LeftJudge,
    language: Language,
    grammar: Grammar,
    hole: Hole,
    hole_tree: SyntaxTree,
    line_tree: SyntaxTree,
    memory: LeftMemory,
) -> LeftContext | None:
    """The left context of a hole; None when what stands before the cursor is broken, or too large to tell."""
    above = _trusted_above(language, grammar, hole, hole_tree, line_tree)
    if above is not None:
        text = above.tree.text + above.rest + hole.head
        start = Judgement(Standing.TAKEN, above.reading, len(above.tree.text))
        judgement = judge.judge(text, start)
        if judgement.is_viable:
            return LeftContext(text, len(text) - hole.line_head, judgement)
    for lines in _lines_above(language, hole, hole_tree):
        if len(lines) + hole.line_head > _MAX_READ_BYTES:
            continue
        read = memory.judge(judge, grammar, lines)
        judgement = judge.judge(lines + hole.head, read) if read.is_viable else read
        if judgement.is_viable:
            return LeftContext(lines + hole.head, len(lines), judgement)
    return None


def _lines_above(language: Language, hole: Hole, hole_tree: SyntaxTree) -> Iterator[bytes]:
    """Texts that may stand for the lines above the cursor's, the truest first."""
    yield hole.above
    for drop_errors in (False, True):
        yield shrink(hole_tree, len(hole.above), len(hole.prefix) + hole.line_tail, drop_errors=drop_errors).left
    yield from _restarts(language, hole)


def _restarts(language: Language, hole: Hole) -> list[bytes]:
    """The lines from where a statement begins at the very left, after which no older error matters; nearest first."""
    if language.name == "php":  # nothing is PHP before its opening tag
        return []
    starts = [matched.start(1) for matched in _TOP_LEVEL_LINE.finditer(hole.above)]
    return [hole.above[start:] for start in reversed(starts[-_N_RESTARTS:])]


@dataclass(frozen=True, slots=True)
class _Above:
    """What stands before the cursor's line: a part that is surely viable, and the beginning of an open token."""

    tree: SyntaxTree
    rest: bytes

    @property
    def reading(self) -> Reading:
        return Reading(self.tree, None, max(len(self.tree.text) - _REREAD_BYTES, 0))


def _trusted_above(
    language: Language, grammar: Grammar, hole: Hole, hole_tree: SyntaxTree, line_tree: SyntaxTree
) -> _Above | None:
    """The frame of the lines before the cursor's, taken from a whole text that has no error.

    Its tokens were taken by the parser once, so its log need not be read.
    """
    left_end = len(hole.above)
    sources = [(line_tree, left_end, b""), (hole_tree, len(hole.prefix) + hole.line_tail, hole.head + hole.tail)]
    for tree, right_start, between in sources:
        if tree.is_clean:
            frame = shrink(tree, left_end, right_start)
            whole = parse(grammar, frame.left + between + frame.right)
            if whole is not None and whole.is_clean and len(frame.left) <= _MAX_LEFT_BYTES:
                return _above(grammar, frame.left, tree, left_end)
    closed = _closed(language, grammar, hole.above)
    if closed is not None:
        frame = shrink(closed, left_end, left_end)
        whole = parse(grammar, frame.left + frame.right)
        if whole is not None and whole.is_clean and len(frame.left) <= _MAX_LEFT_BYTES:
            return _above(grammar, frame.left, closed, left_end)
    return None


def _above(grammar: Grammar, left: bytes, source: SyntaxTree, left_end: int) -> _Above | None:
    token_start = _open_token_start(source.root, left_end)
    split = len(left) - (left_end - token_start)
    tree = parse(grammar, left[:split])
    return _Above(tree, left[split:]) if tree is not None else None


def _open_token_start(root: tree_sitter.Node, at: int) -> int:
    """Where the outermost string or comment around `at` begins; `at` itself where there is none."""
    start = at
    node = root.descendant_for_byte_range(max(at - 1, 0), at)
    for _ in range(_MAX_ANCESTORS):  # tree-sitter finds a parent from the root: all of a deep tree's take for ever
        if node is None:
            break
        if node.start_byte < at < node.end_byte and any(part in node.type for part in _TOKEN_KIND_PARTS):
            start = node.start_byte
        node = node.parent
    return start


def _closed(language: Language, grammar: Grammar, above: bytes) -> SyntaxTree | None:
    """The tree of `above` with what it leaves open closed, if that makes it whole."""
    tree = parse(grammar, above)
    if tree is None or tree.is_clean:
        return tree
    end = ByteOffset(len(above))
    for closers in closers_at_end(language, tree):
        closed = edited(grammar, tree, end, end, b"\n" + closers)
        if closed is not None and closed.is_clean:
            return closed
    return None
