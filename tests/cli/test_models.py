"""`fimble models` as a user meets it: what it prints, what it leaves, which errors it ends with."""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gguf
import numpy as np
import pytest
from click.testing import CliRunner, Result

from fimble.backend.catalog.catalog import Catalog, CatalogEntry, HttpsSource
from fimble.cli import main
from fimble.cli import models as models_module
from fimble.cli.models import models
from fimble.core.errors import DownloadError, InputError, ModelCorruptError, ModelMissingError


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A tiny whole model."""
    path = tmp_path / "served" / "Tiny.gguf"
    path.parent.mkdir()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("t", np.ones(1000, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def url(file: Path) -> Iterator[str]:
    """Where the model's folder is served."""
    handler = functools.partial(_Quiet, directory=str(file.parent))
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def catalog(file: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """The default model, one that nobody verified, and one whose server has lost it."""
    data = file.read_bytes()

    def entry(model_id: str, path: str, *, verified: bool, note: str = "") -> CatalogEntry:
        return CatalogEntry(
            id=model_id,
            family="tiny",
            quantization="F32",
            licence="Gemma" if note else "Apache-2.0",
            licence_note=note,
            memory_mb=1 if model_id != "huge" else 1 << 30,
            n_ctx=512,
            description="",
            sources=(HttpsSource(f"{url}/{path}"),),
            size_bytes=len(data) if verified else None,
            sha256=hashlib.sha256(data).hexdigest() if verified else None,
            default=model_id == "qwen2.5-coder-0.5b",
            tested=model_id == "qwen2.5-coder-0.5b",
        )

    made = Catalog(
        (
            entry("qwen2.5-coder-0.5b", file.name, verified=True),
            entry("unverified", file.name, verified=False, note="Only on Sundays."),
            entry("huge", "lost.gguf", verified=True),
        )
    )
    monkeypatch.setattr(models_module, "load_catalog", lambda: made)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return made


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(models, [str(argument) for argument in arguments])


def ok(*arguments: str | Path) -> str:
    result = run(*arguments)
    if result.exception:
        raise result.exception
    return result.stdout


def test_the_root_command_has_the_group() -> None:
    assert main.root.get_command(None, "models") is models  # type: ignore[arg-type]


def test_pull_of_the_default_then_again(file: Path) -> None:
    assert "qwen2.5-coder-0.5b fetched from http://127.0.0.1" in ok("pull")
    assert Path(ok("path").strip()).read_bytes() == file.read_bytes()
    again = run("pull", "qwen2.5-coder-0.5b")
    assert again.exit_code == 0
    assert "is here already" in again.stdout


def test_pull_of_several_stops_before_it_begins_at_an_unknown_one() -> None:
    result = run("pull", "qwen2.5-coder-0.5b", "nonsense")
    assert isinstance(result.exception, ModelMissingError)
    assert isinstance(run("path").exception, ModelMissingError)


def test_pull_of_several(file: Path) -> None:
    out = ok("pull", "qwen2.5-coder-0.5b", "unverified", "--allow-unverified")
    assert [line.split()[0] for line in out.splitlines()] == ["qwen2.5-coder-0.5b", "unverified"]
    assert hashlib.sha256(file.read_bytes()).hexdigest() in out.splitlines()[1]


def test_pull_says_what_the_licence_asks_before_it_fetches() -> None:
    result = run("pull", "unverified")
    assert isinstance(result.exception, InputError)
    assert "--allow-unverified" in result.exception.mend
    assert "Only on Sundays." in result.stderr


def test_pull_says_that_memory_will_not_do_and_why_it_failed() -> None:
    result = run("pull", "huge")
    assert isinstance(result.exception, DownloadError)
    assert result.exception.exit_code == 5
    assert "too much for this machine" in " ".join(result.stderr.split())
    assert "HTTP 404" in result.stderr


def test_pull_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIMBLE_NETWORK_OFFLINE", "true")
    result = run("pull")
    assert isinstance(result.exception, DownloadError)
    assert "offline" in result.exception.message


def test_a_setting_that_cannot_be_used_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIMBLE_NETWORK_OFFLINE", "perhaps")
    assert "setting not used" in run("list").stderr


def test_import_and_path_and_remove(file: Path) -> None:
    out = ok("import", file)
    assert out.startswith("qwen2.5-coder-0.5b imported: the file of the catalog")
    assert "mine imported" in ok("import", file, "--as", "mine", "--link")
    assert Path(ok("path", "mine").strip()).samefile(file)
    assert "mine removed" in ok("remove", "mine")
    assert isinstance(run("path", "mine").exception, ModelMissingError)
    assert file.exists()
    assert isinstance(run("remove", "mine").exception, ModelMissingError)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda data: data[:-100], ModelCorruptError),
        (lambda data: b"text", ModelCorruptError),
        (lambda data: None, InputError),
    ],
)
def test_import_of_what_is_no_model(file: Path, change, error) -> None:
    data = change(file.read_bytes())
    file.unlink() if data is None else file.write_bytes(data)
    assert isinstance(run("import", file).exception, error)


def test_path_takes_a_file_too(file: Path) -> None:
    assert ok("path", file).strip() == str(file)


def test_verify_goes_through_all_and_ends_with_the_damage(file: Path) -> None:
    assert "No models" in ok("verify")
    ok("import", file)
    ok("import", file, "--as", "mine")
    assert ok("verify").count("sound") == 2
    for model_id in ("mine", "qwen2.5-coder-0.5b"):
        damaged = Path(ok("path", model_id).strip())
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"\0")
        result = run("verify")
        assert isinstance(result.exception, ModelCorruptError)
        assert result.exception.exit_code == 3
        assert f"{model_id}: damaged" in result.stdout
        assert str(damaged) in str(result.exception)
    assert ok("pull").endswith(hashlib.sha256(file.read_bytes()).hexdigest() + "\n"), "the mend works"
    assert "sound" in ok("verify", "qwen2.5-coder-0.5b")


def test_verify_of_what_is_not_here() -> None:
    assert isinstance(run("verify", "qwen2.5-coder-0.5b").exception, ModelMissingError)


def test_list_as_json(file: Path, catalog: Catalog) -> None:
    ok("import", file)
    ok("import", file, "--as", "mine")
    rows = {row["id"]: row for row in json.loads(ok("list", "--json"))}
    assert list(rows) == [*(entry.id for entry in catalog.entries), "mine"]
    assert [row["installed"] for row in rows.values()] == [True, False, False, True]
    assert [row["verified"] for row in rows.values()] == [True, False, True, False]
    assert rows["huge"]["fit"] == "too_large"
    assert rows["unverified"]["size_bytes"] is None
    assert Path(rows["mine"]["path"]).exists()


@pytest.mark.parametrize("columns", ["80", "160"])
def test_list_for_people(file: Path, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    ok("import", file)
    lines = ok("list").splitlines()
    used = next(line for line in lines if "qwen2.5-coder-0.5b" in line)
    assert used.startswith(">*")
    assert "here" in used
    assert "!" in next(line for line in lines if "huge" in line)
    assert "unverified" in next(line for line in lines if "Gemma" in line)
    assert ("Notes" in lines[0]) == (columns == "160")
