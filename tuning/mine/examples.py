"""What mining leaves behind: files with their texts once, and examples that point into them.

A mined folder holds `files.jsonl.gz`, `examples.jsonl.gz` and `report.json`. It is whole without the repositories.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fimble.core.errors import InputError
from fimble.core.position import CharIndex

FILES = "files.jsonl.gz"
EXAMPLES = "examples.jsonl.gz"
REPORT = "report.json"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a repository. Files that only serve as context (`is_mined` False) are near-duplicates or tests of
    size; nothing of an evaluation set is among either.
    """

    id: str
    repository: str
    path: str
    language: str
    text: str
    is_mined: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A gap `[start, end)` in characters of a file's text. `difficulty` is higher for harder ones, `stage` counts from
    0, the easiest.
    """

    id: str
    file_id: str
    kind: str
    language: str
    start: CharIndex
    end: CharIndex
    n_lines: int
    difficulty: float
    stage: int


@dataclass(frozen=True, slots=True)
class Mined:
    """Everything in a mined folder."""

    files: dict[str, SourceFile]
    examples: tuple[Example, ...]

    def parts(self, example: Example) -> tuple[str, str, str]:
        """Prefix, middle and suffix: together exactly the file."""
        text = self.files[example.file_id].text
        return text[: example.start], text[example.start : example.end], text[example.end :]


def file_id_of(repository: str, path: str) -> str:
    """A short name for a file, the same in every run."""
    return hashlib.sha256(f"{repository}\0{path}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def save(folder: Path, files: Iterable[SourceFile], examples: Iterable[Example], report: dict[str, Any]) -> None:
    """Write a mined folder; the report last, so that a folder without one is unfinished.

    Raises:
        InputError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT).unlink(missing_ok=True)
        _write(folder / FILES, (asdict(file) for file in files))
        _write(folder / EXAMPLES, (asdict(example) for example in examples))
        (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise InputError(f"{folder} cannot be written to: {error.strerror}.", mend="Choose another folder.") from error


def load(folder: Path) -> Mined:
    """Read a mined folder.

    Raises:
        InputError: it is none, or unfinished, or damaged.
    """
    mend = "Make it with `fimble tune mine PATHS --out FOLDER`."
    if not (folder / REPORT).is_file():
        raise InputError(f"{folder} is no finished folder of mined examples.", mend=mend)
    try:
        files = {value["id"]: SourceFile(**value) for value in _read(folder / FILES)}
        examples = tuple(Example(**value) for value in _read(folder / EXAMPLES))
    except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder} is damaged: {error}", mend=mend) from error
    return Mined(files, examples)


def _write(path: Path, values: Iterable[dict[str, Any]]) -> None:
    # Without a time in it equal contents give equal bytes, and so equal data hashes.
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as file:
        for value in values:
            file.write(json.dumps(value, ensure_ascii=True).encode("ascii") + b"\n")


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rb") as file:
        for line in file:
            yield json.loads(line)
