"""`fimble holes FOLDER OUT`: a set for `fimble eval` out of your own files."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from fimble.core.errors import FimbleError, InputError


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--per-language", type=click.IntRange(min=1), default=20, show_default=True, help="Holes per language.")
@click.option("--seed", default=0, show_default=True, help="Which files and places are chosen.")
def holes(folder: Path, out: Path, per_language: int, seed: int) -> None:
    """Cut holes into the files of FOLDER and write them to OUT (.jsonl or .jsonl.gz), for `fimble eval --set OUT`.

    Whole lines, rests of lines and several lines, in files that have no syntax error. Ignored and generated files stay
    out; files with secrets by their name, too. OUT holds text of your files: it stays where you put it.
    """
    from fimble.context.index.files import scan
    from fimble.context.index.ignore import is_unfit
    from fimble.evaluation.cutting import Source, cut_records, write_set
    from fimble.syntax.grammar import grammar_for
    from fimble.syntax.languages import language_for, language_id_for_path

    sources: list[Source] = []
    for path in scan(folder, lambda language: grammar_for(language) is not None).stamps:
        language = language_for(language_id_for_path(path))
        with contextlib.suppress(OSError, UnicodeDecodeError):  # gone meanwhile, or no text that could be written back
            text = (folder / path).read_bytes().decode("utf-8")
            if language is not None and not is_unfit(text):
                sources.append(Source(path, language, text))
    records = cut_records(sources, n_per_language=per_language, seed=seed)
    if not records:
        raise InputError(f"{folder} holds no source file that a hole can be cut into.", mend="Name another folder.")
    try:
        write_set(records, out)
    except OSError as error:
        raise FimbleError(f"{out} cannot be written: {error.strerror}.", mend="Name another file.") from error
    counts: dict[str, int] = {}
    for record in records:
        counts[record.language] = counts.get(record.language, 0) + 1
    click.echo(f"{out}: {', '.join(f'{name} {n}' for name, n in counts.items())}")
