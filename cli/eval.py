"""`fimble eval`: how often completions are right, on sets with known answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fimble.core.config import Layer, options
from fimble.engine.settings import Settings, load_settings
from fimble.evaluation.context_arms import ContextArm
from fimble.evaluation.targets import BackendName


@click.command(name="eval")
@click.option(
    "--set",
    "set_paths",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="A set: JSON lines, gzipped or not. Repeatable.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Records per set, spread evenly over its languages.")
@click.option("--seed", default=0, show_default=True, help="Which records --limit chooses.")
@click.option("--language", "languages", multiple=True, help="Only records of this language. Repeatable.")
@click.option("--part", help="Only this part of the set: `clean` of xfile, a retrieval of cceval, a subtask of safim.")
@click.option("--lines", type=click.Choice(["auto", "single", "multi"]), help="Instead of the set's own line mode.")
@click.option("--model", "model_id", help="Model id or GGUF path, instead of the configured one.")
@click.option("--backend", type=click.Choice(get_args(BackendName)), default="fimble", show_default=True)
@click.option("--typed", is_flag=True, help="Ask at earlier states first, so that reuse is scored, not a cold cache.")
@click.option(
    "--context",
    type=click.Choice(get_args(ContextArm)),
    default="workspace",
    show_default=True,
    help="Code from other files: chosen by fimble from the record's files or from its repository, as given, or none.",
)
@click.option(
    "--repositories",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the records' repositories, each as OWNER__NAME, for --context repository.",
)
@click.option(
    "--beside",
    multiple=True,
    metavar="OPTION=VALUE",
    help="Ask each record again with this option changed, over the same cache, and compare. Several make one change.",
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the run here; makes it resumable.")
@click.option("--against", type=click.Path(path_type=Path), help="Compare with a run that --json wrote, by record.")
@click.option("--plots", type=click.Path(path_type=Path), help="Draw plots into this folder.")
def eval_command(
    set_paths: tuple[Path, ...],
    limit: int | None,
    seed: int,
    languages: tuple[str, ...],
    part: str | None,
    lines: str | None,
    model_id: str | None,
    backend: BackendName,
    typed: bool,
    context: ContextArm,
    repositories: Path | None,
    beside: tuple[str, ...],
    json_path: Path | None,
    against: Path | None,
    plots: Path | None,
) -> None:
    """Score completions on sets with known answers: exact match, similarity, syntax, tests.

    The metrics are defined in docs/evaluation.md. A run with --json that was stopped goes on where it was.
    """
    from fimble.evaluation.context_arms import with_context
    from fimble.evaluation.plots import plot_runs
    from fimble.evaluation.report import open_console, show_comparison, show_rows
    from fimble.evaluation.results import Run, load_run
    from fimble.evaluation.session import Arm, Selection, run_arms, run_config, select
    from fimble.evaluation.summary import compare, rows
    from fimble.evaluation.targets import Subject, open_subjects
    from fimble.evaluation.typed import as_typed

    if typed and context in ("given", "repository"):
        raise click.UsageError("--typed asks about states that no record describes: not with this --context.")
    if beside and backend != "fimble":
        raise click.UsageError("--beside changes options of fimble: not with this --backend.")
    if lines and backend != "fimble":
        raise click.UsageError("--lines is an option of fimble: not with this --backend.")
    variants = [settings_for(model_id)]
    if beside:
        changed = changed_options(beside)
        variants.append(settings_for(model_id, changed))
        if wrong := [problem for problem in variants[1].problems if problem.key in changed]:
            raise click.UsageError(f"--beside: {wrong[0].key} {wrong[0].reason}.")
    old = load_run(against) if against else None
    selections = [Selection(path, limit, seed, languages, part, lines) for path in set_paths]
    chosen = select(selections)
    records = [record for one in chosen for record in one.records]

    def arm(settings: Settings, subject: Subject, path: Path | None) -> Arm:
        config = run_config(selections, chosen, backend, settings, weights_name(settings), context, repositories)
        shown = with_context(subject, context, records, repositories)
        return Arm({**config, "typed": True}, as_typed(shown), path) if typed else Arm(config, shown, path)

    async def run() -> tuple[Run, ...]:
        paths = [json_path, json_path and json_path.with_stem(f"{json_path.stem}-beside")]
        with progress_bar(len(records) * len(variants)) as advance:
            async with open_subjects(backend, variants, model_finder(variants[0])) as opened:
                arms = [arm(*each) for each in zip(variants, opened, paths[: len(variants)], strict=True)]
                return await run_arms(chosen, arms, lambda result: advance(result.set_name))

    finished, *others = asyncio.run(run())
    console = open_console()
    show_rows(rows(finished.results), console)
    for other in others:
        name = ", ".join(beside)
        console.print(f"with {name}:", highlight=False)
        show_rows(rows(other.results), console)
        show_comparison(compare(finished, other), console, name)
    if old:
        show_comparison(compare(finished, old), console)
    if plots:
        for path in plot_runs({finished.label: finished}, plots):
            console.print(f"drawn: {path}")


def changed_options(pairs: Sequence[str]) -> dict[str, str]:
    """OPTION=VALUE, several times, as settings.

    Raises:
        click.UsageError: one is no such pair, or about the model, which is loaded once.
    """
    changed: dict[str, str] = {}
    for pair in pairs:
        option, equals, value = pair.partition("=")
        if not equals or option not in options() or option.startswith(("model.", "host.")):
            raise click.UsageError(
                f"--beside {pair}: wanted is OPTION=VALUE, an option of docs/configuration.md"
                " that is not about the model or its process."
            )
        changed[option] = value
    return changed


def settings_for(model_id: str | None, changed: Mapping[str, object] | None = None) -> Settings:
    """The user's settings with another model, problems told; nothing of one measurement is on disk for the next."""
    given = {"host.kv_disk_mb": 0, **({"model.id": model_id} if model_id else {}), **(changed or {})}
    settings = load_settings([Layer("command line", given)])
    for problem in settings.problems:
        click.echo(f"fimble: setting not used: {problem}", err=True)
    return settings


