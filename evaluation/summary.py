"""From results of single records to the numbers of a report: by set, part of the set, and language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fimble.evaluation.metrics import METRICS, Kind
from fimble.evaluation.results import RecordResult, Run
from fimble.evaluation.sets import WHOLE
from fimble.evaluation.statistics import Estimate, PairedDifference, mean, median, paired, percentile, rate

ALL_LANGUAGES = "all"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a report. `metrics` holds only what applies; milliseconds are what the caller waited.

    Tokens and milliseconds are of the `n_asked_first` records that were asked first over their cache.
    """

    set_name: str
    part: str
    language: str
    n: int
    metrics: Mapping[str, Estimate]
    rejections: Mapping[str, int]
    stop_reasons: Mapping[str, int]
    tests_not_run: Mapping[str, int]
    n_asked_first: int
    n_prompt_tokens: Estimate | None
    n_evaluated_tokens: Estimate | None
    n_generated_tokens: Estimate | None
    wall_ms: Estimate | None
    wall_ms_p90: float | None
    constraint_percent: Estimate | None
    n_refused_pieces: int


def rows(results: Sequence[RecordResult]) -> list[Row]:
    """Each set whole, then its parts, then its languages; a part or language only where there are several."""
    made: list[Row] = []
    for set_name in dict.fromkeys(result.set_name for result in results):
        of_set = [result for result in results if result.set_name == set_name]
        made.append(_row(set_name, WHOLE, ALL_LANGUAGES, of_set))
        parts = sorted({part for result in of_set for part in result.parts} - {WHOLE})
        made += [
            _row(set_name, part, ALL_LANGUAGES, [result for result in of_set if part in result.parts]) for part in parts
        ]
        languages = sorted({result.language for result in of_set})
        if len(languages) > 1:
            made += [
                _row(set_name, WHOLE, language, [result for result in of_set if result.language == language])
                for language in languages
            ]
    return made


def _row(set_name: str, part: str, language: str, results: Sequence[RecordResult]) -> Row:
    cold = [result for result in results if result.asked_first]
    return Row(
        set_name=set_name,
        part=part,
        language=language,
        n=len(results),
        metrics=_estimates(results),
        rejections=Counter(result.rejection for result in results if result.rejection),
        stop_reasons=Counter(result.stop_reason for result in results if result.stop_reason),
        tests_not_run=Counter(
            result.test_outcome.removeprefix("not run: ")
            for result in results
            if result.test_outcome and result.test_outcome.startswith("not run")
        ),
        n_asked_first=len(cold),
        n_prompt_tokens=mean([result.n_prompt_tokens for result in cold]),
        n_evaluated_tokens=mean([result.n_prompt_tokens - result.n_reused_tokens for result in cold]),
        n_generated_tokens=mean([result.n_generated_tokens for result in cold]),
        wall_ms=median([result.wall_ms for result in cold]),
        wall_ms_p90=percentile([result.wall_ms for result in cold], 0.9),
        constraint_percent=median(
            [100 * result.constraint_ms / result.writing_ms for result in results if result.writing_ms > 0]
        ),
        n_refused_pieces=sum(result.n_refused_pieces for result in results),
    )


def _estimates(results: Sequence[RecordResult]) -> dict[str, Estimate]:
    estimates: dict[str, Estimate] = {}
    for metric in METRICS:
        values = [result.scores[metric.name] for result in results if metric.name in result.scores]
        estimate = rate([value == 1.0 for value in values]) if metric.kind is Kind.RATE else mean(values)
        if estimate is not None:
            estimates[metric.name] = estimate
    return estimates


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of one set in two runs, over the records that both have."""

    set_name: str
    part: str
    metric: str
    new: float
    old: float
    paired: PairedDifference


def compare(new: Run, old: Run) -> list[Comparison]:
    """Every metric of every set and part that both runs have, record by record.

    Only records of sets with the same content are paired.
    """
    old_hashes = {info.name: info.sha256 for info in old.sets}
    old_by_id = {(result.set_name, result.record_id): result for result in old.results}
    compared: list[Comparison] = []
    for info in new.sets:
        if old_hashes.get(info.name) != info.sha256:
            continue
        pairs = [
            (result, old_by_id[info.name, result.record_id])
            for result in new.results
            if result.set_name == info.name and (info.name, result.record_id) in old_by_id
        ]
        others = sorted({part for result, _ in pairs for part in result.parts} - {WHOLE})
        for part in (WHOLE, *others):
            of_part = [pair for pair in pairs if part in pair[0].parts]
            compared += [made for metric in METRICS if (made := _comparison(info.name, part, metric.name, of_part))]
    return compared


def _comparison(
    set_name: str, part: str, metric: str, pairs: Sequence[tuple[RecordResult, RecordResult]]
) -> Comparison | None:
    values = [
        (new.scores[metric], old.scores[metric]) for new, old in pairs if metric in new.scores and metric in old.scores
    ]
    news, olds = [new for new, _ in values], [old for _, old in values]
    difference = paired(news, olds)
    if difference is None:
        return None
    return Comparison(set_name, part, metric, sum(news) / len(values), sum(olds) / len(values), difference)
