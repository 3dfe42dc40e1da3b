"""`fimble bench`: the standard table, fimble beside the peer, written to docs/benchmarks.md. For a checkout."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from fimble.cli.eval import model_finder, progress_bar, settings_for, weights_name
from fimble.engine.settings import Settings
from fimble.evaluation.targets import BackendName, Subject

if TYPE_CHECKING:
    from fimble.evaluation.bench import Table


@click.command()
@click.option("--table", "table_name", type=click.Choice(["small", "full"]), default="small", show_default=True)
@click.option("--model", "model_id", help="Model id or GGUF path, instead of the configured one.")
@click.option("--backend", "backends", type=click.Choice(get_args(BackendName)), multiple=True, help="Default: both.")
@click.option("--baselines", type=click.Path(path_type=Path), default=Path("evaluation/baselines"), show_default=True)
@click.option("--page", type=click.Path(path_type=Path), default=Path("docs/benchmarks.md"), show_default=True)
@click.option("--set", "set_names", multiple=True, help="Score only this set of the table. Repeatable.")
@click.option("--row", "row_names", multiple=True, help="Score only this row (as the page names them). Repeatable.")
@click.option("--missing", is_flag=True, help="Score only sets of which there are no scores, of whatever commit.")
@click.option("--render-only", is_flag=True, help="Run nothing; write the page from the baselines there are.")
@click.option(
    "--only",
    type=click.Choice(["sets", "replay", "growth", "syntax"]),
    help="Score the sets, type the traces, measure how cost grows with files, context and clients, or time the "
    "judging of pieces by syntax (no model runs for that). By default the sets and the traces.",
)
def bench(
    table_name: str,
    model_id: str | None,
    backends: tuple[BackendName, ...],
    baselines: Path,
    page: Path,
    set_names: tuple[str, ...],
    row_names: tuple[str, ...],
    missing: bool,
    render_only: bool,
    only: str | None,
) -> None:
    """Run the standard table and write docs/benchmarks.md. The sets are looked for in $FIMBLE_DATA or ../shared/data.

    A run that was stopped goes on where it was. `small` takes minutes, `full` hours.
    """
    from fimble.evaluation import bench as standard

    table = standard.TABLES[table_name]
    if only == "syntax":
        _show_syntax_costs(table_name)
        return
    settings = settings_for(model_id)
    pictures = page.parent / "images" / "benchmarks"
    names: tuple[BackendName, ...] = backends or get_args(BackendName)
    if render_only:
        pass
    elif only == "growth":
        _measure_growth(settings, baselines, pictures)
    else:
        if only != "replay":
            _score_sets(
                table,
                names,
                model_id,
                baselines,
                pictures,
                set_names=set_names,
                row_names=row_names,
                only_missing=missing,
            )
        if only != "sets":
            _type_traces(table, names, settings, baselines, pictures)
    _write_page(table_name, baselines, page, pictures)
    click.echo(f"written: {page}")


def _score_sets(
    table: Table,
    names: tuple[BackendName, ...],
    model_id: str | None,
    baselines: Path,
    pictures: Path,
    *,
    set_names: tuple[str, ...],
    row_names: tuple[str, ...],
    only_missing: bool,
) -> None:
    from fimble.evaluation import bench as standard
    from fimble.evaluation.plots import plot_runs
    from fimble.evaluation.results import joined
    from fimble.evaluation.targets import open_subjects

    settings = settings_for(model_id)
    unchecked = settings_for(model_id, {"completion.check_syntax": False})
    answerers: dict[BackendName, list[standard.Answerer]] = {
        "fimble": [standard.Answerer("fimble", settings), standard.Answerer(standard.UNCHECKED, unchecked)],
        "llama-server": [standard.Answerer("llama-server", settings)],
    }
    known = [one.name for of_backend in answerers.values() for one in of_backend]
    if unknown := set(row_names) - set(known):
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: the rows are {'; '.join(known)}.", param_hint="--row")
    asked: dict[BackendName, list[standard.Answerer]] = {
        name: [one for one in answerers[name] if not row_names or one.name in row_names] for name in names
    }
    left = standard.left_to_score(
        table, asked, weights_name(settings), baselines, set_names=set_names, only_missing=only_missing
    )
    with progress_bar(sum(len(one.chosen.records) * len(one.answerers) for one in left)) as advance:
        for one in left:
            subjects = open_subjects(one.backend, [each.settings for each in one.answerers], model_finder(settings))
            asyncio.run(standard.score(one, table, baselines, subjects, lambda result: advance(result.set_name)))
    plot_runs({run.name: run for run in joined(standard.kept_runs(baselines, table))}, pictures)


def _type_traces(
    table: Table, names: tuple[BackendName, ...], settings: Settings, baselines: Path, pictures: Path
) -> None:
    from fimble.evaluation import bench as standard
    from fimble.evaluation.plots import plot_replays

    openers = [(name, _opener(name, settings)) for name in names]
    weights = weights_name(settings)
    with progress_bar(len(table.traces(standard.data_folder())) * len(names)) as advance:
        replays = asyncio.run(
            standard.replay_backends(table, settings, weights, baselines, openers, lambda what: advance(what[:50]))
        )
    plot_replays(replays, pictures)


def _measure_growth(settings: Settings, baselines: Path, pictures: Path) -> None:
    from fimble.evaluation import growth, machine
    from fimble.evaluation.plots import plot_growth

    with progress_bar(len(growth.FILE_LINES) + len(growth.CHUNK_TOKENS) + len(growth.N_CLIENTS)) as advance:
        points = asyncio.run(
            growth.measure(
                settings, lambda of: _opener("fimble", of)(), lambda point: advance(f"{point.kind} {point.x}")
            )
        )
    growth.save(baselines / "growth.json", points, machine.describe_machine(), settings.config.model.id)
    plot_growth(points, pictures)


def _show_syntax_costs(table_name: str) -> None:
    from fimble.evaluation import bench as standard
    from fimble.evaluation.judging import judging_costs
    from fimble.evaluation.session import select

    chosen = select(standard.TABLES[table_name].selections(standard.data_folder()))
    click.echo("language         holes  on   set-up ms p50/p99   pieces   ms a piece p50/p99/max  true pieces refused")
    for cost in judging_costs([record for one in chosen for record in one.records]):
        click.echo(
            f"{cost.language:15} {cost.n_holes:6} {cost.n_judged:3} {cost.start_ms.p50:10.1f} {cost.start_ms.p99:8.1f}"
            f" {cost.n_pieces:8} {cost.piece_ms.p50:8.2f} {cost.piece_ms.p99:7.2f} {cost.piece_ms.most:7.2f}"
            f" {cost.n_refused:12}"
        )


def _opener(name: BackendName, settings: Settings) -> Callable[[], AbstractAsyncContextManager[Subject]]:
    from fimble.evaluation.targets import open_subject, require_comparable

    require_comparable(name, settings)
    return functools.partial(open_subject, name, settings, model_finder(settings))


def _write_page(table_name: str, baselines: Path, page: Path, pictures: Path) -> None:
    from fimble.evaluation import bench as standard
    from fimble.evaluation import growth
    from fimble.evaluation.render import benchmarks_page
    from fimble.evaluation.replay_summary import load_replay
    from fimble.evaluation.results import write_atomically

    table = standard.TABLES[table_name]
    runs = standard.kept_runs(baselines, table)
    replay_file = standard.replay_path(baselines, table)
    replay_config, summaries = load_replay(replay_file) if replay_file.exists() else (None, [])
    growth_file = baselines / "growth.json"
    grown = growth.load(growth_file) if growth_file.exists() else None
    plots = [os.path.relpath(path, page.parent) for path in sorted(pictures.glob("*.svg"))]
    command = f"fimble bench --table {table_name}"
    write_atomically(page, benchmarks_page(runs, replay_config, summaries, grown, plots, command))
