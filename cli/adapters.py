"""`fimble models adapter`: add, list and remove adapters, which change how a model answers."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from fimble.backend.catalog.adapters import AdapterStore
from fimble.backend.catalog.catalog import load_catalog
from fimble.backend.catalog.store import ModelStore
from fimble.engine.settings import Settings, load_settings


@click.group()
def adapter() -> None:
    """Adapters on this machine; `model.adapter` says which one is in use."""


@adapter.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.gguf")
@click.option("--as", "name", metavar="NAME", help="Name to give it, instead of the file's own.")
def add(file: Path, name: str | None) -> None:
    """Take in an adapter, such as `fimble tune export` makes."""
    _, store = _open()
    added = store.add(file, name)
    click.echo(f"{added.name} added, {added.size_bytes / 1e6:.1f} MB, sha256 {added.sha256}")
    click.echo(f'Use it: set model.adapter to "{added.name}" (or FIMBLE_MODEL_ADAPTER={added.name}).')


@adapter.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per adapter, in an array.")
def list_adapters(as_json: bool) -> None:
    """Show every adapter and the model it was made for."""
    settings, store = _open()
    found = store.all()
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    models = ModelStore(settings.paths.models, load_catalog())
    by_sha256 = {model.sha256: model.id for model_id in models.ids() if (model := models.find(model_id))}
    for one in found:
        mark = ">" if one.name == settings.config.model.adapter else " "
        base = by_sha256.get(one.base_sha256, "a model not here") if one.base_sha256 else "any model of its shape"
        click.echo(f"{mark} {one.name}  {one.size_bytes / 1e6:.1f} MB  for {base} ({one.architecture})")
    click.echo(f"Folder: {store.folder}" if found else f"No adapters in {store.folder}.")


@adapter.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def remove(names: tuple[str, ...]) -> None:
    """Delete adapters from this machine."""
    settings, store = _open()
    for name in names:
        n_bytes = store.remove(name)
        click.echo(f"{name} removed, {n_bytes / 1e6:.1f} MB freed")
        if name == settings.config.model.adapter:
            click.echo("It is still set as model.adapter: unset that, or completions end in an error.", err=True)


def _open() -> tuple[Settings, AdapterStore]:
    settings = load_settings()
    for problem in settings.problems:
        click.echo(f"fimble: setting not used: {problem}", err=True)
    return settings, AdapterStore(settings.paths.models)
