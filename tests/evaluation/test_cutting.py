"""Sets cut out of one's own files: the parts are the file, holes are what typing leaves, the same seed is the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from fimble.cli.main import root
from fimble.core.errors import InputError
from fimble.evaluation.cutting import Cut, Source, cut_records, write_set
from fimble.evaluation.records import read_set
from fimble.syntax.languages import Language, language_for

PYTHON = """import os


def first(path):
    names = os.listdir(path)
    for name in names:
        print(name)

    return names[0]


class Thing:
    size = 10
    name = 'thing'
"""
GO = """package main

import "fmt"

func main() {
	for i := 0; i < 10; i++ {
		fmt.Println("one", i)
		fmt.Println("two", i)
	}
}
"""


def language(name: str) -> Language:
    found = language_for(name)
    assert found is not None
    return found


def sources() -> list[Source]:
    python = [Source(f"p{i}.py", language("python"), PYTHON.replace("thing", f"thing{i}")) for i in range(5)]
    return [*python, Source("m.go", language("go"), GO)]


@pytest.mark.parametrize("seed", range(20))
def test_holes_are_parts_of_their_files(seed: int) -> None:
    texts = {source.path: source.text for source in sources()}
    records = cut_records(sources(), n_per_language=9, seed=seed)
    assert len({record.id for record in records}) == len(records)
    for record in records:
        assert record.prefix + record.middle + record.suffix == texts[record.path]
        line_head = record.prefix.rpartition("\n")[2]
        assert record.suffix.startswith("\n")
        assert record.middle == record.middle.strip() or record.meta["kind"] == Cut.REST
        match record.meta["kind"]:
            case Cut.REST:
                assert line_head.strip()
                assert "\n" not in record.middle
            case Cut.LINE:
                assert not line_head.strip()
                assert "\n" not in record.middle
            case _:
                assert not line_head.strip()


def test_every_kind_and_language_and_no_more_than_asked_for() -> None:
    records = cut_records(sources(), n_per_language=4, seed=1)
    assert {record.language for record in records} == {"python", "go"}
    assert sum(record.language == "python" for record in records) == 4
    assert {record.meta["kind"] for record in records} == set(Cut)


def test_the_same_seed_cuts_the_same_in_whatever_order_files_come() -> None:
    assert cut_records(sources(), n_per_language=9, seed=3) == cut_records(sources()[::-1], n_per_language=9, seed=3)
    assert cut_records(sources(), n_per_language=9, seed=3) != cut_records(sources(), n_per_language=9, seed=4)


def test_broken_short_and_huge_files_are_left_alone() -> None:
    python = language("python")
    left = [
        Source("broken.py", python, PYTHON + "def f(:\n"),
        Source("short.py", python, "x = 1000\n"),
        Source("huge.py", python, "value = 1\n" * 30_000),
    ]
    assert cut_records(left, n_per_language=9, seed=0) == []


@pytest.mark.parametrize("name", ["own.jsonl", "own.jsonl.gz"])
def test_the_command_writes_a_set_that_eval_reads(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "code"
    (folder / "node_modules").mkdir(parents=True)
    for source in sources():
        (folder / source.path).write_text(source.text)
    (folder / "page.php").write_text("<?php\n" + "".join(f"$value{i} = compute({i});\n" for i in range(9)))
    (folder / "node_modules" / "x.py").write_text(PYTHON)
    (folder / "latin.py").write_bytes(PYTHON.replace("thing", "dêja").encode("latin-1"))
    (folder / ".gitignore").write_text("p0.py\n")
    result = CliRunner().invoke(root, ["holes", str(folder), str(tmp_path / name), "--per-language", "6"])
    assert result.exit_code == 0, result.output
    records = read_set(tmp_path / name).records
    assert {record.language for record in records} == {"python", "go", "php"}
    assert "p0.py" not in {record.path for record in records}
    assert not any("node_modules" in record.path or "latin" in record.path for record in records)
    write_set(records, tmp_path / "again.jsonl")
    assert read_set(tmp_path / "again.jsonl").records == records


def test_a_folder_without_code_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    result = CliRunner().invoke(root, ["holes", str(tmp_path), str(tmp_path / "out.jsonl")])
    assert isinstance(result.exception, InputError)
    assert not (tmp_path / "out.jsonl").exists()
