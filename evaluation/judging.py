"""What judging pieces by syntax costs, and whether it ever refuses the truth: true middles, cut as a model cuts text.

No model runs, so that the cost of judging stands alone; its share of a model's time is in `fimble eval`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fimble.evaluation.records import Record
from fimble.evaluation.statistics import percentile
from fimble.syntax.languages import language_id_for_path
from fimble.syntax.viable import viability_for

# Words with the blank before them, runs of signs, line ends with what indents the next line: much as vocabularies cut.
_PIECE = re.compile(r"[ \t]?\w{1,8}|[ \t]?[^\w\s]{1,3}|\n+[ \t]*|[ \t]+|\s")


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds."""

    p50: float
    p99: float
    most: float


@dataclass(frozen=True, slots=True)
class JudgingCost:
    """Of one language. `n_judged` holes of `n_holes` have a left side that can be judged; `n_refused` must be 0."""

    language: str
    n_holes: int
    n_judged: int
    n_pieces: int
    n_refused: int
    start_ms: Spread
    piece_ms: Spread


def judging_costs(records: Sequence[Record]) -> Iterable[JudgingCost]:
    """Language by language."""
    for language in sorted({record.language for record in records}):
        yield _cost(language, [record for record in records if record.language == language])


def _cost(language: str, records: Sequence[Record]) -> JudgingCost:
    start_ms: list[float] = []
    piece_ms: list[float] = []
    n_judged = n_refused = 0
    for record in records:
        began = time.perf_counter()
        viability = viability_for(language_id_for_path(record.path), record.prefix, record.suffix)
        start_ms.append(_ms_since(began))
        if viability is None or not viability.left_constraint.is_on:
            continue
        n_judged += 1
        for piece in pieces(record.middle):
            began = time.perf_counter()
            is_viable = viability.viable(piece)
            viability.accept(piece)
            piece_ms.append(_ms_since(began))
            if not is_viable:
                n_refused += 1
                break
    return JudgingCost(language, len(records), n_judged, len(piece_ms), n_refused, _spread(start_ms), _spread(piece_ms))


def pieces(text: str) -> list[bytes]:
    """`text` in pieces of a few characters, nothing left out."""
    return [matched.group().encode("utf-8", "surrogatepass") for matched in _PIECE.finditer(text)]


def _spread(values: Sequence[float]) -> Spread:
    return Spread(percentile(values, 0.5) or 0.0, percentile(values, 0.99) or 0.0, max(values, default=0.0))


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000.0
