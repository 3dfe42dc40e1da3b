"""`fimble explain PATH:LINE:COL`: every part of the prompt, where it came from, and what it costs."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fimble.cli.source import Place, read_place, workspace_of, workspace_option
from fimble.core.config import Layer
from fimble.core.flow import CompletionRequest, RequestId, Trigger
from fimble.engine.explain import Explanation, as_fields
from fimble.engine.settings import Settings, load_settings
from fimble.engine.wiring import build_engine

# By core.flow.Stability: what has to happen until the model must read a part anew.
_STABILITY = ("another function", "a step of the window", "a key")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("location", metavar="PATH:LINE:COL")
@click.option("--path", "stdin_path", help="Name of the file whose text comes on standard input (PATH is `-` then).")
@workspace_option
@click.option("--model", "model_id", help="Model id or GGUF path, instead of the configured one.")
@click.option("--text", "with_text", is_flag=True, help="Print the text of every part, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(
    location: str,
    stdin_path: str | None,
    workspace: Path | None,
    model_id: str | None,
    with_text: bool,
    as_json: bool,
) -> None:
    """Show what the model would see at PATH:LINE:COL (both from 1), part by part."""
    place = read_place(location, stdin_path)
    root = workspace_of(place, workspace)
    settings = load_settings([Layer("command line", {"model.id": model_id} if model_id else {})])
    for problem in settings.problems:
        click.echo(f"fimble: setting not used: {problem}", err=True)
    explanation = asyncio.run(_ask(place, root, settings))
    if as_json:
        click.echo(json.dumps({"workspace": str(root) if root else None, **as_fields(explanation)}))
    else:
        _show(root, explanation, with_text=with_text)


async def _ask(place: Place, root: Path | None, settings: Settings) -> Explanation:
    request = CompletionRequest(RequestId(str(uuid.uuid4())), place.document, place.cursor, Trigger.INVOKED)
    engine = build_engine(settings, workspace=root)
    try:
        return await engine.explain(request)
    finally:
        await engine.aclose()


def _show(root: Path | None, explanation: Explanation, *, with_text: bool) -> None:
    console = Console()
    workspace = f"workspace {root}" if root else "no workspace"
    title = f"{explanation.n_tokens} tokens, {explanation.n_cached_tokens} cached, {workspace}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading, justify in (("tokens", "right"), ("part", "left"), ("source", "left"), ("score", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    table.add_column("stays until")
    for section in explanation.sections:
        table.add_row(
            str(section.n_tokens),
            escape(section.label.removeprefix("chunk ")),
            section.chunk.source if section.chunk else "",
            f"{section.chunk.score:.2f}" if section.chunk else "",
            _STABILITY[section.stability],
        )
    console.print(table)
    if explanation.left_out:
        paths = ", ".join(escape(chunk.path) for chunk in explanation.left_out)
        console.print(f"\nFound, and no room for it: {paths}.")
    if with_text:
        for section in explanation.sections:
            console.rule(escape(section.label), align="left")
            console.print(escape(section.text), highlight=False)
