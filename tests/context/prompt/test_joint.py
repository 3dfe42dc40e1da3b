"""Cutting a prefix before its last line changes none of its tokens, on real vocabularies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fimble.context.prompt.fim import FAMILIES, Joint
from fimble.context.prompt.layout import split_at_joint

# Enough of what pre-tokenizers tell apart: words, digits, signs, blanks, line ends, other scripts.
CODE = st.lists(
    st.sampled_from(
        ["\n", "\n\n", "    ", " ", "\t", "def", "x", "_y", "1", "23", "):", "(", "'s", "#", "}", "é", "漢", "😀", "=="]
    ),
    max_size=24,
).map("".join)

# Vocabulary -> the family that has it, or one whose pre-tokenizer is the same.
_FAMILIES = {
    "qwen2": "qwen2.5-coder",
    "deepseek-coder": "deepseek-coder",
    "starcoder": "starcoder2",
    "refact": "refact",
}
JOINTS = {
    name: next(family.joint for family in FAMILIES if family.name == family_name)
    for name, family_name in _FAMILIES.items()
}


@pytest.mark.parametrize(("name", "joint"), JOINTS.items())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(prefix="def f(x):\n    return x")
@example(prefix="def f(x):\n\n    ")
@example(prefix="x = 1\n  \n\n")
@given(prefix=CODE)
def test_parts_join_to_the_tokens_of_the_whole(
    vocabulary: Callable[[str], Any], name: str, joint: Joint, prefix: str
) -> None:
    tokenize = vocabulary(name).model.tokenize
    settled, growing = split_at_joint(prefix, joint)
    assert settled + growing == prefix
    assert tokenize(settled) + tokenize(growing) == tokenize(prefix)


@pytest.mark.parametrize("name", ["starcoder", "refact"])
def test_the_other_joint_would_change_tokens(vocabulary: Callable[[str], Any], name: str) -> None:
    """What makes the distinction necessary: an indentation melts into the line end before it."""
    tokenize = vocabulary(name).model.tokenize
    settled, growing = split_at_joint("x = 1\n    y", Joint.AFTER_LINE_END)
    assert tokenize(settled) + tokenize(growing) != tokenize(settled + growing)


def test_qwen2_melts_line_ends_into_the_sign_before_them(vocabulary: Callable[[str], Any]) -> None:
    tokenize = vocabulary("qwen2").model.tokenize
    settled, growing = split_at_joint("def f():\n    y", Joint.BEFORE_BLANKS)
    assert tokenize(settled) + tokenize(growing) != tokenize(settled + growing)
