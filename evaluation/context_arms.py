"""What of other files the model is shown, chosen by hand: to measure what context is worth, on the same records.

Everything else stays: model, options, budget, the file with the hole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from fimble.core.errors import InputError
from fimble.core.flow import Chunk, Completion, CompletionRequest, Rejection, RequestId
from fimble.engine.complete import Engine
from fimble.engine.indexing import index_of_copy
from fimble.evaluation.answers import Completer, OpenCompleter
from fimble.evaluation.answers import opener as as_opener
from fimble.evaluation.records import Record
from fimble.evaluation.targets import Subject

# Of the lines of the shorter file.
_TWIN_SHARE = 0.6
_NOT_COPIED = {".git", "node_modules"}
_NO_SOURCES = shutil.ignore_patterns(*_NOT_COPIED)

ContextArm = Literal["workspace", "none", "given", "repository"]


def with_context(subject: Subject, arm: ContextArm, records: Sequence[Record], repositories: Path | None) -> Subject:
    """The subject, shown other files as `arm` says.

    workspace: fimble chooses from the files that the record gives, as the record's workspace. none: nothing. given:
    the record's pieces as they are, in their order, as far as they fit. repository: fimble chooses from the whole
    repository, which lies in `repositories` as OWNER__NAME; the hole is in its copy.

    Raises:
        InputError: a record's repository is not there.
    """
    by_id = {RequestId(record.id): record for record in records}
    openers: dict[ContextArm, Callable[[OpenCompleter], OpenCompleter]] = {
        "workspace": lambda opener: opener,
        "none": lambda opener: _given_opener(opener, {}),
        "given": lambda opener: _given_opener(opener, by_id),
    }
    if arm == "repository":
        found = {record_id: _repository_of(record, repositories) for record_id, record in by_id.items()}
        openers["repository"] = lambda opener: as_opener(InRepository(opener, by_id, found, subject.cache))

    def completers(lines: str) -> OpenCompleter:
        return openers[arm](subject.completers(lines))

    return dataclasses.replace(subject, completers=completers)


def files_digest(records: Sequence[Record], repositories: Path | None) -> str:
    """Short name of what files, of what size, the records' repositories hold: others are not taken for the same.

    Raises:
        InputError: a record's repository is not there.
    """
    digest = hashlib.sha256()
    for root in sorted({_repository_of(record, repositories) for record in records}):
        for folder, names, files in os.walk(root):
            names[:] = sorted(set(names) - _NOT_COPIED)
            for path in (Path(folder, name) for name in sorted(files)):
                digest.update(
                    f"{root.name}/{path.relative_to(root).as_posix()}\0{path.lstat().st_size}\0".encode(
                        "utf-8", "surrogateescape"
                    )
                )
    return digest.hexdigest()[:12]


class Given:
    """A context source: the pieces that a record comes with."""

    name = "given"

    def __init__(self, records: Mapping[RequestId, Record]) -> None:
        """Requests are known by their records' ids; one of no record gets nothing."""
        self._records = records

    async def collect(self, request: CompletionRequest) -> Sequence[Chunk]:
        """Each piece, best first as the record has them."""
        record = self._records.get(request.request_id)
        pieces = record.cross_file if record is not None else ()
        return [
            Chunk(piece.path, piece.text, self.name, 1.0 / rank, rank)  # the rank as line: pieces of a file in order
            for rank, piece in enumerate(pieces, start=1)
        ]


class InRepository:
    """Asks about each record's file as the file of its repository, in a copy where it has the hole."""

    def __init__(
        self,
        opener: OpenCompleter,
        records: Mapping[RequestId, Record],
        repositories: Mapping[RequestId, Path],
        cache: Path | None,
    ) -> None:
        """`opener` opens an engine in a copy of one of the `repositories`, which looks for its index in `cache`."""
        self._opener = opener
        self._records = records
        self._repositories = repositories
        self._cache = cache

    async def complete(self, request: CompletionRequest) -> Completion | Rejection:
        """The answer, once the sources have seen all they want to, however long a busy machine takes."""
        record = self._records[request.request_id]
        with tempfile.TemporaryDirectory(prefix="fimble-repository-") as folder:
            root = Path(folder) / "repository"
            shutil.copytree(self._repositories[request.request_id], root, symlinks=True, ignore=_NO_SOURCES)
            place = root / record.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(request.document.text, "utf-8", "surrogatepass", newline="")
            gone = _remove_twins(root, place, request.document.text)
            repository, changed = self._repositories[request.request_id], [record.path, *gone]
            indexed = index_of_copy(self._cache, repository, root, changed) if self._cache else contextlib.nullcontext()
            with indexed:
                async with self._opener(root) as completer:
                    document = dataclasses.replace(request.document, uri=place.as_uri())
                    asked = dataclasses.replace(request, document=document)
                    await _engine(completer).explain(asked)
                    return await completer.complete(asked)


def _remove_twins(root: Path, place: Path, text: str) -> list[str]:
    """Take out what is the record's own file at another path, for the repository may be of another commit.

    Returns their paths below `root`.
    """
    lines = {line.strip() for line in text.split("\n") if line.strip()}
    twins: list[Path] = []
    for other in root.rglob(glob.escape(place.name)):
        if other == place or not other.is_file():
            continue
        there = {line.strip() for line in other.read_text("utf-8", "replace").split("\n") if line.strip()}
        if len(lines & there) > _TWIN_SHARE * max(1, min(len(lines), len(there))):
            twins.append(other)
    for twin in twins:
        twin.unlink()
    return [twin.relative_to(root).as_posix() for twin in twins]


def _given_opener(opener: OpenCompleter, records: Mapping[RequestId, Record]) -> OpenCompleter:
    @contextlib.asynccontextmanager
    async def open_it(workspace: Path) -> AsyncGenerator[Completer]:
        async with opener(workspace) as completer:
            engine = _engine(completer)
            engine.use_sources((Given(records),))
            yield engine

    return open_it


def _repository_of(record: Record, repositories: Path | None) -> Path:
    name = str(record.meta.get("repo", ""))
    root = (repositories or Path()) / name.replace("/", "__")
    if repositories is None or not name or not root.is_dir():
        raise InputError(
            f"{record.id}: its repository {name or '(none is named)'} is not at hand",
            mend="Give --repositories FOLDER, with each repository in it as OWNER__NAME.",
        )
    return root


def _engine(completer: Completer) -> Engine:
    if not isinstance(completer, Engine):
        raise InputError("Only fimble's own engine can be shown other files.", mend="Use --backend fimble.")
    return completer
