"""Run files: whole or not at all, read back the same, refused when foreign; summaries and comparisons."""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from fimble.core.errors import InputError
from fimble.evaluation.render import benchmarks_page
from fimble.evaluation.report import show_comparison, show_rows
from fimble.evaluation.results import (
    Partial,
    RecordResult,
    Run,
    SetInfo,
    config_hash,
    load_run,
    save_run,
    without_answers,
    write_atomically,
)
from fimble.evaluation.showing import curve, shown_at
from fimble.evaluation.summary import compare, rows


def result(record_id: str, em: float, **changes: object) -> RecordResult:
    fields: dict[str, object] = {
        "set_name": "mine",
        "record_id": record_id,
        "language": "python",
        "parts": ("all",),
        "scores": {"em": em, "es": em / 2, "empty": 0.0},
        "rejection": None,
        "stop_reason": "line_end",
        "test_outcome": None,
        "n_prompt_tokens": 10,
        "n_reused_tokens": 4,
        "n_generated_tokens": 2,
        "first_token_ms": 1.5,
        "total_ms": 2.5,
        "wall_ms": 3.5,
        "answer": "return é\n",
        **changes,
    }
    return RecordResult(**fields)  # type: ignore[arg-type]


def run(*results: RecordResult, sha256: str = "abc", backend: str = "fimble") -> Run:
    config = {"backend": backend, "model": "m", "weights": "m.gguf:1", "commit": "c0ffee"}
    machine = {"cpu": "a cpu", "n_cores_usable": 2, "memory_gib": 8, "system": "Linux", "python": "3.11.7"}
    machine |= {"versions": {"fimble": "0.1.0"}, "commit": "c0ffee", "load_1min": 0.1}
    return Run(config, machine, "t0", "t1", (SetInfo("mine", sha256, "single", len(results)),), results)


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    made = run(result("a", 1.0), result("b", 0.0, parts=("all", "clean"), rejection="empty", stop_reason=None))
    path = tmp_path / "new" / "run.json"
    save_run(made, path)
    assert load_run(path) == made
    assert json.loads(path.read_text("utf-8"))["schema"] == "fimble-eval/1"
    # One line a record, so that a changed baseline reads well.
    assert sum('"record_id"' in line for line in path.read_text("utf-8").splitlines()) == 2
    assert [left.name for left in path.parent.iterdir()] == ["run.json"]


@pytest.mark.parametrize("strange", ["\u2028", "\u2029", "\x85", "\x0c", "\r", "\ud83d"])
def test_any_answer_is_kept_and_read_back(tmp_path: Path, strange: str) -> None:
    """What Python takes for a line end, and half a surrogate pair, which UTF-8 has no bytes for."""
    made = [result("a", 1.0, answer=f"x = '{strange}'"), result("b", 0.0)]
    partial, path = tmp_path / "p.jsonl", tmp_path / "run.json"
    keeping = Partial(partial, {})
    for one in made:
        keeping.add(one)
    with partial.open("a") as file:
        file.write('{"set_name": "mi')
    for _ in range(2):
        assert list(Partial(partial, {}).results.values()) == made
    save_run(run(*made), path)
    assert load_run(path).results == tuple(made)


