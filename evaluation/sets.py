"""What each known set is: how far a completion may go, how its parts are told apart, which scorers are its own.

One record per set; docs/evaluation.md prints this table in words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fimble.core.flow import LineMode
from fimble.evaluation.records import Record

WHOLE = "all"


@dataclass(frozen=True, slots=True)
class SetSpec:
    """How one set is run and scored.

    `whole_lines`: every hole of the set is whole lines, and the upstream middle includes the last line's end; the
    harness leaves that line end in the suffix, so that the cursor stands on an empty line, as it would in an editor.
    `part_of` names the part of the set a record is reported in, beside the whole.
    `scorers` are the official scorers, by name, applied beside ours.
    """

    line_mode: LineMode
    whole_lines: bool = False
    part_of: Callable[[Record], str] | None = None
    scorers: tuple[str, ...] = ()


def _retrieval(record: Record) -> str:
    return str(record.meta.get("retrieval", "unknown"))


def _definer(record: Record) -> str:
    return "clean" if record.meta.get("definer_imported") is True else "not_imported"


def _subtask(record: Record) -> str:
    return str(record.meta.get("subtask", "unknown"))


SETS: dict[str, SetSpec] = {
    "humaneval_single": SetSpec(LineMode.SINGLE, whole_lines=True),
    "humaneval_multi": SetSpec(LineMode.MULTI, whole_lines=True),
    "humaneval_randomspan": SetSpec(LineMode.MULTI),
    "santacoder_fim": SetSpec(LineMode.SINGLE, scorers=("bigcode", "qwen")),
    "safim": SetSpec(LineMode.MULTI, part_of=_subtask, scorers=("safim",)),
    "cceval": SetSpec(LineMode.SINGLE, part_of=_retrieval, scorers=("cceval",)),
    "xfile": SetSpec(LineMode.SINGLE, part_of=_definer),
    "commitfim": SetSpec(LineMode.MULTI),
}

_UNKNOWN = SetSpec(LineMode.MULTI)


def spec_of(set_name: str) -> SetSpec:
    """The spec of a known set, or the general one."""
    return SETS.get(set_name, _UNKNOWN)


def as_edited(record: Record, spec: SetSpec) -> Record:
    """The record as an editor shows it; the true file stays the same."""
    if spec.whole_lines and record.middle.endswith("\n"):
        return replace(record, middle=record.middle[:-1], suffix="\n" + record.suffix)
    return record


def parts_of(record: Record, spec: SetSpec) -> tuple[str, ...]:
    """The parts of the set that this record counts in."""
    return (WHOLE, spec.part_of(record)) if spec.part_of else (WHOLE,)
