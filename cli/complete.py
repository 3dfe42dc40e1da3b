"""`fimble complete PATH:LINE:COL`: one completion, shown in place or as JSON."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import uuid
from pathlib import Path

import click
from rich.console import Console
from rich.control import strip_control_codes
from rich.syntax import Syntax
from rich.text import Text

from fimble.cli.source import Place, read_place, workspace_of, workspace_option
from fimble.core.config import Layer
from fimble.core.flow import Completion, CompletionRequest, Rejection, RequestId, Trigger
from fimble.core.position import TextIndex
from fimble.engine.settings import Settings, load_settings
from fimble.engine.wiring import build_engine

_LINES_AROUND = 6
_TAB_SIZE = 4
_TIME_BOX_MS = 60_000


# `-:LINE:COL` looks like an option to click; a mistyped option still fails, as a surplus argument.
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("location", metavar="PATH:LINE:COL")
@click.option("--path", "stdin_path", help="Name of the file whose text comes on standard input (PATH is `-` then).")
@workspace_option
@click.option("--model", "model_id", help="Model id or GGUF path, instead of the configured one.")
@click.option("--lines", type=click.Choice(["auto", "single", "multi"]), help="How long the completion may be.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def complete(
    location: str,
    stdin_path: str | None,
    workspace: Path | None,
    model_id: str | None,
    lines: str | None,
    as_json: bool,
) -> None:
    """Complete the code at PATH:LINE:COL (both from 1, as editors show them; `-` reads standard input)."""
    place = read_place(location, stdin_path)
    chosen = {key: value for key, value in (("model.id", model_id), ("completion.lines", lines)) if value}
    # Nobody types on meanwhile, and two runs must agree: on the command line the time box is for hangs only.
    settings = load_settings([Layer("command line", {"completion.invoked_time_box_ms": _TIME_BOX_MS, **chosen})])
    for problem in settings.problems:
        click.echo(f"fimble: setting not used: {problem}", err=True)
    outcome = asyncio.run(_complete(place, workspace_of(place, workspace), settings))
    if as_json:
        click.echo(json.dumps(_as_json(outcome, place.n_mark_bytes, settings.config.model.id)))
    if isinstance(outcome, Rejection):
        if outcome.error:
            raise outcome.error
        if not as_json:
            click.echo(f"fimble: no completion: {outcome.detail}", err=True)
        return
    if not as_json:
        _show(place, outcome)


async def _complete(place: Place, root: Path | None, settings: Settings) -> Completion | Rejection:
    engine = build_engine(settings, workspace=root)
    try:
        request_id = RequestId(str(uuid.uuid4()))
        return await engine.complete(CompletionRequest(request_id, place.document, place.cursor, Trigger.INVOKED))
    finally:
        await engine.aclose()


def _as_json(outcome: Completion | Rejection, n_mark_bytes: int, model_id: str) -> dict[str, object]:
    """The documented object; `replace` counts bytes of the file."""
    answered = isinstance(outcome, Completion)
    start, end = (outcome.replace.start, outcome.replace.end) if answered else (0, 0)
    return {
        "completion": outcome.text if answered else "",
        "replace": {"start": start + n_mark_bytes, "end": end + n_mark_bytes} if answered else None,
        "rejection": None if answered else {"reason": str(outcome.reason), "detail": outcome.detail},
        "model": outcome.model_id or model_id,
        "timings": {key: round(value, 3) for key, value in dataclasses.asdict(outcome.timings).items()},
        "n_prompt_tokens": outcome.n_prompt_tokens,
        "n_reused_tokens": outcome.n_reused_tokens,
        "n_generated_tokens": outcome.n_generated_tokens,
    }


def _show(place: Place, completion: Completion) -> None:
    """Print the lines around the cursor with the completion in them."""
    text = place.document.text
    index = TextIndex(text)
    start, end = index.to_char(completion.replace.start), index.to_char(completion.replace.end)
    completed = text[:start] + completion.text + text[end:]
    after = TextIndex(completed)
    first_line = max(0, after.line_of(start) - _LINES_AROUND)
    last_line = min(after.n_lines - 1, after.line_of(type(start)(start + len(completion.text))) + _LINES_AROUND)
    window_start = after.line_start(type(after.line_of(start))(first_line))
    window = completed[window_start : after.line_end(type(after.line_of(start))(last_line))]
    shown = Syntax("", place.document.language_id, theme="ansi_dark", tab_size=_TAB_SIZE).highlight(_as_drawn(window))
    shown.rstrip()
    here = start - window_start
    marked_from, marked_to = (len(_as_drawn(window[:at])) for at in (here, here + len(completion.text)))
    shown.stylize("bold reverse", marked_from, marked_to)
    console = Console(file=sys.stdout)
    console.print(shown)
    timings = completion.timings
    console.print(
        Text(
            f"{completion.model_id}: {timings.total_ms:.0f} ms (first token {timings.first_token_ms:.0f} ms), "
            f"prompt of {completion.n_prompt_tokens} tokens, {completion.n_reused_tokens} reused, "
            f"{completion.n_generated_tokens} written",
            style="dim",
        )
    )


def _as_drawn(text: str) -> str:
    """Whole lines, or the beginning of them, as the highlighter makes them: it tells nobody where a character went."""
    with_line_feeds = text.replace("\r\n", "\n").replace("\r", "\n")
    return strip_control_codes(with_line_feeds).expandtabs(_TAB_SIZE)