def model_finder(settings: Settings) -> Callable[[], Path]:
    """Finds the configured model's file, for a peer that loads it itself."""

    def find() -> Path:
        from fimble.backend.catalog.catalog import load_catalog
        from fimble.backend.catalog.store import ModelStore

        return ModelStore(settings.paths.models, load_catalog()).resolve(settings.config.model.id)

    return find


def weights_name(settings: Settings) -> str:
    """File name, checksum (where one is on record) and size of the weights, behind name and checksum of the adapter.

    So that results of different files are never taken for the same.

    Raises:
        ModelError: the weights or the adapter are not on this machine, are damaged, or do not belong together.
    """
    from fimble.backend.catalog.adapters import AdapterStore
    from fimble.backend.catalog.catalog import is_model_id, load_catalog
    from fimble.backend.catalog.store import ModelStore
    from fimble.backend.catalog.verify import sha256_of

    model, models = settings.config.model, settings.paths.models
    if model.id.startswith("scripted:"):
        return model.id
    path = model_finder(settings)()
    record = ModelStore(models, load_catalog()).find(model.id) if is_model_id(model.id) else None
    parts = [path.name, *([record.sha256] if record else []), str(os.path.getsize(path))]
    if model.adapter:
        adapter = AdapterStore(models).resolve(model.adapter, base_sha256=record.sha256 if record else None)
        parts = [adapter.name, sha256_of(adapter), *parts]
    return ":".join(parts)


@contextlib.contextmanager
def progress_bar(n_steps: int) -> Generator[Callable[[str], None]]:
    """A bar on standard error; the function it gives says what is being done and moves it by one."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with progress:
        task = progress.add_task("loading", total=n_steps)
        yield lambda what: progress.update(task, advance=1, description=what)
