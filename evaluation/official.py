"""The published scorers of SantaCoder FIM and SAFIM, written from their definitions.

Sources: bigcode-evaluation-harness, tasks/santacoder_fim.py (compares the generation with the reference as they are);
Qwen2.5-Coder, fim-bench/hm_fim/humaneval_fim.py (one line, stripped); SAFIM, evaluate.py (white space dropped, Python
calls compared by their arguments). docs/evaluation.md says where our set-up departs from theirs.
"""

from __future__ import annotations

import ast
import re

from fimble.evaluation.answers import Answer
from fimble.evaluation.metrics import Scores, edit_similarity
from fimble.evaluation.records import Record

_WHITE_SPACE = re.compile(r"\s+")


def bigcode(record: Record, answer: Answer) -> Scores:
    """SantaCoder FIM as bigcode scores it: nothing is stripped or cut."""
    return {"em_bigcode": float(answer.is_insertion and answer.text == record.middle)}


def qwen(record: Record, answer: Answer) -> Scores:
    """SantaCoder FIM as Qwen scores it: one line of the answer against the middle, both stripped."""
    lines = answer.text.split("\n")
    begins_with_line_end = answer.text.startswith(("\n", " \n"))
    line = lines[1 if begins_with_line_end else 0].strip()
    true = record.middle.strip()
    return {
        "em_qwen": float(answer.is_insertion and line == true),
        # Their ratio is a whole number of percent.
        "es_qwen": round(100 * edit_similarity(line, true)) / 100,
    }


def safim_match(record: Record, answer: Answer) -> bool:
    """Whether SAFIM takes the answer for the true middle where the record has no tests."""
    given, true = (_WHITE_SPACE.sub("", text) for text in (answer.text, record.middle))
    if not answer.is_insertion:
        return False
    if record.language == "python":
        given_call, true_call = _call(given), _call(true)
        if given_call and true_call:
            return given_call == true_call
    return given == true


def _call(text: str) -> tuple[list[str], dict[str | None, str]] | None:
    """Positional and keyword arguments of a call expression. SAFIM does not compare the function's name."""
    try:
        expression = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(expression, ast.Call):
        return None
    return (
        [ast.dump(argument) for argument in expression.args],
        {keyword.arg: ast.dump(keyword.value) for keyword in expression.keywords},
    )
