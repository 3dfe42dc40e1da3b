"""`fimble cache`: what the model process keeps on disk of what it has read: show, purge."""

from __future__ import annotations

import click

from fimble.engine.settings import load_settings


@click.group()
def cache() -> None:
    """What the model has read, kept on this machine for its next start. Switch: host.kv_disk_mb."""


@cache.command()
def show() -> None:
    """Say whether anything is kept, where, and how much."""
    from fimble.backend.host.launch import places

    settings = load_settings()
    n_allowed_mb = settings.config.host.kv_disk_mb
    folder = places(settings.paths).kv_states
    sizes = [path.stat().st_size for path in folder.glob("*") if path.is_file()]
    click.echo(f"Keeping is {f'on, up to {n_allowed_mb} MiB' if n_allowed_mb else 'off'} (host.kv_disk_mb).")
    click.echo(f"{folder}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB.")


@cache.command()
def purge() -> None:
    """Delete it, with the code in it. A model process that runs writes no more of it until it is started again."""
    from fimble.backend.host.launch import places
    from fimble.backend.llama.kvdisk import forget

    n_files, n_bytes = forget(places(load_settings().paths).kv_states)
    click.echo(f"Deleted: {n_files} files, {n_bytes / 1e6:.1f} MB.")
