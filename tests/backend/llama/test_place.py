"""Places in the cache of models that cannot forget a tail, and of those that can, over a library that only says so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

import pytest

from fimble.backend.llama import library
from fimble.backend.llama.context import ContextOptions, LlamaContext
from fimble.backend.llama.model import LlamaModel
from fimble.core.flow import TokenId

HEAD = tuple(TokenId(i) for i in range(100))


@pytest.fixture
def lib(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    made = MagicMock()
    made.llama_decode.return_value = 0
    monkeypatch.setattr(library, "llama", lambda: made)
    monkeypatch.setattr(library, "forget_complaints", lambda: None)
    return made


def context_of(lib: MagicMock, *, recurrent: bool = False, hybrid: bool = False) -> LlamaContext:
    lib.llama_model_is_recurrent.return_value = recurrent
    lib.llama_model_is_hybrid.return_value = hybrid

    def remove(memory: object, seq: int, first: int, end: int) -> bool:
        return not (recurrent or hybrid) or first <= 0

    lib.llama_memory_seq_rm.side_effect = remove
    model: Any = SimpleNamespace(handle=1, n_vocab=9, adapter=None)
    context = LlamaContext(cast(LlamaModel, model), ContextOptions(8192, 1, n_places=2))
    seq, _ = context.place(HEAD, 0)
    context.evaluate(seq, HEAD)
    return context


KINDS = [{"recurrent": True}, {"hybrid": True}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_shared", [20, 90])
def test_what_could_not_be_kept_or_copied_is_evaluated_again(
    lib: MagicMock, kind: dict[str, bool], n_shared: int
) -> None:
    context = context_of(lib, **kind)
    seq, n_reused = context.place((*HEAD[:n_shared], TokenId(777), TokenId(778)), 96)
    assert n_reused == len(context.held(seq)) == 0
    lib.llama_memory_seq_cp.assert_not_called()


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_that_only_grows_is_continued_without_a_tail_to_forget(lib: MagicMock, kind: dict[str, bool]) -> None:
    context = context_of(lib, **kind)
    seq, n_reused = context.place((*HEAD, TokenId(777)), 96)
    assert n_reused == len(context.held(seq)) == 100


@pytest.mark.parametrize(("n_shared", "is_copied"), [(20, True), (90, False)])
def test_a_model_that_can_forget_a_tail_reuses_the_head(lib: MagicMock, n_shared: int, is_copied: bool) -> None:
    context = context_of(lib)
    seq, n_reused = context.place((*HEAD[:n_shared], TokenId(777), TokenId(778)), 96)
    assert n_reused == n_shared
    assert context.held(seq) == HEAD[:n_shared]
    assert lib.llama_memory_seq_cp.called is is_copied
