"""May a completion end here? The text around the hole must not show an error that it did not have before."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cached_property

from fimble.core.position import ByteOffset
from fimble.syntax.around import Hole, breaks_indentation
from fimble.syntax.closers import is_balanced
from fimble.syntax.error_keys import ErrorKey, error_keys
from fimble.syntax.frame import shrink
from fimble.syntax.grammar import Grammar
from fimble.syntax.indent import IndentBefore, indent_before
from fimble.syntax.languages import BlockStyle, Language
from fimble.syntax.lenient import breaks_a_rule
from fimble.syntax.openers import (
    BRACKET_OPENERS,
    CLOSERS,
    OPENERS,
    indent_of_closer,
    openers_of_branch,
    openers_of_deeper_lines,
    stands_above_a_block,
)
from fimble.syntax.parse import MAX_WORK_UNITS, SyntaxTree, edited, parse
from fimble.syntax.unclosed import closers_at_end

_A_NAME = b"x"
# Where a statement begins at the very left, no older error matters in most languages.
_TOP_LEVEL_LINE = re.compile(rb"\n\r?\n([A-Za-z_@][^\n]*)")


class StopVerdict(StrEnum):
    """What the whole text says of a completion that ends here."""

    CLEAN = "clean"  # no error anywhere
    STRONG = "strong"  # only errors that the file has without the cursor's line, or that stand elsewhere
    WEAK = "weak"  # only errors that the file has with the hole left empty, or without the cursor's line
    NO = "no"  # an error of its own
    UNKNOWN = "unknown"  # too much work to tell

    @property
    def allows_stop(self) -> bool:
        """Whether decoding may end here; WEAK is for the end of the budget only."""
        return self in (StopVerdict.CLEAN, StopVerdict.STRONG, StopVerdict.UNKNOWN)


class StopJudge:
    """Judges completions of one hole. Each judgement re-parses from the tree of the empty hole."""

    def __init__(
        self,
        language: Language,
        grammar: Grammar,
        hole: Hole,
        *,
        hole_tree: SyntaxTree | None = None,
        indent: IndentBefore | None = None,
        may_leave_open: bool = False,
        max_work_units: int = MAX_WORK_UNITS,
    ) -> None:
        """Judge completions of `hole`.

        `hole_tree` is the tree of prefix + suffix, `indent` the indentation of the lines before the cursor's; what is
        not given is found when first needed. With `may_leave_open` the file may be one that is still being written:
        what the lines above leave open may stay so.
        """
        self._language = language
        self._grammar = grammar
        self._hole = hole
        self._hole_tree = hole_tree
        self._line_tree: SyntaxTree | None = None
        self._indent = indent
        self._may_leave_open = may_leave_open
        self._max_work_units = max_work_units
        self._baselines: tuple[frozenset[ErrorKey], frozenset[ErrorKey]] | None = None

    @property
    def hole(self) -> Hole:
        """What is judged."""
        return self._hole

    def without_rest(self, n_bytes: int) -> StopJudge:
        """A judge of the same hole, of completions that take the place of the first `n_bytes` behind it."""
        hole, base, at = self._hole, self._tree_with_hole(), ByteOffset(len(self._hole.prefix))
        tree = base and edited(
            self._grammar, base, at, ByteOffset(at + n_bytes), b"", max_work_units=self._max_work_units
        )
        rest = Hole.of(hole.prefix, hole.suffix[n_bytes:])
        return self._judge_of(rest, tree or None, may_leave_open=self._may_leave_open)

    def closing_line(self) -> bytes | None:
        """The closer that alone makes the whole file right, indented as the line that it closes; or None."""
        hole = self._hole
        if self.verdict(b"") is StopVerdict.CLEAN:
            return None
        for closer in CLOSERS.get(self._language.block_style, ()):
            if self.verdict(closer) is StopVerdict.CLEAN:
                return indent_of_closer(hole.above) + closer
        return None

    @cached_property
    def missing_bracket(self) -> bytes | None:
        """What the hole has to open, as lines below it that stand deeper and their closer say; or None.

        Nothing else is wrong with the file then.
        """
        hole = self._hole
        if hole.tail.strip() or not stands_above_a_block(hole.above, hole.head, hole.below):
            return None
        base = self._tree_with_hole()
        if base is None or base.is_clean:
            return None
        return next(
            (bracket for opener, bracket in BRACKET_OPENERS if (tree := self._with(opener)) and tree.is_clean),
            None,
        )

    def is_no_worse_than_a_name(self, completion: bytes) -> bool:
        """Whether nothing is wrong with `completion` in the hole that is not wrong with a plain name in it.

        For lines still being written: a `def f(a)` without its colon is broken whatever stands in the brackets.
        """
        given, name = self._with(completion), self._with(_A_NAME)
        if given is None or name is None:
            return False
        if self._breaks_rules_beyond_grammar(given, completion) and not self._breaks_rules_beyond_grammar(
            name, _A_NAME
        ):
            return False
        return self._keys(given, completion) <= self._keys(name, _A_NAME)

    def verdict(self, completion: bytes) -> StopVerdict:
        """What becomes of the text if the completion is exactly `completion`."""
        whole = self._with(completion)
        if whole is None:
            return StopVerdict.UNKNOWN
        if self._breaks_rules_beyond_grammar(whole, completion):
            return StopVerdict.NO
        if whole.is_clean:
            return StopVerdict.CLEAN
        baselines = self._errors_before()
        if baselines is None:
            return StopVerdict.UNKNOWN
        keys = self._keys(whole, completion)
        without_line, with_hole = baselines
        if not with_hole:  # the file is whole without the completion: any error is the completion's
            return StopVerdict.NO
        if self.block_opener is not None or self.missing_bracket is not None:
            return StopVerdict.NO
        if keys <= without_line:
            return StopVerdict.STRONG
        if without_line and (self._is_clean_nearby(completion) or self._is_clean_once_closed(completion)):
            return StopVerdict.STRONG
        return StopVerdict.WEAK if keys <= without_line | with_hole else StopVerdict.NO

    def _with(self, completion: bytes) -> SyntaxTree | None:
        """The tree of the text with `completion` in the hole; None if that is too much work."""
        base, at = self._tree_with_hole(), ByteOffset(len(self._hole.prefix))
        return base and edited(self._grammar, base, at, at, completion, max_work_units=self._max_work_units)

    def _keys(self, whole: SyntaxTree, completion: bytes) -> frozenset[ErrorKey]:
        at = len(self._hole.prefix)
        return error_keys(whole, at, at + len(completion))

    @cached_property
    def block_opener(self) -> bytes | None:
        """What opens a block in the hole and makes the file whole, where the layout asks for one that begins there."""
        hole = self._hole
        if self._language.block_style is BlockStyle.INDENT:
            openers = openers_of_branch(hole.head, hole.tail, hole.below)
            is_asked = not openers and not hole.tail.strip()
            if is_asked and stands_above_a_block(hole.above, hole.head, hole.below):
                openers = openers_of_deeper_lines(hole.above, hole.head)
        elif stands_above_a_block(hole.above, hole.head, hole.below):
            openers = (*OPENERS.get(self._language.block_style, ()), *self._language.callback_openers)
        else:
            return None
        return next((opener for opener in openers if self._is_right_with(opener)), None)

    def _is_right_with(self, opener: bytes) -> bool:
        tree = self._with(opener)
        return tree is not None and tree.is_clean and not self._breaks_rules_beyond_grammar(tree, opener)

    def _is_clean_nearby(self, completion: bytes) -> bool:
        """Whether the statement around the cursor is whole. Errors elsewhere move with every key typed in the hole."""
        return any(judge.verdict(completion) is StopVerdict.CLEAN for judge in self._nearby)

    def _is_clean_once_closed(self, completion: bytes) -> bool:
        """Whether what the lines above leave open is all that is missing, and the cursor's line closes what it opens.

        What a parser then finds wrong moves with the end of the file. On a blank line above others the closer may be
        what is wanted.
        """
        hole = self._hole
        line = (hole.head + completion + hole.tail).decode("utf-8", "replace")
        is_asked = self._may_leave_open and bool(hole.head.strip() or not hole.below.strip())
        if not is_asked or not is_balanced(line):
            return False
        # Not every language takes a comma before the bracket that the next element is to come before.
        bare = completion.rstrip().removesuffix(b",")
        return any(judge.verdict(bare) is StopVerdict.CLEAN for judge in self._once_closed)

    @cached_property
    def _nearby(self) -> tuple[StopJudge, ...]:
        return tuple(self._judge_of(hole) for hole in self._holes_nearby())

    @cached_property
    def _once_closed(self) -> tuple[StopJudge, ...]:
        return tuple(closed for judge in (self, *self._nearby) for closed in judge._with_closers())

    def _with_closers(self) -> list[StopJudge]:
        """Judges of the hole with closers below for what is open without the cursor's line."""
        base, without_line = self._tree_with_hole(), self._tree_without_line()
        if base is None or without_line is None:
            return []
        end = ByteOffset(len(base.text))
        judges: list[StopJudge] = []
        for closers in closers_at_end(self._language, without_line):
            below = b"\n" + closers + b"\n"
            tree = edited(self._grammar, base, end, end, below, max_work_units=self._max_work_units)
            judges.append(self._judge_of(Hole.of(self._hole.prefix, self._hole.suffix + below), tree))
        return judges

    def _judge_of(self, hole: Hole, tree: SyntaxTree | None = None, *, may_leave_open: bool = False) -> StopJudge:
        return StopJudge(
            self._language,
            self._grammar,
            hole,
            hole_tree=tree,
            may_leave_open=may_leave_open,
            max_work_units=self._max_work_units,
        )

    def _holes_nearby(self) -> list[Hole]:
        """The hole among less: between two lines at the very left, and in a frame that leaves broken siblings out."""
        hole, holes = self._hole, list[Hole]()
        starts = [matched.start(1) for matched in _TOP_LEVEL_LINE.finditer(hole.above)]
        if starts:
            end = _TOP_LEVEL_LINE.search(hole.below)
            holes.append(Hole.of(hole.prefix[starts[-1] :], hole.tail + hole.below[: end.start(1) if end else None]))
        base = self._tree_with_hole()
        if base is not None:
            frame = shrink(base, len(hole.above), len(hole.prefix) + hole.line_tail, drop_errors=True)
            holes.append(Hole.of(frame.left + hole.head, hole.tail + frame.right))
        return [
            other for other in holes if len(other.prefix) < len(hole.prefix) or len(other.suffix) < len(hole.suffix)
        ]

    def _tree_with_hole(self) -> SyntaxTree | None:
        if self._hole_tree is None:
            text = self._hole.prefix + self._hole.suffix
            self._hole_tree = parse(self._grammar, text, max_work_units=self._max_work_units)
        return self._hole_tree

    def _errors_before(self) -> tuple[frozenset[ErrorKey], frozenset[ErrorKey]] | None:
        if self._baselines is None:
            with_hole = self._tree_with_hole()
            without_line = self._tree_without_line()
            if with_hole is None or without_line is None:
                return None
            hole, cut = self._hole, len(self._hole.prefix)
            line = len(hole.above)
            self._baselines = (
                error_keys(without_line, line, line),
                error_keys(with_hole, cut, cut),
            )
        return self._baselines

    def _tree_without_line(self) -> SyntaxTree | None:
        hole = self._hole
        if self._line_tree is None and (base := self._tree_with_hole()):
            start, end = ByteOffset(len(hole.above)), ByteOffset(len(hole.prefix) + hole.line_tail)
            self._line_tree = edited(self._grammar, base, start, end, b"", max_work_units=self._max_work_units)
        return self._line_tree

    def _breaks_rules_beyond_grammar(self, whole: SyntaxTree, completion: bytes) -> bool:
        hole, start = self._hole, len(self._hole.prefix)
        end = start + len(completion)
        if breaks_a_rule(self._language, whole, start, end):
            return True
        if self._language.block_style is not BlockStyle.INDENT:
            return False
        if self._indent is None:
            self._indent = indent_before(hole.above)
        return breaks_indentation(self._indent, hole, completion)
