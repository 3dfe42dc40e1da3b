"""A vocabulary of words, for tests without weights: a name, a run of blanks, a line end or a sign is one token."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

from fimble.context.prompt.fim import FAMILIES, Family, choose_family
from fimble.core.errors import ModelUnsuitableError
from fimble.core.flow import ModelInfo, TokenId

_QWEN = next(family for family in FAMILIES if family.name == "qwen2.5-coder")
_PIECE = re.compile(r"\w+| +|\n|[^\w ]")
_FIRST_WORD = 1_000
_N_WORDS = 1 << 24
_texts: dict[int, str] = {}


class WordVocabulary:
    """Stands in for tuning.prepare.vocabulary.GgufVocabulary. Ids are the same in every instance."""

    def __init__(self, markers: tuple[str, ...] = _QWEN.all_markers) -> None:
        self._markers = {marker: TokenId(i) for i, marker in enumerate(markers)}
        declared = {"pre": _QWEN.prefix_marker, "suf": _QWEN.suffix_marker, "mid": _QWEN.middle_marker}
        self.info = ModelInfo(
            model_id="words" if not markers else "qwen2.5-coder-words",
            name="words",
            architecture="qwen2" if markers else "words",
            n_vocab=_FIRST_WORD + _N_WORDS,
            n_ctx=0,
            fim_tokens=declared if markers else {},
            eog_tokens=(),
            n_gpu_layers=0,
            size_bytes=0,
        )

    async def tokenize(self, texts: Sequence[str]) -> tuple[tuple[TokenId, ...], ...]:
        return tuple(tuple(self._id(piece) for piece in _PIECE.findall(text)) for text in texts)

    async def marker_ids(self, markers: Sequence[str]) -> tuple[TokenId | None, ...]:
        return tuple(self._markers.get(marker) for marker in markers)

    def family(self) -> Family:
        return choose_family(self.info)

    def end_of_middle(self, family: Family) -> TokenId:
        for marker in family.stop_markers:
            if marker in self._markers:
                return self._markers[marker]
        raise ModelUnsuitableError("no end marker")

    def text(self, tokens: Sequence[TokenId]) -> str:
        return "".join(_texts.get(token, "") for token in tokens)

    def _id(self, piece: str) -> TokenId:
        token = TokenId(_FIRST_WORD + zlib.crc32(piece.encode("utf-8", "surrogatepass")) % _N_WORDS)
        _texts[token] = piece
        return token
