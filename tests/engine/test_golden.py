"""What becomes of what a model writes, case by case: each file of golden/ is a text with a cursor, and an answer.

A file's first line says why it is there. `\\r` stands for a carriage return; the line end before a heading is not part
of the text. Through the whole engine, so that stop rules, syntax and shaping answer together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from fimble.backend.scripted import ScriptedBackend
from fimble.core.config import Layer
from fimble.core.flow import CompletionRequest, Document, Rejection, RequestId, Trigger
from fimble.core.position import CharIndex, TextIndex
from fimble.engine.settings import load_settings
from fimble.engine.wiring import build_engine
from fimble.evaluation.answers import answer_of

CASES = sorted(Path(__file__).with_name("golden").glob("*.txt"))
_FORM = re.compile(
    r"(?P<why>.+)\nlanguage: (?P<language>\S+)\nlines: (?P<lines>\S+)\n=== file\n(?P<source>.*?)\n"
    r"=== model writes\n(?P<written>.*?)\n=== becomes\n(?P<expected>.*)\n\Z",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Case:
    """One file of golden/."""

    why: str
    language: str
    lines: str
    source: str
    written: str
    expected: str

    @classmethod
    def read(cls, path: Path) -> Case:
        matched = _FORM.fullmatch(path.read_text("utf-8"))
        assert matched, f"{path.name} is not of the form of the others"
        parts = {name: text.replace("\\r\n", "\r\n").replace("\\r", "\r") for name, text in matched.groupdict().items()}
        assert parts["source"].count("$0") == 1
        return cls(**parts)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
async def test_golden(path: Path, tmp_path: Path) -> None:
    case = Case.read(path)
    text = case.source.replace("$0", "")
    cursor = TextIndex(text).to_byte(CharIndex(case.source.index("$0")))
    backend = ScriptedBackend(lambda prompt: case.written)
    settings = load_settings([Layer("test", {"completion.lines": case.lines})], environ={"FIMBLE_HOME": str(tmp_path)})
    engine = build_engine(settings, backend=backend)
    document = Document("untitled:Untitled-1", case.language, 1, text)
    request = CompletionRequest(RequestId("r"), document, cursor, Trigger.AUTOMATIC)
    outcome = await engine.complete(request)
    await engine.aclose()
    became = f"rejected: {outcome.reason}" if isinstance(outcome, Rejection) else answer_of(request, outcome).document
    assert became == case.expected, case.why


def test_every_trap_has_its_case() -> None:
    assert len(CASES) >= 40
