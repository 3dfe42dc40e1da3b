"""Syntax trees of texts: parsed with bounded work, re-parsed from the nearest earlier tree.

Trees are values: an edit gives a new one and leaves the old one usable.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field

import tree_sitter

from fimble.core.position import ByteOffset
from fimble.syntax.grammar import Grammar

# One unit of work is 100 parser operations, the grain of tree-sitter's progress callback. Measured 2026-11-21 on 35,000
# lines of clean Python: 7 units a KiB, 16 us a unit; recovery from errors makes a unit up to 5 times as dear.
# 8,000 units are about a megabyte of clean code.
MAX_WORK_UNITS = 8_000
# tree-sitter finds a parent from the root, so all ancestors in a deep tree would take for ever.
MAX_ANCESTORS = 200
NO_LIMIT = 1 << 60


@dataclass(frozen=True, slots=True)
class SyntaxTree:
    """A text and its tree. `tree` was parsed from exactly `text`.

    `unread_from` is where the parser, without an error, stopped reading though code follows; None where it did not.
    """

    text: bytes = field(repr=False)
    tree: tree_sitter.Tree
    unread_from: int | None = None

    @property
    def root(self) -> tree_sitter.Node:
        """The root node."""
        return self.tree.root_node

    @property
    def is_clean(self) -> bool:
        """Whether the parser found nothing wrong."""
        return not self.tree.root_node.has_error and self.unread_from is None


def parse(
    grammar: Grammar, text: bytes, *, max_work_units: int = MAX_WORK_UNITS, max_cpu_ms: float = float("inf")
) -> SyntaxTree | None:
    """Parse from nothing; None when that takes more than `max_work_units`, or `max_cpu_ms` of this thread's time."""
    tree = _bounded_parse(grammar, text, None, max_work_units, max_cpu_ms)
    return SyntaxTree(text, tree, grammar.unread_from(text, tree.root_node)) if tree else None


def edited(
    grammar: Grammar,
    old: SyntaxTree,
    start: ByteOffset,
    old_end: ByteOffset,
    replacement: bytes,
    *,
    max_work_units: int = MAX_WORK_UNITS,
    max_cpu_ms: float = float("inf"),
) -> SyntaxTree | None:
    """The tree after `old.text[start:old_end]` became `replacement`; None when that would take too much work."""
    text = old.text[:start] + replacement + old.text[old_end:]
    tree = shifted_tree(old, *changed_input(grammar, old.text, text, start, old_end), text)
    parsed = _bounded_parse(grammar, text, tree, max_work_units, max_cpu_ms)
    return SyntaxTree(text, parsed, grammar.unread_from(text, parsed.root_node)) if parsed else None


def shifted_tree(old: SyntaxTree, start: int, old_end: int, new_text: bytes) -> tree_sitter.Tree:
    """A copy of the tree with its nodes moved as the edit asks, ready to be handed to a parser with `new_text`."""
    new_end = old_end + len(new_text) - len(old.text)
    tree = old.tree.copy()
    start_point = point_at(old.text, start)
    tree.edit(
        start,
        old_end,
        new_end,
        start_point,
        point_at(old.text, old_end),
        _point_from(new_text, start_point, start, new_end),
    )
    return tree


def changed_input(grammar: Grammar, old_text: bytes, new_text: bytes, start: int, old_end: int) -> tuple[int, int]:
    """Which bytes of `old_text` a parser is given otherwise in `new_text`, which differs in `old_text[start:old_end]`.

    They may be more than these: what is typed decides how what stands around it is spelled for the parser.
    """
    old_input, new_input = grammar.respelled(old_text), grammar.respelled(new_text)
    if old_input is old_text and new_input is new_text:
        return start, old_end
    start = min(start, common_prefix_length(old_input, new_input))
    n_same = common_suffix_length(old_input, new_input, len(old_text) - old_end)
    return start, len(old_text) - n_same


def point_at(text: bytes, offset: int) -> tuple[int, int]:
    """Row and byte column of an offset, as tree-sitter counts them: rows end at LF alone."""
    return text.count(b"\n", 0, offset), offset - (text.rfind(b"\n", 0, offset) + 1)


def _point_from(text: bytes, known_point: tuple[int, int], known_offset: int, offset: int) -> tuple[int, int]:
    n_rows = text.count(b"\n", known_offset, offset)
    if n_rows == 0:
        return known_point[0], known_point[1] + offset - known_offset
    return known_point[0] + n_rows, offset - (text.rfind(b"\n", 0, offset) + 1)


