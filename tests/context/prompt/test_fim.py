"""Which record a model gets, and relations that every record must keep."""

from __future__ import annotations

import re

import pytest

from fimble.context.prompt.fim import FAMILIES, Family, Layout, Slot, choose_family, clean
from fimble.core.config import options
from fimble.core.errors import ModelUnsuitableError
from fimble.core.flow import ModelInfo

QWEN = {"pre": "<|fim_prefix|>", "suf": "<|fim_suffix|>", "mid": "<|fim_middle|>"}
QWEN_ALL = {**QWEN, "pad": "<|fim_pad|>", "rep": "<|repo_name|>", "sep": "<|file_sep|>"}
BIGCODE = {"pre": "<fim_prefix>", "suf": "<fim_suffix>", "mid": "<fim_middle>", "pad": "<fim_pad>"}
DEEPSEEK = {"pre": "<｜fim▁begin｜>", "suf": "<｜fim▁hole｜>", "mid": "<｜fim▁end｜>"}


def info(
    name: str, fim_tokens: dict[str, str] | None = None, *, architecture: str = "", model_id: str = "m"
) -> ModelInfo:
    return ModelInfo(model_id, name, architecture, 1, 1, fim_tokens or {}, (), 0, 0)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        # Metadata and name agree.
        (info("Qwen2.5 Coder 0.5B Instruct", QWEN_ALL, architecture="qwen2"), "qwen2.5-coder"),
        (info("qwen2.5-coder-7b", QWEN_ALL, architecture="qwen2"), "qwen2.5-coder"),
        (info("Qwen3-Coder-30B-A3B-Instruct", QWEN_ALL, architecture="qwen3moe"), "qwen2.5-coder"),
        (info("Starcoder2 3b", BIGCODE, architecture="starcoder2"), "starcoder2"),
        (info("starcoderbase-1b", BIGCODE, architecture="starcoder"), "starcoder"),
        (info("granite-8b-code-base", BIGCODE, architecture="llama"), "granite-code"),
        (info("Refact-1_6B-fim", BIGCODE, architecture="refact"), "refact"),
        (info("Mellum 4b Base", BIGCODE, architecture="llama"), "mellum"),
        (info("deepseek-ai_deepseek-coder-1.3b-base", DEEPSEEK, architecture="llama"), "deepseek-coder"),
        (info("DeepSeek-Coder-V2-Lite-Base", DEEPSEEK, architecture="deepseek2"), "deepseek-coder"),
        (info("codegemma-2b", QWEN, architecture="gemma"), "codegemma"),
        (info("CodeLlama 7B", {"pre": "▁<PRE>", "suf": "▁<SUF>", "mid": "▁<MID>"}, architecture="llama"), "codellama"),
        # The file's own name says it, the metadata does not.
        (info("", model_id="/models/qwen2.5-coder-1.5b-q4_k_m.gguf"), "qwen2.5-coder"),
        (info("Codestral 22B v0.1", architecture="llama"), "codestral"),
        (info("Codestral", {"pre": "[PREFIX]", "suf": "[SUFFIX]", "mid": "[MIDDLE]"}), "codestral"),
        # A folder called so does not make the model one.
        (info("mystery", BIGCODE, model_id="/home/u/qwen2.5-coder/weights.gguf"), "generic"),
        # A name nobody knows: kin by architecture and markers, else a record made from the markers.
        (info("Instinct", QWEN_ALL, architecture="qwen2"), "qwen2.5-coder"),
        (info("my finetune", BIGCODE, architecture="starcoder2"), "starcoder2"),
        (info("granite-4.0-micro", QWEN, architecture="granite"), "generic"),
        (info("GLM-4.5", {"pre": "<|code_prefix|>", "suf": "<|code_suffix|>", "mid": "<|code_middle|>"}), "generic"),
        # The name lies: what the file declares counts.
        (info("qwen2.5-coder distilled into llama", DEEPSEEK, architecture="llama"), "generic"),
    ],
    ids=lambda value: value.name or value.model_id if isinstance(value, ModelInfo) else value,
)
def test_family_of_a_model(model: ModelInfo, family: str) -> None:
    chosen = choose_family(model)
    assert chosen.name == family
    for kind, marker in model.fim_tokens.items():
        if kind in ("pre", "suf", "mid") and chosen.marker(Slot(kind)):
            assert chosen.marker(Slot(kind)) == marker


