"""Which grammar of the user's own a file has: in `.fimble/grammars/` of its workspace, or a local `$schema`.

`.fimble/grammars/NAME.lark`, `NAME.gbnf` or `NAME.schema.json` is for files called NAME, or whose name ends with
`.NAME`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from fimble.core.flow import GrammarKind, UserGrammar

_log = logging.getLogger(__name__)

FOLDER = Path(".fimble", "grammars")
_ENDINGS = {".lark": GrammarKind.LARK, ".gbnf": GrammarKind.GBNF, ".schema.json": GrammarKind.JSON_SCHEMA}
_MAX_BYTES = 1_000_000
# So much of a file's beginning decides.
HEAD_CHARS = 2_000
# At the head of a JSON file, and never over the network: only a path within the workspace counts.
_SCHEMA = re.compile(r'\A\s*\{[^{}\[\]]{0,400}"\$schema"\s*:\s*"(?P<path>[^"\s]{1,300})"')


class UserGrammars:
    """The grammars of one workspace; files that change are read anew."""

    def __init__(self, workspace: Path | None) -> None:
        """Nothing is read yet. Without a workspace there are none."""
        self._workspace = workspace
        self._read: dict[Path, tuple[int, UserGrammar | None]] = {}

    def grammar_of(self, path: Path | None, head: str) -> UserGrammar | None:
        """The grammar of a file that begins with `head`; None where it has none that can be read."""
        if self._workspace is None or path is None:
            return None
        for file, kind in self._candidates(path, head):
            if found := self._load(file, kind):
                return found
        return None

    def all_files(self) -> list[tuple[Path, GrammarKind]]:
        """Every grammar in the workspace's folder."""
        folder = self._workspace / FOLDER if self._workspace else None
        if folder is None or not folder.is_dir():
            return []
        return [(file, kind) for file in sorted(folder.iterdir()) for end, kind in _ENDINGS.items() if _ends(file, end)]

    def _candidates(self, path: Path, head: str) -> Iterator[tuple[Path, GrammarKind]]:
        workspace = self._workspace
        if workspace is None:
            return
        names = [path.name, *(path.name[at + 1 :] for at, char in enumerate(path.name) if char == ".")]
        # One look at the disk for the many workspaces that have none.
        for name in filter(None, names if (workspace / FOLDER).is_dir() else ()):
            for ending, kind in _ENDINGS.items():
                yield workspace / FOLDER / f"{name}{ending}", kind
        if path.suffix == ".json" and (found := _SCHEMA.match(head)) and "://" not in found["path"]:
            schema = (path.parent / found["path"]).resolve()
            if schema.is_relative_to(workspace.resolve()):
                yield schema, GrammarKind.JSON_SCHEMA

    def _load(self, file: Path, kind: GrammarKind) -> UserGrammar | None:
        try:
            changed_ns = file.stat().st_mtime_ns
            known = self._read.get(file)
            if known is None or known[0] != changed_ns:
                if file.stat().st_size > _MAX_BYTES:
                    _log.warning("%s is too large for a grammar", file)
                    known = (changed_ns, None)
                else:
                    known = (changed_ns, UserGrammar(kind, file.read_text("utf-8")))
                self._read[file] = known
            return known[1]
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            _log.warning("%s cannot be read: %s", file, type(error).__name__)
            return None


def _ends(file: Path, ending: str) -> bool:
    return file.name.endswith(ending) and file.name != ending
