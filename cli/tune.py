"""`fimble tune`: from repositories to an adapter for the model, one subcommand a stage."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fimble.backend.catalog.catalog import load_catalog
from fimble.backend.catalog.gguf_header import read_header
from fimble.backend.catalog.store import ModelStore
from fimble.backend.catalog.verify import no_progress, sha256_of
from fimble.core.errors import InputError, ModelCorruptError
from fimble.engine.settings import Settings, load_settings

if TYPE_CHECKING:
    from fimble.tuning.prepare.run import PrepareOptions
    from fimble.tuning.training.run_folder import TrainConfig

# Shorter rows hold few sequences, and the more of them a step needs.
_LEAST_ROW_TOKENS = 1024


@click.group()
def tune() -> None:
    """Fine-tune the model on repositories: mine, prepare, train, export, eval; `own` does all of it.

    Each stage writes a folder that the next one reads. docs/tuning.md explains them.
    """


@tune.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the examples.")
@click.option("--evaluation", multiple=True, type=click.Path(path_type=Path), help="A set to keep out. Repeatable.")
@click.option("--per-file", default=24, show_default=True, type=click.IntRange(min=1), help="Examples a file gives.")
@click.option("--seed", default=0, show_default=True, help="Which gaps are chosen.")
@click.option("--any-licence", is_flag=True, help="Also code without a permissive licence: for your own.")
@click.option("--ray", metavar="ADDRESS", help="Find gaps on this Ray cluster; `local` starts one here.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def mine(
    paths: tuple[Path, ...],
    out: Path,
    evaluation: tuple[Path, ...],
    per_file: int,
    seed: int,
    any_licence: bool,
    ray: str | None,
    as_json: bool,
) -> None:
    """Find gaps worth learning from in PATHS: folders, or packages as archives (sdist, wheel, zip)."""
    from fimble.tuning.mine.cluster import find_here, find_on
    from fimble.tuning.mine.run import MineOptions
    from fimble.tuning.mine.run import mine as run_mine
    from fimble.tuning.mine.spans import SpanOptions

    options = MineOptions(SpanOptions(n_per_file=per_file, seed=seed), any_licence, evaluation)
    find_all = find_on(ray) if ray else find_here
    report = run_mine(paths, out, options, lambda name: click.echo(f"mining {name}", err=True), find_all)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        click.echo(f"{report.n_examples} examples from {report.n_files} files -> {out}")
        for name, counts in (
            ("kinds", report.kinds),
            ("languages", report.languages),
            ("difficulty", report.stages),
            ("left out", report.left_out),
        ):
            click.echo(f"{name}: " + (", ".join(f"{key} {n}" for key, n in counts.items()) or "nothing"))
        for name, licence in report.repositories.items():
            click.echo(f"{name}: {licence}")
    if not evaluation:
        click.echo("No --evaluation sets were given: only repositories known by name were kept out.", err=True)


@tune.command()
@click.argument("mined", type=click.Path(path_type=Path))
@click.option("--count", default=50, show_default=True, type=click.IntRange(min=1), help="So many, chosen at random.")
@click.option("--kind", help="Of this kind only, such as call or function_body.")
@click.option("--seed", default=0, show_default=True, help="Which ones.")
def show(mined: Path, count: int, kind: str | None, seed: int) -> None:
    """Print mined examples to look at: each gap in its surroundings, chosen at random by the seed."""
    from fimble.tuning.mine.difficulty import STAGE_NAMES
    from fimble.tuning.mine.examples import load

    found = load(mined)
    examples = [one for one in found.examples if kind is None or one.kind == kind]
    if not examples:
        kinds = ", ".join(sorted({one.kind for one in found.examples}))
        raise InputError(f"No example is of the kind {kind}.", mend=f"Kinds: {kinds}.")
    chosen = random.Random(seed).sample(examples, min(count, len(examples)))
    for number, example in enumerate(chosen, 1):
        prefix, middle, suffix = found.parts(example)
        file = found.files[example.file_id]
        if prefix + middle + suffix != file.text:
            raise InputError(f"{mined} is damaged: {example.id} is no part of its file.", mend="Mine again.")
        line = prefix.count("\n") + 1
        click.echo(f"\n--- {number}. {file.repository}/{file.path}:{line} {example.kind}, {STAGE_NAMES[example.stage]}")
        click.echo(click.style(prefix[-160:], dim=True) + "⟦" + middle + "⟧" + click.style(suffix[:80], dim=True))


@tune.command()
@click.argument("mined", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the sequences.")
@click.option("--model", "model_id", help="Model id or GGUF path, instead of the configured one.")
@click.option("--held-out", multiple=True, help="A mined repository never to train on. Repeatable.")
@click.option("--limit", default=0, type=click.IntRange(min=0), help="So many examples, evenly over stages; 0: all.")
@click.option("--tasks", default=200, show_default=True, type=click.IntRange(min=0), help="Held-out tasks to keep.")
@click.option("--max-tokens", type=click.IntRange(min=64), help="Tokens a prompt may have, instead of the configured.")
@click.option("--no-context", is_flag=True, help="Without code from other files: for comparison.")
@click.option("--loss", "by_loss", is_flag=True, help="Order by the model's own loss: it reads everything once.")
@click.option("--seed", default=0, show_default=True)
def prepare(
    mined: Path,
    out: Path,
    model_id: str | None,
    held_out: tuple[str, ...],
    limit: int,
    tasks: int,
    max_tokens: int | None,
    no_context: bool,
    by_loss: bool,
    seed: int,
) -> None:
    """Turn mined examples into token sequences for one model, with the context and format that serving uses."""
    from fimble.tuning.prepare.run import PrepareOptions

    settings, store = open_store()
    chosen = model_id or settings.config.model.id
    path = store.resolve(chosen)
    prompt = settings.config.prompt
    if max_tokens:
        prompt = dataclasses.replace(
            prompt, max_tokens=max_tokens, chunk_tokens=min(prompt.chunk_tokens, max_tokens // 3)
        )
    options = PrepareOptions(
        prompt=prompt, limit=limit, held_out=held_out, n_tasks=tasks, with_context=not no_context, seed=seed
    )
    run_preparing(mined, out, chosen, path, options, by_loss=by_loss)


def run_preparing(
    mined: Path, out: Path, model_id: str, weights: Path, options: PrepareOptions, *, by_loss: bool = False
) -> None:
    """Prepare with a progress bar and say what came out; raises what `prepare` raises."""
    from fimble.tuning.mine.examples import load
    from fimble.tuning.prepare.measure import open_measure
    from fimble.tuning.prepare.run import prepare as run_prepare
    from fimble.tuning.prepare.vocabulary import GgufVocabulary

    examples = load(mined)
    n_ctx = options.prompt.max_tokens + options.max_learned_tokens
    with contextlib.ExitStack() as stack:
        vocabulary = stack.enter_context(contextlib.closing(GgufVocabulary(weights, model_id)))
        measure = stack.enter_context(open_measure(weights, n_ctx=n_ctx)) if by_loss else None
        show = stack.enter_context(bar("preparing"))
        about = run_prepare(examples, vocabulary, sha256_of(weights, no_progress), out, options, show, measure)
    click.echo(
        f"{about.n_train} sequences to train on, {about.n_held_out} held out; {about.n_tokens} tokens, "
        f"{about.n_learned_tokens} of them learned; data {about.data_hash[:12]} -> {out}"
    )


def open_store() -> tuple[Settings, ModelStore]:
    """The user's settings, problems told, and models."""
    settings = load_settings()
    for problem in settings.problems:
        click.echo(f"fimble: setting not used: {problem}", err=True)
    return settings, ModelStore(settings.paths.models, load_catalog())


