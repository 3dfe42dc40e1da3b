"""Running records: what is asked, what is scored, what is kept, and that no record sees another."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.evaluation.conftest import TIMES, FakeCompleter, always, record

from fimble.core.errors import ModelMissingError
from fimble.core.flow import CompletionRequest, LineMode, Rejection, RejectReason, Trigger
from fimble.evaluation.answers import Answer
from fimble.evaluation.fim import prepare, run_records, syntax_kept
from fimble.evaluation.records import CrossFile, Record
from fimble.evaluation.results import Partial, RecordResult
from fimble.evaluation.sets import SETS, SetSpec, as_edited, parts_of, spec_of

SPEC = SetSpec(LineMode.SINGLE)


async def run(records: list[Record], completer: FakeCompleter, spec: SetSpec = SPEC) -> list[RecordResult]:
    return await run_records("mine", records, spec, always(completer), Partial(None, {}), lambda result: None)


def truth_of(records: list[Record]) -> FakeCompleter:
    by_id = {one.id: one.middle for one in records}
    return FakeCompleter(lambda request: by_id[request.request_id])


@pytest.mark.usefixtures("confined")
async def test_truth_scores_one_emptiness_nothing_and_a_wrong_token_neither() -> None:
    records = [record(id=str(n), middle=f"return a + b + {n} - {n}") for n in range(3)]
    for one in await run(records, truth_of(records)):
        assert one.scores["em"] == one.scores["em_first_line"] == one.scores["pass_at_1"] == one.scores["parse_ok"] == 1
        assert (one.rejection, one.test_outcome, one.scores["es"]) == (None, "passed", 1)
    for one in await run(records, FakeCompleter(lambda request: "")):
        assert one.scores["em"] == one.scores["em_first_line"] == one.scores["es"] == one.scores["pass_at_1"] == 0
        assert (one.scores["empty"], one.rejection) == (1, "empty")
        assert "parse_ok" not in one.scores
    for one in await run(records, FakeCompleter(lambda request: "return a - b")):
        assert one.scores["em"] == one.scores["pass_at_1"] == 0
        assert one.scores["parse_ok"] == 1
        assert 0 < one.scores["es"] < 1


async def test_a_blank_middle_is_not_matched_by_silence() -> None:
    blank = record(middle="  \n", tests=None)
    (result,) = await run([blank], FakeCompleter(lambda request: ""))
    assert result.scores["em"] == 0


def test_the_request_is_what_an_editor_would_send(tmp_path: Path) -> None:
    made = record(
        path="pkg/ünï.py",
        prefix="é = 1\r\nx = ",
        suffix="\r\n",
        cross_file=(CrossFile("pkg/b.py", "one"), CrossFile("c.py", "three"), CrossFile("pkg/b.py", "two")),
    )
    request = prepare(made, tmp_path)
    assert request.document.text == "é = 1\r\nx = \r\n"
    assert request.cursor == len("é = 1\r\nx = ".encode())
    assert request.document.uri == (tmp_path / "pkg/ünï.py").as_uri()
    assert request.document.language_id == "python"
    assert request.trigger is Trigger.INVOKED
    assert (tmp_path / "pkg/b.py").read_text() == "one\ntwo"
    assert (tmp_path / "c.py").read_text() == "three"
    assert (tmp_path / "pkg/ünï.py").read_bytes() == request.document.text.encode()
    assert made.middle not in "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())


def test_the_language_is_the_one_an_editor_gives_the_file(tmp_path: Path) -> None:
    assert prepare(record(language="typescript", path="a.tsx"), tmp_path).document.language_id == "typescriptreact"
    assert prepare(record(language="java", path="strange"), tmp_path).document.language_id == "java"


async def test_every_record_has_a_workspace_and_a_completer_of_its_own() -> None:
    opened: list[Path] = []
    seen: list[list[str]] = []

    def look(workspace: Path) -> None:
        opened.append(workspace)
        seen.append(sorted(path.name for path in workspace.rglob("*")))

    @asynccontextmanager
    async def open_it(workspace: Path) -> AsyncGenerator[FakeCompleter]:
        look(workspace)
        yield FakeCompleter(lambda request: "x")

    records = [record(id=str(n), tests=None) for n in range(3)]
    await run_records("mine", records, SPEC, open_it, Partial(None, {}), lambda result: None)
    assert len(set(opened)) == 3
    assert seen == [["add.py"]] * 3
    assert not any(path.exists() for path in opened)


async def test_a_model_that_is_not_there_ends_the_run_and_keeps_what_was_done(tmp_path: Path) -> None:
    class Broken(FakeCompleter):
        async def complete(self, request: CompletionRequest) -> Rejection:
            if request.request_id == "0":
                return Rejection(request.request_id, RejectReason.EMPTY, "", TIMES)
            error = ModelMissingError("gone", mend="pull it")
            return Rejection(request.request_id, RejectReason.MODEL_UNAVAILABLE, "gone", TIMES, error=error)

    records = [record(id=str(n), tests=None) for n in range(3)]
    partial = Partial(tmp_path / "p.jsonl", {"a": 1})
    with pytest.raises(ModelMissingError):
        await run_records("mine", records, SPEC, always(Broken(lambda request: "")), partial, lambda result: None)
    assert list(Partial(tmp_path / "p.jsonl", {"a": 1}).results) == [("mine", "0")]


async def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    records = [record(id=str(n), tests=None) for n in range(4)]
    path = tmp_path / "p.jsonl"

    async def go(config: dict[str, object], chosen: list[Record]) -> tuple[FakeCompleter, list[RecordResult]]:
        completer = truth_of(records)
        made = await run_records("mine", chosen, SPEC, always(completer), Partial(path, config), lambda result: None)
        return completer, made

    first, _ = await go({"seed": 1}, records[:2])
    assert len(first.requests) == 2
    # Stopped in the middle of a line: that record is asked again, nothing else is.
    with path.open("a") as file:
        file.write('{"set_name": "mine", "record_id": "2", "lang')
    second, results = await go({"seed": 1}, records)
    assert [request.request_id for request in second.requests] == ["2", "3"]
    assert [result.record_id for result in results] == ["0", "1", "2", "3"]
    assert [json.loads(line)["record_id"] for line in path.read_text().splitlines()[1:]] == ["0", "1", "2", "3"]
    # Asked for something else: nothing of it is taken over.
    other, _ = await go({"seed": 2}, records)
    assert len(other.requests) == 4


@pytest.mark.parametrize(
    ("language", "path", "middle", "text", "kept"),
    [
        ("python", "a.py", "f(1)", "f(2)", True),
        ("python", "a.py", "f(1)", "f(2", False),
        ("python", "a.py", "f(1)", "  ", None),
        ("python", "a.py", "f(1", "f(2)", None),  # the true file has an error itself
        ("brainfuck", "a.bf", "+", "-", None),
        ("typescript", "a.tsx", "<b>1</b>", "<i>2</i>", True),
    ],
)
def test_syntax_kept(language: str, path: str, middle: str, text: str, kept: bool | None) -> None:
    made = record(language=language, path=path, prefix="x = ", middle=middle, suffix="\n")
    answer = Answer(text, is_insertion=True, document=made.prefix + text + made.suffix)
    assert syntax_kept(made, answer) is kept


def test_whole_line_holes_leave_the_line_end_to_the_file() -> None:
    upstream = record(prefix="def f():\n", middle="    return 1\n", suffix="x = 2\n")
    edited = as_edited(upstream, SETS["humaneval_single"])
    assert (edited.middle, edited.suffix) == ("    return 1", "\nx = 2\n")
    assert as_edited(upstream, SETS["humaneval_randomspan"]) == upstream


def test_sets_know_their_line_mode_and_parts() -> None:
    single = {name for name, spec in SETS.items() if spec.line_mode is LineMode.SINGLE}
    assert single == {"humaneval_single", "santacoder_fim", "xfile", "cceval"}
    assert spec_of("never heard of").line_mode is LineMode.MULTI
    assert parts_of(record(meta={"definer_imported": True}), SETS["xfile"]) == ("all", "clean")
    assert parts_of(record(meta={"definer_imported": False}), SETS["xfile"]) == ("all", "not_imported")
    assert parts_of(record(meta={"retrieval": "rg1_bm25"}), SETS["cceval"]) == ("all", "rg1_bm25")
    assert parts_of(record(), SETS["commitfim"]) == ("all",)
