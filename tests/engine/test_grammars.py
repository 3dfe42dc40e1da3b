"""Which grammar a file has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fimble.core.flow import GrammarKind, UserGrammar
from fimble.engine.grammars import FOLDER, UserGrammars


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / FOLDER
    made.mkdir(parents=True)
    return made


@pytest.mark.parametrize(
    ("grammar", "file", "kind"),
    [
        ("conf.lark", "a/x.conf", GrammarKind.LARK),
        ("app.conf.gbnf", "app.conf", GrammarKind.GBNF),
        ("package.json.schema.json", "package.json", GrammarKind.JSON_SCHEMA),
        ("json.schema.json", "any.json", GrammarKind.JSON_SCHEMA),
        ("Rules.lark", "Rules", GrammarKind.LARK),
        ("conf.lark", "x.conf2", None),
        ("conf.lark", "conf2", None),
    ],
)
def test_by_name(grammar: str, file: str, kind: GrammarKind | None, folder: Path, tmp_path: Path) -> None:
    (folder / grammar).write_text("it", "utf-8")
    found = UserGrammars(tmp_path).grammar_of(tmp_path / file, "")
    assert found == (None if kind is None else UserGrammar(kind, "it"))


def test_the_whole_name_comes_before_its_ending(folder: Path, tmp_path: Path) -> None:
    (folder / "conf.lark").write_text("all", "utf-8")
    (folder / "app.conf.lark").write_text("one", "utf-8")
    found = UserGrammars(tmp_path).grammar_of(tmp_path / "app.conf", "")
    assert found is not None
    assert found.text == "one"


def test_changes_are_seen_and_deletion_too(folder: Path, tmp_path: Path) -> None:
    file = folder / "conf.lark"
    grammars = UserGrammars(tmp_path)
    for changed_s, text in enumerate(("one", "two")):
        file.write_text(text, "utf-8")
        os.utime(file, (changed_s, changed_s))
        found = grammars.grammar_of(tmp_path / "a.conf", "")
        assert found is not None
        assert found.text == text
    file.unlink()
    assert grammars.grammar_of(tmp_path / "a.conf", "") is None


def test_a_schema_that_the_file_names(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "s.json").write_text("{}", "utf-8")
    grammars = UserGrammars(tmp_path)
    named = '{\n  "version": 1,\n  "$schema": "../schemas/s.json",\n  "a": '
    found = grammars.grammar_of(tmp_path / "conf" / "x.json", named)
    assert found == UserGrammar(GrammarKind.JSON_SCHEMA, "{}")
    assert grammars.grammar_of(tmp_path / "conf" / "x.py", named) is None
    for elsewhere in ("https://example.com/s.json", "../../../etc/passwd", "missing.json"):
        text = named.replace("../schemas/s.json", elsewhere)
        assert grammars.grammar_of(tmp_path / "conf" / "x.json", text) is None


def test_what_cannot_be_read_is_none(folder: Path, tmp_path: Path) -> None:
    (folder / "conf.lark").write_bytes(b"\xff\xfe")
    (folder / "big.lark").write_bytes(b"x" * 2_000_000)
    (folder / "dir.lark").mkdir()
    grammars = UserGrammars(tmp_path)
    assert [grammars.grammar_of(tmp_path / f"a.{name}", "") for name in ("conf", "big", "dir")] == [None, None, None]
    assert UserGrammars(None).grammar_of(tmp_path / "a.conf", "") is None
    assert grammars.grammar_of(None, "") is None
    assert [file.name for file, _ in grammars.all_files()] == ["big.lark", "conf.lark", "dir.lark"]
