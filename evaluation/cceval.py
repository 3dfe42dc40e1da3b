"""CrossCodeEval's published scorer, written from its definition (amazon-science/cceval, scripts/eval_metric.py).

The answer is cut to one statement, comments are dropped from both texts, then: EM on the lists of stripped lines, edit
similarity, and how well the identifiers agree. The true middle is not cut, so a middle of more than one statement by
these rules can never match, as in the original.
"""

from __future__ import annotations

import keyword
import re

from fimble.evaluation.answers import Answer
from fimble.evaluation.metrics import Scores, edit_similarity
from fimble.evaluation.records import Record
from fimble.syntax.grammar import Grammar, grammar_for
from fimble.syntax.languages import language_for
from fimble.syntax.parse import parse

_COMMENT = re.compile(r"#.*|//.*")
_STRING = re.compile(r""""[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*'""")
_WORD = re.compile(r"\w+")
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_STATEMENT_END = re.compile(r"[;{}]")

# Words that are no identifiers. Which words count is part of the published score, so these follow its lists: literals
# such as `true` are left in as identifiers, newer contextual keywords too.
_KEYWORDS = {
    "python": " ".join(word for word in keyword.kwlist if word not in ("True", "False")),
    "java": (
        "abstract assert boolean break byte case catch char class const continue default do double else enum extends "
        "final finally float for goto if implements import instanceof int interface long native new package private "
        "protected public return short static strictfp super switch synchronized this throw throws transient try var "
        "void volatile while"
    ),
    "csharp": (
        "abstract as base bool break byte case catch char checked class const continue decimal default delegate do "
        "double else enum event explicit extern finally fixed float for foreach goto if implicit in int interface "
        "internal is lock long namespace new null object operator out override params private protected public "
        "readonly ref return sbyte sealed short sizeof stackalloc static string struct switch this throw try typeof "
        "uint ulong unchecked unsafe ushort using virtual void volatile while"
    ),
    "typescript": (
        "break case catch class const continue debugger default delete do else enum export extends finally for "
        "function if implements import in instanceof interface let new package private protected public return static "
        "super switch this throw try typeof var void while with yield"
    ),
}


def cceval(record: Record, answer: Answer) -> Scores:
    """EM, edit similarity, identifier EM and F1 as CrossCodeEval computes them."""
    given = _COMMENT.sub("", one_statement(record, answer.text))
    true = _COMMENT.sub("", record.middle)
    given_ids, true_ids = (identifiers(text, record.language) for text in (given, true))
    n_shared = len(set(given_ids) & set(true_ids))
    n_either = len(set(given_ids)) + len(set(true_ids))
    return {
        "em_cceval": float(answer.is_insertion and _lines(given) == _lines(true)),
        # Their ratio is a whole number of percent.
        "es_cceval": round(100 * edit_similarity(given.strip(), true.strip())) / 100,
        "id_em_cceval": float(given_ids == true_ids),
        "id_f1_cceval": 2 * n_shared / n_either if n_either else 0.0,
    }


def one_statement(record: Record, text: str) -> str:
    """The part of an answer that is scored.

    Python: up to the first line end at which the file so far parses. Other languages: up to the first `;` or brace; one
    at the very start does not count.
    """
    if record.language == "python":
        return _python_statement(record.prefix, text)
    end = _STATEMENT_END.search(text)
    return text[: end.end()] if end and end.start() > 0 else text


def identifiers(text: str, language: str) -> list[str]:
    """Words outside string literals that begin like an identifier and are no keywords, in order, with repeats."""
    keywords = _KEYWORDS.get(language, "").split()
    words: list[str] = _WORD.findall(_STRING.sub("", text))
    return [word for word in words if _IDENTIFIER.match(word) and word not in keywords]


def _python_statement(prefix: str, text: str) -> str:
    language = language_for("python")
    grammar = grammar_for(language) if language else None
    if grammar is None:
        return text
    for line_end in re.finditer("\n", text):
        # The scorer looks for a character *followed* by a line end, so one at the very start does not count.
        end = line_end.start()
        if end > 0 and _parses(grammar, prefix + text[:end]):
            return text[:end].rstrip()
    return text


def _parses(grammar: Grammar, text: str) -> bool:
    """Whether the tree holds no ERROR node. A MISSING node is let pass, as in the original."""
    tree = parse(grammar, text.encode("utf-8", "surrogatepass"))
    pending = [tree.root] if tree else []
    while pending:
        node = pending.pop()
        if node.type == "ERROR":
            return False
        pending += [child for child in node.children if child.has_error]
    return tree is not None


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]