def common_prefix_length(a: bytes, b: bytes) -> int:
    """How many leading bytes are the same."""
    low, high = 0, min(len(a), len(b))
    while low < high:  # slices compare with memcmp: 17 steps for 100 KB, each at C speed
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_suffix_length(a: bytes, b: bytes, limit: int) -> int:
    """How many trailing bytes are the same, at most `limit`."""
    low, high = 0, min(len(a), len(b), limit)
    while low < high:
        middle = (low + high + 1) // 2
        if a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]:
            low = middle
        else:
            high = middle - 1
    return low


class TreeCache:
    """The latest trees of one thread's documents; a text near a known one is parsed from that one's tree.

    A text that was too much work is not tried again until a good part of it has changed.
    Not shared between threads.
    """

    def __init__(self, n_trees: int = 8) -> None:
        """Keep the `n_trees` used last."""
        self._n_trees = n_trees
        self.n_full_parses = 0
        self._trees: OrderedDict[tuple[Grammar, bytes], SyntaxTree] = OrderedDict()
        self._too_much: deque[tuple[Grammar, bytes]] = deque(maxlen=2)

    def parse(
        self, grammar: Grammar, text: bytes, *, max_work_units: int = MAX_WORK_UNITS, max_cpu_ms: float = float("inf")
    ) -> SyntaxTree | None:
        """The tree of `text`; None when that would take too much work."""
        found = self._trees.get((grammar, text))
        if found is None:
            if any(known is grammar and _is_mostly(other, text) for known, other in self._too_much):
                return None
            near, start, suffix = self._nearest(grammar, text)
            if near is None:
                self.n_full_parses += 1
                found = parse(grammar, text, max_work_units=max_work_units, max_cpu_ms=max_cpu_ms)
            else:
                old_end = ByteOffset(len(near.text) - suffix)
                replacement = text[start : len(text) - suffix]
                found = edited(
                    grammar,
                    near,
                    ByteOffset(start),
                    old_end,
                    replacement,
                    max_work_units=max_work_units,
                    max_cpu_ms=max_cpu_ms,
                )
            if found is None:
                self._too_much.append((grammar, text))
                return None
        self._trees[grammar, text] = found
        self._trees.move_to_end((grammar, text))
        while len(self._trees) > self._n_trees:
            self._trees.popitem(last=False)
        return found

    def _nearest(self, grammar: Grammar, text: bytes) -> tuple[SyntaxTree | None, int, int]:
        """A known tree that shares at least half of `text`, with the lengths of the common prefix and suffix."""
        best: tuple[SyntaxTree | None, int, int] = (None, 0, 0)
        for (known_grammar, _), tree in self._trees.items():
            if known_grammar is grammar:
                prefix = common_prefix_length(tree.text, text)
                suffix = common_suffix_length(tree.text, text, min(len(tree.text), len(text)) - prefix)
                if prefix + suffix > max(best[1] + best[2], len(text) // 2):
                    best = (tree, prefix, suffix)
        return best


def _is_mostly(known: bytes, text: bytes) -> bool:
    """Whether no more than a tenth of `text` differs from a known one."""
    prefix = common_prefix_length(known, text)
    suffix = common_suffix_length(known, text, min(len(known), len(text)) - prefix)
    return max(len(known), len(text)) - prefix - suffix <= len(text) // 10


def _bounded_parse(
    grammar: Grammar, text: bytes, old_tree: tree_sitter.Tree | None, max_work_units: int, max_cpu_ms: float
) -> tree_sitter.Tree | None:
    parser = grammar.new_parser()
    view = grammar.parser_input(text)
    units_left = max_work_units
    stop_at_s = time.thread_time() + max_cpu_ms / 1000

    def read(offset: int, _point: tree_sitter.Point) -> memoryview:
        return view[offset:]

    def is_too_much(_offset: int, _has_error: bool) -> bool:
        nonlocal units_left
        units_left -= 1
        return units_left < 0 or time.thread_time() > stop_at_s

    try:
        if old_tree is None:
            return parser.parse(read, progress_callback=is_too_much)
        return parser.parse(read, old_tree, progress_callback=is_too_much)
    except ValueError:  # how py-tree-sitter says that the callback stopped it
        return None
