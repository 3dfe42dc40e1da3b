"""Runs records through a completer, one after another, and scores each answer.

The completer is opened anew for every record, in a workspace of its own that holds only what the record says is
there: the file as it is with the hole, and the other files. Nothing of another record can help an answer.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fimble.core.flow import Completion, CompletionRequest, Document, Rejection, RejectReason, RequestId, Trigger
from fimble.core.position import CharIndex, TextIndex
from fimble.evaluation import cceval, official, sandbox
from fimble.evaluation.answers import Answer, OpenCompleter, answer_of
from fimble.evaluation.defects import defect_scores
from fimble.evaluation.metrics import Scores, own_scores
from fimble.evaluation.programs import missing_runtime, program_for
from fimble.evaluation.records import Record
from fimble.evaluation.results import Partial, RecordResult
from fimble.evaluation.sets import SetSpec, as_edited, parts_of
from fimble.syntax.grammar import grammar_for
from fimble.syntax.languages import PLAINTEXT, language_for, language_id_for_path
from fimble.syntax.parse import parse

# Any real file: there is no keystroke to be in time for.
_PARSE_WORK_UNITS = 10_000_000
_OFFICIAL = {"bigcode": official.bigcode, "qwen": official.qwen, "cceval": cceval.cceval}


async def run_records(
    set_name: str,
    records: Sequence[Record],
    spec: SetSpec,
    open_completer: OpenCompleter,
    partial: Partial,
    on_result: Callable[[RecordResult], None],
    *,
    asked_first: bool = True,
) -> list[RecordResult]:
    """Ask for and score every record that `partial` does not have yet; all results, in the records' order.

    `asked_first` says whether nobody was asked for these records over the same cache before.

    Raises:
        FimbleError: the completer has no model, or its process fails. What was scored so far is in `partial`.
    """
    results: list[RecordResult] = []
    for record in records:
        result = partial.results.get((set_name, record.id))
        if result is None:
            result = await _run_record(set_name, record, spec, open_completer)
            result = dataclasses.replace(result, asked_first=asked_first)
            partial.add(result)
        results.append(result)
        on_result(result)
    return results


async def _run_record(set_name: str, upstream: Record, spec: SetSpec, open_completer: OpenCompleter) -> RecordResult:
    record = as_edited(upstream, spec)
    with tempfile.TemporaryDirectory(prefix="fimble-eval-") as folder:
        workspace = Path(folder)
        request = prepare(record, workspace)
        async with open_completer(workspace) as completer:
            started = time.perf_counter()
            outcome = await completer.complete(request)
            wall_ms = (time.perf_counter() - started) * 1000.0
    if isinstance(outcome, Rejection) and outcome.error is not None and _is_fatal(outcome.reason):
        raise outcome.error
    answer = answer_of(request, outcome)
    scores, test_outcome = score(record, spec, answer)
    answered = isinstance(outcome, Completion)
    return RecordResult(
        set_name=set_name,
        record_id=record.id,
        language=record.language,
        parts=parts_of(record, spec),
        scores=scores,
        rejection=None if answered else str(outcome.reason),
        stop_reason=str(outcome.stop_reason) if answered else None,
        test_outcome=test_outcome,
        n_prompt_tokens=outcome.n_prompt_tokens,
        n_reused_tokens=outcome.n_reused_tokens,
        n_generated_tokens=outcome.n_generated_tokens,
        first_token_ms=outcome.timings.first_token_ms,
        total_ms=outcome.timings.total_ms,
        wall_ms=wall_ms,
        answer=answer.text,
        writing_ms=outcome.timings.writing_ms,
        constraint_ms=outcome.timings.constraint_ms,
        n_refused_pieces=outcome.n_refused_pieces,
        confidence=outcome.confidence if answered else None,
    )


def prepare(record: Record, workspace: Path) -> CompletionRequest:
    """Lay the record's files out in `workspace` and ask for what comes at the hole.

    The request is an invoked one: a user pressed the key, so nothing about waiting or showing decides the score.
    """
    contents: dict[str, list[str]] = {}
    for other in record.cross_file:
        # Several pieces of one file: all there is of it, in the order given.
        contents.setdefault(other.path, []).append(other.text)
    text = record.prefix + record.suffix
    contents[record.path] = [text]
    for path, pieces in contents.items():
        place = workspace / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes("\n".join(pieces).encode("utf-8", "surrogatepass"))
    by_name = language_id_for_path(record.path)
    document = Document(
        uri=(workspace / record.path).as_uri(),
        language_id=record.language if by_name == PLAINTEXT else by_name,
        version=1,
        text=text,
    )
    cursor = TextIndex(text).to_byte(CharIndex(len(record.prefix)))
    return CompletionRequest(RequestId(record.id), document, cursor, Trigger.INVOKED)


def score(record: Record, spec: SetSpec, answer: Answer) -> tuple[Scores, str | None]:
    """Every score that applies to the record, and how its tests went."""
    scores = own_scores(record, answer)
    for name in spec.scorers:
        if scorer := _OFFICIAL.get(name):
            scores |= scorer(record, answer)
    scores |= defect_scores(record, answer)
    parse_ok = syntax_kept(record, answer)
    if parse_ok is not None:
        scores["parse_ok"] = float(parse_ok)
    passed, test_outcome = _run_tests(record, answer)
    if passed is not None:
        scores["pass_at_1"] = float(passed)
    if "safim" in spec.scorers:
        if record.tests is None:
            scores["pass_safim"] = float(official.safim_match(record, answer))
        elif passed is not None:
            scores["pass_safim"] = float(passed)
    return scores, test_outcome


def syntax_kept(record: Record, answer: Answer) -> bool | None:
    """Whether the file parses without error with the answer in it.

    None where that says nothing: no answer, no grammar for the language, or a true file that has errors itself.
    """
    language = language_for(language_id_for_path(record.path)) or language_for(record.language)
    grammar = grammar_for(language) if language else None
    if grammar is None or not answer.text.strip():
        return None
    true, given = (
        parse(grammar, text.encode("utf-8", "surrogatepass"), max_work_units=_PARSE_WORK_UNITS)
        for text in (record.prefix + record.middle + record.suffix, answer.document)
    )
    if true is None or given is None or not true.is_clean:
        return None
    return given.is_clean


def _run_tests(record: Record, answer: Answer) -> tuple[bool | None, str | None]:
    """Whether the tests pass, None where they cannot be run; and how that went."""
    if record.tests is None:
        return None, None
    if reason := missing_runtime(record) or sandbox.problem():
        return None, f"not run: {reason}"
    if not answer.text.strip():
        return False, "failed: no answer"  # upstream counts it so too, whatever the rest of the file does
    program = program_for(record, answer.document)
    if program is None:
        return None, "not run: its tests are of no known form"
    results = sandbox.run(program.files, program.steps, program.limits, visible=program.visible)
    if program.is_passed(results):
        return True, "passed"
    broken = next((result.limit for result in results if result.limit), None)
    return False, f"failed: {broken} limit" if broken else "failed"


def _is_fatal(reason: RejectReason) -> bool:
    return reason in (RejectReason.MODEL_UNAVAILABLE, RejectReason.BACKEND_FAILED)
