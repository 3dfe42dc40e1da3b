"""The served model's own vocabulary, read from its GGUF in this process: no weights, no model process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fimble.backend.llama.model import LlamaModel, LoadOptions
from fimble.context.prompt.fim import Family, choose_family
from fimble.core.errors import ModelUnsuitableError
from fimble.core.flow import ModelInfo, TokenId


class GgufVocabulary:
    """A Tokenizer (core.ports) over a GGUF's vocabulary."""

    def __init__(self, path: Path, model_id: str) -> None:
        """Read it.

        Raises:
            ModelError: there is no such file, or llama.cpp cannot read it.
        """
        self._model = LlamaModel(LoadOptions(path, vocab_only=True))
        self.info = ModelInfo(
            model_id=model_id,
            name=self._model.metadata("general.name") or path.stem,
            architecture=self._model.metadata("general.architecture"),
            n_vocab=self._model.n_vocab,
            n_ctx=0,
            fim_tokens=dict(self._model.fim_tokens()),
            eog_tokens=self._model.end_tokens(),
            n_gpu_layers=0,
            size_bytes=0,
        )

    async def tokenize(self, texts: Sequence[str]) -> tuple[tuple[TokenId, ...], ...]:
        """Ids of each text, special tokens off."""
        return tuple(tuple(self._model.tokenize(text)) for text in texts)

    async def marker_ids(self, markers: Sequence[str]) -> tuple[TokenId | None, ...]:
        """The id of each marker."""
        return tuple(self._model.marker_id(marker) for marker in markers)

    def piece(self, token: TokenId) -> bytes:
        """The bytes a token stands for; markers have none."""
        return self._model.piece(token)

    def family(self) -> Family:
        """How this model is asked.

        Raises:
            ModelUnsuitableError: it is no fill-in-the-middle model.
        """
        return choose_family(self.info)

    def end_of_middle(self, family: Family) -> TokenId:
        """The marker that is taught to end a middle: the family's first end marker that the vocabulary has.

        Raises:
            ModelUnsuitableError: it has none of them, so that nothing could be taught to stop.
        """
        for marker in family.stop_markers:
            token = self._model.marker_id(marker)
            if token is not None:
                return token
        raise ModelUnsuitableError(
            f"The vocabulary of {self.info.model_id} has no marker that ends a middle.",
            mend="Choose a code model trained to fill in the middle; `fimble models list` shows tested ones.",
        )

    def close(self) -> None:
        """Free it."""
        self._model.close()
