"""`fimble telemetry`: what is counted on this machine: show, path, purge, export."""

from __future__ import annotations

import json
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from fimble.core.errors import ConfigError, InputError
from fimble.engine.settings import Settings, load_settings


@click.group()
def telemetry() -> None:
    """What is counted about completions, in a file on this machine. Switch: telemetry.enabled."""


@telemetry.command()
@click.option(
    "--last", type=click.IntRange(0, 1000), default=1, show_default=True, help="So many completions, as stored."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(last: int, as_json: bool) -> None:
    """Say in plain words what is stored, and print the last of it as it is."""
    from fimble.telemetry.database import reading
    from fimble.telemetry.overview import STORED, last_rows, overview

    settings, path = _settings_and_path()
    with reading(path, _now_ms()) as db:
        found = overview(db, path)
        rows = list(last_rows(db, last))
    options = settings.config.telemetry
    if as_json:
        click.echo(
            json.dumps(
                {
                    "enabled": options.enabled,
                    "store_code": options.store_code,
                    "path": str(path),
                    "bytes": found.n_bytes,
                    "completions": found.n_completions,
                    "sessions": found.n_sessions,
                    "code_parts": found.n_code_parts,
                    "first": found.first,
                    "last": found.last,
                    "rows": rows,
                },
                indent=2,
            )
        )
        return
    click.echo(f"Counting is {'on' if options.enabled else 'off'} (telemetry.enabled).")
    click.echo(f"File: {path} ({found.n_bytes / 1e6:.1f} MB), kept for {options.retention_days} days.\n")
    click.echo(STORED)
    if options.store_code:
        click.echo(
            "You have switched telemetry.store_code on: accepted code is stored as well, keys and tokens taken out, "
            f"for {options.code_retention_days} days."
        )
    elif found.n_code_parts:
        click.echo("From when telemetry.store_code was on there is code; `fimble telemetry purge --code` deletes it.")
    click.echo()
    if found.n_completions == 0:
        click.echo("Nothing is stored yet.")
        return
    click.echo(
        f"Completions: {found.n_completions:,}. Runs of a server: {found.n_sessions:,}. Pieces of code: "
        f"{found.n_code_parts:,}. From {found.first} to {found.last}."
    )
    for row in rows:
        click.echo("\n" + "\n".join(f"  {name:20} {value}" for name, value in row.items()))


@telemetry.command()
def path() -> None:
    """Print where the file is."""
    _, file = _settings_and_path()
    click.echo(file)


@telemetry.command()
@click.option("--before", metavar="WHEN", help="Only what is older: 30d, 2026-11-01.")
@click.option("--code", "only_code", is_flag=True, help="Only stored code; counts stay.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(before: str | None, only_code: bool, yes: bool) -> None:
    """Delete what was recorded, for good. Editors may stay open."""
    from fimble.telemetry.period import moment
    from fimble.telemetry.retention import purge as delete

    _, file = _settings_and_path()
    now_ms = _now_ms()
    before_ms = None if before is None else moment(before, now_ms)
    what = "the stored code" if only_code else "everything that was counted, experiments too"
    if before is not None:
        what = f"{'the stored code' if only_code else 'what was counted'} before {before}"
    if not yes:
        click.confirm(f"Delete {what}?", abort=True)
    gone = delete(file, now_ms, before_ms=before_ms, only_code=only_code)
    click.echo(
        f"Deleted: {gone.n_completions:,} completions, {gone.n_code_parts:,} pieces of code"
        + (f", {gone.n_files} files." if gone.n_files else ".")
    )


@telemetry.command()
@click.argument("target", required=False, type=click.Path(path_type=Path, dir_okay=False), metavar="[FILE]")
@click.option(
    "--since", default="all", show_default=True, metavar="WHEN", help="From then on: 24h, 7d, 2026-11-01, all."
)
@click.option("--otlp", is_flag=True, help="Send totals to the collector at telemetry.otlp_endpoint.")
def export(target: Path | None, since: str, otlp: bool) -> None:
    """Write every completion to FILE (.parquet, .csv, .jsonl), or send totals to an OpenTelemetry collector.

    Code is never exported. With --otlp and a FILE ending in .json the message is written there and not sent.
    """
    from fimble.telemetry.database import reading
    from fimble.telemetry.export import export as write
    from fimble.telemetry.otlp import metrics_message
    from fimble.telemetry.period import moment

    settings, file = _settings_and_path()
    now_ms = _now_ms()
    since_ms = moment(since, now_ms)
    if otlp:
        with reading(file, now_ms) as db:
            message = metrics_message(db, since_ms, now_ms, version("fimble"))
        if target is None:
            _send(settings, message)
        else:
            _write_text(target, json.dumps(message, indent=2))
        return
    if target is None:
        raise InputError("Nowhere to write to.", mend="Name a file ending in .parquet, .csv or .jsonl, or use --otlp.")
    with reading(file, now_ms) as db:
        try:
            n = write(db, since_ms, target)
        except OSError as error:
            raise click.FileError(str(target), str(error)) from error
    click.echo(f"{n:,} completions written to {target}.")


def _send(settings: Settings, message: dict[str, Any]) -> None:
    from fimble.telemetry.otlp import send

    endpoint = settings.config.telemetry.otlp_endpoint
    if not endpoint:
        raise ConfigError(
            "No collector is named.",
            mend="Set telemetry.otlp_endpoint (http://host:4318), or name a .json file to write the message to.",
        )
    if settings.config.network.offline:
        raise ConfigError("network.offline forbids every connection.", mend="Write a .json file instead.")
    url = send(message, endpoint, settings.config.network.connect_timeout_s)
    click.echo(f"Totals sent to {url}.")


def _write_text(target: Path, text: str) -> None:
    try:
        target.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise click.FileError(str(target), str(error)) from error
    click.echo(f"Written to {target}.")


def _settings_and_path() -> tuple[Settings, Path]:
    from fimble.telemetry.database import FILE_NAME

    settings = load_settings()
    return settings, settings.paths.state / FILE_NAME


def _now_ms() -> float:
    return time.time() * 1000.0