@pytest.mark.parametrize(
    "model",
    [info("Llama 3.2 1B Instruct", architecture="llama"), info(""), info("half", {"pre": "<PRE>", "suf": "<SUF>"})],
    ids=["no markers", "nothing at all", "no middle marker"],
)
def test_model_without_markers_is_refused_with_a_way_out(model: ModelInfo) -> None:
    with pytest.raises(ModelUnsuitableError) as caught:
        choose_family(model)
    assert model.model_id in caught.value.message
    assert "fimble models list" in caught.value.mend


def test_generic_record_uses_the_declared_format_for_files() -> None:
    family = choose_family(info("unheard of", {"pre": "<P>", "suf": "<S>", "mid": "<M>", "rep": "<R>", "sep": "<F>"}))
    assert family.files is not None
    assert set(family.prompt_markers) == {"<P>", "<S>", "<M>", "<R>", "<F>"}
    assert list(family.layouts) == [Layout.PSM]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
class TestRecord:
    def test_layouts_hold_every_text_once_and_only_markers_the_family_has(self, family: Family) -> None:
        assert family.default_layout in family.layouts
        for template in family.layouts.values():
            assert len(set(template)) == len(template)
            assert {Slot.CHUNKS, Slot.PREFIX, Slot.SUFFIX, Slot.PRE, Slot.SUF} <= set(template)
            assert (Slot.MID in template) == bool(family.middle_marker)
            assert template.index(Slot.CHUNKS) < template.index(Slot.PREFIX)

    def test_a_text_is_told_from_the_next_by_a_marker(self, family: Family) -> None:
        for template in family.layouts.values():
            between = template[slice(*sorted((template.index(Slot.PREFIX), template.index(Slot.SUFFIX))))]
            assert {Slot.PRE, Slot.SUF, Slot.MID} & set(between)

    def test_suffix_first_ends_with_what_is_typed(self, family: Family) -> None:
        template = family.layouts.get(Layout.SUFFIX_FIRST)
        if template:
            assert Slot.SUFFIX in template[: template.index(Slot.PREFIX)]
            assert template[template.index(Slot.PREFIX) :] in ((Slot.PREFIX,), (Slot.PREFIX, Slot.MID))

    def test_own_name_finds_it(self, family: Family) -> None:
        assert choose_family(info(family.name)) is family
        assert re.search(family.pattern, family.name)

    def test_markers_are_distinct_and_an_end_is_known(self, family: Family) -> None:
        assert len(set(family.prompt_markers)) == len(family.prompt_markers)
        assert family.stop_markers
        assert set(family.prompt_markers) < set(family.all_markers)

    def test_cleaning_cuts_at_every_marker(self, family: Family) -> None:
        for marker in family.all_markers:
            assert clean(family, f"return x{marker.lstrip('▁')} and more") == "return x"


def test_every_layout_can_be_asked_for_and_auto_is_the_default() -> None:
    choices = options()["prompt.layout"].choices
    assert set(choices) == {"auto", *Layout}
    qwen = choose_family(info("qwen2.5-coder"))
    assert [qwen.choose_layout(choice) for choice in choices] == [Layout.SUFFIX_FIRST, Layout.PSM, Layout.SUFFIX_FIRST]
    codestral = choose_family(info("codestral"))
    assert codestral.choose_layout("psm") is codestral.default_layout


def test_clean_takes_the_first_marker_and_lets_the_users_own_be() -> None:
    family = choose_family(info("qwen2.5-coder"))
    assert clean(family, "a<|endoftext|>b<|fim_pad|>c") == "a"
    assert clean(family, "plain < text | with > signs") == "plain < text | with > signs"
    assert clean(family, "x = '<|fim_middle|>'<|endoftext|>", around="# <|fim_middle|>") == "x = '<|fim_middle|>'"
