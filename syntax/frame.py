"""Shrinks a text to what the cursor's syntax depends on, so that checks cost the same in a file of any size.

In every list of statements, members or elements around the cursor, whole siblings are left out, all but the first and
the nearest one on each side. Elements of a list do not depend on each other, so what follows them parses the same; the
caller still verifies the frame before trusting it.
"""

from __future__ import annotations

from dataclasses import dataclass

import tree_sitter

from fimble.syntax.parse import SyntaxTree

# Nodes whose children repeat: any whole child between the first and the last may go.
_STATEMENT_LISTS = (
    "module program source_file translation_unit compilation_unit document block statement_block statement_list"
    " compound_statement do_group body_statement block_body function_body then do_block begin colon_block"
    " constructor_body lambda_literal preproc_if preproc_ifdef preproc_else preproc_elif preproc_elifdef"
)
_MEMBER_LISTS = (
    "class_body interface_body enum_body enum_class_body declaration_list field_declaration_list object_type"
    " annotation_type_body enum_body_declarations enum_variant_list enumerator_list enum_member_declaration_list"
    " enum_declaration_list switch_body switch_block match_block"
)
_ELEMENT_LISTS = (
    "object array dictionary list set hash arguments argument_list value_arguments array_expression initializer_list"
    " array_initializer literal_value array_creation_expression import_spec_list var_spec_list use_list jsx_element"
    " element string_array symbol_array"
)
_LIST_KINDS = frozenset(f"{_STATEMENT_LISTS} {_MEMBER_LISTS} {_ELEMENT_LISTS}".split())
# A whole neighbour larger than this is thinned: the middles of its lists go too.
_THIN_ABOVE_BYTES = 600
_BRACKETS = ((b"(", b")"), (b"[", b"]"), (b"{", b"}"))


@dataclass(frozen=True, slots=True)
class Frame:
    """What is left of the text before `left_end` and after `right_start`."""

    left: bytes
    right: bytes


def shrink(tree: SyntaxTree, left_end: int, right_start: int, *, drop_errors: bool = False) -> Frame:
    """Leave out of `tree.text[:left_end]` and `tree.text[right_start:]` what the text between does not depend on.

    Siblings with errors stay, unless `drop_errors`; one with more opening than closing brackets always stays, because
    it may well be the unfinished construct that the cursor is in.
    """
    cuts = _Cuts(tree.text, left_end, right_start, drop_errors=drop_errors)
    cuts.around(tree.root)
    return Frame(cuts.kept(0, left_end), cuts.kept(right_start, len(tree.text)))


class _Cuts:
    def __init__(self, text: bytes, left_end: int, right_start: int, *, drop_errors: bool) -> None:
        self._text = text
        self._left_end = left_end
        self._right_start = right_start
        self._drop_errors = drop_errors
        self._ranges: list[tuple[int, int]] = []

    def kept(self, start: int, end: int) -> bytes:
        """The bytes of a range that no cut took."""
        parts: list[bytes] = []
        at = start
        for cut_start, cut_end in sorted(self._ranges):
            if cut_start >= at and cut_end <= end:
                parts.append(self._text[at:cut_start])
                at = cut_end
        parts.append(self._text[at:end])
        return b"".join(parts)

    def around(self, node: tree_sitter.Node | None) -> None:
        """Go down to the cursor; at each level leave out what is whole on either side."""
        while node is not None:
            before: list[tree_sitter.Node] = []
            after: list[tree_sitter.Node] = []
            inner: tree_sitter.Node | None = None
            for child in node.named_children:
                if child.end_byte <= self._left_end:
                    before.append(child)
                elif child.start_byte >= self._right_start:
                    after.append(child)
                elif inner is None:
                    inner = child
            last = _last_whole(before)
            if node.type in _LIST_KINDS:
                self._drop_between(before, last)
                self._drop_between(after[_first_whole(after) :], len(after) - _first_whole(after) - 1)
            for i, neighbour in enumerate(before):
                if (i == 0 or i >= len(before) - 2) and i != last:
                    self._thin(neighbour)
            for neighbour in (*after[:2], *after[-1:]):
                self._thin(neighbour)
            # A sibling that ends right before the cursor may go on after it: Python's blocks have no last token.
            node = inner or (before[last] if before else None)

    def _drop_between(self, siblings: list[tree_sitter.Node], last: int) -> None:
        """Cut the siblings after the first and before `last`, but not those that must stay."""
        i = 1
        while i < last:
            if not self._may_go(siblings[i]):
                i += 1
                continue
            stop = i
            while stop < last and self._may_go(siblings[stop]):
                stop += 1
            self._ranges.append((siblings[i].start_byte, siblings[stop].start_byte))
            i = stop + 1

    def _may_go(self, node: tree_sitter.Node) -> bool:
        if node.type in ("php_tag", "text_interpolation"):  # what follows is another language without them
            return False
        if not node.has_error:
            return True
        if not self._drop_errors:
            return False
        text = self._text[node.start_byte : node.end_byte]
        return all(text.count(opening) <= text.count(closing) for opening, closing in _BRACKETS)

    def _thin(self, node: tree_sitter.Node) -> None:
        if node.end_byte - node.start_byte <= _THIN_ABOVE_BYTES or node.has_error:
            return
        children = node.named_children
        if node.type in _LIST_KINDS and len(children) > 2:
            self._drop_between(children, len(children) - 1)
            children = [children[0], children[-1]]
        for child in children:
            self._thin(child)


def _last_whole(siblings: list[tree_sitter.Node]) -> int:
    """Index of the last sibling that is not a comment; an `else` to come would belong to it."""
    for i in range(len(siblings) - 1, -1, -1):
        if not siblings[i].is_extra:
            return i
    return 0


def _first_whole(siblings: list[tree_sitter.Node]) -> int:
    for i, sibling in enumerate(siblings):
        if not sibling.is_extra:
            return i
    return 0
