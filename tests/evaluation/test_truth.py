"""The harness cannot be fooled and fools nobody: on 40 records of every set, truth gets everything, silence nothing.

First with a completer that inserts the very middle, which tests the harness alone; then through the real engine with a
scripted model, which tests that the engine passes a right answer on. Every record that fails is listed with its reason.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.evaluation.conftest import FakeCompleter, always

from fimble.backend.decode.loops import n_before_circle
from fimble.backend.llama.model import LlamaModel, LoadOptions
from fimble.backend.scripted import ScriptedBackend
from fimble.core.config import Layer
from fimble.core.flow import Prompt
from fimble.engine.complete import Engine
from fimble.engine.settings import load_settings
from fimble.engine.wiring import build_engine
from fimble.evaluation.answers import OpenCompleter
from fimble.evaluation.fim import run_records
from fimble.evaluation.records import Record, RecordSet, read_set, sample
from fimble.evaluation.results import Partial, RecordResult
from fimble.evaluation.sets import SETS, SetSpec, as_edited, spec_of

pytestmark = [pytest.mark.usefixtures("confined"), pytest.mark.timeout(900)]

N_RECORDS = 40
SEED = 1
# The published scorer cuts the answer at the first brace, and does not cut the middle (see evaluation.cceval).
CUT_BY_SCORER = {
    "cceval-project_cc_typescript/441",
    "cceval-project_cc_typescript/1325",
    "cceval-project_cc_typescript/7361",
    "cceval-project_cc_typescript/10024",
}
# What the engine does not pass on, by set: record id, and why.
BLANK = "the middle is only white space, for which the engine shows nothing"
CLOSED_BELOW = "the middle's first line may end, as the file has closers enough further down"
ENGINE_LOSES = {
    "humaneval_multi": {
        "MultiLineInfilling/HumanEval/129/L6_L23": "the middle has five paragraphs, which is taken for too much",
    },
    "humaneval_randomspan": {
        "RandomSpanInfilling/HumanEval/35/10": BLANK,
        "RandomSpanInfilling/HumanEval/24/7": BLANK,
    },
    "cceval": {
        # The set is run for one line; that goes on only until the statement and what it opened may end.
        "cceval-project_cc_typescript/3389": "the middle is two statements",
        "cceval-project_cc_typescript/7361": CLOSED_BELOW,
        "cceval-project_cc_typescript/441": CLOSED_BELOW,
    },
}


class Chosen:
    """40 records of a set as they are asked, and how to find the answer to a question."""

    def __init__(self, data: Path, set_name: str) -> None:
        read: RecordSet = read_set(data / f"{set_name}.jsonl.gz")
        self.name = set_name
        self.spec: SetSpec = spec_of(set_name)
        self.records: tuple[Record, ...] = sample(read.records, limit=N_RECORDS, seed=SEED)
        edited = [as_edited(record, self.spec) for record in self.records]
        self.by_id = {record.id: record for record in edited}
        self._by_text = {(record.prefix, record.suffix): record for record in edited}

    def asked_for(self, prompt: Prompt) -> Record:
        assert prompt.constraint is not None
        return self._by_text[prompt.constraint.prefix, prompt.constraint.suffix]

    async def run(self, opener: OpenCompleter) -> list[RecordResult]:
        partial = Partial(None, {})
        return await run_records(self.name, self.records, self.spec, opener, partial, lambda result: None)

    def engine(self, answer: Callable[[Record], str]) -> OpenCompleter:
        """The real engine over a model that says `answer`, with room and time to say all of it."""
        limits = {"completion.invoked_max_tokens": 100_000, "completion.time_box_ms": 10**7}
        layer = Layer("test", {**limits, "completion.lines": str(self.spec.line_mode)})
        settings = load_settings([layer])
        backend = ScriptedBackend(lambda prompt: answer(self.asked_for(prompt)))

        @asynccontextmanager
        async def open_engine(workspace: Path) -> AsyncGenerator[Engine]:
            engine = build_engine(settings, backend=backend, workspace=workspace)
            yield engine
            await engine.aclose()

        return open_engine


@pytest.fixture(params=sorted(SETS))
def chosen(request: pytest.FixtureRequest, data: Path) -> Chosen:
    """One set after the other."""
    return Chosen(data, request.param)


def verdicts(result: RecordResult) -> dict[str, float]:
    """The scores of this record that a right answer must get and a wrong one must not."""
    left_out = {"empty", "em_cceval"} if result.record_id in CUT_BY_SCORER else {"empty"}
    names = {name for name in result.scores if name.startswith(("em", "pass"))} - left_out
    return {name: result.scores[name] for name in names}


async def test_the_harness_gives_truth_everything(chosen: Chosen) -> None:
    completer = FakeCompleter(lambda request: chosen.by_id[request.request_id].middle)
    failed = {
        result.record_id: sorted(name for name, score in verdicts(result).items() if score != 1)
        for result in await chosen.run(always(completer))
        # A blank answer is no answer (metrics.own_scores), so a blank middle cannot be got right.
        if chosen.by_id[result.record_id].middle.strip()
    }
    assert {record_id: names for record_id, names in failed.items() if names} == {}


async def test_the_engine_passes_truth_on(chosen: Chosen) -> None:
    known = ENGINE_LOSES.get(chosen.name, {})
    failed: dict[str, object] = {}
    results = await chosen.run(chosen.engine(lambda record: record.middle))
    for result in results:
        wrong = [name for name, score in verdicts(result).items() if score != 1]
        if wrong and result.record_id not in known:
            failed[result.record_id] = (wrong, result.rejection, result.stop_reason, result.answer)
    assert failed == {}
    assert sum(result.scores["em"] for result in results) >= 0.7 * len(results)


async def test_silence_gets_nothing(chosen: Chosen) -> None:
    for result in await chosen.run(chosen.engine(lambda record: "")):
        assert not any(verdicts(result).values())
        assert (result.scores["es"], result.scores["empty"], result.rejection) == (0, 1, "empty")


async def test_one_wrong_token_gets_neither_match_nor_pass(chosen: Chosen) -> None:
    """A name nobody defined, around what is right of the first line.

    On both sides, because SAFIM's own matcher does not compare the names of Python functions.
    """

    def spoilt(record: Record) -> str:
        first, line_end, rest = record.middle.partition("\n")
        indent = first[: len(first) - len(first.lstrip())]
        return f"{indent}undefined_name_ {first.strip()} undefined_name_{line_end}{rest}"

    completer = FakeCompleter(lambda request: spoilt(chosen.by_id[request.request_id]))
    results = await chosen.run(always(completer))
    assert {result.record_id: verdicts(result) for result in results if any(verdicts(result).values())} == {}


@pytest.mark.model
@pytest.mark.parametrize("set_name", sorted(SETS))
def test_no_true_middle_goes_round_in_circles(set_name: str, data: Path, model_path: Path) -> None:
    model = LlamaModel(LoadOptions(model_path, vocab_only=True))
    for record in read_set(data / f"{set_name}.jsonl.gz").records:
        tokens = model.tokenize(record.middle)
        cut = [n for n in range(1, len(tokens) + 1) if n_before_circle(tokens[:n]) is not None]
        assert not cut, record.id
    model.close()
