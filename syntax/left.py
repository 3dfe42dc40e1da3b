"""What the left constraint starts from: a short text that stands for everything before the cursor, judged viable."""

from __future__ import annotations

import re
from dataclasses import dataclass

import tree_sitter

from fimble.syntax.frame import shrink
from fimble.syntax.grammar import Grammar
from fimble.syntax.judge import Judgement, LeftJudge, Standing
from fimble.syntax.languages import Language
from fimble.syntax.parse import SyntaxTree, parse
from fimble.syntax.parse_log import Reading
from fimble.syntax.stop import Hole

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
# Further than this from a place that was read, a new frame is shorter.
_MAX_GROWN_BYTES = 2_000
_N_REMEMBERED = 16
_BRACKETS = {"(": ")", "[": "]", "{": "}", "#{": "}", "${": "}", "$(": ")", "((": "))", "[[": "]]"}


@dataclass(frozen=True, slots=True)
class LeftContext:
    """`text` ends at the cursor, like the true prefix, and `judgement` is of it. `head_start` begins its last line."""

    text: bytes
    head_start: int
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class _Remembered:
    """The lines `above` a cursor, the text that stands for them and its judgement, None where nothing was viable."""

    grammar: Grammar
    above: bytes
    text: bytes
    judgement: Judgement | None


class LeftMemory:
    """Where in one thread's documents the left side was read whole: what is typed from there on is judged on from it.

    Only for files with an error somewhere, a line half-written elsewhere mostly: a whole file's frame needs no reading.
    """

    def __init__(self) -> None:
        """Nothing is remembered."""
        self._newest_last: list[_Remembered] = []
        self.n_read_whole = 0

    def nearest(self, grammar: Grammar, prefix: bytes) -> _Remembered | None:
        """The place nearest before the end of `prefix`, none where that is far."""
        near = [
            known
            for known in self._newest_last
            if known.grammar is grammar
            and 0 <= len(prefix) - len(known.above) <= _MAX_GROWN_BYTES
            and prefix.startswith(known.above)
        ]
        return max(near, key=lambda known: len(known.above), default=None)

    def keep(self, known: _Remembered) -> None:
        """Remember a place; the oldest goes."""
        self._newest_last = [
            other for other in self._newest_last if (other.grammar, other.above) != (known.grammar, known.above)
        ]
        self._newest_last = [*self._newest_last[1 - _N_REMEMBERED :], known]


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
    if known := memory.nearest(grammar, hole.prefix):
        text = known.text + hole.prefix[len(known.above) :]
        found = _read_by_lines(judge, grammar, hole, text, known.judgement, memory) if known.judgement else None
        if found or known.above == hole.above:
            return found
    memory.n_read_whole += 1
    candidates = [hole.prefix]
    for drop_errors in (False, True):
        left_end, right_start = len(hole.above), len(hole.prefix) + hole.line_tail
        candidates.append(shrink(hole_tree, left_end, right_start, drop_errors=drop_errors).left + hole.head)
    candidates.extend(_restarts(language, hole))
    for text in dict.fromkeys(candidates):
        if len(text) <= _MAX_READ_BYTES and (found := _read_by_lines(judge, grammar, hole, text, None, memory)):
            return found
    if memory.nearest(grammar, hole.above) is None:
        memory.keep(_Remembered(grammar, hole.above, b"", None))
    return None


def _read_by_lines(
    judge: LeftJudge, grammar: Grammar, hole: Hole, text: bytes, before: Judgement | None, memory: LeftMemory
) -> LeftContext | None:
    """Judge the lines above the cursor's, to start from again with the next key, then the cursor's; None if refused."""
    head_start = len(text) - hole.line_head
    above = judge.judge(text[:head_start], before)
    if above.is_viable:
        memory.keep(_Remembered(grammar, hole.above, text[:head_start], above))
    judgement = judge.judge(text, above if above.is_viable else before)
    return LeftContext(text, head_start, judgement) if judgement.is_viable else None


def _restarts(language: Language, hole: Hole) -> list[bytes]:
    """The text from where a statement begins at the very left, after which no older error matters; nearest first."""
    if language.name == "php":  # nothing is PHP before its opening tag
        return []
    starts = [matched.start(1) for matched in _TOP_LEVEL_LINE.finditer(hole.above)]
    return [hole.prefix[start:] for start in reversed(starts[-_N_RESTARTS:])]


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
    closer_of = {**_BRACKETS, **{word: f"\n{end}" for word, end in language.word_blocks}}
    missing: list[str] = []
    to_close: list[str] = []
    for node in _stray_tokens(tree.root):
        if node.is_missing:
            missing.append(node.type)
        elif node.type in closer_of:
            to_close.append(closer_of[node.type])
        elif to_close and node.type == to_close[-1].strip():
            to_close.pop()
    closing = "".join([*missing, *reversed(to_close)])
    closed = parse(grammar, above + b"\n" + closing.encode())
    return closed if closed is not None and closed.is_clean else None


def _stray_tokens(root: tree_sitter.Node) -> list[tree_sitter.Node]:
    """The unnamed tokens that stand directly in ERROR nodes, and the MISSING ones, from left to right."""
    found: list[tree_sitter.Node] = []
    pending = [root]
    while pending:
        node = pending.pop()
        if node.is_missing or (not node.is_named and node.parent is not None and node.parent.is_error):
            found.append(node)
        elif node.has_error:
            pending.extend(reversed(node.children))
    return found
