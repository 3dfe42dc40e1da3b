"""The real cache: reuse gives the same tokens as a fresh evaluation, a stop keeps it whole, text is never a marker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fimble.backend.llama.context import Aborted, ContextOptions, LlamaContext
from fimble.backend.llama.generate import Generation
from fimble.backend.llama.model import LlamaModel, LoadOptions
from fimble.core.errors import ModelCorruptError, ModelMissingError
from fimble.core.flow import LineMode, Prompt, StopReason, StopRules, TokenId

pytestmark = pytest.mark.model

SOURCE = Path(__file__).read_text("utf-8")


@pytest.fixture(scope="module")
def model(model_path: Path) -> Iterator[LlamaModel]:
    loaded = LlamaModel(LoadOptions(model_path))
    yield loaded
    loaded.close()


@pytest.fixture
def context(model: LlamaModel) -> Iterator[LlamaContext]:
    made = LlamaContext(model, ContextOptions(2048, 2, n_places=3))
    yield made
    made.close()


def tokens_of(model: LlamaModel, text: str) -> tuple[TokenId, ...]:
    return tuple(model.tokenize(text))


def write(model: LlamaModel, context: LlamaContext, tokens: tuple[TokenId, ...], n: int = 12) -> tuple[str, Generation]:
    stream = Generation(model, context, Prompt(tokens, (), StopRules(n, LineMode.MULTI)))
    return "".join(token.text for token in stream), stream


def test_reuse_gives_the_tokens_of_a_fresh_evaluation(model: LlamaModel, context: LlamaContext) -> None:
    base = tokens_of(model, SOURCE)[:300]
    write(model, context, base)
    longer = (*base, *tokens_of(model, "\n    def total(self):\n        return"))
    warm, warm_stream = write(model, context, longer)
    fresh_context = LlamaContext(model, ContextOptions(2048, 2))
    fresh, fresh_stream = write(model, fresh_context, longer)
    fresh_context.close()
    assert warm == fresh
    assert warm_stream.stats is not None
    assert fresh_stream.stats is not None
    assert warm_stream.stats.n_reused_tokens == len(base)
    assert fresh_stream.stats.n_reused_tokens == 0


def test_logits_after_reuse_are_within_the_documented_tolerance(model: LlamaModel, context: LlamaContext) -> None:
    tokens = tokens_of(model, SOURCE)[:200]
    context.evaluate(0, tokens)
    whole = context.logits().copy()
    context.cut(0, 150)
    context.evaluate(0, tokens[150:190])
    context.evaluate(0, tokens[190:])
    # Batches of other sizes take other kernels: the documented approximation (ARCHITECTURE.md, invariants).
    assert np.abs(context.logits() - whole).max() < 0.75
    assert int(context.logits().argmax()) == int(whole.argmax())


def test_jumping_between_two_places_keeps_both_warm(model: LlamaModel, context: LlamaContext) -> None:
    head = tokens_of(model, SOURCE)[:60]
    here, there = (*head, *tokens_of(model, SOURCE)[100:400]), (*head, *tokens_of(model, SOURCE)[400:700])
    expected, _ = write(model, context, here)
    write(model, context, there)
    again, stream = write(model, context, here)
    assert again == expected
    assert stream.stats is not None
    assert stream.stats.n_reused_tokens == len(here) - 1


def test_a_stop_keeps_the_cache_consistent(model: LlamaModel, context: LlamaContext) -> None:
    tokens = tokens_of(model, SOURCE)[:1200]
    timer = threading.Timer(0.4, context.abort)
    timer.start()
    with pytest.raises(Aborted):
        context.evaluate(0, tokens)
    timer.join()
    kept = context.held(0)
    assert kept == tokens[: len(kept)]
    assert len(kept) < len(tokens)
    context.allow()
    context.evaluate(0, tokens[len(kept) : 300] if len(kept) < 300 else ())
    context.cut(0, 300)
    resumed, _ = write(model, context, tokens[:320])
    fresh_context = LlamaContext(model, ContextOptions(2048, 2))
    fresh, _ = write(model, fresh_context, tokens[:320])
    fresh_context.close()
    assert resumed == fresh


@pytest.mark.parametrize(
    "source",
    ["def area(width, height):\n$0\n\n\nprint(area(2, 3))\n", "for (const a of b) {\n$0\n}\n", "\tif (a) {\n$0\n\t}\n"],
)
def test_a_time_box_that_reading_used_up_does_not_end_in_white_space(
    model: LlamaModel, context: LlamaContext, source: str
) -> None:
    """On an empty line the first token is the indentation; stopping there shows nothing for all the waiting."""
    prefix, suffix = source.split("$0")
    markers = model.fim_tokens()
    tokens: list[TokenId] = []
    for name, text in (("pre", prefix), ("suf", suffix), ("mid", "")):
        marker = model.marker_id(markers[name])
        assert marker is not None
        tokens += [marker, *model.tokenize(text)]
    stream = Generation(model, context, Prompt(tuple(tokens), (), StopRules(64, LineMode.MULTI, time_box_ms=0.001)))
    text = "".join(token.text for token in stream)
    assert text.strip()
    assert stream.stats is not None
    assert stream.stats.stop_reason is StopReason.TIME_BOX
    assert stream.stats.n_generated_tokens < 8


def test_a_state_restores_a_place_that_shares_its_head_with_another(model: LlamaModel, context: LlamaContext) -> None:
    head = tokens_of(model, SOURCE)[:60]
    here, there = (*head, *tokens_of(model, SOURCE)[100:300]), (*head, *tokens_of(model, SOURCE)[400:600])
    write(model, context, here)
    expected, _ = write(model, context, there)
    seq = context.by_use()[0]
    tokens, state = context.held(seq), context.state(seq)
    other = LlamaContext(model, ContextOptions(2048, 2, n_places=3))
    assert other.restore(tokens, state)
    again, stream = write(model, other, there)
    assert again == expected
    assert stream.stats is not None
    assert stream.stats.n_reused_tokens == len(there) - 1
    other.close()


def test_a_state_is_not_taken_for_other_tokens_than_its_own(model: LlamaModel, context: LlamaContext) -> None:
    tokens = tokens_of(model, SOURCE)[:100]
    context.evaluate(0, tokens)
    state = context.state(0)
    other = LlamaContext(model, ContextOptions(512, 2, n_places=2))
    assert not other.restore(tokens[:99], state)
    assert not other.restore(tokens, state[:-100])
    assert not other.restore(tokens, np.zeros_like(state))
    assert not other.restore(tokens * 6, state), "600 tokens in 512 cells"
    assert [other.held(seq) for seq in (0, 1)] == [(), ()]
    assert write(model, other, tokens, 4)[0] == write(model, context, tokens, 4)[0]
    other.close()


def test_a_state_pushes_the_least_recent_places_out_of_a_full_cache(model: LlamaModel, context: LlamaContext) -> None:
    tokens = tokens_of(model, SOURCE)
    context.evaluate(0, tokens[:300])
    small = LlamaContext(model, ContextOptions(512, 2, n_places=3))
    for start in (400, 600):
        write(model, small, tokens[start : start + 120], 2)
    assert small.restore(tokens[:300], context.state(0))
    held = [small.held(seq) for seq in small.by_use()]
    assert held[0] == tokens[:300]
    assert held[1][:120] == tokens[600:720]
    assert held[2] == ()
    small.close()


def test_an_abort_before_the_start_evaluates_nothing(model: LlamaModel, context: LlamaContext) -> None:
    context.abort()
    text, stream = write(model, context, tokens_of(model, "x = 1"))
    assert text == ""
    assert stream.stats is not None
    assert stream.stats.stop_reason is StopReason.CANCELLED
    assert context.held(0) == ()


def test_the_least_recent_place_goes_when_the_cache_is_full(model: LlamaModel) -> None:
    context = LlamaContext(model, ContextOptions(512, 2, n_places=3))
    tokens = tokens_of(model, SOURCE)
    for start in (0, 250, 500, 750):
        text, stream = write(model, context, tokens[start : start + 200], 4)
        assert text
        assert stream.stats is not None
        assert stream.stats.n_generated_tokens == 4
    context.close()


@pytest.mark.parametrize("marker", ["<|fim_prefix|>", "<|fim_middle|>", "<|endoftext|>", "<|im_end|>"])
def test_a_marker_in_the_text_is_ordinary_text(model: LlamaModel, marker: str) -> None:
    special = model.marker_id(marker)
    assert special is not None
    ids = model.tokenize(f"x = '{marker}'")
    assert special not in ids
    assert b"".join(map(model.piece, ids)).decode() == f"x = '{marker}'"


def test_text_survives_the_vocabulary(model: LlamaModel) -> None:
    text = "s = 'é😀\t'\r\n  # 漢字\n"
    assert b"".join(map(model.piece, model.tokenize(text))).decode() == text


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"nowhere\.gguf"):
        LlamaModel(LoadOptions(tmp_path / "nowhere.gguf"))


@pytest.mark.parametrize("content", [b"", b"not a gguf at all", b"GGUF" + bytes(100)])
def test_junk_is_refused_with_a_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "junk.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelCorruptError, match=r"could not load .*junk\.gguf"):
        LlamaModel(LoadOptions(path))
