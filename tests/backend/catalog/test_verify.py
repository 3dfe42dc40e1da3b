"""Damaged files are told from whole ones, whatever the damage."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fimble.backend.catalog.gguf_header import read_header
from fimble.backend.catalog.verify import check_gguf, check_sha256, sha256_of
from fimble.core.errors import ModelCorruptError

relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


def test_the_header_agrees_with_the_formats_own_reader(tmp_path: Path, make_gguf: Callable[..., Path]) -> None:
    path = make_gguf(tmp_path / "a.gguf")
    header = read_header(path)
    theirs = gguf.GGUFReader(path)
    assert header.n_tensors == len(theirs.tensors)
    assert header.min_size_bytes == max(int(tensor.data_offset + tensor.n_bytes) for tensor in theirs.tensors)
    assert header.metadata["general.name"] == "tiny"
    assert "tokenizer.ggml.tokens" not in header.metadata


@pytest.mark.parametrize(
    "kind", [gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.F16]
)
def test_blocks_of_quantized_tensors_are_counted(tmp_path: Path, kind: gguf.GGMLQuantizationType) -> None:
    import numpy as np

    path = tmp_path / "q.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("t", gguf.quantize(np.ones((4, 64), dtype=np.float32), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tensor = gguf.GGUFReader(path).tensors[0]
    assert read_header(path).min_size_bytes == tensor.data_offset + tensor.n_bytes
    check_gguf(path, mend="")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "not a GGUF"),
        (b"GG", "not a GGUF"),
        (b"PK\x03\x04" + bytes(100), "not a GGUF"),
        (b"<html>not found</html>", "not a GGUF"),
        (b"GGUF", "truncated"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version is 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0), "truncated"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63), "truncated"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**62), "text of"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"k", 99), "unknown type"),
        (b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 4, 2**62), "truncated"),
        (b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 9, 1), "array of unknown type"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 1, 0, 1, b"t", 2**31), "dimensions"),
        (b"GGUF" + struct.pack("<IQQQ1sIQIQ", 3, 1, 0, 1, b"t", 1, 2**60, 0, 0), "truncated"),
    ],
)
def test_what_is_not_a_whole_gguf_is_refused(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelCorruptError) as caught:
        check_gguf(path, mend="do this")
    assert complaint in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.mend == "do this"


def test_an_unreadable_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelCorruptError, match="cannot be read"):
        check_gguf(tmp_path, mend="")


def test_one_piece_of_several_is_refused_with_how_to_join(tmp_path: Path, make_gguf: Callable[..., Path]) -> None:
    path = make_gguf(tmp_path / "a-00001-of-00003.gguf", n_pieces=3)
    with pytest.raises(ModelCorruptError, match="one of 3 pieces") as caught:
        check_gguf(path, mend="")
    assert "--merge" in caught.value.mend


@relaxed
@given(st.data())
def test_no_cut_goes_unnoticed(tmp_path: Path, weights: bytes, data: st.DataObject) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(weights)
    whole_bytes = read_header(path).min_size_bytes
    path.write_bytes(weights[: data.draw(st.integers(0, whole_bytes - 1))])
    with pytest.raises(ModelCorruptError):
        check_gguf(path, mend="")


@relaxed
@given(st.data())
def test_no_damage_to_a_header_escapes_as_another_error(tmp_path: Path, weights: bytes, data: st.DataObject) -> None:
    path = tmp_path / "noise.gguf"
    noisy = bytearray(weights)
    for _ in range(data.draw(st.integers(1, 4))):
        noisy[data.draw(st.integers(4, 600))] = data.draw(st.integers(0, 255))
    path.write_bytes(noisy)
    with contextlib.suppress(ModelCorruptError):
        check_gguf(path, mend="")


def test_a_wrong_checksum_names_both(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    # FIPS 180-2, example B.1.
    right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    check_sha256(path, right, mend="")
    with pytest.raises(ModelCorruptError) as caught:
        check_sha256(path, "0" * 64, mend="pull again")
    assert right in caught.value.message
    assert "0" * 64 in caught.value.message


def test_hashing_tells_how_far_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes((1 << 20) + 1))
    steps: list[tuple[int, int | None]] = []
    sha256_of(path, lambda done, total: steps.append((done, total)))
    assert steps == [(1 << 20, (1 << 20) + 1), ((1 << 20) + 1, (1 << 20) + 1)]
