"""One suggestion on the screen, and what an edit of its document means for it. Emits nothing, keeps no time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from fimble.core.flow import RequestId
from fimble.core.position import ByteOffset
from fimble.telemetry.alignment import TextEdit, n_bytes, n_common_head, plain_line_ends, trimmed

# Editors put the second one in when the first is typed.
_PAIRS: Final = frozenset({"()", "[]", "{}", "<>", '""', "''", "``"})
# Editors gather the keys of some 150 ms into one change (Neovim); nobody types more than this in that time.
_MAX_TYPED_CHARS: Final = 3


class Step(Enum):
    """What an edit was to a suggestion."""

    NOTHING = "nothing"  # changed no text
    TYPED = "typed"  # the user typed what was suggested
    TYPED_ALL = "typed_all"
    TOOK_PART = "took_part"  # a word or line of it was inserted
    TOOK_ALL = "took_all"
    LEFT = "left"  # the text went another way


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a suggestion that fimble put into the text: from the first character inserted to the last."""

    start: ByteOffset
    text: str
    replaced: str
    n_inserted_chars: int


@dataclass(slots=True)
class Suggestion:
    """A text offered at a place, whichever requests it answered.

    `choices` are the candidates as edits, trimmed; `taken` is what of the chosen one is in the document now.
    """

    root: RequestId
    uri: str
    choices: tuple[TextEdit, ...]
    n_head_chars: tuple[int, ...]  # of each candidate: what its full text begins with and the trimmed one leaves out
    n_menu_chars: int = 0  # of each candidate, trimmed: what the item selected in the editor's own menu brings as well
    chosen: int = 0
    at: ByteOffset = field(init=False)
    rest: str = field(init=False)
    replaced: str = field(init=False)
    n_taken: int = 0
    piece: Piece | None = None
    _since_piece: str = ""
    _last_at: ByteOffset = field(init=False)
    _last_text: str = ""
    _closers: str = ""

    def __post_init__(self) -> None:
        """Begin with the first candidate."""
        self.choose(0)

    @classmethod
    def of(
        cls,
        root: RequestId,
        uri: str,
        start: ByteOffset,
        old_text: str,
        new_texts: Sequence[str],
        n_menu_chars: int = 0,
    ) -> Suggestion | None:
        """The suggestion of an answer; None where it would change nothing.

        All of `new_texts` begin with the `n_menu_chars` characters of the item selected in the editor's own menu.
        """
        choices = tuple(trimmed(TextEdit(start, old_text, text)) for text in new_texts)
        heads = tuple(n_common_head(old_text, text) for text in new_texts)
        if all(choice.is_empty for choice in choices):
            return None
        return cls(root, uri, choices, heads, max(0, n_menu_chars - heads[0]))

    def choose(self, candidate: int) -> None:
        """Another candidate is on the screen; without effect once some of one is in the text."""
        if self.n_taken or not 0 <= candidate < len(self.choices):
            return
        self.chosen = candidate
        edit = self.choices[candidate]
        self.at, self.rest, self.replaced = edit.start, edit.new, edit.old
        self._last_at = edit.start

    def is_same_as(self, other: Suggestion) -> bool:
        """Whether `other`, newly answered, is what is left of this one: the same suggestion, further on."""
        return other.at == self.at and other.replaced == self.replaced and plain_line_ends(other.rest) in self._rests()

    def judge(self, edit: TextEdit, *, is_accepting: bool = False) -> Step:
        """Follow a trimmed edit. With `is_accepting` the client has said that the next insertion is an acceptance."""
        if edit.is_empty:
            return Step.NOTHING
        if self.n_taken == 0:
            for candidate, choice in enumerate(self.choices):
                if (
                    edit.start == choice.start
                    and edit.old == choice.old
                    and plain_line_ends(edit.new) == plain_line_ends(choice.new)
                ):
                    self.choose(candidate)
                    break
        if edit.start != self.at or edit.old not in ("", self.replaced):
            return Step.LEFT
        new, rests = plain_line_ends(edit.new), self._rests()
        if new in rests and edit.old == self.replaced:
            if not is_accepting and (_may_be_one_key(new) or (self.n_taken and len(new) <= _MAX_TYPED_CHARS)):
                self._type(edit.new, len(new))
                return Step.TYPED_ALL
            self._insert(edit)
            return Step.TOOK_ALL
        if edit.old or self.replaced:
            return Step.LEFT
        if rests[0].startswith(new):
            is_piece = len(new) > _MAX_TYPED_CHARS and not _may_be_one_key(new) and _ends_piece(rests[0], len(new))
            is_of_menu = self.n_taken + len(new) <= self.n_menu_chars
            if is_accepting or (is_piece and not is_of_menu):
                self._insert(edit)
                return Step.TOOK_PART
            self._type(edit.new, len(new))
            return Step.TYPED
        if new in _PAIRS and rests[0].startswith(new[0]):
            self._closers = new[1] + self._closers
            self._type(new[0], 1)
            return Step.TYPED_ALL if "" in self._rests() else Step.TYPED
        return Step.LEFT

    def count_last_as_taken(self) -> None:
        """The client says that the last step, which looked like typing, was an acceptance."""
        if self._last_text:
            self._since_piece = self._since_piece.removesuffix(self._last_text)
            self._extend(self._last_at, self._last_text)
            self._last_text = ""

    def forget_last(self) -> None:
        """The document has changed since: nobody can tell any more what the last step was."""
        self._last_text = ""

    def insert_otherwise(self, edit: TextEdit) -> None:
        """The client says that it was accepted, and this is what came into the text in its place."""
        self._extend(edit.start, edit.new)
        self.rest = ""

    def touches(self, edit: TextEdit) -> bool:
        """Whether an edit lies where this suggestion would go."""
        end = self.at + n_bytes(self.replaced)
        return edit.start <= end and edit.end >= self.at

    def move(self, edit: TextEdit) -> None:
        """An edit elsewhere in the document."""
        if edit.end <= self.at:
            self.at = ByteOffset(self.at + n_bytes(edit.new) - n_bytes(edit.old))

    def _rests(self) -> tuple[str, ...]:
        """What is left to insert: as suggested, and without closers that the editor has put behind the cursor."""
        rest = plain_line_ends(self.rest)
        if self._closers and rest.endswith(self._closers):
            return rest, rest[: -len(self._closers)]
        return (rest,)

    def _type(self, text: str, n_chars: int) -> None:
        self._last_at, self._last_text = self.at, text
        self._since_piece += text
        self._advance(text, n_chars)

    def _insert(self, edit: TextEdit) -> None:
        self._last_text = ""
        at = self.at
        self._advance(edit.new, len(plain_line_ends(edit.new)))
        self._extend(at, edit.new)

    def _advance(self, text: str, n_chars: int) -> None:
        self.at = ByteOffset(self.at + n_bytes(text))
        # `rest` has its line ends as the model wrote them; what came into the text may have the editor's.
        self.rest = plain_line_ends(self.rest)[n_chars:]
        self.n_taken += n_chars

    def _extend(self, at: ByteOffset, text: str) -> None:
        if self.piece is None:
            self.piece = Piece(at, text, self.replaced, len(text))
        else:
            self.piece = Piece(
                self.piece.start,
                self.piece.text + self._since_piece + text,
                self.piece.replaced,
                self.piece.n_inserted_chars + len(text),
            )
        self._since_piece = ""


def _may_be_one_key(new: str) -> bool:
    """Whether one key can put this in: a character, one with its closer, a line end with the next line's indent."""
    return len(new) == 1 or new in _PAIRS or new.isspace()


def _ends_piece(text: str, n_chars: int) -> bool:
    """Whether a word or line of `text` ends there: what editors let one accept in parts."""
    before, after = text[n_chars - 1], text[n_chars]
    return not (before.isalnum() and after.isalnum())
