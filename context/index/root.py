"""Which folder a file's workspace is, where no editor says so."""

from __future__ import annotations

from pathlib import Path

_REPOSITORY = (".git", ".hg", ".svn", ".jj")
_PROJECT = ("pyproject.toml", "setup.py", "package.json", "go.mod", "Cargo.toml", "pom.xml", "build.gradle",
            "build.gradle.kts", "CMakeLists.txt", "Makefile")  # fmt: skip


def find_root(path: Path) -> Path | None:
    """The repository that a file is in, else the outermost project below the home folder, else the file's folder.

    None for a file right in the home folder, or at the top of the disk: what else is there does not belong to it.
    """
    folder = path.absolute().parent
    tops = (Path.home(), Path(folder.anchor))
    if folder in tops:
        return None
    outermost = folder
    for at in (folder, *folder.parents):
        if at in tops:
            break  # a home folder under version control is no workspace
        if any((at / name).exists() for name in _REPOSITORY):
            return at
        if any((at / name).is_file() for name in _PROJECT):
            outermost = at
    return outermost
