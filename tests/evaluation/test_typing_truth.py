"""While code is typed, a model that is right is heard: at every twentieth key of recorded sessions it writes what the
finished file has there, and what the engine shows of it is right.

Silence is wrong where the line goes on. How often it is allowed here is what no rule could mend yet: blocks that go on
for longer than a single line may, and code right of the cursor that is about to be deleted. `-s` prints the counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fimble.backend.scripted import ScriptedBackend
from fimble.core.config import Layer
from fimble.core.flow import CompletionRequest, Document, Prompt, Rejection, RequestId
from fimble.core.position import TextIndex
from fimble.engine.settings import load_settings
from fimble.engine.wiring import build_engine
from fimble.evaluation.answers import answer_of
from fimble.evaluation.traces import Trace, moments, read_traces
from fimble.syntax.languages import language_id_for_path

EVERY = 20
MAX_LINES_AWAY = 40
N_LINES_WRITTEN = 12
# Shares of the places of a kind where silence is all that is shown.
MOST_SILENT = {"in a line": 0.05, "at a line's end": 0.04, "on a blank line": 0.2}


@dataclass(frozen=True, slots=True)
class Asked:
    """One place. `line` is how the cursor's line ends up, `written` what a model that knows it would write."""

    kind: str
    request: CompletionRequest
    head: str
    line: str
    written: str


def asked_in(trace: Trace) -> Iterator[Asked]:
    """Places whose line is found in the finished file."""
    played = moments(trace)
    final = played[-1].text.split("\n")
    for position, moment in enumerate(played[::EVERY]):
        prefix, suffix = moment.text[: moment.cursor], moment.text[moment.cursor :]
        head, rest = prefix.rpartition("\n")[2], suffix.partition("\n")[0]
        row = prefix.count("\n")
        rows = [at for at, line in enumerate(final) if line.startswith(head) and abs(at - row) < MAX_LINES_AWAY]
        if not moment.keystroke.is_edit or not rows or (not head.strip() and row not in rows):
            continue
        at = min(rows, key=lambda one: abs(one - row))
        to_come = final[at][len(head) :]
        if to_come.strip() in ("", rest.strip()):
            continue
        kind = "in a line" if rest.strip() else "at a line's end" if head.strip() else "on a blank line"
        document = Document(f"file:///{trace.path}", language_id_for_path(trace.path), position, moment.text)
        request = CompletionRequest(RequestId("r"), document, TextIndex(moment.text).to_byte(moment.cursor))
        written = "\n".join([to_come, *final[at + 1 : at + N_LINES_WRITTEN]])
        yield Asked(kind, request, head, final[at], written)


async def test_what_is_right_is_shown_while_it_is_typed(data: Path) -> None:
    options = {"completion.look_ahead": False, "completion.time_box_ms": 10**7, "completion.max_tokens": 10_000}
    settings = load_settings([Layer("test", options)], environ={})
    counts: Counter[tuple[str, str]] = Counter()
    wrong: list[tuple[str, str, str]] = []
    for trace in read_traces(data / "traces.jsonl.gz"):
        for asked in asked_in(trace):

            def write(prompt: Prompt, written: str = asked.written) -> str:
                return written

            engine = build_engine(settings, backend=ScriptedBackend(write))
            outcome = await engine.complete(asked.request)
            await engine.aclose()
            if isinstance(outcome, Rejection):
                counts[asked.kind, "silent"] += 1
                continue
            line = answer_of(asked.request, outcome).document.split("\n")[
                asked.request.document.text.encode()[: asked.request.cursor].count(b"\n")
            ]
            is_whole = line == asked.line
            counts[asked.kind, "whole line" if is_whole else "part"] += 1
            if not is_whole and not asked.line.startswith(asked.head + outcome.text.split("\n")[0]):
                wrong.append((asked.head, asked.line, outcome.text))
    for kind, most in MOST_SILENT.items():
        of_kind = {what: n for (one, what), n in counts.items() if one == kind}
        print(kind, of_kind)
        assert sum(of_kind.values()) >= 20
        assert of_kind["silent"] <= most * sum(of_kind.values()), kind
    assert wrong == []
