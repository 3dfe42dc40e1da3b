"""Typing traces at a target: what is asked when, in virtual and in real time, and what is counted."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.evaluation.conftest import TIMES, FakeCompleter
from tests.evaluation.test_traces import key, typed

from fimble.core.errors import BackendError, InputError
from fimble.core.flow import Completion, CompletionRequest, Document, Rejection, RejectReason, Trigger
from fimble.core.position import ByteOffset, ByteRange
from fimble.evaluation import replay
from fimble.evaluation.render import benchmarks_page
from fimble.evaluation.replay import ClientPolicy, OpenReplay, ReplayTarget, TraceReplay, replay_trace
from fimble.evaluation.replay_summary import load_replay, save_replay, summarise, summary_lines


class HeldClock:
    """Stands in for the time module: only what the target does takes time."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def perf_counter(self) -> float:
        return self.now_s


class FakeTarget(FakeCompleter):
    """Takes `cost_ms` of held time for each answer; remembers what else it was given to do."""

    def __init__(
        self, answer: Callable[[CompletionRequest], str], clock: HeldClock, cost_ms: float, policy: ClientPolicy
    ) -> None:
        super().__init__(answer)
        self.policy = policy
        self.idled: list[tuple[int, float]] = []
        self.n_followed_up = 0
        self._clock = clock
        self._cost_ms = cost_ms

    async def complete(self, request: CompletionRequest) -> Completion | Rejection:
        self._clock.now_s += self._cost_ms / 1000
        return await super().complete(request)

    async def follow_up(self, budget_ms: float) -> None:
        self.n_followed_up += 1

    async def idle(self, document: Document, cursor: ByteOffset, budget_ms: float) -> None:
        self.idled.append((document.version, budget_ms))


def open_once(target: ReplayTarget) -> OpenReplay:
    @asynccontextmanager
    async def open_it(workspace: Path) -> AsyncGenerator[ReplayTarget]:
        yield target

    return open_it


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HeldClock:
    held = HeldClock()
    monkeypatch.setattr(replay, "time", held)
    return held


# "hello", one key each 100 ms from 1000 ms on, then a pause of 1 s, then "!".
KEYS = [key(1000 + 100 * n, 0, n, char) for n, char in enumerate("hello")]
TRACE = typed("", *KEYS, key(2400, 0, 5, "!"))


async def type_virtually(clock: HeldClock, cost_ms: float, policy: ClientPolicy) -> tuple[FakeTarget, TraceReplay]:
    target = FakeTarget(lambda request: "llo" if request.cursor == 2 else "?", clock, cost_ms, policy)
    return target, await replay_trace(TRACE, open_once(target), realtime=False)


async def test_a_fast_target_is_asked_at_every_key(clock: HeldClock) -> None:
    target, typed_out = await type_virtually(clock, 40, ClientPolicy())
    assert [one.latency_ms for one in typed_out.asked] == pytest.approx([40] * 6)
    assert all(one.in_time for one in typed_out.asked)
    assert [one.n_saved_chars for one in typed_out.asked] == [0, 3, 0, 0, 0, 0]
    assert [request.document.text for request in target.requests] == ["h", "he", "hel", "hell", "hello", "hello!"]
    assert [request.cursor for request in target.requests] == [1, 2, 3, 4, 5, 6]
    assert {request.trigger for request in target.requests} == {Trigger.AUTOMATIC}
    assert target.n_followed_up == 6
    assert target.idled == [(0, 1000.0)]  # the file is opened at time 0, the first key comes a second later


async def test_a_suggestion_in_the_place_of_a_bracket_spares_what_is_typed_over_it(clock: HeldClock) -> None:
    class Replacing(FakeTarget):
        async def complete(self, request: CompletionRequest) -> Completion | Rejection:
            outcome = await super().complete(request)
            assert isinstance(outcome, Completion)
            end = ByteOffset(request.cursor + 1) if outcome.text == "1):" else request.cursor
            return dataclasses.replace(outcome, replace=ByteRange(request.cursor, end))

    pair, over = key(1100, 0, 1, "()", kind="pair"), key(1300, 0, 3, ")", 1, "overtype")
    trace = typed("", key(1000, 0, 0, "f"), pair, key(1200, 0, 2, "1"), over, key(1400, 0, 4, ":"))
    target = Replacing(lambda request: "1):" if request.cursor == 2 else "?", clock, 40, ClientPolicy())
    typed_out = await replay_trace(trace, open_once(target), realtime=False)
    assert [one.n_saved_chars for one in typed_out.asked] == [0, 3, 0, 0, 0]


