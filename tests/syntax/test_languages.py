"""One record per language: look-ups by id and by path, and relations between the records' facts."""

from __future__ import annotations

import importlib
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from fimble.syntax.languages import language_for, language_id_for_path, languages


@pytest.mark.parametrize(
    ("path", "language_id"),
    [
        ("a/b.py", "python"),
        ("b.PY", "python"),
        ("/x/App.tsx", "typescriptreact"),
        ("App.jsx", "javascriptreact"),
        ("a.h", "cpp"),
        ("a.c", "c"),
        ("settings.jsonc", "jsonc"),
        ("Dockerfile", "dockerfile"),
        ("src/CMakeLists.txt", "cmake"),
        (".bashrc", "shellscript"),
        ("Gemfile", "ruby"),
        ("notes.txt", "plaintext"),
        ("LICENSE", "plaintext"),
        ("", "plaintext"),
    ],
)
def test_language_id_for_path(path: str, language_id: str) -> None:
    assert language_id_for_path(path) == language_id


@pytest.mark.parametrize(
    ("language_id", "path", "name"),
    [
        ("python", "", "python"),
        ("Python", "a.js", "python"),  # the editor's word counts, not the file's name
        ("javascriptreact", "", "javascript"),
        ("cs", "", "csharp"),
        ("sh", "", "shellscript"),
        ("plaintext", "a.rs", "rust"),
        ("", "Rakefile", "ruby"),
        ("plaintext", "a.txt", None),
        ("nonsense", "", None),
    ],
)
def test_language_for(language_id: str, path: str, name: str | None) -> None:
    language = language_for(language_id, path)
    assert (language.name if language else None) == name


def test_no_name_belongs_to_two_languages() -> None:
    for names in (
        [name for language in languages() for name in (*language.ids, *language.aliases)],
        [suffix for language in languages() for suffix in language.suffixes],
        [name for language in languages() for name in language.file_names],
    ):
        assert [name for name, n in Counter(names).items() if n > 1] == []
        assert all(names)


def test_every_suffix_gives_an_id_of_its_own_record() -> None:
    for language in languages():
        for suffix in language.suffixes:
            assert suffix == suffix.lower()
            assert language_id_for_path(f"x{suffix}") in language.ids


def test_grammars_are_importable_and_are_dependencies(repo_root: Path) -> None:
    project = tomllib.loads((repo_root / "pyproject.toml").read_text("utf-8"))
    declared = {requirement.split(">")[0].split("=")[0] for requirement in project["project"]["dependencies"]}
    with_grammar = [language for language in languages() if language.grammar]
    assert len(with_grammar) == 17
    for language in with_grammar:
        assert language.grammar
        assert language.grammar.module.replace("_", "-") in declared
        assert callable(getattr(importlib.import_module(language.grammar.module), language.grammar.function))


def test_only_languages_with_a_grammar_are_qualified_or_have_closers() -> None:
    for language in languages():
        if language.grammar is None:
            assert not language.qualified
            assert not language.closers
            assert not language.hard_keywords
        for closer in language.closers:
            assert closer.text
            assert closer.opener
