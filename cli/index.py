"""`fimble index [FOLDER]`: bring a workspace's symbol index up to date here and now, and say what is in it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import click
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import Progress

from fimble.context.index.refresh import Refreshed, refresh
from fimble.context.index.root import find_root
from fimble.context.index.store import BusyIndexError, DamagedIndexError, IndexStats, IndexStore, index_path
from fimble.core.errors import FimbleError
from fimble.engine.settings import user_paths

_LOCK_WAIT_S = 2.0


@click.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--stats", "only_stats", is_flag=True, help="Only say what is in the index; read no file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def index(folder: Path | None, only_stats: bool, as_json: bool) -> None:
    """Index the code in FOLDER, or in the repository around the current folder.

    The language server does this by itself; the command is for looking, and for scripts. Ignored files
    (`.gitignore`, `.fimbleignore`), generated ones and files with secrets by their name stay out.
    """
    root = folder or find_root(Path.cwd() / "here")
    if root is None:
        raise FimbleError(f"{Path.cwd()} is no project.", mend="Name a folder: `fimble index FOLDER`.")
    root = root.absolute()
    path = index_path(user_paths(os.environ).cache, root)
    if only_stats and not path.exists():
        raise FimbleError(f"There is no index of {root} yet.", mend="Make one with `fimble index`.")
    started = time.perf_counter()
    try:
        store = IndexStore(path)
    except OSError as error:
        raise FimbleError(f"{path} cannot be written: {error.strerror}.", mend="Check the cache folder.") from error
    except BusyIndexError as error:
        raise _in_use(path) from error
    try:
        refreshed = None if only_stats else _refresh(root, store, path, quiet=as_json)
        stats = store.stats()
    except DamagedIndexError as error:
        raise FimbleError(f"{path} was damaged; it is empty now.", mend="Fill it with `fimble index`.") from error
    except BusyIndexError as error:
        raise _in_use(path) from error
    finally:
        store.close()
    seconds = time.perf_counter() - started
    if as_json:
        click.echo(json.dumps(_as_json(root, path, stats, refreshed, seconds)))
        return
    if refreshed is not None:
        click.echo(f"Read {refreshed.n_read} files, forgot {refreshed.n_removed}, in {seconds:.1f} s.")
        if refreshed.n_failed:
            click.echo(f"{refreshed.n_failed} files could not be read and are left out.")
    languages = ", ".join(f"{name} {n_files}" for name, n_files in stats.languages.items())
    click.echo(f"{root}: {stats.n_files} files ({languages or 'none'}), {stats.n_definitions} definitions.")
    click.echo(f"{path}: {stats.size_bytes / 1e6:.1f} MB.")


def _refresh(root: Path, store: IndexStore, path: Path, *, quiet: bool) -> Refreshed:
    try:
        with (
            FileLock(f"{path}.lock", timeout=_LOCK_WAIT_S),
            Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress,
        ):
            task = progress.add_task("reading", total=None)

            def show(n_read: int, n_total: int) -> None:
                progress.update(task, completed=n_read, total=n_total)

            return refresh(root, store, on_progress=show)
    except Timeout:
        raise FimbleError(
            f"{root} is being indexed by a language server.", mend="Wait for it, or use `--stats`."
        ) from None


def _in_use(path: Path) -> FimbleError:
    return FimbleError(f"{path} is held by another process.", mend="Try again when that is done.")


def _as_json(
    root: Path, path: Path, stats: IndexStats, refreshed: Refreshed | None, seconds: float
) -> dict[str, object]:
    return {
        "workspace": str(root),
        "index": str(path),
        "n_files": stats.n_files,
        "n_definitions": stats.n_definitions,
        "n_windows": stats.n_windows,
        "size_bytes": stats.size_bytes,
        "languages": dict(stats.languages),
        "n_read": refreshed.n_read if refreshed else None,
        "n_removed": refreshed.n_removed if refreshed else None,
        "n_failed": refreshed.n_failed if refreshed else None,
        "seconds": round(seconds, 3),
    }
