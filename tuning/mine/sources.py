"""Repositories to mine: folders, and packages as archives (sdist, wheel, zip), each unpacked by itself."""

from __future__ import annotations

import re
import shutil
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fimble.core.errors import InputError

_ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".zip", ".whl")
# At the end of a sdist, an npm package, and what a forge makes of a tag, a branch or a commit.
_VERSION_OR_BRANCH = re.compile(
    r"(?<=.)-(?:v?\d+(?:\.\w+)+(?:[-+.]\w+)*|v?\d+|main|master|trunk|develop|[0-9a-f]{40})$", re.IGNORECASE
)
_MAX_UNPACKED_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Repository:
    """A folder of code. `name` is the folder's or the archive's, without version and endings."""

    name: str
    root: Path


def open_repository(path: Path, unpack_into: Path) -> Repository:
    """The repository at `path`; an archive is unpacked below `unpack_into`, and its only top folder is the root.

    Raises:
        InputError: there is nothing, or it is neither a folder nor an archive that can be read.
    """
    if path.is_dir():
        return Repository(path.resolve().name, path.resolve())
    if not path.is_file():
        raise InputError(f"There is no folder or archive {path}.", mend="Give folders, sdists (.tar.gz) or wheels.")
    ending = next((ending for ending in _ARCHIVES if path.name.lower().endswith(ending)), None)
    if ending is None:
        raise InputError(f"{path} is neither a folder nor an archive.", mend=f"Known archives: {', '.join(_ARCHIVES)}.")
    stem = path.name[: -len(ending)]
    target = unpack_into / stem
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    try:
        if ending in (".zip", ".whl"):
            _unzip(path, target)
        else:
            with tarfile.open(path) as archive:
                if sum(member.size for member in archive.getmembers()) > _MAX_UNPACKED_BYTES:
                    raise InputError(f"{path} unpacks to more than 4 GiB.", mend="Unpack what you need of it yourself.")
                archive.extractall(target, filter="data")  # refuses links and paths that lead out
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as error:
        raise InputError(f"{path} cannot be unpacked: {error}", mend="Fetch the archive again.") from error
    inner = list(target.iterdir())
    root = inner[0] if len(inner) == 1 and inner[0].is_dir() else target
    return Repository(_package_name(stem, is_wheel=ending == ".whl"), root)


def _package_name(stem: str, *, is_wheel: bool) -> str:
    """The name may hold hyphens of its own, but not a wheel's: there they part it from version and tags."""
    return (stem.split("-")[0] if is_wheel else _VERSION_OR_BRANCH.sub("", stem)).lower()


def _unzip(path: Path, target: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > _MAX_UNPACKED_BYTES:
            raise InputError(f"{path} unpacks to more than 4 GiB.", mend="Unpack what you need of it yourself.")
        for member in members:
            pure = PurePosixPath(member.filename)
            if pure.is_absolute() or ".." in pure.parts:
                raise InputError(f"{path} holds {member.filename!r}, which leads out of it.", mend="Do not trust it.")
        archive.extractall(target)
