"""The mining stage from top to bottom: repositories in, a folder of examples and a report of what was left out."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fimble.context.index.files import scan
from fimble.context.index.ignore import is_unfit
from fimble.context.index.secrets import has_secret
from fimble.context.index.workspace import code_language
from fimble.core.errors import InputError
from fimble.tuning.mine.cluster import FindAll, find_here
from fimble.tuning.mine.decontaminate import EvaluationTexts, excluded_as
from fimble.tuning.mine.difficulty import STAGE_NAMES, stages
from fimble.tuning.mine.examples import Example, SourceFile, file_id_of, save
from fimble.tuning.mine.gaps import GapTask
from fimble.tuning.mine.licence import header_forbids, is_permissive, licence_of
from fimble.tuning.mine.near import NearDuplicates
from fimble.tuning.mine.sources import Repository, open_repository
from fimble.tuning.mine.spans import SpanOptions

_MIN_FILE_CHARS = 200
_NEAR_CHARS = 160
# What compilers to JavaScript put at the end of what they write; packages often ship it beside its declarations.
_COMPILED = re.compile(r"^//[#@] sourceMappingURL=", re.MULTILINE)
_TAIL_CHARS = 2_000
_DECLARATIONS = (".d.ts", ".d.mts", ".d.cts")


@dataclass(frozen=True, slots=True)
class MineOptions:
    """What is mined. `any_licence` is for one's own code; `evaluation_sets` are kept out of the examples."""

    spans: SpanOptions = field(default_factory=SpanOptions)
    any_licence: bool = False
    evaluation_sets: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class MineReport:
    """Counts of what came out, and of what was left out by reason."""

    repositories: dict[str, str]
    n_files: int
    n_examples: int
    left_out: dict[str, int]
    kinds: dict[str, int]
    languages: dict[str, int]
    stages: dict[str, int]
    n_evaluation_records: int

    def as_json(self) -> dict[str, Any]:
        """For report.json."""
        return {name: getattr(self, name) for name in self.__slots__}


def mine(
    paths: Sequence[Path],
    out: Path,
    options: MineOptions,
    on_repository: Callable[[str], None],
    find_all: FindAll = find_here,
) -> MineReport:
    """Mine folders and archives into `out`. `find_all` finds the gaps, here or on a cluster; the result is the same.

    Raises:
        InputError: a path is no repository, or nothing is left to learn from; then nothing is written.
    """
    evaluation = EvaluationTexts(options.evaluation_sets)
    left_out: Counter[str] = Counter()
    licences: dict[str, str] = {}
    files: list[SourceFile] = []
    near = NearDuplicates()
    with tempfile.TemporaryDirectory(prefix="fimble-mine-") as scratch:
        for path in paths:
            repository = open_repository(path, Path(scratch))
            if repository.name in licences:
                raise InputError(f"Two repositories are named {repository.name}.", mend="Rename one of the folders.")
            on_repository(repository.name)
            licence = licence_of(repository.root)
            licences[repository.name] = licence or "none recognised"
            if (excluded := excluded_as(repository.name, repository.root)) is not None:
                licences[repository.name] += f"; left out: {excluded} is behind an evaluation set"
                left_out["repository of an evaluation set"] += 1
            elif not options.any_licence and not is_permissive(licence):
                licences[repository.name] += "; left out: not a permissive licence"
                left_out["repository without a permissive licence"] += 1
            else:
                files += _files(repository, options, evaluation, near, left_out)
    examples = _examples(files, options, left_out, find_all)
    if not examples:
        reasons = ", ".join(f"{reason}: {n}" for reason, n in sorted(left_out.items())) or "no source files"
        raise InputError(
            f"Nothing to learn from was found ({reasons}).",
            mend="Give repositories with source code under a permissive licence; `--any-licence` is for your own code.",
        )
    mined = [file for file in files if file.is_mined]
    report = MineReport(
        repositories=licences,
        n_files=len(mined),
        n_examples=len(examples),
        left_out={reason: n for reason, n in sorted(left_out.items()) if n},
        kinds=_counts(example.kind for example in examples),
        languages=_counts(example.language for example in examples),
        stages=_counts(STAGE_NAMES[example.stage] for example in examples),
        n_evaluation_records=evaluation.n_records,
    )
    save(out, files, examples, report.as_json())
    return report


def _files(
    repository: Repository,
    options: MineOptions,
    evaluation: EvaluationTexts,
    near: NearDuplicates,
    left_out: Counter[str],
) -> Iterator[SourceFile]:
    for path in scan(repository.root).stamps:
        language = code_language(path)
        if language is None:
            continue
        try:
            text = (repository.root / path).read_bytes().decode("utf-8").removeprefix("\ufeff")
        except (OSError, UnicodeDecodeError):
            left_out["file that is not UTF-8"] += 1
            continue
        reason = _unfit_reason(text, options)
        if reason is None and evaluation.is_in(text):
            reason = "file with text of an evaluation set"
        if reason is not None:
            left_out[reason] += 1
            continue
        file_id = file_id_of(repository.name, path)
        is_known = near.add(file_id, text) is not None
        is_declared = path.endswith(_DECLARATIONS)
        left_out["file nearly the same as another (kept as context)"] += is_known
        left_out["file of type declarations (kept as context)"] += is_declared and not is_known
        is_mined = not is_known and not is_declared
        yield SourceFile(file_id, repository.name, path, language.name, text, is_mined=is_mined)


def _unfit_reason(text: str, options: MineOptions) -> str | None:
    if len(text) < _MIN_FILE_CHARS:
        return "file of less than 200 characters"
    if is_unfit(text) or _COMPILED.search(text, max(0, len(text) - _TAIL_CHARS)):
        return "file that is generated, minified or binary"
    if not options.any_licence and header_forbids(text):
        return "file under other terms than its repository"
    if has_secret(text):
        return "file with what looks like a key or password"
    return None


def _examples(
    files: Sequence[SourceFile], options: MineOptions, left_out: Counter[str], find_all: FindAll
) -> list[Example]:
    seen: set[bytes] = set()
    examples: list[Example] = []
    mined = [file for file in files if file.is_mined]
    found = find_all([GapTask(file.id, file.path, file.text, options.spans) for file in mined])
    for file, gaps in zip(mined, found, strict=True):
        for span, difficulty in gaps:
            if _is_known(file.text, span.start, span.end, seen):
                left_out["example like another"] += 1
                continue
            examples.append(
                Example(
                    id=f"{file.id}:{span.start}:{span.end}",
                    file_id=file.id,
                    kind=str(span.kind),
                    language=file.language,
                    start=span.start,
                    end=span.end,
                    n_lines=file.text.count("\n", span.start, span.end) + 1,
                    difficulty=round(difficulty, 4),
                    stage=0,
                )
            )
    ranked = stages([example.difficulty for example in examples])
    return [replace(example, stage=stage) for example, stage in zip(examples, ranked, strict=True)]


def _is_known(text: str, start: int, end: int, seen: set[bytes]) -> bool:
    """Whether the same gap stood in the same near surroundings before; the first time it is remembered."""
    near = " ".join((text[max(0, start - _NEAR_CHARS) : start] + "\0" + text[start : end + _NEAR_CHARS]).split())
    digest = hashlib.blake2b(near.encode("utf-8", "surrogatepass"), digest_size=12).digest()
    if digest in seen:
        return True
    seen.add(digest)
    return False


def _counts(values: Iterator[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
