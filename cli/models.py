"""`fimble models`: list, pull, import, verify, remove and locate the weights on this machine."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from fimble.backend.catalog.catalog import CatalogEntry, load_catalog
from fimble.backend.catalog.fit import Fit, explain, fit, read_hardware, recommend
from fimble.backend.catalog.store import InstalledModel, ModelStore
from fimble.backend.catalog.verify import OnBytes, OnProgress
from fimble.cli.adapters import adapter
from fimble.core.errors import ModelCorruptError
from fimble.engine.settings import Settings, load_settings

_FIT_MARKS = {Fit.FITS: " ", Fit.TIGHT: "?", Fit.TOO_LARGE: "!"}
_LEGEND = """
> in use    * advised for this machine's CPU    ! more memory than there is    ? than is free
unverified: no checksum known, `pull` asks for --allow-unverified"""
# Narrower than this the notes would leave no room for the rest.
_NOTES_COLUMNS = 120


@click.group()
def models() -> None:
    """The models on this machine, and those it can have."""


models.add_command(adapter)


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per model, in an array.")
def list_models(as_json: bool) -> None:
    """Show every model by name: those here, and those that can be pulled."""
    settings, store = _open()
    hardware = read_hardware()
    rows = [_row(entry, store, fit(entry, hardware)) for entry in store.catalog.entries]
    rows += [_imported_row(model_id, store) for model_id in store.ids() if store.catalog.find(model_id) is None]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    advised = [entry.id for entry in recommend(store.catalog, hardware)[:1]]
    console = Console()
    console.print(_table(rows, settings.config.model.id, advised, notes=console.width >= _NOTES_COLUMNS))
    click.echo(_LEGEND)
    click.echo(f"Folder: {store.folder}")


@models.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--allow-unverified", is_flag=True, help="Take a model for which fimble knows no checksum.")
def pull(ids: tuple[str, ...], allow_unverified: bool) -> None:
    """Fetch models (without ID: the one in use). Stops and goes on where it stopped."""
    from fimble.backend.catalog.download import pull as fetch

    settings, store = _open()
    console = Console(stderr=True)
    entries = [store.catalog.get(model_id) for model_id in ids or (settings.config.model.id,)]
    for entry in dict.fromkeys(entries):
        _announce(entry, console)
        with _bar(entry.id, console) as show:
            pulled = fetch(
                entry,
                store,
                settings.config.network,
                allow_unverified=allow_unverified,
                on_progress=show,
                on_wait=lambda: console.print("Another pull of this model is under way; waiting for it."),
                on_failure=lambda source, reason: console.print(f"[yellow]{escape(source)}:[/] {escape(reason)}"),
            )
        verb = "fetched from" if pulled.fetched else "is here already, from"
        click.echo(f"{entry.id} {verb} {pulled.model.source}, sha256 {pulled.model.sha256}")


@models.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.gguf")
@click.option("--as", "model_id", metavar="ID", help="Name to give it, instead of the catalog's or the file's own.")
@click.option("--link", is_flag=True, help="Link instead of copying: no second copy, but the file must stay unchanged.")
def import_model(file: Path, model_id: str | None, link: bool) -> None:
    """Take in a GGUF file that is on this machine already."""
    _, store = _open()
    with _bar(file.name, Console(stderr=True)) as show:
        model = store.import_file(file, model_id=model_id, link=link, on_bytes=_checksum(show))
    known = store.catalog.find_by_sha256(model.sha256)
    click.echo(f"{model.id} imported: {'the file of the catalog' if known else 'not in the catalog'}, {_sizes(model)}")


@models.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
def verify(ids: tuple[str, ...]) -> None:
    """Compare models with their checksums, byte by byte (without ID: all that are here)."""
    _, store = _open()
    chosen = ids or store.ids()
    if not chosen:
        click.echo(f"No models in {store.folder}.")
    broken: list[ModelCorruptError] = []
    for model_id in chosen:
        try:
            with _bar(model_id, Console(stderr=True)) as show:
                model = store.check(model_id, full=True, on_bytes=_checksum(show))
            click.echo(f"{model_id}: sound, {_sizes(model)}")
        except ModelCorruptError as error:
            broken.append(error)
            click.echo(f"{model_id}: damaged")
    if len(broken) == 1:
        raise broken[0]
    if broken:
        raise ModelCorruptError("\n".join(error.message for error in broken), mend=broken[0].mend)


@models.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
def remove(ids: tuple[str, ...]) -> None:
    """Delete models from this machine, unfinished downloads too."""
    _, store = _open()
    for model_id in ids:
        freed_bytes = store.remove(model_id)
        click.echo(f"{model_id} removed, {_size(freed_bytes)} freed")


@models.command()
@click.argument("model", required=False, metavar="[ID]")
def path(model: str | None) -> None:
    """Print where a model's file is (without ID: the one in use)."""
    settings, store = _open()
    click.echo(store.resolve(model or settings.config.model.id))


