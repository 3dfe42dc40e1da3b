"""The preparing stage from top to bottom: mined examples in, token sequences and held-out tasks out."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fimble.context.prompt.budget import COLD_SIZES
from fimble.context.prompt.cache import CachingTokenizer
from fimble.context.prompt.fim import Family
from fimble.core.config import PromptOptions
from fimble.core.errors import InputError
from fimble.core.flow import Context
from fimble.tuning.mine.difficulty import stages
from fimble.tuning.mine.examples import Example, Mined, SourceFile
from fimble.tuning.prepare.dataset import About, Labelled, save
from fimble.tuning.prepare.sequences import TokenSequence, sequence_of
from fimble.tuning.prepare.surroundings import RepositoryView, open_view
from fimble.tuning.prepare.vocabulary import GgufVocabulary

_MAX_TASK_FILE_CHARS = 24_000
_MAX_TASK_FILES = 6
_MIN_SHARE_HELD_OUT = 0.1


@dataclass(frozen=True, slots=True)
class PrepareOptions:
    """How examples become sequences.

    `limit` takes an even sample over stages; 0 takes all. `held_out` names repositories that are never trained on;
    without any, one file in ten is kept out, and one at least where there are two. Stages are those of mining, or,
    where `prepare` is given a measure of loss, by the model's own loss. `default_layout_share` of the sequences have
    the layout that serving chooses, the others the family's other one; `cold_share` of them the small windows of a
    cold cache, no chunks.
    """

    prompt: PromptOptions
    limit: int = 0
    held_out: tuple[str, ...] = ()
    n_tasks: int = 200
    max_learned_tokens: int = 160
    default_layout_share: float = 0.7
    cold_share: float = 0.3
    distractor_share: float = 0.5
    with_context: bool = True
    seed: int = 0


def prepare(
    mined: Mined, vocabulary: GgufVocabulary, weights_sha256: str, out: Path, options: PrepareOptions,
    on_example: Callable[[int, int], None], measure: Callable[[TokenSequence], float] | None = None,
) -> About:  # fmt: skip
    """Write a prepared folder for one model. `on_example` hears how many examples of how many are done.

    `measure` gives the model's mean loss on what a sequence teaches; slow, and the better measure of difficulty.

    Raises:
        ModelUnsuitableError: the model is not asked by fill-in-the-middle markers, or has none to stop with.
        InputError: a repository to hold out is not among the mined ones, or nothing is left to train on.
    """
    known = {file.repository for file in mined.files.values()}
    if missing := sorted(set(options.held_out) - known):
        raise InputError(
            f"There is no mined repository {', '.join(missing)} to hold out.",
            mend=f"Mined are: {', '.join(sorted(known))}.",
        )
    family = vocabulary.family()
    about = About(
        model_id=vocabulary.info.model_id,
        weights_sha256=weights_sha256,
        family=family.name,
        end_token=vocabulary.end_of_middle(family),
        n_train=0,
        n_held_out=0,
        n_tokens=0,
        n_learned_tokens=0,
        data_hash="",
        options=asdict(options),
    )
    labelled, tasks = asyncio.run(_Preparation(mined, vocabulary, family, options, on_example).run())
    if measure is not None:
        ranked = stages([measure(one.sequence) for one in labelled])
        labelled = [replace(one, stage=stage) for one, stage in zip(labelled, ranked, strict=True)]
    if not any(not one.is_held_out for one in labelled):
        raise InputError("No example is left to train on.", mend="Mine more, or hold fewer repositories out.")
    return save(out, labelled, about, tasks)


class _Preparation:
    """One run: the examples of a repository share its view."""

    def __init__(
        self,
        mined: Mined,
        vocabulary: GgufVocabulary,
        family: Family,
        options: PrepareOptions,
        on_example: Callable[[int, int], None],
    ) -> None:
        self._mined = mined
        self._tokenizer = CachingTokenizer(vocabulary)
        self._family = family
        self._end = vocabulary.end_of_middle(family)
        self._options = options
        self._on_example = on_example
        self._n_done = 0
        self._held_out_files = _held_out_files(mined)
        self._labelled: list[Labelled] = []
        self._tasks: list[dict[str, Any]] = []

    async def run(self) -> tuple[list[Labelled], list[dict[str, Any]]]:
        chosen = self._choose()
        by_repository: dict[str, list[Example]] = {}
        for example in chosen:
            by_repository.setdefault(self._file(example).repository, []).append(example)
        n_task_share = {
            name: sum(self._is_held_out(example) for example in examples) for name, examples in by_repository.items()
        }
        n_held_out = max(1, sum(n_task_share.values()))
        for name, examples in by_repository.items():
            files = [file for file in self._mined.files.values() if file.repository == name]
            n_tasks = -(-self._options.n_tasks * n_task_share[name] // n_held_out)
            with tempfile.TemporaryDirectory(prefix="fimble-prepare-") as scratch:
                async with open_view(files, Path(scratch), n_tokens=self._options.prompt.chunk_tokens) as view:
                    for example in examples:
                        n_tasks -= await self._take(example, view, files, wants_task=n_tasks > 0)
                        self._n_done += 1
                        self._on_example(self._n_done, len(chosen))
        return self._labelled, self._tasks[: self._options.n_tasks]

    async def _take(
        self, example: Example, view: RepositoryView, files: Sequence[SourceFile], *, wants_task: bool
    ) -> bool:
        """Make the sequence; returns whether the example became a task too."""
        options, generator = self._options, random.Random(f"{self._options.seed}/{example.id}")
        is_held_out = self._is_held_out(example)
        is_cold = generator.random() < options.cold_share
        is_distracted = generator.random() < options.distractor_share
        prompt = self._prompt_options(generator, is_cold=is_cold)
        prefix, middle, suffix = self._mined.parts(example)
        if prompt.chunk_tokens or (is_held_out and wants_task):
            n_distractors = generator.randint(1, 2) if is_distracted else 0
            context = await view.context_of(
                example, prefix + middle + suffix, n_distractors=n_distractors, seed=str(options.seed)
            )
        else:
            file = self._file(example)
            context = Context(file.language, f"{file.repository}/{file.path}", prefix, suffix)
        sequence = await sequence_of(context, middle, self._family, self._tokenizer, prompt, self._end)
        if sequence.n_learned > options.max_learned_tokens:
            return False
        self._labelled.append(Labelled(sequence, example.stage, is_held_out, example.kind, len(context.chunks)))
        if is_held_out and wants_task:
            self._tasks.append(_task(example, self._file(example), (prefix, middle, suffix), context, files))
            return True
        return False

    def _prompt_options(self, generator: random.Random, *, is_cold: bool) -> PromptOptions:
        others = [layout for layout in self._family.layouts if layout is not self._family.default_layout]
        is_default = not others or generator.random() < self._options.default_layout_share
        layout = self._family.default_layout if is_default else generator.choice(others)
        prompt = replace(self._options.prompt, layout=str(layout))
        if not self._options.with_context:
            prompt = replace(prompt, chunk_tokens=0)
        if not is_cold:
            return prompt
        n_tokens, n_above, n_below = generator.choice(COLD_SIZES)
        return replace(
            prompt,
            max_tokens=min(prompt.max_tokens, n_tokens),
            prefix_lines=min(prompt.prefix_lines, n_above),
            suffix_lines=min(prompt.suffix_lines, n_below),
            chunk_tokens=0,
        )

    def _choose(self) -> list[Example]:
        """All examples, or an even sample over the stages, a tenth of it held out, in a seeded order."""
        examples = list(self._mined.examples)
        random.Random(self._options.seed).shuffle(examples)
        if not self._options.limit:
            return examples
        n_held_out = round(self._options.limit * _MIN_SHARE_HELD_OUT)
        held_out = [example for example in examples if self._is_held_out(example)]
        train = [example for example in examples if not self._is_held_out(example)]
        return _even(train, self._options.limit - min(n_held_out, len(held_out))) + _even(held_out, n_held_out)

    def _is_held_out(self, example: Example) -> bool:
        if self._options.held_out:
            return self._file(example).repository in self._options.held_out
        return example.file_id in self._held_out_files

    def _file(self, example: Example) -> SourceFile:
        return self._mined.files[example.file_id]


def _held_out_files(mined: Mined) -> frozenset[str]:
    """One mined file in ten by its id, so that a run can be repeated; one at least, but never all."""
    ranked = sorted((random.Random(file_id).random(), file_id) for file_id in {one.file_id for one in mined.examples})
    n = min(max(sum(rank < _MIN_SHARE_HELD_OUT for rank, _ in ranked), 1), len(ranked) - 1)
    return frozenset(file_id for _, file_id in ranked[:n])


def _even(examples: Sequence[Example], n: int) -> list[Example]:
    """The first `n`, stage by stage in turn."""
    by_stage: dict[int, list[Example]] = {}
    for example in examples:
        by_stage.setdefault(example.stage, []).append(example)
    chosen: list[Example] = []
    for rank in range(max(map(len, by_stage.values()), default=0)):
        chosen += [group[rank] for _, group in sorted(by_stage.items()) if rank < len(group)]
    return chosen[:n]


def _task(
    example: Example, file: SourceFile, parts: tuple[str, str, str], context: Context, files: Sequence[SourceFile]
) -> dict[str, Any]:
    """A record as `fimble eval` reads it: the files that gathering found are its workspace."""
    prefix, middle, suffix = parts
    texts = {other.path: other.text for other in files}
    found = dict.fromkeys(chunk.path for chunk in context.chunks if chunk.path in texts and chunk.path != file.path)
    return {
        "id": example.id,
        "language": file.language,
        "path": file.path,
        "prefix": prefix,
        "middle": middle,
        "suffix": suffix,
        "cross_file": [
            {"path": path, "text": texts[path][:_MAX_TASK_FILE_CHARS]} for path in list(found)[:_MAX_TASK_FILES]
        ],
        "meta": {"kind": example.kind, "stage": example.stage, "repository": file.repository},
    }