async def test_a_slow_target_supersedes_what_could_not_begin(clock: HeldClock) -> None:
    """250 ms an answer: the first key is served until 1250, when keys 2 and 3 are past; key 3 begins late."""
    target, typed_out = await type_virtually(clock, 250, ClientPolicy())
    outcomes = [one.outcome for one in typed_out.asked]
    assert outcomes == ["completion", "superseded", "completion", "superseded", "completion", "completion"]
    # Key 3 came at 1200 and began at 1250; key 5 came at 1400 and began at 1500.
    assert [one.latency_ms for one in typed_out.asked if one.is_served] == pytest.approx([250, 300, 350, 250])
    assert [one.in_time for one in typed_out.asked if one.is_served] == [False, False, True, True]
    assert target.n_followed_up == 2  # only what came in time was on screen
    assert len(target.requests) == 4


async def test_a_debounce_waits_and_asks_only_at_pauses(clock: HeldClock) -> None:
    target, typed_out = await type_virtually(clock, 40, ClientPolicy(debounce_ms=150))
    assert [one.outcome for one in typed_out.asked].count("superseded") == 4
    assert [one.latency_ms for one in typed_out.asked if one.is_served] == pytest.approx([190, 190])
    assert len(target.requests) == 2


async def test_a_client_that_polls_begins_at_its_next_try(clock: HeldClock) -> None:
    """130 ms an answer, tried again every 100 ms: key 2 wants to begin at 1100, finds it busy, is past at 1200."""
    _, typed_out = await type_virtually(clock, 130, ClientPolicy(cancels=False, retry_ms=100))
    assert [one.outcome for one in typed_out.asked][:3] == ["completion", "superseded", "completion"]
    assert typed_out.asked[4].latency_ms == pytest.approx(130)


async def test_moves_give_time_to_work_ahead_and_ask_nothing(clock: HeldClock) -> None:
    target = FakeTarget(lambda request: "", clock, 10, ClientPolicy())
    trace = typed("ab", key(500, 0, 1, kind="move"), key(2500, 0, 1, "x"))
    typed_out = await replay_trace(trace, open_once(target), realtime=False)
    assert target.idled == [(0, 500.0), (1, 2000.0)]
    assert [one.outcome for one in typed_out.asked] == ["empty"]


async def test_what_was_never_tried_has_no_latency(clock: HeldClock) -> None:
    class Refusing(FakeTarget):
        async def complete(self, request: CompletionRequest) -> Rejection:
            return Rejection(request.request_id, RejectReason.DISABLED, "", TIMES)

    target = Refusing(lambda request: "", clock, 0, ClientPolicy())
    typed_out = await replay_trace(TRACE, open_once(target), realtime=False)
    assert {(one.outcome, one.is_served) for one in typed_out.asked} == {("disabled", False)}


@pytest.mark.parametrize("realtime", [False, True])
async def test_a_broken_target_ends_the_replay(realtime: bool) -> None:
    class Dead(FakeTarget):
        async def complete(self, request: CompletionRequest) -> Rejection:
            error = BackendError("dead")
            return Rejection(request.request_id, RejectReason.BACKEND_FAILED, "dead", TIMES, error=error)

    keys = [key(10 * n, 0, n, "x") for n in range(1, 4)]
    target = Dead(lambda request: "", HeldClock(), 0, ClientPolicy())
    with pytest.raises(BackendError):
        await replay_trace(typed("y" * 9, *keys), open_once(target), realtime=realtime)


class Sleeper(FakeTarget):
    """Takes real time for each version of the document, and counts who was cancelled."""

    def __init__(self, cost_s: Callable[[int], float], policy: ClientPolicy) -> None:
        super().__init__(lambda request: "zzz", HeldClock(), 0, policy)
        self._cost_s = cost_s
        self.n_cancelled = 0
        self.n_running = 0
        self.most_running = 0

    async def complete(self, request: CompletionRequest) -> Completion | Rejection:
        self.n_running += 1
        self.most_running = max(self.most_running, self.n_running)
        try:
            await asyncio.sleep(self._cost_s(request.document.version))
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        finally:
            self.n_running -= 1
        return await super().complete(request)