def test_baselines_hold_no_answers() -> None:
    assert [one.answer for one in without_answers([result("a", 1.0)])] == [None]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a fimble-eval/1 file"),
        ('{"schema": "other/1"}', "is not a fimble-eval/1 file"),
        ('{"schema": "fimble-eval/1", "config": {}}', "is a damaged fimble-eval/1 file"),
    ],
)
def test_foreign_files_are_refused(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(InputError, match=reason) as caught:
        load_run(path)
    assert str(path) in caught.value.message
    with pytest.raises(InputError, match="cannot be read"):
        load_run(tmp_path / "none.json")


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    write_atomically(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["run.json"]


def test_the_hash_of_a_configuration_ignores_order_and_nothing_else() -> None:
    assert config_hash({"a": 1, "b": 2}) == config_hash({"b": 2, "a": 1})
    assert config_hash({"a": 1}) != config_hash({"a": 2})


def test_rows_show_parts_and_languages_only_where_there_are_several() -> None:
    made = rows([result("a", 1.0), result("b", 0.0)])
    assert [(row.part, row.language, row.n) for row in made] == [("all", "all", 2)]
    assert made[0].metrics["em"].value == 0.5
    assert made[0].metrics["es"].n == 2
    assert "pass_at_1" not in made[0].metrics
    assert made[0].n_evaluated_tokens is not None
    assert made[0].n_evaluated_tokens.value == 6
    split = rows([result("a", 1.0, parts=("all", "clean")), result("b", 0.0, language="java", parts=("all", "rest"))])
    assert [(row.part, row.language) for row in split] == [
        ("all", "all"),
        ("clean", "all"),
        ("rest", "all"),
        ("all", "java"),
        ("all", "python"),
    ]


def test_cost_is_that_of_records_asked_first(tmp_path: Path) -> None:
    cold = result("a", 1.0, n_reused_tokens=2, wall_ms=900.0)
    warm = result("b", 0.0, n_reused_tokens=9, wall_ms=100.0, n_generated_tokens=7, asked_first=False)
    (row,) = rows([cold, warm])
    costs = (row.n_prompt_tokens, row.n_evaluated_tokens, row.n_generated_tokens, row.wall_ms)
    assert [(cost.value, cost.n) for cost in costs if cost] == [(10, 1), (8, 1), (2, 1), (900, 1)]
    assert (row.n, row.n_asked_first, row.wall_ms_p90) == (2, 1, 900)
    assert row.metrics["em"].n == 2
    page = benchmarks_page([run(cold, warm)], None, [], None, [], "fimble bench")
    assert "| mine | fimble | 1 | 900 | 900 | 10 | 8 | 2 |" in page
    # Files of before do not say who was asked first: whoever found all of the prompt in the cache was not.
    path = tmp_path / "old.json"
    save_run(run(cold, warm, result("c", 0.0, n_prompt_tokens=0, n_reused_tokens=0)), path)
    path.write_text(re.sub(r', "asked_first": (true|false)', "", path.read_text()))
    assert [one.asked_first for one in load_run(path).results] == [True, False, True]


def test_tests_that_were_not_run_are_counted_by_reason() -> None:
    made = rows([result("a", 1.0, test_outcome="not run: no sandbox"), result("b", 1.0, test_outcome="passed")])
    assert made[0].tests_not_run == {"no sandbox": 1}


def test_runs_are_compared_record_by_record_over_what_both_have() -> None:
    new = run(result("a", 1.0), result("b", 1.0), result("c", 0.0), result("new", 1.0))
    old = run(result("a", 0.0), result("b", 1.0), result("c", 0.0), result("old", 1.0))
    em = next(line for line in compare(new, old) if line.metric == "em")
    assert (em.new, em.old) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (em.paired.n_better, em.paired.n_worse, em.paired.difference.n) == (1, 0, 3)


def test_sets_of_other_content_are_not_compared() -> None:
    assert compare(run(result("a", 1.0)), run(result("a", 0.0), sha256="other")) == []


def test_tables_hold_the_numbers() -> None:
    text = io.StringIO()
    console = Console(file=text, width=200)
    new, old = run(result("a", 1.0), result("b", 0.0, rejection="blank")), run(result("a", 0.0), result("b", 0.0))
    show_rows(rows(new.results), console)
    show_comparison(compare(new, old), console)
    shown = text.getvalue()
    assert "0.500 [0.095, 0.905]" in shown
    assert "no answer: blank 1" in shown
    assert "+0.500" in shown


def test_a_least_confidence_trades_right_answers_for_fewer_wrong_ones() -> None:
    results = [
        result("a", 1.0, confidence=0.9),
        result("b", 0.0, confidence=0.5),
        result("c", 1.0, confidence=0.5),
        result("d", 0.0, confidence=0.2),
        result("e", 0.0),  # no answer, no confidence
    ]
    shares = [
        (one.least, one.n_shown, one.right_of_shown.value, one.shown_of_right and one.shown_of_right.value)
        for one in curve(results)
    ]
    assert shares == [(0.2, 4, 0.5, 1.0), (0.5, 3, pytest.approx(2 / 3), 1.0), (0.9, 1, 1.0, 0.5)]
    assert [one.n_shown for one in shown_at(results, [0.0, 0.95])] == [4]  # none where nothing would be shown


def test_the_share_of_syntax_checks_is_of_the_time_of_writing() -> None:
    (row,) = rows([result("a", 1.0, writing_ms=200.0, constraint_ms=4.0, n_refused_pieces=2), result("b", 0.0)])
    assert row.constraint_percent is not None
    assert (row.constraint_percent.value, row.constraint_percent.n, row.n_refused_pieces) == (2.0, 1, 2)
