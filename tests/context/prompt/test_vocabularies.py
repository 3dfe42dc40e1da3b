"""The records of the families against real vocabularies: markers are single tokens, user text never is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fimble.context.prompt.assemble import assemble
from fimble.context.prompt.fim import FAMILIES, Family, choose_family
from fimble.core.config import PromptOptions
from fimble.core.flow import Chunk, Context, LineMode, ModelInfo, StopRules

# Vocabulary in llama.cpp's repository -> the family that has it. Its qwen2 is the one before Qwen2.5-Coder, whose
# markers it has not: they are tested on the default model below.
VOCABULARIES = {"starcoder": "starcoder2", "deepseek-coder": "deepseek-coder", "refact": "refact"}
STOP = StopRules(max_new_tokens=8, line_mode=LineMode.SINGLE)


def family_named(name: str) -> Family:
    return next(family for family in FAMILIES if family.name == name)


def context_spelling_markers(family: Family) -> Context:
    """Every marker of the family wherever the user's text can get into the prompt."""
    spelled = " ".join(family.all_markers)
    return Context(
        language_id="python",
        path=f"/src/{spelled}.py",
        prefix=f"MARKERS = '{spelled}'\n{spelled}\nx = '{spelled}",
        suffix=f"{spelled}'\n{spelled}\n",
        chunks=(Chunk(path=f"/src/{spelled}/b.py", text=f"{spelled}\n{spelled}", source="test", score=1.0),),
    )


async def check_markers_in_text(vocabulary: Any, family: Family) -> None:
    context = context_spelling_markers(family)
    ids = dict(zip(family.all_markers, await vocabulary.marker_ids(family.all_markers), strict=True))
    for layout in family.layouts:
        prompt = await assemble(context, family, vocabulary, replace(PromptOptions(), layout=layout.value), STOP)
        wanted = [ids[segment.text] for segment in prompt.segments if segment.is_marker]
        assert [token for token in prompt.tokens if token in ids.values()] == wanted
        assert "".join(s.text for s in prompt.segments if s.label in ("prefix", "line")).endswith(context.prefix)
        assert sum(segment.n_tokens for segment in prompt.segments) == prompt.n_tokens
        assert any(segment.label.startswith("chunk") for segment in prompt.segments)


@pytest.mark.parametrize(("name", "family_name"), VOCABULARIES.items())
async def test_every_prompt_marker_is_one_token(vocabulary: Callable[[str], Any], name: str, family_name: str) -> None:
    family = family_named(family_name)
    ids = await vocabulary(name).marker_ids(family.prompt_markers)
    assert None not in ids
    assert len(set(ids)) == len(family.prompt_markers)


@pytest.mark.parametrize(("name", "family_name"), VOCABULARIES.items())
async def test_markers_in_user_text_stay_text(vocabulary: Callable[[str], Any], name: str, family_name: str) -> None:
    await check_markers_in_text(vocabulary(name), family_named(family_name))


@pytest.mark.parametrize(("name", "family_name"), VOCABULARIES.items())
async def test_declared_markers_choose_the_family(
    vocabulary: Callable[[str], Any], name: str, family_name: str
) -> None:
    declared = vocabulary(name).model.fim_tokens()
    assert set(declared) >= {"pre", "suf", "mid"}
    info = ModelInfo("m", family_name, "", 1, 1, declared, (), 0, 0)
    assert choose_family(info).name == family_name


@pytest.mark.model
async def test_default_model_has_every_marker_of_its_family(qwen_coder: Any) -> None:
    family = family_named("qwen2.5-coder")
    ids = await qwen_coder.marker_ids(family.all_markers)
    assert None not in ids
    assert len(set(ids)) == len(family.all_markers)
    declared = qwen_coder.model.fim_tokens()
    info = ModelInfo("m", qwen_coder.model.metadata("general.name"), "qwen2", 1, 1, declared, (), 0, 0)
    assert choose_family(info) is family


@pytest.mark.model
async def test_default_model_takes_markers_in_user_text_as_text(qwen_coder: Any) -> None:
    await check_markers_in_text(qwen_coder, family_named("qwen2.5-coder"))