@contextlib.contextmanager
def bar(name: str) -> Generator[Callable[[int, int], None]]:
    """A progress bar that is gone when the work is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=None)

        def show(n_done: int, n_total: int) -> None:
            progress.update(task, completed=n_done, total=n_total)

        yield show


@tune.command()
@click.argument("prepared", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the run, new or begun.")
@click.option("--weights", type=click.Path(path_type=Path), help="Safetensors folder of the same model, not the GGUF.")
@click.option("--rank", default=16, show_default=True, type=click.IntRange(min=1), help="Rank of the adapters.")
@click.option("--learning-rate", default=3e-4, show_default=True, type=float)
@click.option("--horizon-weight", default=0.1, show_default=True, type=float, help="Of the horizon loss; 0: without.")
@click.option("--order", default="curriculum", show_default=True, type=click.Choice(["curriculum", "random"]))
@click.option("--row-tokens", type=click.IntRange(min=64), help="Tokens a row has; without it, enough for all of them.")
@click.option("--rows-per-step", default=8, show_default=True, type=click.IntRange(min=1))
@click.option("--epochs", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--max-steps", default=0, type=click.IntRange(min=0), help="Stop after so many steps; 0: do all.")
@click.option("--evaluate-every", default=50, show_default=True, type=click.IntRange(min=1), help="Steps.")
@click.option("--held-out-rows", default=64, show_default=True, type=click.IntRange(min=1))
@click.option("--dtype", default="auto", show_default=True, type=click.Choice(["auto", "float32", "bfloat16"]))
@click.option("--threads", default=0, type=click.IntRange(min=0), help="CPU threads; 0: torch's own choice.")
@click.option("--seed", default=0, show_default=True)
def train(
    prepared: Path,
    out: Path,
    weights: Path | None,
    rank: int,
    learning_rate: float,
    horizon_weight: float,
    order: str,
    row_tokens: int | None,
    rows_per_step: int,
    epochs: int,
    max_steps: int,
    evaluate_every: int,
    held_out_rows: int,
    dtype: str,
    threads: int,
    seed: int,
) -> None:
    """Train an adapter on prepared sequences. Stopped (Ctrl-C), the same command goes on where it was.

    Several GPUs: torchrun --nproc-per-node N -m fimble.cli.main tune train ...
    """
    from fimble.tuning.training.run_folder import TrainConfig

    config = TrainConfig(
        rank=rank,
        alpha=2.0 * rank,
        horizon_weight=horizon_weight,
        learning_rate=learning_rate,
        row_tokens=row_tokens or 0,
        rows_per_step=rows_per_step,
        epochs=epochs,
        max_steps=max_steps,
        order=order,
        dtype=dtype,
        evaluate_every=evaluate_every,
        n_held_out_rows=held_out_rows,
        seed=seed,
    )
    run_training(prepared, out, config, weights=weights, n_threads=threads)
    click.echo(f"Done: `fimble tune export {out}` makes the adapter.")


def run_training(
    prepared: Path, out: Path, config: TrainConfig, *, weights: Path | None = None, n_threads: int = 0
) -> None:
    """Train with a progress bar and show the curve. Where `config.row_tokens` is 0 the longest sequence decides it.

    Raises:
        FimbleError: a package is missing, or what `train` raises.
        click.Abort: the user stopped it.
    """
    from fimble.tuning.export import require_architecture
    from fimble.tuning.prepare.dataset import load
    from fimble.tuning.training.need import require_packages
    from fimble.tuning.training.run_folder import RunFolder

    require_packages()
    data = load(prepared)
    gguf = weights_of(data.about.model_id, data.about.weights_sha256)
    require_architecture(architecture_of(gguf))
    if not config.row_tokens:
        n_longest = int(data.lengths.max(initial=0))
        config = dataclasses.replace(config, row_tokens=max(_LEAST_ROW_TOKENS, n_longest))
    if n_left_out := int((data.lengths > config.row_tokens).sum()):
        rows = f"rows of {config.row_tokens} tokens"
        click.echo(f"{n_left_out} of {len(data)} sequences do not fit into {rows} and are left out.", err=True)
    os.environ.setdefault("TQDM_DISABLE", "1")  # transformers' bars would cut through ours
    from fimble.tuning.training.start import start_training

    with bar("training") as show:

        def on_step(n_done: int, n_total: int, loss: float) -> None:
            del loss  # the curve is in the run's folder
            show(n_done, n_total)

        is_done = start_training(data, weights or gguf, gguf, RunFolder(out), config, n_threads, on_step)
    if not is_done:
        raise click.Abort
    _show_curve(RunFolder(out).metrics())


def weights_of(model_id: str, sha256: str) -> Path:
    """The very GGUF that the sequences were prepared for."""
    _, store = open_store()
    path = store.resolve(model_id)
    if sha256_of(path, no_progress) != sha256:
        raise ModelCorruptError(
            f"{path} is not the file that the sequences were prepared for.", mend="Run `fimble tune prepare` again."
        )
    return path


def architecture_of(gguf: Path) -> str:
    """llama.cpp's name for what kind of model a GGUF is; empty where it does not say."""
    return str(read_header(gguf).metadata.get("general.architecture", ""))


def _show_curve(metrics: list[dict[str, Any]]) -> None:
    for value in metrics:
        if "held_out_loss" in value:
            click.echo(
                f"step {value['step']}: held-out loss {value['held_out_loss']:.4f}, end marker's "
                f"{value['end_loss']:.4f}, end right {value['end_right']:.1%}"
            )
