"""One workspace as sources see it: its files, their outlines, its packages. Outlines are cached by the file's stamp."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from fimble.context.index.files import FileTable, Stamp, scan, stamp_of
from fimble.context.index.ignore import MAX_FILE_BYTES, is_unfit
from fimble.syntax.languages import Language, language_for, language_id_for_path
from fimble.syntax.outline.model import Outline
from fimble.syntax.outline.read import has_outlines, outline_of

_MAX_OUTLINES = 2_000


class Workspace:
    """Reads files when asked. Safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        """Nothing is read yet."""
        self.root = root
        self._lock = threading.Lock()
        self._files: FileTable | None = None
        self._outlines: OrderedDict[str, tuple[Stamp, Outline]] = OrderedDict()
        self._packages: Mapping[str, tuple[str, ...]] | None = None
        # Of every file, as a solution has more of them than there is room for outlines: with one new file the others
        # are not to be read again. The stamp is that of the table.
        self._package_of: dict[str, tuple[Stamp, str | None]] = {}

    @property
    def files(self) -> FileTable:
        """The files that count, scanned when first asked for."""
        files = self._files
        if files is None:
            files = scan(self.root)
            with self._lock:
                self._files = self._files or files
        return self._files or files

    def replace_files(self, files: FileTable) -> None:
        """A newer table has been made."""
        with self._lock:
            self._files = files
            self._packages = None
            for path in self._package_of.keys() - files.stamps.keys():
                del self._package_of[path]

    def text(self, path: str) -> str | None:
        """A file's text; None where it does not count or cannot be read."""
        if path not in self.files:
            return None
        try:
            raw = (self.root / path).read_bytes()
        except OSError:
            return None
        if len(raw) > MAX_FILE_BYTES:
            return None
        return raw.decode("utf-8", "replace").removeprefix("\ufeff")

    def stamps(self, paths: Iterable[str]) -> tuple[Stamp | None, ...]:
        """What tells these files from what they were before; None for one that does not count or is gone."""
        return tuple(stamp_of(self.root / path) if path in self.files else None for path in paths)

    def outline(self, path: str) -> Outline | None:
        """A file's outline as the file is now; None where it does not count or cannot be read."""
        [stamp] = self.stamps([path])
        if stamp is None:
            return None
        with self._lock:
            known = self._outlines.get(path)
            if known is not None and known[0] == stamp:
                self._outlines.move_to_end(path)
                return known[1]
        outline = self._read_outline(path)
        if outline is None:
            return None
        with self._lock:
            self._outlines[path] = (stamp, outline)
            self._outlines.move_to_end(path)
            while len(self._outlines) > _MAX_OUTLINES:
                self._outlines.popitem(last=False)
        return outline

    def package_files(self, package: str) -> tuple[str, ...]:
        """Files that say they belong to a namespace (C#), in the order of their paths."""
        packages = self._packages
        if packages is None:
            files = self.files
            packages = self._read_packages(files)
            with self._lock:
                if self._files is files:  # else these are of a table that has been replaced meanwhile
                    self._packages = packages
        return packages.get(package, ())

    def is_in_other_package(self, path: str, stamp: Stamp) -> bool:
        """Whether a file that had this stamp when last looked at left the namespace that it is known to belong to."""
        known = self._package_of.get(path)
        return known is not None and known[1] != self._package(path, stamp)

    def _read_outline(self, path: str) -> Outline | None:
        language = code_language(path)
        text = self.text(path)
        if language is None or text is None:
            return None
        return Outline() if is_unfit(text) else outline_of(language, text)

    def _read_packages(self, files: FileTable) -> Mapping[str, tuple[str, ...]]:
        packages: dict[str, list[str]] = {}
        for path, stamp in files.stamps.items():
            if path.endswith(".cs") and (package := self._package(path, stamp)) is not None:
                packages.setdefault(package, []).append(path)
        return {package: tuple(paths) for package, paths in packages.items()}

    def _package(self, path: str, stamp: Stamp) -> str | None:
        known = self._package_of.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        outline = self.outline(path)
        package = outline.package if outline is not None else None
        with self._lock:
            self._package_of[path] = (stamp, package)
        return package


def code_language(path: str) -> Language | None:
    """The language of a file that can have an outline."""
    return _language_of_name(path.rpartition("/")[2])


@lru_cache(maxsize=20_000)
def _language_of_name(name: str) -> Language | None:
    language = language_for(language_id_for_path(name), name)
    return language if language is not None and has_outlines(language) else None
