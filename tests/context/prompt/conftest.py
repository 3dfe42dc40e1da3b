"""Tokenizers for prompt tests: a small one that merges as BPE does, and llama.cpp's own on real vocabularies."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest

from fimble.backend.llama.model import LlamaModel, LoadOptions
from fimble.core.flow import TokenId

# llama.cpp's repository carries the vocabularies of several families without weights, for its own tests; the sdist of
# llama-cpp-python carries llama.cpp's repository.
_SDIST = f"llama_cpp_python-{version('llama-cpp-python')}"
_MEMBER = f"{_SDIST}/vendor/llama.cpp/models/ggml-vocab-{{name}}.gguf"


class MergingTokenizer:
    """Cuts as Qwen2's pre-tokenizer does, then into tokens of at most four characters; special tokens stay off."""

    _PIECES = re.compile(r"[^\r\n\w]?[^\W\d_]+|\d| ?[^\s\w]+[\r\n]*|_+|\s*[\r\n]+|\s+(?!\S)|\s+")

    def __init__(self, markers: Sequence[str] | None = None) -> None:
        """With `markers`, only these are in the vocabulary."""
        self._markers = markers
        self._ids: dict[str, TokenId] = {}
        self.questions: list[tuple[str, ...]] = []

    async def tokenize(self, texts: Sequence[str]) -> tuple[tuple[TokenId, ...], ...]:
        """Ids of each text."""
        self.questions.append(tuple(texts))
        return tuple(tuple(self._id(token) for token in self._tokens(text)) for text in texts)

    async def marker_ids(self, markers: Sequence[str]) -> tuple[TokenId | None, ...]:
        """Ids of markers."""
        known = markers if self._markers is None else self._markers
        return tuple(self._id(f"marker {marker}") if marker in known else None for marker in markers)

    def _tokens(self, text: str) -> Iterator[str]:
        for piece in self._PIECES.findall(text):
            for start in range(0, len(piece), 4):
                yield piece[start : start + 4]

    def _id(self, token: str) -> TokenId:
        return self._ids.setdefault(token, TokenId(len(self._ids)))


class LlamaVocabulary:
    """A GGUF's vocabulary behind the Tokenizer port, as the model process serves it."""

    def __init__(self, path: Path) -> None:
        """Load the vocabulary only."""
        self.model = LlamaModel(LoadOptions(path=path, vocab_only=True))

    async def tokenize(self, texts: Sequence[str]) -> tuple[tuple[TokenId, ...], ...]:
        """Ids of each text, special tokens off."""
        return tuple(tuple(self.model.tokenize(text)) for text in texts)

    async def marker_ids(self, markers: Sequence[str]) -> tuple[TokenId | None, ...]:
        """Ids of markers."""
        return tuple(self.model.marker_id(marker) for marker in markers)


@pytest.fixture
def merging_tokenizer() -> MergingTokenizer:
    """A fresh tokenizer that knows every marker it is asked for."""
    return MergingTokenizer()


@pytest.fixture(scope="session")
def make_tokenizer() -> Callable[[], MergingTokenizer]:
    """Makes fresh tokenizers, for tests that need one for each example."""
    return MergingTokenizer


@pytest.fixture
def tokenizer_with() -> Callable[..., MergingTokenizer]:
    """Makes a tokenizer that knows only the markers it is given."""
    return lambda *markers: MergingTokenizer(markers)


@pytest.fixture(scope="session")
def vocabulary(repo_root: Path) -> Iterator[Callable[[str], LlamaVocabulary]]:
    """Loads a vocabulary of llama.cpp's repository by name, fetching the sdist once per checkout."""
    loaded: dict[str, LlamaVocabulary] = {}

    def load(name: str) -> LlamaVocabulary:
        if name not in loaded:
            loaded[name] = LlamaVocabulary(_vocabulary_path(repo_root / ".cache", name))
        return loaded[name]

    yield load
    for vocabulary in loaded.values():
        vocabulary.model.close()


@pytest.fixture(scope="session")
def qwen_coder(model_path: Path) -> Iterator[LlamaVocabulary]:
    """The default model's own vocabulary."""
    vocabulary = LlamaVocabulary(model_path)
    yield vocabulary
    vocabulary.model.close()


def _vocabulary_path(folder: Path, name: str) -> Path:
    path = folder / "vocabularies" / _SDIST / f"{name}.gguf"
    if not path.exists():
        sdist, reason = _fetch_sdist(folder)
        if not sdist.exists():
            if os.environ.get("FIMBLE_REQUIRE_MODEL"):
                pytest.fail(f"vocabularies must be tested here: {reason}")
            pytest.skip(f"no vocabularies: {reason}")
        with tarfile.open(sdist) as archive:
            member = archive.extractfile(_MEMBER.format(name=name))
            assert member is not None, f"the sdist has no vocabulary {name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")
            part.write_bytes(member.read())
            part.replace(path)
    return path


@cache
def _fetch_sdist(folder: Path) -> tuple[Path, str]:
    """Where the sdist is, and if it is not there, what pip said; asked once a run."""
    folder = Path(os.environ.get("FIMBLE_SDIST_DIR") or folder / "sdist")
    path = folder / f"{_SDIST}.tar.gz"
    if path.exists():
        return path, ""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "llama-cpp-python"]
    requirement = _SDIST.replace("llama_cpp_python-", "llama-cpp-python==")
    run = subprocess.run([*command, "--dest", str(folder), requirement], capture_output=True, text=True, check=False)
    said = (run.stderr.strip().splitlines() or ["nothing"])[-1]
    return path, f"pip could not fetch llama-cpp-python's sdist: {said}"
