"""The decode loop over a vocabulary of a few pieces: next candidates, ways back, and what the reader of it sees."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from fimble.backend.decode import rethink
from fimble.backend.decode.constraint import LeftConstraint
from fimble.backend.decode.guard import guard_for
from fimble.backend.decode.heal import PieceIndex
from fimble.backend.llama import generate
from fimble.backend.llama.context import Aborted
from fimble.backend.llama.generate import Generation
from fimble.core.flow import (
    Constraint,
    GrammarKind,
    LineMode,
    Prompt,
    StopReason,
    StopRules,
    TokenId,
    UserGrammar,
)
from fimble.syntax.needs import Need
from fimble.syntax.parse import TreeCache

PIECES = (b"<end>", b"foo", b"(", b")", b"a", b" ]", b"\n", b",", b" =", b"b")
END = TokenId(0)
# What should come after each text, likeliest first; each None makes what follows it less likely.
Wishes = Mapping[bytes, Sequence[bytes | None]]
PROMPT = (TokenId(1), TokenId(8))


class FakeModel:
    """A vocabulary."""

    piece_index = PieceIndex(PIECES)

    def piece(self, token: TokenId) -> bytes:
        return PIECES[token]

    def tokenize(self, text: str) -> list[TokenId]:
        rest, found = text.encode(), list[TokenId]()
        while rest:
            piece = max((one for one in PIECES if rest.startswith(one)), key=len)
            found.append(TokenId(PIECES.index(piece)))
            rest = rest[len(piece) :]
        return found


class FakeContext:
    """Answers each text so far with the preferences a test gives; remembers what it was made to forget."""

    n_ctx = 1_000

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._held: list[TokenId] = []
        self.n_evaluated = 0

    def place(self, tokens: tuple[TokenId, ...], n_room: int) -> tuple[int, int]:
        self._held = []
        return 0, 0

    def held(self, seq: int) -> tuple[TokenId, ...]:
        return tuple(self._held)

    def cut(self, seq: int, n_keep: int) -> None:
        del self._held[n_keep:]

    def evaluate(self, seq: int, tokens: tuple[TokenId, ...]) -> None:
        self._held.extend(tokens)
        self.n_evaluated += len(tokens)

    def logits(self) -> npt.NDArray[np.float32]:
        written = b"".join(PIECES[token] for token in self._held[len(PROMPT) :])
        made = np.full(len(PIECES), -20.0, dtype=np.float32)
        for rank, piece in enumerate(self._wishes.get(written, [b"<end>"])):
            if piece is not None:
                made[PIECES.index(piece)] = 5.0 - rank
        return made


def decode(
    wishes: Wishes,
    source: str = "x = $0\n",
    *,
    share: float = 1.0,
    n_max: int = 24,
    neighbours: tuple[str, ...] | None = None,
    grammar: UserGrammar | None = None,
    names: tuple[str, ...] = (),
    check: Callable[[], None] = lambda: None,
    time_box_ms: float | None = None,
) -> tuple[str, list[int], Generation, FakeContext]:
    prefix, suffix = source.split("$0")
    hole = Constraint("python", prefix, suffix, share, grammar)
    rules = StopRules(n_max, LineMode.SINGLE, (END,), time_box_ms=time_box_ms, neighbours=neighbours)
    prompt = Prompt(PROMPT, (), rules, hole, name_rests=names)
    trees = TreeCache()
    context = FakeContext(wishes)
    stream = Generation(
        cast(Any, FakeModel()),
        cast(Any, context),
        prompt,
        guard=guard_for(hole, trees, check=check),
        constraint=LeftConstraint(hole, trees),
    )
    texts: list[str] = []
    ways_back: list[int] = []
    for token in stream:
        if token.n_taken_back:
            del texts[-token.n_taken_back :]
            ways_back.append(token.n_taken_back)
        texts.append(token.text)
    text = "".join(texts)
    assert stream.stats is not None
    n_retract = stream.stats.n_retract_chars
    return text[: len(text) - n_retract], ways_back, stream, context


def test_the_next_candidate_comes_where_the_grammar_refuses_the_likeliest() -> None:
    text, ways_back, stream, _ = decode({b"": [b"foo"], b"foo": [b" ]", b"("], b"foo(": [b")"], b"foo()": [b"\n"]})
    assert (text, ways_back) == ("foo()", [])
    assert stream.stats is not None
    assert (stream.stats.n_rejected, stream.stats.stop_reason) == (1, StopReason.LINE_END)
    assert stream.stats.n_checked >= 4
    assert stream.stats.constraint_ms > 0


def test_a_known_name_is_written_in_place_of_an_invented_one() -> None:
    wishes = {b"": [b"b", b"foo"], b"b": [b"\n"], b"foo": [b"\n"], b"fooa": [b"\n"]}
    assert decode(wishes)[0] == "b"
    text, ways_back, _, context = decode(wishes, names=("foo", "list"))
    assert (text, ways_back) == ("foo", [])
    assert context.n_evaluated == 3, "the prompt's two tokens and the name: nothing is tried in vain"
    assert decode(wishes, names=("fooa",))[0] == "foo", "which the model finds impossible behind `foo`"


def test_where_the_grammar_refuses_all_known_names_the_others_are_left() -> None:
    wishes = {b"": [b"(", b"foo"], b"(": [b")"], b"()": [b"\n"], b"foo": [b"\n"]}
    text, _, stream, _ = decode(wishes, "x = (b)$0\n", names=("foo",))
    assert text == "()"
    assert stream.stats is not None
    assert stream.stats.n_rejected == 1


def test_switched_off_the_likeliest_is_written_and_only_the_end_is_judged() -> None:
    wishes = {b"": [b"foo"], b"foo": [b" ]", b"("], b"foo ]": [b"b"], b"foo ]b": [b"\n"]}
    text, _, stream, _ = decode(wishes, share=0.0)
    assert text == ""
    assert stream.stats is not None
    assert (stream.stats.n_checked, stream.stats.stop_reason) == (0, StopReason.SYNTAX)


def test_a_stop_is_noticed_while_the_end_is_judged() -> None:
    wishes = {b"": [b"foo"], b"foo": [b" ]", b"("], b"foo ]": [b"\n"]}
    n_judged = 0

    def check() -> None:
        nonlocal n_judged
        n_judged += 1
        if n_judged == 2:
            raise Aborted

    _, _, stream, _ = decode(wishes, share=0.0, check=check)
    assert stream.stats is not None
    assert (stream.stats.stop_reason, n_judged) == (StopReason.CANCELLED, 2)


@pytest.mark.parametrize("grammar", ['start: "x = " ("b" | ")") "\\n"', 'start: "x = b" ","? "\\n"'])
def test_what_a_grammar_of_the_user_wants_is_written_however_unlikely_it_is(grammar: str) -> None:
    pytest.importorskip("llguidance")
    wishes = {b"": [b"foo", b"a", b"(", b"<end>", *[None] * 12, b"b"], b"b": [b"<end>"]}
    text, ways_back, stream, _ = decode(wishes, grammar=UserGrammar(GrammarKind.LARK, grammar))
    assert (text, ways_back) == ("b", [])
    assert stream.stats is not None
    assert stream.stats.stop_reason is StopReason.END_OF_MIDDLE
    assert decode(wishes)[0] == "foo"


def test_where_no_likely_token_leads_on_the_one_before_is_taken_back() -> None:
    wishes = {
        b"": [b"foo"],
        b"foo": [b"(", b"\n"],
        b"foo(": [b" ]"],  # and nothing else within reach
        b"foo(a": [b"\n"],
    }
    text, ways_back, stream, _ = decode(wishes)
    assert (text, ways_back) == ("foo", [1])
    assert stream.stats is not None
    assert stream.stats.stop_reason is StopReason.LINE_END


def test_no_more_than_a_few_ways_back_and_never_for_ever() -> None:
    wishes = {b"foo(" * n: [b"foo"] for n in range(8)} | {b"foo(" * n + b"foo": [b"(", b" ]"] for n in range(8)}
    wishes[b"foo(" * 3] = [b" ]"]
    text, _, stream, context = decode(wishes)
    assert stream.stats is not None
    assert stream.stats.stop_reason in (StopReason.SYNTAX, StopReason.LINE_END, StopReason.END_OF_MIDDLE)
    assert context.n_evaluated < 60
    assert text.count("(") == text.count(")")


def test_a_way_back_at_the_very_end_takes_the_streamed_text_with_it() -> None:
    """The last thing that happens is going back: no later token could say so, the stats must."""
    wishes = {b"": [b"foo"], b"foo": [b"(", b"<end>"], b"foo(": [b" ]"]}
    text, ways_back, stream, _ = decode(wishes)
    assert (text, ways_back) == ("foo", [])
    assert stream.stats is not None
    assert stream.stats.stop_reason is StopReason.END_OF_MIDDLE


@pytest.mark.parametrize(
    ("time_box_ms", "shown", "reason"),
    [
        (2, "", StopReason.SYNTAX),  # within the bracket still when it is over twice
        (4, "(a,b)", StopReason.LINE_END),  # within the bracket when it is over once
        (30, "(a,b)", StopReason.LINE_END),
    ],
)
def test_a_time_box_that_ends_where_nothing_may_is_given_once_more(
    monkeypatch: pytest.MonkeyPatch, time_box_ms: float, shown: str, reason: StopReason
) -> None:
    """The clock ticks whenever it is asked: about once a token."""
    ticks = itertools.count(1)
    monkeypatch.setattr(generate, "_ms_since", lambda started: next(ticks))
    words = [b"(", b"a", b",", b"b", b")", b"\n"]
    wishes = {b"".join(words[:n]): [word] for n, word in enumerate(words)}
    text, _, stream, _ = decode(wishes, time_box_ms=time_box_ms)
    assert stream.stats is not None
    assert (text, stream.stats.stop_reason) == (shown, reason)


BLANK = "x = 1\n$0\na = b\n"


def test_on_a_blank_line_the_next_line_again_is_no_answer() -> None:
    """ "foo" had a second choice sooner than " =": there the writing branches."""
    wishes = {
        b"": [b"a", b"foo"],
        b"a": [b" =", None, None, b"("],
        b"a =": [b"b"],
        b"a =b": [b"\n"],
        b"foo": [b"("],
        b"foo(": [b")"],
        b"foo()": [b"\n"],
    }
    assert decode(wishes, BLANK)[0] == "a =b"
    text, ways_back, stream, _ = decode(wishes, BLANK, neighbours=("x = 1", "a =b"))
    assert (text, ways_back) == ("foo()", [4])
    assert stream.stats is not None
    assert stream.stats.stop_reason is StopReason.LINE_END


def test_it_branches_where_the_second_choice_was_likeliest() -> None:
    wishes = {
        b"": [b"a", None, None, None, b"foo"],
        b"a": [b" =", b"("],
        b"a =": [b"b"],
        b"a =b": [b"\n"],
        b"a(": [b")"],
        b"a()": [b"\n"],
    }
    text, ways_back, _, _ = decode(wishes, BLANK, neighbours=("a =b",))
    assert (text, ways_back) == ("a()", [3])


def test_on_a_blank_line_the_end_does_not_come_first() -> None:
    wishes = {b"": [b"<end>", b"foo"], b"foo": [b"<end>"]}
    assert decode(wishes, BLANK)[0] == ""
    assert decode(wishes, BLANK, neighbours=())[0] == "foo"


def test_a_line_that_is_wanted_nowhere_else_ends_after_a_few_tries() -> None:
    wishes = {
        b"": [b"a", b"b", b"foo", b","],
        b"a": [b"\n"],
        b"b": [b"\n"],
        b"foo": [b"\n"],
    }
    text, ways_back, _, context = decode(wishes, BLANK, neighbours=("a", "b", "foo"))
    assert text == "foo"  # the engine drops it: nothing better was found
    assert len(ways_back) == 2
    assert context.n_evaluated < 20


NEEDS_B = "def f(x):\n    $0\n    return b\n"


def test_what_the_code_below_needs_is_defined() -> None:
    wishes = {
        b"": [b"foo"],
        b"foo": [b"("],
        b"foo(": [b")"],
        b"foo()": [b"\n"],
        b"b =": [b"a"],
        b"b =a": [b"\n"],
    }
    assert decode(wishes, NEEDS_B)[0] == "foo()", "only on a blank line"
    text, ways_back, stream, context = decode(wishes, NEEDS_B, neighbours=())
    assert (text, ways_back) == ("b =a", [4])
    assert stream.stats is not None
    assert stream.stats.stop_reason is StopReason.LINE_END
    assert context.n_evaluated < 20


def test_an_answer_that_defines_it_stays_and_one_that_only_uses_it_does_not() -> None:
    wishes = {b"": [b"b"], b"b": [b" ="], b"b =": [b"a"], b"b =a": [b"\n"]}
    assert decode(wishes, NEEDS_B, neighbours=())[:2] == ("b =a", [])
    uses = {b"": [b"foo"], b"foo": [b"("], b"foo(": [b"b"], b"foo(b": [b")"], b"foo(b)": [b"\n"]}
    assert decode(wishes | uses, NEEDS_B, neighbours=())[:2] == ("b =a", [5])


def test_a_definition_that_leads_nowhere_is_dropped_as_a_whole() -> None:
    wishes = {b"": [b"foo"], b"foo": [b"\n"], b"b =": [b"<end>", b" ]"]}
    text, ways_back, stream, _ = decode(wishes, NEEDS_B, neighbours=())
    assert (text, ways_back) == ("foo", [2, 2])
    assert stream.stats is not None
    assert stream.stats.stop_reason is StopReason.LINE_END


@pytest.mark.parametrize(("start", "expected"), [("] =", [2]), ("a ] =", [2, 1])])
def test_a_definition_that_the_grammar_refuses_is_dropped(
    start: str, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rethink, "needed_definition", lambda *_: Need("b", (f" {start}".replace(" a", "a"),)))
    text, ways_back, _, _ = decode({b"": [b"foo"], b"foo": [b"\n"]}, NEEDS_B, neighbours=())
    assert (text, ways_back) == ("foo", expected)


def test_what_goes_round_in_circles_ends_with_its_first_round_closed() -> None:
    circle = {b"a" + b",b" * n: [b","] for n in range(100)} | {b"a" + b",b" * n + b",": [b"b"] for n in range(100)}
    text, ways_back, stream, _ = decode({b"": [b"a"], **circle}, "foo($0\n", n_max=200)
    assert stream.stats is not None
    assert (text, stream.stats.closers, ways_back) == ("a,b", ")", [])
    assert stream.stats.stop_reason is StopReason.LOOP
    assert stream.stats.n_generated_tokens < 40