def _open() -> tuple[Settings, ModelStore]:
    settings = load_settings()
    for problem in settings.problems:
        click.echo(f"fimble: setting not used: {problem}", err=True)
    return settings, ModelStore(settings.paths.models, load_catalog())


def _row(entry: CatalogEntry, store: ModelStore, entry_fit: Fit) -> dict[str, object]:
    installed = store.find(entry.id)
    return {
        "id": entry.id,
        "family": entry.family,
        "quantization": entry.quantization,
        "size_bytes": installed.size_bytes if installed else entry.size_bytes,
        "sha256": installed.sha256 if installed else entry.sha256,
        "licence": entry.licence,
        "licence_note": entry.licence_note,
        "memory_mb": entry.memory_mb,
        "n_ctx": entry.n_ctx,
        "description": entry.description,
        "default": entry.default,
        "tested": entry.tested,
        "verified": entry.verified,
        "fit": str(entry_fit),
        "installed": store.path_of(entry.id).is_file(),
        "path": str(store.path_of(entry.id)),
    }


def _imported_row(model_id: str, store: ModelStore) -> dict[str, object]:
    installed = store.find(model_id)
    path = store.path_of(model_id)
    return {
        "id": model_id,
        "size_bytes": installed.size_bytes if installed else path.stat().st_size,
        "sha256": installed.sha256 if installed else None,
        "licence": "",
        "description": installed.source if installed else "found in the folder",
        "default": False,
        "tested": False,
        "verified": False,
        "installed": True,
        "path": str(path),
    }


def _table(rows: list[dict[str, object]], used_id: str, advised: list[str], *, notes: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    cells = [_cells(row, used_id, advised) for row in rows]
    for column, heading in enumerate(("", "Model", "", "Size", "Memory", "Licence")):
        widest = max(len(row[column]) for row in [("", "", "", "", "", ""), *cells])
        justify = "right" if heading in ("Size", "Memory") else "left"
        table.add_column(heading, min_width=max(widest, len(heading)), justify=justify, no_wrap=True)
    if notes:
        table.add_column("Notes")
    for row, cell in zip(rows, cells, strict=True):
        note = [escape(str(row["description"]))] if notes else []
        table.add_row(*map(escape, cell), *note, style="bold" if row["installed"] else "")
    return table


def _cells(row: dict[str, object], used_id: str, advised: list[str]) -> tuple[str, str, str, str, str, str]:
    model_id, size_bytes, memory_mb = str(row["id"]), row["size_bytes"], row.get("memory_mb")
    return (
        (">" if model_id == used_id else " ") + ("*" if model_id in advised else " "),
        model_id,
        "here" if row["installed"] else "" if row["verified"] else "unverified",
        _size(size_bytes) if isinstance(size_bytes, int) else "?",
        f"{memory_mb / 1024:.1f} GiB{_FIT_MARKS[Fit(str(row['fit']))]}" if isinstance(memory_mb, int) else "",
        str(row["licence"]),
    )


def _announce(entry: CatalogEntry, console: Console) -> None:
    if entry.licence_note:
        console.print(f"[yellow]Licence of {entry.id}:[/] {escape(entry.licence_note)}")
    hardware = read_hardware()
    if fit(entry, hardware) is not Fit.FITS:
        console.print(f"[yellow]Note:[/] {escape(explain(entry, hardware))}")


@contextmanager
def _bar(name: str, console: Console) -> Generator[OnProgress]:
    """A progress bar that is gone when the work is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[source]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(escape(name), source="", total=None)

        def show(done_bytes: int, total_bytes: int | None, source: str) -> None:
            progress.update(task, completed=done_bytes, total=total_bytes, source=source)

        yield show


def _checksum(show: OnProgress) -> OnBytes:
    return lambda done_bytes, total_bytes: show(done_bytes, total_bytes, "checksum")


def _sizes(model: InstalledModel) -> str:
    return f"{_size(model.size_bytes)}, sha256 {model.sha256}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"
