"""`fimble tune export|eval|merge|own`: what becomes of a trained adapter, and the whole way in one command."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from fimble.backend.catalog.adapters import AdapterStore, require_name
from fimble.backend.catalog.verify import sha256_of
from fimble.backend.host.cores import usable_cores
from fimble.backend.llama.quantize import FILE_TYPES
from fimble.cli import tune as stages
from fimble.cli.tune import tune
from fimble.core.config import Layer
from fimble.core.errors import FimbleError, InputError
from fimble.engine.settings import Settings, load_settings
from fimble.evaluation.results import Partial, RecordResult
from fimble.evaluation.session import Selection, select
from fimble.tuning.gate import Verdict, compare, judge, run_set
from fimble.tuning.prepare.dataset import TASKS

if TYPE_CHECKING:
    from fimble.tuning.own import OwnFolder, Sizes
    from fimble.tuning.training.run_folder import TrainConfig


@tune.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File to write; else adapter.gguf in RUN.")
def export(run: Path, out: Path | None) -> None:
    """Make a GGUF adapter of a finished run."""
    made = _export(run, out or run / "adapter.gguf")
    click.echo(f"{made}, {made.stat().st_size / 1e6:.1f} MB")
    click.echo(f"Does it help? `fimble tune eval {made} --tasks PREPARED/tasks.jsonl`")


@tune.command(name="eval")
@click.argument("adapter", type=click.Path(path_type=Path))
@click.option("--tasks", required=True, type=click.Path(path_type=Path), help="Held-out tasks of `tune prepare`.")
@click.option("--set", "sets", multiple=True, type=click.Path(path_type=Path), help="A set not to lose on. Repeatable.")
@click.option("--limit", type=click.IntRange(min=1), help="Records per set.")
@click.option("--model", "model_id", help="The model that the adapter is for, instead of the configured one.")
@click.option("--install", metavar="NAME", help="Add the adapter under this name if it wins.")
def eval_command(
    adapter: Path, tasks: Path, sets: tuple[Path, ...], limit: int | None, model_id: str | None, install: str | None
) -> None:
    """Compare the model with and without an adapter, task by task. Exit code 1 where the adapter does not win."""
    verdict = _gate(adapter, tasks, sets, limit, model_id)
    if not verdict.wins:
        raise FimbleError(f"The adapter does not win: {verdict.reason}.", mend="Nothing was installed.")
    click.echo(f"The adapter wins: {verdict.reason}.")
    if install:
        _install(adapter, install)


@tune.command()
@click.argument("adapter")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The GGUF to write.")
@click.option("--model", "model_id", help="The model that the adapter is for, instead of the configured one.")
@click.option("--type", "file_type", type=click.Choice(FILE_TYPES), help="File type, instead of the model's own.")
@click.option("--threads", default=0, type=click.IntRange(min=0), help="CPU threads; 0: the cores.")
def merge(adapter: str, out: Path, model_id: str | None, file_type: str | None, threads: int) -> None:
    """Put ADAPTER (a name or a file) into its model's weights: one GGUF, as fast as the plain model."""
    from fimble.tuning.merge import file_type_of
    from fimble.tuning.merge import merge as write_merged

    settings, store = stages.open_store()
    weights = store.resolve(model_id or settings.config.model.id)
    path = AdapterStore(settings.paths.models).resolve(adapter, base_sha256=sha256_of(weights))
    kind = file_type or file_type_of(weights)
    click.echo(f"merging {path.name} into {weights.name} as {kind}")
    write_merged(weights, path, out, kind, n_threads=threads or usable_cores())
    click.echo(f"{out}, {out.stat().st_size / 1e6:.0f} MB. Take it in: `fimble models import {out}`")


