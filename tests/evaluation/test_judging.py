"""The cost of judging pieces: every piece counts, the truth is not refused, what cannot be judged is said to be so."""

from __future__ import annotations

from tests.evaluation.conftest import record

from fimble.evaluation.judging import judging_costs, pieces


def test_pieces_are_the_whole_text() -> None:
    text = "def f(a):\n    return {'é': a[1:]} \\\n\t+ 1  # why\r\n\n"
    assert b"".join(pieces(text)).decode() == text
    assert max(map(len, pieces(text))) < 10


def test_costs_by_language() -> None:
    asked = [
        record(),
        record(id="r2", middle="return (a + b"),
        record(id="r3", prefix="def )(:\n", middle="x"),
        record(id="r4", language="go", path="a.go", prefix="package p\n\nvar a = ", middle="1"),
    ]
    go, python = judging_costs(asked)
    assert (go.language, go.n_holes, go.n_judged, go.n_refused) == ("go", 1, 1, 0)
    assert (python.n_holes, python.n_judged, python.n_refused) == (3, 2, 0)
    assert python.n_pieces == len(pieces("return a + b")) + len(pieces("return (a + b"))
    assert 0 < python.piece_ms.p50 <= python.piece_ms.p99 <= python.piece_ms.most


def test_a_refused_truth_is_counted() -> None:
    (cost,) = judging_costs([record(middle="return ) + 1")])
    assert cost.n_refused == 1
