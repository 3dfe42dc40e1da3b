"""`fimble experiment`: compare two settings on your own work: start, status, stop."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fimble.core.errors import ConfigError, InputError
from fimble.engine.settings import load_settings

if TYPE_CHECKING:
    from fimble.telemetry.experiments import ArmResult, Experiment, Result


@click.group()
def experiment() -> None:
    """Compare two settings on your own work. Which one a session gets is drawn by lot."""


@experiment.command()
@click.argument("name")
@click.option("--a", "a", multiple=True, metavar="KEY=VALUE", help="An option of arm a; may be given again.")
@click.option("--b", "b", multiple=True, metavar="KEY=VALUE", help="An option of arm b; may be given again.")
@click.option(
    "--per", type=click.Choice(("session", "day")), default="session", show_default=True, help="What is drawn for."
)
def start(name: str, a: tuple[str, ...], b: tuple[str, ...], per: str) -> None:
    """Begin an experiment, e.g. `start lines --a completion.lines=single --b completion.lines=multi`.

    Language servers take their arm when they start: restart your editor. An arm without options is what you have now.
    """
    from fimble.telemetry.database import writing
    from fimble.telemetry.experiments import Per
    from fimble.telemetry.experiments import start as begin

    settings = load_settings()
    if not settings.config.telemetry.enabled:
        raise ConfigError(
            "Counting is off, and without it nothing can be compared.", mend="Set telemetry.enabled = true."
        )
    now_ms = time.time() * 1000.0
    with writing(_path(), now_ms) as db:
        begun = begin(db, name, Per(per), _pairs(a), _pairs(b), now_ms)
    click.echo(f"The experiment {begun.name!r} has begun: each {begun.per} gets one of")
    for arm, values in begun.arms.items():
        click.echo(f"  {arm}: {_settings_text(values)}")
    click.echo("Restart your editors now. `fimble experiment status` says how it stands, as often as you like.")


@experiment.command()
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(name: str | None, as_json: bool) -> None:
    """Say how an experiment stands and what may be concluded (without NAME: the latest)."""
    from fimble.telemetry.database import reading
    from fimble.telemetry.experiments import find, latest, result

    now_ms = time.time() * 1000.0
    with reading(_path(), now_ms) as db:
        chosen = None if db is None else (find(db, name) if name else latest(db))
        if db is None or chosen is None:
            what = f"There is no experiment {name!r}." if name else "There is no experiment yet."
            raise InputError(what, mend="fimble experiment start NAME --a KEY=VALUE --b KEY=VALUE")
        found = result(db, chosen, now_ms)
    _print(found, as_json=as_json)


@experiment.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def stop(as_json: bool) -> None:
    """End the experiment that runs, and say what may be concluded. Restart your editors afterwards."""
    from fimble.telemetry.database import reading, writing
    from fimble.telemetry.experiments import result
    from fimble.telemetry.experiments import stop as end

    now_ms = time.time() * 1000.0
    with writing(_path(), now_ms) as db:
        ended = end(db, now_ms)
    with reading(_path(), now_ms) as db:
        if db is None:
            raise InputError("The telemetry file is gone.")
        found = result(db, ended, now_ms)
    _print(found, as_json=as_json)


def _print(found: Result, *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from fimble.telemetry.experiments import conclusion
    from fimble.telemetry.persistence import HORIZONS_S
    from fimble.telemetry.serialize import moment_text

    experiment = found.experiment
    if as_json:
        click.echo(json.dumps(_data(found), indent=2))
        return
    ended = f", ended {moment_text(experiment.stopped_ms)}" if experiment.stopped_ms is not None else ""
    click.echo(f"{experiment.name}: by {experiment.per}, begun {moment_text(experiment.started_ms)}{ended}")
    for arm in found.arms:
        click.echo(f"  {arm.arm}: {_settings_text(arm.settings)}")
    table = Table(box=None, header_style="bold", pad_edge=False)
    five_minutes = HORIZONS_S.index(300)
    for column in ("arm", f"{experiment.per}s", "shown", "accepted", "CAR %", "5m %", "chars/shown", "p50 ms"):
        table.add_column(column, justify="left" if column == "arm" else "right", no_wrap=True)
    for arm in found.arms:
        table.add_row(*_cells(arm, five_minutes))
    Console().print(table)
    click.echo("CAR with 95 % intervals (Wilson) of all completions so far, for one look.")
    click.echo(f"Of the {experiment.per}s the finished ones, in brackets, are weighed.")
    click.echo("\n" + conclusion(found))


def _cells(arm: ArmResult, five_minutes: int) -> list[str]:
    tally, group = arm.group.tally, arm.group
    car, kept, worth = tally.car, group.kept[five_minutes].cpr, group.kept_chars_per_shown
    return [
        arm.arm,
        f"{arm.n_units} ({arm.n_finished})",
        f"{tally.n_shown:,}",
        f"{tally.n_accepted:,}",
        "-" if car is None else f"{100 * car.value:.0f} ({100 * car.low:.0f}-{100 * car.high:.0f})",
        "-" if kept is None else f"{100 * kept.value:.0f}",
        "-" if worth is None else f"{worth:.1f}",
        "-" if group.latency is None else f"{group.latency.p50_ms:,.0f}",
    ]


def _data(found: Result) -> dict[str, Any]:
    from fimble.telemetry.experiments import conclusion
    from fimble.telemetry.serialize import group_data, moment_text

    experiment: Experiment = found.experiment
    return {
        "name": experiment.name,
        "per": str(experiment.per),
        "started": moment_text(experiment.started_ms),
        "stopped": None if experiment.stopped_ms is None else moment_text(experiment.stopped_ms),
        "arms": [
            {
                "settings": dict(arm.settings),
                "units": arm.n_units,
                "finished_units": arm.n_finished,
                **group_data(arm.group),
            }
            for arm in found.arms
        ],
        "evidence": found.evidence.highest,
        "p_bound": found.evidence.p_bound,
        "decided": found.evidence.is_decided,
        "conclusion": conclusion(found),
    }


def _settings_text(values: Any) -> str:
    return ", ".join(f"{key} = {value}" for key, value in values.items()) or "your settings as they are"


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, mark, value = text.partition("=")
        if not mark or not key.strip():
            raise InputError(
                f"{text!r} is no option with a value.", mend="Write it as KEY=VALUE: completion.lines=multi"
            )
        pairs[key.strip()] = value.strip()
    return pairs


def _path() -> Path:
    from fimble.telemetry.database import FILE_NAME

    return load_settings().paths.state / FILE_NAME