@tune.command()
@click.argument("repository", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the adapter, instead of the folder's.")
@click.option("--evaluation", multiple=True, type=click.Path(path_type=Path), help="A set to keep out. Repeatable.")
@click.option("--examples", default=0, type=click.IntRange(min=0), help="How many; 0: what suits this machine.")
@click.option("--work", type=click.Path(path_type=Path), help="Folder for what lies between, instead of one of ours.")
@click.option("--threads", default=0, type=click.IntRange(min=0), help="CPU threads; 0: torch's own choice.")
def own(
    repository: Path, name: str | None, evaluation: tuple[Path, ...], examples: int, work: Path | None, threads: int
) -> None:
    """Tune the model on your own repository, and install the adapter if it wins on files it has not seen.

    Takes about an hour on two cores. Stopped or killed, the same command goes on where it was. Nothing leaves this
    machine.
    """
    from fimble.tuning.export import require_architecture
    from fimble.tuning.own import OwnFolder, default_name, sizes, wanted
    from fimble.tuning.training.need import has_gpu, require_packages

    require_packages()
    if not repository.is_dir():
        raise InputError(f"There is no folder {repository}.", mend="Give the folder of your repository.")
    adapter_name = name if name is not None else default_name(repository)
    require_name(adapter_name)
    settings, store = stages.open_store()
    model_id = settings.config.model.id
    weights = store.resolve(model_id)
    require_architecture(stages.architecture_of(weights))
    _require_markers(weights, model_id)
    chosen = sizes(settings.config.prompt, has_gpu=has_gpu(), n_examples=examples)
    _require_memory(weights, chosen.train)
    folder = OwnFolder(work or settings.paths.state / "tuning" / repository.resolve().name)
    with folder.alone():
        if folder.take_up(wanted(repository, model_id, sha256_of(weights), chosen, evaluation)):
            click.echo(f"Going on with what was begun in {folder.path}.")
        try:
            _go(folder, repository, model_id, weights, chosen, evaluation, threads, adapter_name)
        except (KeyboardInterrupt, click.Abort):
            click.echo("The same command goes on from here.", err=True)
            raise


def _go(
    folder: OwnFolder,
    repository: Path,
    model_id: str,
    weights: Path,
    chosen: Sizes,
    evaluation: tuple[Path, ...],
    threads: int,
    adapter_name: str,
) -> None:
    """Every stage that is not done yet, in order."""
    from fimble.tuning.mine.run import MineOptions, mine

    if not folder.is_mined:
        click.echo(f"1/5 mining {repository}")
        options = MineOptions(chosen.spans, any_licence=True, evaluation_sets=evaluation)
        report = mine([repository], folder.mined, options, lambda _: None)
        click.echo(f"{report.n_examples} examples from {report.n_files} files")
    if not folder.is_prepared:
        click.echo("2/5 preparing")
        stages.run_preparing(folder.mined, folder.prepared, model_id, weights, chosen.prepare)
    n_tasks = folder.require_tasks()
    click.echo("3/5 training")
    stages.run_training(folder.prepared, folder.run, chosen.train, n_threads=threads)
    click.echo("4/5 writing the adapter")
    adapter = _export(folder.run, folder.adapter)
    click.echo(f"5/5 asking {n_tasks} held-out tasks without the adapter and with it")
    verdict = _gate(adapter, folder.prepared / TASKS, (), None, None)
    if verdict.wins:
        click.echo(f"The adapter wins: {verdict.reason}.")
        _install(adapter, adapter_name)
    folder.finish()
    if not verdict.wins:
        raise FimbleError(
            f"The adapter does not win on your held-out files: {verdict.reason}. It was not installed.",
            mend=f"It is {adapter}, if you want to try it: `fimble models adapter add`.",
        )


def _require_markers(weights: Path, model_id: str) -> None:
    from fimble.tuning.prepare.vocabulary import GgufVocabulary

    with contextlib.closing(GgufVocabulary(weights, model_id)) as vocabulary:
        vocabulary.end_of_middle(vocabulary.family())


def _require_memory(weights: Path, config: TrainConfig) -> None:
    from fimble.tuning.training.start import require_room

    require_room(weights, config)


def _export(run: Path, out: Path) -> Path:
    from fimble.tuning.export import export as write_adapter
    from fimble.tuning.training.run_folder import RunFolder

    folder = RunFolder(run)
    about = folder.about()
    path = stages.weights_of(about["model_id"], about["weights_sha256"])
    return write_adapter(folder, stages.architecture_of(path), out)


def _install(adapter: Path, name: str) -> None:
    added = AdapterStore(load_settings().paths.models).add(adapter, name)
    click.echo(f'Installed. Use it: set model.adapter to "{added.name}".')


def _gate(adapter: Path, tasks: Path, sets: Sequence[Path], limit: int | None, model_id: str | None) -> Verdict:
    model = {"model.id": model_id} if model_id else {}
    without = load_settings([Layer("command line", {**model, "model.adapter": ""})])
    with_it = load_settings([Layer("command line", {**model, "model.adapter": str(adapter.absolute())})])
    selections = [Selection(path, limit) for path in (tasks, *sets)]
    if not adapter.is_file():
        raise InputError(f"There is no adapter {adapter}.", mend="Make one with `fimble tune export RUN`.")
    partials = [adapter.with_name(f".{adapter.name}.{side}.jsonl") for side in ("without", "with")]
    base = asyncio.run(_results(without, selections, "without the adapter", partials[0]))
    tuned = asyncio.run(_results(with_it, selections, "with the adapter", partials[1]))
    verdict = judge(compare(base, tuned), select(selections)[0].name)
    for partial in partials:
        partial.unlink(missing_ok=True)
    _show(verdict)
    return verdict


async def _results(
    settings: Settings, selections: Sequence[Selection], title: str, partial_path: Path
) -> list[RecordResult]:
    """Answers of one side. Kept beside the adapter until the verdict, so that a stopped comparison goes on."""
    from fimble.evaluation.targets import open_subject

    chosen = select(selections)
    adapter = settings.config.model.adapter
    partial = Partial(
        partial_path,
        {
            "options": asdict(settings.config),
            "sets": [asdict(one.info) for one in chosen],
            "adapter": sha256_of(Path(adapter)) if adapter else "",
        },
    )
    n_records, results = sum(len(one.records) for one in chosen), list[RecordResult]()
    with stages.bar(title) as show:
        n_done = 0

        def advance() -> None:
            nonlocal n_done
            n_done += 1
            show(n_done, n_records)

        async with open_subject("fimble", settings, lambda: Path()) as subject:
            for one in chosen:
                results += await run_set(one, subject, partial, advance)
    return results


def _show(verdict: Verdict) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("set", "metric", "n", "without", "with", "difference (95%)", "better/worse", "p"):
        table.add_column(heading, justify="left" if heading in ("set", "metric") else "right")
    for one in verdict.compared:
        difference = one.paired.difference
        table.add_row(
            one.set_name,
            one.metric,
            str(difference.n),
            f"{one.base:.3f}",
            f"{one.tuned:.3f}",
            f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})",
            f"{one.paired.n_better}/{one.paired.n_worse}",
            f"{one.paired.p_value:.3f}",
        )
    Console(width=120).print(table)
