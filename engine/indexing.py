"""A whole index of a copy of a repository, made at once: what is measured must not hang on how far an index is."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Generator, Sequence
from pathlib import Path

from fimble.context.index.files import scan
from fimble.context.index.refresh import refresh, refresh_files
from fimble.context.index.store import IndexStore, index_path


@contextlib.contextmanager
def index_of_copy(cache: Path, repository: Path, root: Path, changed: Sequence[str]) -> Generator[None]:
    """While it lasts, `cache` has an index of `root`, a copy of `repository` in which the files `changed` differ.

    The repository's own index is made once, and taken for what it is from then on.
    """
    known, own = index_path(cache, repository), index_path(cache, root)
    if not known.exists():
        with contextlib.closing(IndexStore(known)) as store:
            refresh(repository, store)
    shutil.copy(known, own)
    with contextlib.closing(IndexStore(own)) as store:
        refresh_files(root, store, scan(root), changed)
    try:
        yield
    finally:
        for part in own.parent.glob(f"{own.name}*"):
            part.unlink()
