"""Reading the file that the command line names, the place in it and its workspace. Every wrong input is a sentence."""

from __future__ import annotations

import codecs
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from fimble.context.gather import path_of_uri
from fimble.context.index.root import find_root
from fimble.core.errors import InputError
from fimble.core.flow import Document
from fimble.core.position import ByteOffset, CharColumn, LineIndex, TextIndex
from fimble.syntax.languages import language_id_for_path

_BINARY_PROBE_BYTES = 8192

workspace_option = click.option(
    "--workspace",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder whose other files may be shown to the model; by default the repository that the file is in.",
)


@dataclass(frozen=True, slots=True)
class Place:
    """A document, a cursor in its text, and how many bytes of the file come before the text (a byte order mark)."""

    document: Document
    cursor: ByteOffset
    n_mark_bytes: int


def read_place(location: str, stdin_path: str | None) -> Place:
    """`PATH:LINE:COL`, 1-based, columns in characters as editors show them; `-:LINE:COL` reads standard input.

    Raises:
        InputError: no such file, not text, or no such position in it.
    """
    path_text, line, column = _split(location)
    if path_text == "-":
        if not stdin_path:
            raise InputError("Text from standard input needs --path, to know its language.")
        raw, path = sys.stdin.buffer.read(), Path(stdin_path)
    else:
        path = Path(path_text)
        raw = _read_file(path)
    text = decode(raw, str(path))
    n_mark_bytes = len(codecs.BOM_UTF8) if raw.startswith(codecs.BOM_UTF8) else 0
    document = Document(path.absolute().as_uri(), language_id_for_path(str(path)), 0, text)
    return Place(document, _cursor(text, line, column, str(path)), n_mark_bytes)


def workspace_of(place: Place, chosen: Path | None) -> Path | None:
    """The folder that `workspace_option` named, else the one that the file belongs to, if there is one."""
    return chosen or find_root(Path(path_of_uri(place.document.uri)))


def decode(raw: bytes, name: str) -> str:
    """UTF-8 text, with or without a byte order mark.

    Raises:
        InputError: binary, or another encoding.
    """
    for mark, encoding in ((codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16")):
        if raw.startswith(mark):
            raise InputError(f"{name} is {encoding} text.", mend="Convert it to UTF-8, which fimble reads.")
    if b"\0" in raw[:_BINARY_PROBE_BYTES]:
        raise InputError(f"{name} is a binary file.", mend="fimble completes text.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not UTF-8 text: byte {error.object[error.start]:#04x} at offset {error.start}.",
            mend="Convert it, for example with `iconv -f latin1 -t utf-8`.",
        ) from error


def _split(location: str) -> tuple[str, int, int]:
    path, *numbers = location.rsplit(":", 2)
    if len(numbers) != 2 or not path or not all(number.isascii() and number.isdigit() for number in numbers):
        raise InputError(f"{location!r} is not PATH:LINE:COL.", mend="For example src/app.py:12:5, both from 1.")
    return path, int(numbers[0]), int(numbers[1])


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None


def _cursor(text: str, line: int, column: int, name: str) -> ByteOffset:
    index = TextIndex(text)
    if not 1 <= line <= index.n_lines:
        raise InputError(f"{name} has {index.n_lines} lines; there is no line {line}.")
    n_columns = len(index.line_text(LineIndex(line - 1)))
    if not 1 <= column <= n_columns + 1:
        raise InputError(f"Line {line} of {name} has columns 1 to {n_columns + 1}; there is no column {column}.")
    return index.from_chars(line - 1, CharColumn(column - 1))
