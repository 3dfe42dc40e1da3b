"""How cost grows: real servers, a scripted model, small sizes; and what becomes of the numbers."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from tests.evaluation.test_server import scripted

from fimble.core.errors import InputError
from fimble.evaluation import growth
from fimble.evaluation.growth import Point
from fimble.evaluation.render import benchmarks_page
from fimble.evaluation.targets import open_subject


@pytest.mark.e2e
async def test_every_size_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "FILE_LINES", (200, 400))
    monkeypatch.setattr(growth, "CHUNK_TOKENS", (0,))
    monkeypatch.setattr(growth, "N_CLIENTS", (2,))
    monkeypatch.setattr(growth, "_N_KEYS", 4)
    settings = scripted(tmp_path, **{"": "x"})
    seen: list[Point] = []
    points = await growth.measure(
        settings, lambda of: open_subject("fimble", of, lambda: tmp_path), on_point=seen.append
    )
    assert points == seen
    assert [(point.kind, point.x) for point in points] == [
        ("file_lines", 200),
        ("file_lines", 400),
        ("chunk_tokens", 0),
        ("clients", 2),
    ]
    assert all(point.cold_ms > 0 and point.n_prompt_tokens > 0 for point in points)
    assert all(20 < point.memory_mib < 4_000 for point in points)
    assert points[3].memory_mib > points[2].memory_mib, "the second client was not counted"


def test_places_are_lines_of_code_spread_over_the_file() -> None:
    short = growth._long_file(100)[1]
    assert len({start for start, _ in growth._places(short)}) == 3
    text = growth._long_file(3_000)[1]
    places = growth._places(text)
    assert len(places) == 3
    for start, line in places:
        assert text[start : start + len(line)] == line
        assert text[:start].rpartition("\n")[2].isspace()
    rows = [text[:start].count("\n") for start, _ in places]
    assert rows == sorted(rows)
    assert 700 < rows[0] < 900
    assert text.count("\n") == 3_000


def test_the_numbers_are_kept_and_shown(tmp_path: Path) -> None:
    points = [Point("clients", 3, 900.4, 10.0, 300.0, 700, 1.25, 811.7)]
    path = tmp_path / "growth.json"
    machine = {"cpu": "C", "n_cores_usable": 2, "commit": "abc"}
    growth.save(path, points, machine, "m")
    made, loaded = growth.load(path)
    assert loaded == points
    page = benchmarks_page([], None, [], (made, loaded), [], "fimble bench")
    assert "| clients typing at once | 3 | 900 | 10 | 300 | 700 | 1.2 | 812 |" in page
    path.write_text('{"schema": "other"}', "utf-8")
    with pytest.raises(InputError, match=r"growth\.json"):
        growth.load(path)


def test_plots(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from fimble.evaluation.plots import plot_growth

    make = functools.partial(
        Point, cold_ms=9, typing_p50_ms=1, typing_p95_ms=2, n_prompt_tokens=3, n_evaluated_mean=1, memory_mib=1
    )
    drawn = plot_growth([make("file_lines", 100), make("file_lines", 1000), make("clients", 1)], tmp_path)
    assert [path.name for path in drawn] == ["growth-file-lines.svg", "growth-chunk-tokens.svg", "growth-clients.svg"]
    assert all(path.stat().st_size > 1000 for path in drawn)
