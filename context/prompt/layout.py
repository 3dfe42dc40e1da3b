"""Texts and markers in the family's order, most stable first. Decides no lengths and asks no tokenizer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fimble.context.prompt.fim import Family, Joint, Slot, Template
from fimble.context.prompt.tokens import Part
from fimble.core.flow import Stability


def arrange(
    template: Template, family: Family, texts: Mapping[Slot, Sequence[Part]], *, begins: bool
) -> tuple[Part, ...]:
    """All parts of a prompt in order; empty texts are left out. `begins` puts the family's begin marker first."""
    return tuple(part for part in _arranged(template, family, texts, begins=begins) if part.text)


def split_at_joint(prefix: str, joint: Joint) -> tuple[str, str]:
    """The part of a prefix that typing does not change, and the growing rest; tokenized apart they join without seam.

    Proved against the real vocabularies by tests/context/prompt/test_joint.py. Without the split every key would have
    the whole window tokenized anew, and a vocabulary free to merge across the joint could change tokens already there.
    """
    cut = prefix.rfind("\n") + 1
    if joint is Joint.BEFORE_BLANKS:
        cut = len(prefix[:cut].rstrip())
    return prefix[:cut], prefix[cut:]


def prefix_parts(prefix: str, joint: Joint, *, opens: bool) -> tuple[Part, Part]:
    """The two parts of a prefix; either may be empty. `opens` says that no text stands before it in its slot."""
    settled, growing = split_at_joint(prefix, joint)
    return (
        Part(settled, Stability.WINDOWED, "prefix", opens=opens),
        Part(growing, Stability.TYPED, "line", opens=opens and not settled),
    )


def _arranged(
    template: Template, family: Family, texts: Mapping[Slot, Sequence[Part]], *, begins: bool
) -> Iterator[Part]:
    stability = Stability.PINNED
    if begins:
        yield Part(family.begin_marker, stability, "begin", is_marker=True)
    for slot in template:
        if slot in texts:
            for part in texts[slot]:
                stability = max(stability, part.stability) if part.text else stability
                yield part
        else:
            # A marker is kept as long as what stands before it.
            yield Part(family.marker(slot), stability, slot.value, is_marker=True)