FAST_KEYS = [key(50 + 60 * n, 0, n, char) for n, char in enumerate("hello")]


async def test_in_real_time_the_next_key_cancels() -> None:
    target = Sleeper(lambda version: 0 if version == len(FAST_KEYS) else 3600, ClientPolicy(cancels=True))
    typed_out = await replay_trace(typed("", *FAST_KEYS), open_once(target), realtime=True)
    assert [one.outcome for one in typed_out.asked] == ["cancelled"] * 4 + ["completion"]
    assert target.n_cancelled == 4
    assert typed_out.asked[4].in_time


async def test_in_real_time_a_client_that_does_not_cancel_has_one_request_at_a_time() -> None:
    target = Sleeper(lambda version: 0.15, ClientPolicy(cancels=False, retry_ms=10))
    typed_out = await replay_trace(typed("", *FAST_KEYS), open_once(target), realtime=True)
    outcomes = [one.outcome for one in typed_out.asked]
    assert outcomes[0] == outcomes[4] == "completion"
    assert "superseded" in outcomes
    assert (target.n_cancelled, target.most_running) == (0, 1)


async def test_in_real_time_a_debounce_swallows_fast_keys() -> None:
    target = Sleeper(lambda version: 0, ClientPolicy(debounce_ms=1000, cancels=True))
    typed_out = await replay_trace(typed("", *FAST_KEYS), open_once(target), realtime=True)
    assert [one.outcome for one in typed_out.asked] == ["superseded"] * 4 + ["completion"]
    assert len(target.requests) == 1


async def test_the_summary_counts_what_a_user_would_feel(clock: HeldClock) -> None:
    _, typed_out = await type_virtually(clock, 250, ClientPolicy())
    summary = summarise("fake", [typed_out], cpu_s=0.7)
    assert (summary.n_keystrokes, summary.n_served) == (6, 4)
    assert (summary.p50_ms, summary.p90_ms) == (pytest.approx(250), pytest.approx(350))
    # Two pauses: a second after "hello", and the end.
    assert summary.pauses_answered is not None
    assert (summary.pauses_answered.value, summary.pauses_answered.n) == (1.0, 2)
    assert summary.evaluated_tokens_mean is not None
    assert (summary.evaluated_tokens_mean.value, summary.reuse_share) == (4, pytest.approx(3 / 7))
    assert summary.typing_minutes == pytest.approx(1.4 / 60)
    assert summary.cpu_s_per_minute == pytest.approx(30)
    assert summary.n_typed_chars == 6
    assert summary.outcomes == {"completion": 4, "superseded": 2}
    assert all(len(cells) == 1 for _, cells in summary_lines([summary]))


async def test_a_pause_without_an_answer_counts_as_never(clock: HeldClock) -> None:
    target = FakeTarget(lambda request: "x", clock, 5000, ClientPolicy())
    trace = typed("", key(0, 0, 0, "a"), key(400, 0, 1, "b"), key(800, 0, 2, "c"), key(1200, 0, 3, "d"))
    summary = summarise("slow", [await replay_trace(trace, open_once(target), realtime=False)], None)
    assert summary.outcomes == {"completion": 2, "superseded": 2}
    assert (summary.pause_p50_ms, summary.pause_p90_ms) == (pytest.approx(8800), None)
    assert summary.cpu_s_per_minute is None


async def test_summaries_are_read_back(clock: HeldClock, tmp_path: Path) -> None:
    _, typed_out = await type_virtually(clock, 40, ClientPolicy())
    summary = summarise("fake", [typed_out], 1.0)
    path = tmp_path / "replay.json"
    save_replay(path, {"traces": ["t"]}, {}, [summary], {"fake": [typed_out]})
    assert load_replay(path) == ({"traces": ["t"]}, [summary])
    kept = json.loads(path.read_text())["replays"]["fake"][0]["asked"]
    assert kept[-1]["gap_ms"] is None
    assert math.isinf(typed_out.asked[-1].gap_ms)
    assert "are too few" not in benchmarks_page([], {}, [summary], None, [], "fimble bench")
    old = json.loads(path.read_text())
    del old["summaries"][0]["cpu_is_whole"]
    path.write_text(json.dumps(old))
    assert "are too few" in benchmarks_page([], *load_replay(path), None, [], "fimble bench")
    path.write_text("{}")
    with pytest.raises(InputError, match="is not a fimble-replay/1 file"):
        load_replay(path)
