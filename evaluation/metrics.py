"""Our own scores of one answer, by name. The official scorers are in `official` and `cceval`.

Every score is a number from 0 to 1; rates are exactly 0 or 1. None means that the record cannot be scored so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fimble.core.errors import FimbleError
from fimble.evaluation.answers import Answer
from fimble.evaluation.records import Record


class Kind(StrEnum):
    """How a score is averaged, and what interval it gets."""

    RATE = "rate"  # Wilson
    MEAN = "mean"  # bootstrap


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of a report."""

    name: str
    kind: Kind
    doc: str


METRICS = (
    Metric("em", Kind.RATE, "answer equals the middle, both stripped (ours)"),
    Metric("em_first_line", Kind.RATE, "first line of the stripped answer equals the middle's (ours)"),
    Metric("es", Kind.MEAN, "edit similarity of the stripped texts: rapidfuzz.fuzz.ratio / 100 (ours)"),
    Metric("parse_ok", Kind.RATE, "the file parses without error with the answer in it; over answers given (ours)"),
    Metric(
        "adds_error",
        Kind.RATE,
        "the answer adds a syntax error (tree-sitter, and Python's indentation); less is better",
    ),
    Metric(
        "adds_error_compiler",
        Kind.RATE,
        "the same by the language's own parser, where one is found (docs/evaluation.md)",
    ),
    Metric("overlap", Kind.RATE, "the answer repeats what follows the cursor, or doubles its bracket; less is better"),
    Metric("pass_at_1", Kind.RATE, "the tests pass with the answer in the hole"),
    Metric("em_bigcode", Kind.RATE, "SantaCoder FIM, bigcode's scorer: the whole answer equals the middle, no strip"),
    Metric("em_qwen", Kind.RATE, "SantaCoder FIM, Qwen's scorer: first line, or second after a line end, stripped"),
    Metric("es_qwen", Kind.MEAN, "SantaCoder FIM, Qwen's scorer: edit similarity of that line"),
    Metric("em_cceval", Kind.RATE, "CrossCodeEval: equal lists of stripped lines of one statement, comments dropped"),
    Metric("es_cceval", Kind.MEAN, "CrossCodeEval: edit similarity of that statement"),
    Metric("id_em_cceval", Kind.RATE, "CrossCodeEval: equal lists of identifiers"),
    Metric("id_f1_cceval", Kind.MEAN, "CrossCodeEval: F1 of the identifier sets"),
    Metric("pass_safim", Kind.RATE, "SAFIM: tests pass, or, without tests, equal but for white space"),
    Metric("empty", Kind.RATE, "no answer, or a blank one"),
)
BY_NAME = {metric.name: metric for metric in METRICS}

Scores = dict[str, float]


def own_scores(record: Record, answer: Answer) -> Scores:
    """Our scores that need only the texts. An empty answer matches nothing, a blank middle included."""
    given, true = answer.text.strip(), record.middle.strip()
    can_match = answer.is_insertion and bool(given)
    return {
        "em": float(can_match and given == true),
        "em_first_line": float(can_match and _first_line(given) == _first_line(true)),
        "es": edit_similarity(given, true) if given else 0.0,
        "empty": float(not given),
    }


def edit_similarity(given: str, true: str) -> float:
    """1 minus the normalised insert/delete distance: rapidfuzz's `fuzz.ratio` on a scale of 0 to 1.

    Raises:
        FimbleError: rapidfuzz is not installed.
    """
    try:
        from rapidfuzz import fuzz
    except ImportError as error:
        raise FimbleError(
            "Scoring needs the package rapidfuzz.", mend='Install it with: pip install "fimble[eval]"'
        ) from error
    return fuzz.ratio(given, true) / 100.0


def _first_line(stripped: str) -> str:
    return stripped.split("\n", 1)[0].rstrip()
