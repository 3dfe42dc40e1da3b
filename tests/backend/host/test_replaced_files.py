"""Weights and adapters that were replaced at their paths are taken up with the next answer. The host is a script."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from fimble.backend.host import launch, protocol
from fimble.backend.host.client import HostBackend
from fimble.backend.host.protocol import ModelSpec
from fimble.core.config import HostOptions
from fimble.core.flow import ModelInfo
from fimble.core.paths import Paths
from fimble.engine.settings import user_paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return user_paths({"FIMBLE_HOME": str(tmp_path / "home")})


@pytest.fixture
async def asked(paths: Paths) -> AsyncIterator[list[tuple[str, ModelSpec]]]:
    """What the model process was asked, and for which model."""
    requests: list[tuple[str, ModelSpec]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while frame := await protocol.read_frame(reader):
            spec = protocol.spec_from_wire(frame["model"])
            requests.append((frame["op"], spec))
            info = ModelInfo("m", "m", "", 1, 1, {}, (), 0, 0, files_stamp=spec.files_stamp)
            result = {"ids": [len(requests)]} if frame["op"] == "markers" else {"info": asdict(info)}
            writer.write(protocol.encode_frame({"id": frame["id"], "result": result}))
        writer.close()

    socket = launch.places(paths).socket
    socket.parent.mkdir(parents=True, exist_ok=True)
    server = await asyncio.start_unix_server(serve, socket)
    yield requests
    server.close()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The weights and the adapter, as they are at first."""
    made = tmp_path / "weights.gguf", tmp_path / "team.gguf"
    for path in made:
        path.write_bytes(b"first")
    return made


def make(files: tuple[Path, Path], paths: Paths) -> HostBackend:
    weights, adapter = files
    return HostBackend(lambda: ModelSpec("m", weights, 512, -1, 1, adapter), paths, HostOptions())


def _put_in_place(path: Path) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(b"later")
    os.utime(fresh, ns=(0, path.stat().st_mtime_ns + 1))
    fresh.replace(path)


def _write_over(path: Path) -> None:
    facts = path.stat()
    path.write_bytes(b"of another size")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.parametrize("which", [0, 1], ids=["weights", "adapter"])
@pytest.mark.parametrize("change", [_put_in_place, _write_over])
async def test_an_open_editor_takes_up_what_was_replaced(
    files: tuple[Path, Path],
    paths: Paths,
    asked: list[tuple[str, ModelSpec]],
    which: int,
    change: Callable[[Path], None],
) -> None:
    backend = make(files, paths)
    first = await backend.describe()
    first_ids = await backend.marker_ids(["<m>"])
    change(files[which])
    later = await backend.describe()
    assert first.files_stamp != later.files_stamp
    assert await backend.marker_ids(["<m>"]) != first_ids, "the marker of other weights was used"
    specs = [spec for _, spec in asked]
    assert specs[0] == specs[1] != specs[2] == specs[3]
    await backend.aclose()


async def test_files_that_stay_are_asked_about_once(
    files: tuple[Path, Path], paths: Paths, asked: list[tuple[str, ModelSpec]]
) -> None:
    backend = make(files, paths)
    for _ in range(3):
        await backend.describe()
    assert len(asked) == 1
    await backend.aclose()


async def test_an_answer_under_way_keeps_its_weights(
    files: tuple[Path, Path], paths: Paths, asked: list[tuple[str, ModelSpec]]
) -> None:
    """Its prompt was made for them."""
    backend = make(files, paths)
    await backend.describe()
    _put_in_place(files[0])
    await backend.marker_ids(["<m>"])
    assert asked[0][1] == asked[1][1]
    await backend.aclose()


async def test_a_file_that_is_gone_is_no_reason_to_give_up_a_loaded_model(
    files: tuple[Path, Path], paths: Paths, asked: list[tuple[str, ModelSpec]]
) -> None:
    backend = make(files, paths)
    first = await backend.describe()
    files[1].unlink()
    assert await backend.describe() == first
    await backend.aclose()


async def test_two_clients_of_the_same_files_share_a_model(
    files: tuple[Path, Path], paths: Paths, asked: list[tuple[str, ModelSpec]]
) -> None:
    """One that was there before the files were replaced too: they would load them in turns else."""
    old, new = make(files, paths), make(files, paths)
    await old.describe()
    _put_in_place(files[1])
    await new.describe()
    await old.describe()
    specs = [spec for _, spec in asked]
    assert specs[0] != specs[1] == specs[2]
    for backend in (old, new):
        await backend.aclose()
