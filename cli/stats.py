"""`fimble stats`: acceptance, persistence and latency, from the counts on this machine."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fimble.engine.settings import load_settings

if TYPE_CHECKING:
    from fimble.telemetry.intervals import Estimate
    from fimble.telemetry.report import Report
    from fimble.telemetry.tally import Group

_BY = ("language", "model", "node", "arm", "client", "day")


@click.command()
@click.option(
    "--since", default="30d", show_default=True, metavar="WHEN", help="From then on: 24h, 7d, 2026-11-01, all."
)
@click.option("--by", type=click.Choice(_BY), help="One line for each of these.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a table of comma-separated values.")
@click.option(
    "--html", type=click.Path(dir_okay=False, allow_dash=True), metavar="FILE", help="Write a page with plots."
)
def stats(since: str, by: str | None, as_json: bool, as_csv: bool, html: str | None) -> None:
    """How much of what fimble suggests you accept, and how much of that you keep.

    Everything comes from a file on this machine; docs/telemetry.md says how it is counted.
    """
    from fimble.telemetry.database import FILE_NAME, reading
    from fimble.telemetry.period import moment
    from fimble.telemetry.report import By, report

    if sum((as_json, as_csv, html is not None)) > 1:
        raise click.UsageError("Only one of --json, --csv and --html.")
    settings = load_settings()
    path = settings.paths.state / FILE_NAME
    now_ms = time.time() * 1000.0
    since_ms = moment(since, now_ms)
    if html is not None:
        _write_page(path, since_ms, now_ms, html)
        return
    with reading(path, now_ms) as db:
        found = report(db, since_ms, now_ms, By(by) if by else None)
    if as_json:
        from fimble.telemetry.serialize import report_data

        click.echo(json.dumps(report_data(found), indent=2))
    elif as_csv:
        _print_csv(found)
    else:
        if not settings.config.telemetry.enabled:
            click.echo("Counting is switched off (telemetry.enabled); this is what was counted before.", err=True)
        _print_table(found, since)


def _write_page(path: Path, since_ms: float, now_ms: float, target: str) -> None:
    from fimble.telemetry.database import reading
    from fimble.telemetry.page import page

    with reading(path, now_ms) as db:
        text = page(db, since_ms, now_ms)
    if target == "-":
        click.echo(text)
        return
    try:
        Path(target).write_text(text, "utf-8")
    except OSError as error:
        raise click.FileError(target, str(error)) from error
    click.echo(f"Written to {target}; open it in any browser.")


def _print_csv(found: Report) -> None:
    from fimble.telemetry.serialize import flat_data

    rows = [flat_data(group) for group in (found.groups if found.by else (found.total,))]
    writer = csv.DictWriter(sys.stdout, fieldnames=list(flat_data(found.total)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _print_table(found: Report, since: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from fimble.telemetry.serialize import moment_text

    console = Console()
    total = found.total
    if total.tally.n_requested == 0:
        console.print(f"Nothing was recorded since {since}.", highlight=False)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(str(found.by) if found.by else "", overflow="fold", min_width=12)
    for name in ("shown", "accepted", "CAR %", "30s", "2m", "5m", "10m", "chars", "p50", "p90"):
        table.add_column(name, justify="right", no_wrap=True)
    for group in found.groups:
        table.add_row(*_cells(group, group.label))
    if found.groups:
        table.add_section()
    table.add_row(*_cells(total, "all"))
    console.print(table)
    console.print("\n".join(_notes(found, since, moment_text(found.until_ms))), highlight=False, style="dim")


def _cells(group: Group, label: str) -> list[str]:
    tally, latency, car = group.tally, group.latency, group.tally.car
    return [
        label,
        f"{tally.n_shown:,}",
        f"{tally.n_accepted:,}",
        "-" if car is None else f"{100 * car.value:.0f} ({100 * car.low:.0f}-{100 * car.high:.0f})",
        *("-" if kept.cpr is None else f"{100 * kept.cpr.value:.0f}" for kept in group.kept),
        f"{group.n_kept_chars:,}",
        "-" if latency is None else f"{latency.p50_ms:,.0f}",
        "-" if latency is None else f"{latency.p90_ms:,.0f}",
    ]


def _notes(found: Report, since: str, until: str) -> list[str]:
    tally = found.total.tally
    lines = [
        "",
        f"Since {since}, until {until}. CAR %: accepted of shown (seen for 750 ms, or accepted), with 95 % interval."
        " 30s to 10m: percent of accepted text left then. chars: accepted ones left after 10m. p50, p90: ms to answer.",
        f"Accepted: {tally.n_whole:,} whole, {tally.n_part:,} in part, {tally.n_typed:,} by typing them; "
        f"{tally.n_undone:,} more undone at once.",
        f"Shown as the editor reported: {_apart(tally.car_exact)}; inferred: {_apart(tally.car_inferred)}.",
    ]
    if found.sources:
        lines.append("Answered: " + _counts(found.sources) + ".")
    if found.reasons:
        lines.append("Not answered: " + _counts(found.reasons) + ".")
    return lines


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in counts.items())


def _apart(car: Estimate | None) -> str:
    return "none" if car is None else f"{_percent(car)} of {car.n:,}"


def _percent(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{100 * estimate.value:.0f} %"
