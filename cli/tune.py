"""`fimble tune`: from repositories to an adapter for the model, one subcommand a stage."""

from __future__ import annotations

import json
import random
from pathlib import Path

import click

from fimble.core.errors import FimbleError


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
@click.option("--show", default=0, type=click.IntRange(min=0), help="Print so many examples, chosen at random.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def mine(
    paths: tuple[Path, ...],
    out: Path,
    evaluation: tuple[Path, ...],
    per_file: int,
    seed: int,
    any_licence: bool,
    show: int,
    as_json: bool,
) -> None:
    """Find gaps worth learning from in PATHS: folders, or packages as archives (sdist, wheel, zip)."""
    from fimble.tuning.mine.run import MineOptions
    from fimble.tuning.mine.run import mine as run_mine
    from fimble.tuning.mine.spans import SpanOptions

    options = MineOptions(SpanOptions(n_per_file=per_file, seed=seed), any_licence, evaluation)
    report = run_mine(paths, out, options, lambda name: click.echo(f"mining {name}", err=True))
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
    if show:
        _show_examples(out, show, seed)


def _show_examples(folder: Path, n: int, seed: int) -> None:
    from fimble.tuning.mine.examples import load

    mined = load(folder)
    for example in random.Random(seed).sample(mined.examples, min(n, len(mined.examples))):
        prefix, middle, suffix = mined.parts(example)
        file = mined.files[example.file_id]
        if prefix + middle + suffix != file.text:
            raise FimbleError(f"{example.id} is not a part of its file.")
        click.echo(f"\n--- {file.repository}/{file.path} {example.kind} stage {example.stage}")
        click.echo(click.style(prefix[-160:], dim=True) + "⟦" + middle + "⟧" + click.style(suffix[:80], dim=True))
