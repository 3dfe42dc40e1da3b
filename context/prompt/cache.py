"""A Tokenizer that remembers, so that text above the cursor is tokenized once and not at every key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from fimble.core.flow import TokenId
from fimble.core.ports import Tokenizer

_MAX_CHARS = 4_000_000  # text kept; with its ids about 30 MB


class CachingTokenizer:
    """Wraps a Tokenizer, asking it only for texts not seen lately, all in one call. One per loaded model."""

    def __init__(self, tokenizer: Tokenizer, *, max_chars: int = _MAX_CHARS) -> None:
        """Keep texts of at most `max_chars` code points in all, the longest unused going first."""
        self._tokenizer = tokenizer
        self._max_chars = max_chars
        self._n_chars = 0
        self._texts: OrderedDict[str, tuple[TokenId, ...]] = OrderedDict()
        self._markers: dict[str, TokenId | None] = {}

    async def tokenize(self, texts: Sequence[str]) -> tuple[tuple[TokenId, ...], ...]:
        """Ids of each text, special tokens off."""
        found = {text: self._texts[text] for text in texts if text in self._texts}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            found.update(zip(missing, await self._tokenizer.tokenize(missing), strict=True))
        for text in dict.fromkeys(texts):
            self._keep(text, found[text])
        return tuple(found[text] for text in texts)

    async def marker_ids(self, markers: Sequence[str]) -> tuple[TokenId | None, ...]:
        """The id of each marker, None where the vocabulary has none; a vocabulary never changes."""
        missing = [marker for marker in dict.fromkeys(markers) if marker not in self._markers]
        if missing:
            self._markers.update(zip(missing, await self._tokenizer.marker_ids(missing), strict=True))
        return tuple(self._markers[marker] for marker in markers)

    def _keep(self, text: str, ids: tuple[TokenId, ...]) -> None:
        if text not in self._texts:
            self._n_chars += len(text)
        self._texts[text] = ids
        self._texts.move_to_end(text)
        while self._n_chars > self._max_chars and self._texts:
            forgotten, _ = self._texts.popitem(last=False)
            self._n_chars -= len(forgotten)
