"""How broken is a text, and did a completion break it? For evaluation: stateless, whole texts, no limits on work."""

from __future__ import annotations

from fimble.syntax.around import Hole
from fimble.syntax.error_keys import error_nodes
from fimble.syntax.grammar import grammar_for
from fimble.syntax.languages import Language
from fimble.syntax.parse import NO_LIMIT, parse
from fimble.syntax.stop import StopJudge, StopVerdict


def n_syntax_errors(text: str, language: Language) -> int | None:
    """Number of ERROR and MISSING nodes, and 1 for what the parser left unread; None without a grammar."""
    grammar = grammar_for(language)
    tree = parse(grammar, _bytes(text), max_work_units=NO_LIMIT) if grammar else None
    return len(error_nodes(tree.root)) + (tree.unread_from is not None) if tree else None


def completion_verdict(prefix: str, completion: str, suffix: str, language: Language) -> StopVerdict | None:
    """How the whole text stands with the completion in the hole; None if there is no grammar for the language."""
    grammar = grammar_for(language)
    if grammar is None:
        return None
    judge = StopJudge(language, grammar, Hole.of(_bytes(prefix), _bytes(suffix)), max_work_units=NO_LIMIT)
    return judge.verdict(_bytes(completion))


def adds_syntax_error(prefix: str, completion: str, suffix: str, language: Language) -> bool | None:
    """Whether the text with the completion has an error that it does not have without the cursor's line.

    Strict on purpose: an error that the empty hole shows too counts as added, because the completion was there to close
    it, and so does a bracket of the lines above that decoding leaves to lines not written yet. Python's indentation
    counts as syntax. None if there is no grammar for the language.
    """
    verdict = completion_verdict(prefix, completion, suffix, language)
    return None if verdict is None else not verdict.allows_stop


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
