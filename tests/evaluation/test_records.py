"""Reading sets: every broken line is named by number and field; samples are even, seeded and nested."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from tests.evaluation.conftest import record

from fimble.core.errors import InputError
from fimble.evaluation.records import CrossFile, IoTest, read_set, sample

GOOD = {"id": "a", "language": "python", "path": "a.py", "prefix": "x = ", "suffix": "\n", "middle": "1"}


def write(path: Path, *lines: object) -> Path:
    raw = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def test_reads_every_field(tmp_path: Path) -> None:
    value = {
        **GOOD,
        "cross_file": [{"path": "lib/b.py", "text": "y = 2\r\n", "score": 0.5}],
        "tests": [{"input": "1\n", "output": ["2", "two"]}],
        "entry_point": None,
        "meta": {"problem": 3},
    }
    read = read_set(write(tmp_path / "mine.jsonl.gz", value, b"", {**GOOD, "id": "b", "tests": "check()"}))
    assert read.name == "mine"
    first, second = read.records
    assert first.cross_file == (CrossFile("lib/b.py", "y = 2\r\n"),)
    assert first.tests == (IoTest("1\n", ("2", "two")),)
    assert first.meta["problem"] == 3
    assert (second.tests, second.cross_file, second.entry_point) == ("check()", (), None)


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ({**GOOD, "prefix": 3}, "prefix", "must be text, not a number"),
        ({**GOOD, "middle": None}, "middle", "must be text, not null"),
        ({key: value for key, value in GOOD.items() if key != "suffix"}, "suffix", "is missing"),
        ({**GOOD, "path": "../../etc/passwd"}, "path", "not a path inside the workspace"),
        ({**GOOD, "path": "/etc/passwd"}, "path", "not a path inside the workspace"),
        ({**GOOD, "cross_file": {"path": "b.py"}}, "cross_file", "must be a list, not an object"),
        ({**GOOD, "cross_file": ["b.py"]}, "cross_file[0]", "must be an object, not text"),
        ({**GOOD, "cross_file": [{"path": "../b.py", "text": ""}]}, "cross_file.path", "not a path inside"),
        ({**GOOD, "cross_file": [{"path": "b.py"}]}, "text", "is missing"),
        ({**GOOD, "tests": 5}, "tests", "must be text, a list or null"),
        ({**GOOD, "tests": [{"input": "", "output": []}]}, "tests.output", "outputs that are right"),
        ({**GOOD, "tests": [{"input": "", "output": [1]}]}, "tests.output", "texts only"),
        ({**GOOD, "meta": [1]}, "meta", "must be an object, not a list"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(tmp_path: Path, line: object, field: str, reason: str) -> None:
    path = write(tmp_path / "bad.jsonl", {**GOOD, "id": "first"}, line)
    with pytest.raises(InputError) as caught:
        read_set(path)
    assert f"{path}: line 2: field '{field}'" in caught.value.message
    assert reason in caught.value.message


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "a", ', "line 2: is not JSON"),
        (b"\xff\xfe{}", "line 2: is not UTF-8"),
        (b"[1, 2]", "line 2: is a list, not an object"),
        ({**GOOD, "id": "first"}, "line 2: field 'id': 'first' stands on line 1 already"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: object, reason: str) -> None:
    with pytest.raises(InputError, match="line 2") as caught:
        read_set(write(tmp_path / "bad.jsonl", {**GOOD, "id": "first"}, line))
    assert reason in caught.value.message


def test_a_cut_archive_an_absent_file_and_an_empty_one_are_sentences(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.jsonl.gz", *({**GOOD, "id": str(n)} for n in range(200)))
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(whole.read_bytes()[:-40])
    for path, reason in ((cut, "broken"), (tmp_path / "none.jsonl", "cannot be read"), (tmp_path, "cannot be read")):
        with pytest.raises(InputError, match=reason) as caught:
            read_set(path)
        assert caught.value.mend
    (tmp_path / "empty.jsonl").write_bytes(b"\n\n")
    with pytest.raises(InputError, match="holds no records"):
        read_set(tmp_path / "empty.jsonl")


def test_samples_are_even_seeded_and_nested() -> None:
    records = [record(id=f"{language}{n}", language=language) for language in ("a", "b", "c") for n in range(30)]
    records += [record(id=f"rare{n}", language="rare") for n in range(2)]
    twenty = sample(records, limit=20, seed=1)
    assert Counter(item.language for item in twenty) == {"a": 6, "b": 6, "c": 6, "rare": 2}
    assert twenty == sample(list(reversed(records)), limit=20, seed=1)
    assert twenty != sample(records, limit=20, seed=2)
    assert sample(records, limit=50, seed=1)[:20] == twenty
    assert sorted(item.id for item in sample(records, limit=None, seed=1)) == sorted(item.id for item in records)
