"""Did a shown completion break its file, or write again what stands after the cursor? Judges that share no code with
what keeps the engine from doing so, but for tree-sitter's grammars.

The true text is the measure: what it does too is no defect, and where it cannot be judged itself nothing is.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from fimble.evaluation.answers import Answer
from fimble.evaluation.records import Record
from fimble.syntax.errors import adds_syntax_error
from fimble.syntax.languages import language_for, language_id_for_path

# A line, or a part of one, shorter than this stands in many places.
_MIN_TELLING_CHARS = 5
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_CHECK_TIMEOUT_S = 20
# Each stops behind the parser: names and types that are not there are no error here.
_PARSERS = {
    "javascript": ("node", "--check", "-"),
    "java": ("javac", "-proc:none", "-XDshould-stop.ifNoError=PARSE"),
    "go": ("gofmt", "-e"),
    "rust": ("rustfmt", "--edition", "2021", "--emit", "stdout"),
}


def defect_scores(record: Record, answer: Answer) -> Mapping[str, float]:
    """`adds_error`, `adds_error_compiler` and `overlap` of an answer that was given, each left out where unknown."""
    if not answer.text.strip():
        return {}
    scores = {"overlap": float(overlaps(record.prefix, answer.text, record.suffix) and not _truth_overlaps(record))}
    language = language_for(language_id_for_path(record.path)) or language_for(record.language)
    if language is not None and adds_syntax_error(record.prefix, record.middle, record.suffix, language) is False:
        added = adds_syntax_error(record.prefix, answer.text, record.suffix, language)
        if added is not None:
            scores["adds_error"] = float(added)
    true_document = record.prefix + record.middle + record.suffix
    if _compiles(record.language, true_document):
        compiles = _compiles(record.language, answer.document)
        if compiles is not None:
            scores["adds_error_compiler"] = float(not compiles)
    return scores


def overlaps(prefix: str, completion: str, suffix: str) -> bool:
    """Whether a completion ends with what follows it anyway, or closes a bracket that the suffix closes."""
    return (
        _repeats_rest_of_line(completion, suffix)
        or _repeats_lines(completion, suffix)
        or _doubles_bracket(prefix, completion, suffix)
    )


def _truth_overlaps(record: Record) -> bool:
    return overlaps(record.prefix, record.middle, record.suffix)


def _repeats_rest_of_line(completion: str, suffix: str) -> bool:
    rest = suffix.partition("\n")[0].strip()
    return len(rest) >= _MIN_TELLING_CHARS and completion.rstrip().endswith(rest)


def _repeats_lines(completion: str, suffix: str) -> bool:
    """Whether the completion's last lines are the ones below the cursor's line, one of them long enough to tell."""
    rest, _, below = suffix.partition("\n")
    if rest.strip():
        return False
    written = [line.strip() for line in completion.split("\n")[1:] if line.strip()]
    following = [line.strip() for line in below.splitlines() if line.strip()]
    return any(
        written[-n_lines:] == following[:n_lines] and max(map(len, written[-n_lines:])) >= _MIN_TELLING_CHARS
        for n_lines in range(1, min(len(written), len(following)) + 1)
    )


def _doubles_bracket(prefix: str, completion: str, suffix: str) -> bool:
    """Whether completion and rest of the line both begin with closing the same bracket of the cursor's line."""
    rest = suffix.partition("\n")[0].strip()
    end = completion.rstrip()
    if not rest or not end or "\n" in end or rest[0] not in _CLOSERS or end[-1] != rest[0]:
        return False
    head = prefix.rpartition("\n")[2]
    opener = _CLOSERS[rest[0]]
    n_open = head.count(opener) - head.count(rest[0])
    n_closed = end.count(rest[0]) - end.count(opener) + rest.count(rest[0]) - rest.count(opener)
    return n_closed > max(n_open, 1)


def _compiles(language: str, text: str) -> bool | None:
    """What the language's own parser says; None where there is none on this machine, or it takes too long."""
    if language == "python":
        return _compiles_in_python(text)
    program, *arguments = _PARSERS.get(language, ("",))
    path = _found(program)
    if path is None:
        return None
    with tempfile.TemporaryDirectory(prefix="fimble-eval-") as folder:
        if program == "javac":  # reads files only
            source = Path(folder, "Source.java")
            source.write_bytes(text.encode("utf-8", "surrogatepass"))
            arguments = [*arguments, "-d", folder, str(source)]
        try:
            done = subprocess.run(
                [path, *arguments],
                input=text.encode("utf-8", "surrogatepass"),
                capture_output=True,
                cwd=folder,
                timeout=_CHECK_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
    return done.returncode == 0


def _compiles_in_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in somebody's strings
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


@cache
def _found(program: str) -> str | None:
    return shutil.which(program) if program else None
