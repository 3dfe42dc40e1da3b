"""Which folder a file's workspace is, where no editor says so."""

from __future__ import annotations

from pathlib import Path

_REPOSITORY = (".git", ".hg", ".svn", ".jj")
_PROJECT = ("pyproject.toml", "setup.py", "package.json", "go.mod", "Cargo.toml", "pom.xml", "build.gradle",
            "build.gradle.kts", "CMakeLists.txt", "Makefile")  # fmt: skip


def find_root(path: Path) -> Path:
    """The repository that a file is in, else the outermost project below the home folder, else the file's folder."""
    folder = path.absolute().parent
    outermost = folder
    home = Path.home()
    for at in (folder, *folder.parents):
        if at in (home, Path(at.anchor)):
            break  # a home folder under version control is no workspace
        if any((at / name).exists() for name in _REPOSITORY):
            return at
        if any((at / name).is_file() for name in _PROJECT):
            outermost = at
    return outermost
