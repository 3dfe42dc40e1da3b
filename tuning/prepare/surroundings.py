"""What the model sees beside a gap: the definitions that static analysis finds in its repository, and distractors.

The code that gathers for an editor gathers here. The gap's file is handed over without the middle, as in an editor.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path

from fimble.context.gather import gather
from fimble.context.index.refresh import refresh
from fimble.context.index.secrets import without_secrets
from fimble.context.index.store import IndexStore, index_path
from fimble.context.sources.build import Sources, build_sources
from fimble.core.flow import Chunk, CompletionRequest, Context, Document, RequestId
from fimble.core.ports import ContextSource
from fimble.core.position import TextIndex
from fimble.syntax.languages import language_id_for_path
from fimble.tuning.mine.examples import Example, SourceFile

_DISTRACTOR_LINES = 12
_TIME_LIMIT_MS = 20_000.0


class Distractors:
    """A context source of code that has nothing to do with the request: the model must learn to pass it over."""

    name = "distractors"

    def __init__(self, files: Sequence[SourceFile], n_chunks: int, seed: str) -> None:
        """Take `n_chunks` chunks from `files`; the seed decides which."""
        self._files = files
        self._n_chunks = n_chunks
        self._seed = seed

    async def collect(self, request: CompletionRequest) -> Sequence[Chunk]:
        """Windows of lines of other files."""
        generator = random.Random(f"{self._seed}/{request.request_id}")
        others = [file for file in self._files if not request.document.uri.endswith(f"/{file.path}")]
        chunks: list[Chunk] = []
        for file in generator.sample(others, min(self._n_chunks, len(others))):
            lines = file.text.splitlines(keepends=True)
            start = generator.randrange(max(1, len(lines) - _DISTRACTOR_LINES))
            text = without_secrets("".join(lines[start : start + _DISTRACTOR_LINES]))
            if text.strip():
                chunks.append(Chunk(file.path, text, self.name, 0.0, start))
        return chunks


class RepositoryView:
    """One repository laid out on disk, with its index made. Made by `open_view`."""

    def __init__(self, root: Path, files: Sequence[SourceFile], sources: Sources) -> None:
        """`files` are all of the repository's."""
        self._root = root
        self._files = files
        self._sources = sources

    async def context_of(self, example: Example, text: str, *, n_distractors: int, seed: str) -> Context:
        """What an editor's request at the gap would gather, and `n_distractors` chunks of anything else."""
        path = next(file.path for file in self._files if file.id == example.file_id)
        holed = text[: example.start] + text[example.end :]
        document = Document((self._root / path).as_uri(), language_id_for_path(path), 1, holed)
        cursor = TextIndex(holed).to_byte(example.start)
        request = CompletionRequest(RequestId(example.id), document, cursor)
        await self._sources.settle(request)
        extra: list[ContextSource] = [Distractors(self._files, n_distractors, seed)] if n_distractors else []
        context = await gather(request, [*self._sources, *extra], time_limit_ms=_TIME_LIMIT_MS)
        # The folder is a temporary one: its name must not be learned, nor change the data.
        return replace(context, path=f"{self._root.name}/{path}")


@contextlib.asynccontextmanager
async def open_view(files: Sequence[SourceFile], scratch: Path, *, n_tokens: int) -> AsyncGenerator[RepositoryView]:
    """Lay the files of one repository out below `scratch` and index them; chunks may take `n_tokens` tokens."""
    root = scratch / files[0].repository
    for file in files:
        place = root / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.text.encode("utf-8", "surrogatepass"))
    cache = scratch / ".cache"
    store = IndexStore(index_path(cache, root))
    try:
        refresh(root, store)
    finally:
        store.close()
    sources = build_sources(root, n_tokens=n_tokens, cache=cache)
    try:
        yield RepositoryView(root, files, sources)
    finally:
        sources.close()
