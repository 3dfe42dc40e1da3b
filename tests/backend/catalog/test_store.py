"""What is in the folder, whether it can be trusted, and what goes in and out of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fimble.backend.catalog import partial
from fimble.backend.catalog import store as store_module
from fimble.backend.catalog.catalog import CatalogEntry, HttpsSource
from fimble.backend.catalog.partial import DiskFullError
from fimble.backend.catalog.store import ModelStore
from fimble.core.errors import InputError, ModelCorruptError, ModelMissingError

SOURCE = HttpsSource("https://example.org/tiny.gguf")
MakeStore = Callable[..., ModelStore]
MakeEntry = Callable[..., CatalogEntry]


@pytest.fixture
def file(tmp_path: Path, weights: bytes) -> Path:
    path = tmp_path / "brought" / "Tiny.gguf"
    path.parent.mkdir()
    path.write_bytes(weights)
    return path


@pytest.fixture
def store(make_store: MakeStore, make_entry: MakeEntry) -> ModelStore:
    """Its catalog knows `weights` as `tiny`."""
    return make_store(make_entry(SOURCE))


def _damage(path: Path, *, keep_time: bool) -> None:
    times = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 0xFF
    path.write_bytes(data)
    if keep_time:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    else:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 1_000_000_000))


def test_import_recognizes_a_file_of_the_catalog(store: ModelStore, file: Path, weights: bytes) -> None:
    model = store.import_file(file)
    assert model.id == "tiny"
    assert model.sha256 == hashlib.sha256(weights).hexdigest()
    assert model.source == f"imported from {file}"
    assert store.resolve("tiny").read_bytes() == weights
    assert store.find("tiny") == model
    assert store.ids() == ("tiny",)
    assert file.exists()
    assert list(store.folder.joinpath(".partial").iterdir()) == []


def test_import_takes_the_files_name_for_what_the_catalog_does_not_have(make_store: MakeStore, file: Path) -> None:
    store = make_store()
    assert store.import_file(file).id == "tiny"
    assert store.import_file(file, model_id="other").id == "other"
    assert store.ids() == ("other", "tiny")


def test_import_of_a_copy_is_its_own_file(store: ModelStore, file: Path) -> None:
    store.import_file(file)
    file.write_bytes(b"")
    assert store.resolve("tiny").stat().st_size > 0


def test_import_by_link_shares_the_bytes(store: ModelStore, file: Path) -> None:
    store.import_file(file, link=True)
    assert store.resolve("tiny").samefile(file)


def test_import_follows_links_to_the_file(store: ModelStore, file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to(file)
    store.import_file(link, link=True)
    assert store.resolve("tiny").samefile(file)
    assert not store.resolve("tiny").is_symlink()


def test_import_again_is_no_error(store: ModelStore, file: Path) -> None:
    store.import_file(file)
    assert store.import_file(file).id == "tiny"


@pytest.mark.parametrize(
    ("model_id", "complaint"),
    [("tiny", "the catalog's tiny is another file"), ("mine", "a model mine is here already"), ("../x", "cannot be")],
)
def test_import_refuses_an_id_that_is_not_free(
    store: ModelStore, file: Path, tmp_path: Path, make_gguf: Callable[..., Path], model_id: str, complaint: str
) -> None:
    store.import_file(file, model_id="mine")
    other = make_gguf(tmp_path / "other.gguf", seed=1)
    with pytest.raises(InputError, match=complaint) as caught:
        store.import_file(other, model_id=model_id)
    assert "--as" in caught.value.mend
    assert store.find("mine").sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert not (tmp_path / "x.gguf").exists()
    assert list(store.folder.joinpath(".partial").glob("import-*")) == []


def test_import_refuses_a_name_that_cannot_be_an_id(make_store: MakeStore, file: Path) -> None:
    odd = file.rename(file.with_name("my model (1).gguf"))
    with pytest.raises(InputError, match="the file's name") as caught:
        make_store().import_file(odd)
    assert "--as" in caught.value.mend


@pytest.mark.parametrize("data", [b"not a model", b"", None])
def test_import_refuses_what_is_no_model(store: ModelStore, file: Path, weights: bytes, data: bytes | None) -> None:
    file.write_bytes(weights[:-100] if data is None else data)
    with pytest.raises(ModelCorruptError, match="truncated" if data is None else "not a GGUF"):
        store.import_file(file)
    assert store.ids() == ()


def test_import_refuses_what_is_no_file(store: ModelStore, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.gguf"):
        with pytest.raises(InputError, match="no file"):
            store.import_file(path)


def test_import_needs_room(store: ModelStore, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial, "free_bytes", lambda _folder: 1000)
    with pytest.raises(DiskFullError, match="Not enough disk space"):
        store.import_file(file)
    assert store.ids() == ()


def test_import_by_link_across_disks_says_what_to_do(
    store: ModelStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(InputError, match="cross-device") as caught:
        store.import_file(file, link=True)
    assert "without --link" in caught.value.mend


def test_resolve_of_a_path(store: ModelStore, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.resolve(str(file)) == file
    monkeypatch.chdir(file.parent)
    assert store.resolve("Tiny.gguf") == file
    assert store.resolve("./Tiny.gguf") == file
    monkeypatch.setenv("HOME", str(file.parent))
    assert store.resolve("~/Tiny.gguf") == file


def test_resolve_of_a_missing_or_damaged_path(store: ModelStore, file: Path) -> None:
    with pytest.raises(ModelMissingError, match="no file"):
        store.resolve(str(file.with_name("other.gguf")))
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(ModelCorruptError, match="truncated"):
        store.resolve(str(file))


def test_resolve_of_what_is_not_here_says_how_to_get_it(store: ModelStore) -> None:
    with pytest.raises(ModelMissingError) as caught:
        store.resolve("tiny")
    assert "fimble models pull tiny" in caught.value.mend
    with pytest.raises(ModelMissingError) as caught:
        store.resolve("tinny")
    assert "Did you mean tiny" in caught.value.mend
    with pytest.raises(ModelMissingError, match="cannot be"):
        store.resolve("no such id")


def test_a_file_that_changed_size_is_found_at_once(store: ModelStore, file: Path) -> None:
    store.import_file(file)
    path = store.resolve("tiny")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelCorruptError, match="truncated") as caught:
        store.resolve("tiny")
    assert "fimble models pull tiny" in caught.value.mend


def test_a_file_that_was_written_to_is_compared_again(store: ModelStore, file: Path) -> None:
    store.import_file(file)
    _damage(store.resolve("tiny"), keep_time=False)
    with pytest.raises(ModelCorruptError, match="is not what it was"):
        store.resolve("tiny")


def test_a_full_check_finds_what_size_and_time_hide(store: ModelStore, file: Path) -> None:
    store.import_file(file)
    _damage(store.resolve("tiny"), keep_time=True)
    assert store.check("tiny").id == "tiny"
    with pytest.raises(ModelCorruptError, match="is not what it was"):
        store.check("tiny", full=True)


def test_a_file_that_was_only_touched_is_compared_once(
    store: ModelStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.import_file(file)
    os.utime(store.resolve("tiny"), ns=(0, 5))
    store.check("tiny")
    assert store.find("tiny").mtime_ns == 5
    monkeypatch.setattr(store_module, "sha256_of", lambda *_: pytest.fail("computed again"))
    store.check("tiny")


@pytest.mark.parametrize("sidecar", ["", "[]", "{}", '{"id": 1}', None])
def test_a_lost_record_is_made_anew_from_the_catalog(store: ModelStore, file: Path, sidecar: str | None) -> None:
    store.import_file(file)
    path = store.folder / "tiny.json"
    path.unlink() if sidecar is None else path.write_text(sidecar)
    assert store.check("tiny").source == "found in the folder"
    assert json.loads(path.read_text())["sha256"] == store.catalog.get("tiny").sha256


def test_a_strange_file_under_a_catalog_id_is_refused(store: ModelStore, make_gguf: Callable[..., Path]) -> None:
    store.folder.mkdir()
    make_gguf(store.folder / "tiny.gguf", seed=1)
    with pytest.raises(ModelCorruptError, match="expected"):
        store.resolve("tiny")


def test_an_own_file_that_broke_says_to_import_it_again(make_store: MakeStore, file: Path) -> None:
    store = make_store()
    store.import_file(file, model_id="mine")
    _damage(store.resolve("mine"), keep_time=False)
    with pytest.raises(ModelCorruptError) as caught:
        store.resolve("mine")
    assert "fimble models import" in caught.value.mend


def test_remove_takes_everything_of_a_model(store: ModelStore, file: Path, weights: bytes) -> None:
    store.import_file(file)
    store.import_file(file, model_id="other")
    leftovers = store.partial_folder("tiny")
    leftovers.mkdir()
    (leftovers / "data").write_bytes(b"12345")
    assert store.remove("tiny") == len(weights) + 5
    assert store.ids() == ("other",)
    assert not list(store.folder.glob("tiny*"))
    assert not leftovers.exists()
    with pytest.raises(ModelMissingError):
        store.remove("tiny")


def test_remove_waits_for_nobody(store: ModelStore, file: Path) -> None:
    store.import_file(file)
    with store.lock("tiny", on_wait=pytest.fail), pytest.raises(InputError, match="right now"):
        ModelStore(store.folder, store.catalog).remove("tiny")
    assert store.ids() == ("tiny",)


def test_a_folder_that_cannot_be_written_to(store: ModelStore, file: Path) -> None:
    store.folder.write_text("a file stands where the folder should be")
    with pytest.raises(InputError, match="cannot be written to") as caught:
        store.import_file(file)
    assert "FIMBLE_HOME" in caught.value.mend


@pytest.mark.parametrize("full", [False, True])
def test_a_sound_model_is_used_where_no_record_can_be_written(store: ModelStore, file: Path, *, full: bool) -> None:
    store.import_file(file)
    os.utime(store.resolve("tiny"), ns=(0, 5))
    (store.folder / "tiny.json.new").mkdir()  # as in a folder that is only to be read, for root too
    assert store.check("tiny", full=full).mtime_ns == 5
    assert store.resolve("tiny").exists()
    _damage(store.resolve("tiny"), keep_time=False)
    with pytest.raises(ModelCorruptError):
        store.resolve("tiny")


def test_import_says_that_its_record_cannot_be_written(store: ModelStore, file: Path) -> None:
    (store.folder / "tiny.json.new").mkdir(parents=True)
    with pytest.raises(InputError, match="cannot be written to"):
        store.import_file(file)
    assert store.ids() == ()
    assert list(store.folder.joinpath(".partial").iterdir()) == []


def test_other_files_in_the_folder_are_not_models(store: ModelStore, file: Path) -> None:
    store.import_file(file)
    for name in ("README.gguf.txt", "Not An Id.gguf", "notes.json"):
        (store.folder / name).write_text("")
    assert store.ids() == ("tiny",)
