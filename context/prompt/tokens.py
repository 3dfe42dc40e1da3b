"""Token ids of one prompt's parts: markers by id, the user's text never as a marker. Knows no layout and no budget."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fimble.context.prompt.fim import Family
from fimble.core.errors import ModelUnsuitableError, invariant_broken
from fimble.core.flow import Stability, TokenId
from fimble.core.ports import Tokenizer

# SentencePiece's vocabularies of the Llama line put a blank before whatever text they are given. Behind a line end they
# do not, and a line end never melts into what follows it, so text is tokenized behind one and its ids are cut off.
_ANCHOR = "\n"


@dataclass(frozen=True, slots=True)
class Part:
    """A segment to be. `opens` marks the text where the vocabulary's own leading blank belongs, as in training."""

    text: str
    stability: Stability
    label: str
    is_marker: bool = False
    opens: bool = False


class _Text(NamedTuple):
    text: str
    opens: bool


class Encoder:
    """Encodes the parts of one prompt, each once. Made by `open_encoder`."""

    def __init__(self, tokenizer: Tokenizer, family: Family, markers: Mapping[str, TokenId]) -> None:
        """`markers` maps those markers of the family that the vocabulary has to their ids."""
        self._tokenizer = tokenizer
        self._family = family
        self.markers = markers
        self._marker_ids = frozenset(markers.values())
        self._spelling = re.compile("|".join(re.escape(marker) for marker in markers))
        self._known: dict[_Text, tuple[TokenId, ...]] = {}

    async def encode(self, part: Part) -> tuple[TokenId, ...]:
        """Ids of a part; no id of a marker is among those of a text."""
        if part.is_marker:
            return (self.markers[part.text],)
        if not part.text:
            return ()
        await self._learn((part,))
        return self._known[_Text(part.text, part.opens)]

    async def count(self, parts: Sequence[Part]) -> int:
        """Length of all parts in tokens."""
        await self._learn(parts)
        return sum([len(await self.encode(part)) for part in parts])

    async def _learn(self, parts: Sequence[Part]) -> None:
        """Tokenize all texts with one question to the tokenizer, which lives in another process."""
        texts = dict.fromkeys(_Text(part.text, part.opens) for part in parts if part.text and not part.is_marker)
        new = [text for text in texts if text not in self._known]
        if not new:
            return
        for text, ids in zip(new, await self._tokenize(new), strict=True):
            self._known[text] = ids if self._marker_ids.isdisjoint(ids) else await self._without_markers(text)

    async def _tokenize(self, texts: list[_Text]) -> list[tuple[TokenId, ...]]:
        if not self._family.has_space_prefix:
            return list(await self._tokenizer.tokenize([text.text for text in texts]))
        anchored = [text.text if text.opens else _ANCHOR + text.text for text in texts]
        anchor, *found = await self._tokenizer.tokenize([_ANCHOR, *anchored])
        return [
            ids if text.opens or ids[: len(anchor)] != anchor else ids[len(anchor) :]
            for text, ids in zip(texts, found, strict=True)
        ]

    async def _without_markers(self, text: _Text) -> tuple[TokenId, ...]:
        """Ids of text that spells a marker out, for vocabularies that list their markers among the ordinary words.

        A converter may leave a marker's type so; llama.cpp then finds it with special tokens off, too. Cut within the
        spelling, the text holds no marker.
        """
        cuts = [match.start() + 1 for match in self._spelling.finditer(text.text)]
        bounds = zip([0, *cuts], [*cuts, len(text.text)], strict=True)
        pieces = [_Text(text.text[start:end], text.opens and start == 0) for start, end in bounds]
        ids = [token for piece in await self._tokenize(pieces) for token in piece]
        if not self._marker_ids.isdisjoint(ids):
            invariant_broken("user text was tokenized as a marker")
        return tuple(token for token in ids if token not in self._marker_ids)


async def open_encoder(tokenizer: Tokenizer, family: Family) -> Encoder:
    """An encoder for one model.

    Raises:
        ModelUnsuitableError: the vocabulary lacks a marker without which there is no prompt.
    """
    wanted = family.all_markers
    ids = await tokenizer.marker_ids(wanted)
    found = {marker: token for marker, token in zip(wanted, ids, strict=True) if token is not None}
    needed = (family.prefix_marker, family.suffix_marker, family.middle_marker)
    missing = [marker for marker in needed if marker and marker not in found]
    if missing:
        raise ModelUnsuitableError(
            f"The model's vocabulary has no token for {', '.join(missing)}, which {family.name} models are asked with.",
            mend="Choose a code model trained to fill in the middle; `fimble models list` shows tested ones.",
        )
    return Encoder(tokenizer, family, found)
