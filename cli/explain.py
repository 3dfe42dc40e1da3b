"""`fimble explain PATH:LINE:COL`: every part of the prompt, where it came from, and what it costs."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fimble.cli.source import Place, read_place
from fimble.context.gather import gather, path_of_uri
from fimble.context.index.root import find_root
from fimble.context.sources.build import build_sources
from fimble.core.config import Layer
from fimble.core.flow import Chunk, CompletionRequest, Prompt, RequestId, Segment, Trigger
from fimble.engine.settings import Settings, load_settings
from fimble.engine.wiring import build_engine

# By core.flow.Stability: what has to happen until the model must read a part anew.
_STABILITY = ("another function", "a step of the window", "a key")


@dataclass(frozen=True, slots=True)
class _Section:
    """Segments of one label, joined, with the chunk that they show."""

    label: str
    text: str
    n_tokens: int
    stability: int
    chunk: Chunk | None


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("location", metavar="PATH:LINE:COL")
@click.option("--path", "stdin_path", help="Name of the file whose text comes on standard input (PATH is `-` then).")
@click.option(
    "--workspace",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder whose other files may be shown to the model; by default the repository that the file is in.",
)
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
    root = workspace or find_root(Path(path_of_uri(place.document.uri)))
    settings = load_settings([Layer("command line", {"model.id": model_id} if model_id else {})])
    for problem in settings.problems:
        click.echo(f"fimble: setting not used: {problem}", err=True)
    prompt, chunks = asyncio.run(_ask(place, root, settings))
    sections = _sections(prompt, chunks)
    left_out = [chunk for chunk in chunks if chunk not in [section.chunk for section in sections]]
    if as_json:
        click.echo(json.dumps(_as_json(root, prompt, sections, left_out), ensure_ascii=False))
    else:
        _show(root, prompt, sections, left_out, with_text=with_text)


async def _ask(place: Place, root: Path, settings: Settings) -> tuple[Prompt, tuple[Chunk, ...]]:
    request = CompletionRequest(RequestId(str(uuid.uuid4())), place.document, place.cursor, Trigger.INVOKED)
    sources = build_sources(root, n_tokens=settings.config.prompt.chunk_tokens)
    engine = build_engine(settings, workspace=root)
    try:
        await sources.settle(request)
        context = await gather(request, sources)
        return await engine.prompt_for(request), context.chunks
    finally:
        sources.close()
        await engine.aclose()


def _sections(prompt: Prompt, chunks: tuple[Chunk, ...]) -> list[_Section]:
    """Neighbouring segments of the same kind as one; markers belong to what they open."""
    sections: list[_Section] = []
    markers: list[Segment] = []
    for segment in prompt.segments:
        if segment.is_marker:
            markers.append(segment)
            continue
        opened = [*markers, segment]
        markers = []
        text, n_tokens = "".join(part.text for part in opened), sum(part.n_tokens for part in opened)
        last = sections[-1] if sections else None
        if last is not None and last.label == segment.label and len(opened) == 1:
            sections[-1] = _Section(
                last.label, last.text + text, last.n_tokens + n_tokens, segment.stability, last.chunk
            )
        else:
            sections.append(_Section(segment.label, text, n_tokens, segment.stability, _chunk_of(segment, chunks)))
    if markers:
        text = "".join(part.text for part in markers)
        sections.append(_Section("markers", text, sum(part.n_tokens for part in markers), markers[-1].stability, None))
    return sections


def _chunk_of(segment: Segment, chunks: tuple[Chunk, ...]) -> Chunk | None:
    """The chunk that a segment shows, of which the end may have been cut off."""
    body = segment.text.partition("\n")[2].rstrip()  # below the line with the path
    for chunk in chunks:
        if segment.label == chunk.label and chunk.text.replace("\r\n", "\n").startswith(body):
            return chunk
    return None


def _as_json(root: Path, prompt: Prompt, sections: list[_Section], left_out: list[Chunk]) -> dict[str, object]:
    return {
        "workspace": str(root),
        "n_tokens": prompt.n_tokens,
        "sections": [
            {
                "label": section.label,
                "source": section.chunk.source if section.chunk else None,
                "score": round(section.chunk.score, 3) if section.chunk else None,
                "n_tokens": section.n_tokens,
                "stability": section.stability,
                "text": section.text,
            }
            for section in sections
        ],
        "left_out": [
            {"path": chunk.path, "source": chunk.source, "score": round(chunk.score, 3)} for chunk in left_out
        ],
    }


def _show(root: Path, prompt: Prompt, sections: list[_Section], left_out: list[Chunk], *, with_text: bool) -> None:
    console = Console()
    table = Table(title=f"{prompt.n_tokens} tokens, workspace {root}", title_justify="left", box=None, pad_edge=False)
    for heading, justify in (("tokens", "right"), ("part", "left"), ("source", "left"), ("score", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    table.add_column("stays until")
    for section in sections:
        table.add_row(
            str(section.n_tokens),
            escape(section.label.removeprefix("chunk ")),
            section.chunk.source if section.chunk else "",
            f"{section.chunk.score:.2f}" if section.chunk else "",
            _STABILITY[section.stability],
        )
    console.print(table)
    if left_out:
        console.print(f"\nFound, and no room for it: {', '.join(escape(chunk.path) for chunk in left_out)}.")
    if with_text:
        for section in sections:
            console.rule(escape(section.label), align="left")
            console.print(escape(section.text), highlight=False)
