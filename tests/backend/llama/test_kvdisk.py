"""KV states on disk, without a model: round trip, damage, other people's files, the bound, and who may read them."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fimble.backend.llama.kvdisk import LEAST_GAIN_TOKENS, KvShelf, forget, prepare
from fimble.core.flow import TokenId

KEY, OTHER_KEY = "a" * 64, "b" * 64
PLENTY = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "cache" / "kv"
    assert prepare(made, PLENTY)
    return made


def place(first: int, n: int = 200) -> tuple[TokenId, ...]:
    return tuple(TokenId(first + i) for i in range(n))


def state_of(tokens: tuple[TokenId, ...], n_bytes: int = 1000) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.random.default_rng(tokens[0]).integers(0, 256, n_bytes, dtype=np.uint8)


def keep(folder: Path, *firsts: int, key: str = KEY, max_bytes: int = PLENTY) -> KvShelf:
    shelf = KvShelf(folder, key, max_bytes)
    for first in firsts:
        shelf.save(place(first), state_of(place(first)))
    return shelf


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_what_was_saved_is_found_and_is_the_same(folder: Path) -> None:
    keep(folder, 1000, 5000)
    shelf = KvShelf(folder, KEY, PLENTY)
    stored = shelf.best((*place(5000, 150), TokenId(1), TokenId(2)), 0)
    assert stored is not None
    assert stored.tokens == place(5000)
    loaded = shelf.load(stored)
    assert loaded is not None
    assert loaded.tobytes() == state_of(place(5000)).tobytes()


@pytest.mark.parametrize(
    ("n_shared", "n_held", "is_worth_it"),
    [(LEAST_GAIN_TOKENS, 0, True), (LEAST_GAIN_TOKENS - 1, 0, False), (180, 120, False), (0, 0, False)],
)
def test_it_is_loaded_only_where_it_spares_enough(folder: Path, n_shared: int, n_held: int, is_worth_it: bool) -> None:
    shelf = keep(folder, 1000)
    wanted = (*place(1000, n_shared), *place(9000))
    assert (shelf.best(wanted, n_held) is not None) == is_worth_it


def test_only_this_user_may_read_it(folder: Path) -> None:
    folder.chmod(0o755)
    assert prepare(folder, PLENTY)
    old_mask = os.umask(0)
    try:
        keep(folder, 1000)
    finally:
        os.umask(old_mask)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in files(folder)] == [0o600]


def test_a_state_of_another_model_is_neither_used_nor_deleted(folder: Path) -> None:
    keep(folder, 1000, key=OTHER_KEY)
    assert KvShelf(folder, KEY, PLENTY).best(place(1000), 0) is None
    assert KvShelf(folder, OTHER_KEY, PLENTY).best(place(1000), 0) is not None


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def cut_in_head(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def made_longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def foreign(path: Path) -> None:
    path.write_bytes(os.urandom(2000))


def foreign_json(path: Path) -> None:
    path.write_bytes(b'["not", "ours"]\n')


def foreign_line_without_end(path: Path) -> None:
    path.write_bytes(b"{" * 100_000)


def with_head(path: Path, **changes: object) -> None:
    line, _, rest = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps({**json.loads(line), **changes}).encode() + b"\n" + rest)


def of_a_later_version(path: Path) -> None:
    with_head(path, fimble_kv=2)


def with_other_numbers(path: Path) -> None:
    with_head(path, n_tokens=-5, n_state_bytes=1000 + 4 * 205)


def with_text_for_a_number(path: Path) -> None:
    with_head(path, n_tokens="many")


def with_a_wrong_digest(path: Path) -> None:
    with_head(path, digest="0" * 64)


def with_a_flipped_state_bit(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-500] ^= 1
    path.write_bytes(raw)


def with_tokens_moved_to_the_state(path: Path) -> None:
    with_head(path, n_tokens=199, n_state_bytes=1004)


AT_OPENING = (cut_short, cut_in_head, emptied, made_longer, foreign, foreign_json, foreign_line_without_end)
AT_OPENING = (*AT_OPENING, of_a_later_version, with_other_numbers, with_text_for_a_number)


@pytest.mark.parametrize("damage", AT_OPENING)
def test_what_is_no_whole_state_is_deleted_when_it_is_seen(
    folder: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    keep(folder, 1000)
    (path,) = files(folder)
    keep(folder, 5000)
    damage(path)
    with caplog.at_level(logging.WARNING):
        shelf = KvShelf(folder, KEY, PLENTY)
    assert path.name in caplog.text
    assert not path.exists()
    assert shelf.best(place(1000), 0) is None
    assert shelf.best(place(5000), 0) is not None, "the other one stays"


@pytest.mark.parametrize("damage", [with_a_wrong_digest, with_a_flipped_state_bit, with_tokens_moved_to_the_state])
@pytest.mark.parametrize("is_opened_first", [True, False])
def test_what_does_not_hold_its_checksum_is_deleted_when_it_is_loaded(
    folder: Path, damage: Callable[[Path], None], is_opened_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = keep(folder, 1000)
    (path,) = files(folder)
    damage(path)
    if not is_opened_first:
        shelf = KvShelf(folder, KEY, PLENTY)
    stored = shelf.best(place(1000), 0)
    assert stored is not None
    with caplog.at_level(logging.WARNING):
        assert shelf.load(stored) is None
    assert "checksum" in caplog.text
    assert files(folder) == []
    assert shelf.best(place(1000), 0) is None


def test_a_state_that_another_process_dropped_is_not_there(folder: Path) -> None:
    shelf = keep(folder, 1000)
    stored = shelf.best(place(1000), 0)
    assert stored is not None
    stored.path.unlink()
    assert shelf.load(stored) is None
    assert shelf.best(place(1000), 0) is None


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_the_longest_unused_make_room_whichever_model_they_are_of(folder: Path) -> None:
    keep(folder, 1000, key=OTHER_KEY)
    (oldest,) = files(folder)
    age(oldest, 300)
    keep(folder, 2000)
    (middle,) = set(files(folder)) - {oldest}
    age(middle, 200)
    size = oldest.stat().st_size
    shelf = keep(folder, 3000, max_bytes=2 * size + 50)
    assert not oldest.exists()
    assert middle.exists()
    stored = shelf.best(place(2000), 0)
    assert stored is not None
    shelf.load(stored)  # used: now the other one is the oldest
    shelf.save(place(4000), state_of(place(4000)))
    assert shelf.best(place(3000), 0) is None
    assert shelf.best(place(2000), 0) is not None
    assert sum(path.stat().st_size for path in files(folder)) <= 2 * size + 50


def test_a_state_larger_than_the_bound_is_not_kept(folder: Path) -> None:
    keep(folder, 1000, max_bytes=500)
    assert files(folder) == []


def test_a_place_that_grew_replaces_itself(folder: Path) -> None:
    shelf = keep(folder, 1000)
    typed_on = (*place(1000, 190), *place(7000, 300))
    shelf.save(typed_on, state_of(typed_on))
    assert len(files(folder)) == 1
    elsewhere = (*place(1000, 100), *place(8000, 300))
    shelf.save(elsewhere, state_of(elsewhere))
    assert len(files(folder)) == 2


def test_what_was_not_used_for_a_month_is_deleted(folder: Path) -> None:
    keep(folder, 1000, 2000, key=OTHER_KEY)
    old, young = files(folder)
    age(old, 31 * 86_400)
    age(young, 29 * 86_400)
    KvShelf(folder, KEY, PLENTY)
    assert files(folder) == [young]


def test_an_unfinished_file_is_no_state_and_goes_when_nobody_writes_it(folder: Path) -> None:
    fresh, left = folder / "aaaa-1.kv.part", folder / "aaaa-2.kv.part"
    for path in (fresh, left):
        path.write_bytes(b"half")
    age(left, 7200)
    KvShelf(folder, KEY, PLENTY)
    assert files(folder) == [fresh]


def test_writing_that_fails_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = KvShelf(folder, KEY, PLENTY)

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        shelf.save(place(1000), state_of(place(1000)))
    assert files(folder) == []
    assert shelf.best(place(1000), 0) is None


def test_switched_off_everything_goes(folder: Path) -> None:
    keep(folder, 1000, 2000)
    keep(folder, 3000, key=OTHER_KEY)
    assert not prepare(folder, 0)
    assert not folder.exists()
    assert not prepare(folder, 0)


def test_forgotten_while_it_is_open_nothing_is_written_again(folder: Path) -> None:
    shelf = keep(folder, 1000)
    n_files, n_bytes = forget(folder)
    assert (n_files, n_bytes > 1000) == (1, True)
    with pytest.raises(FileNotFoundError):
        shelf.save(place(2000), state_of(place(2000)))
    assert not folder.exists()


def test_files_of_others_in_the_folder_are_left_alone(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    keep(folder, 1000)
    forget(folder)
    assert [path.name for path in files(folder)] == ["notes.txt"]


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    assert not prepare(tmp_path / "cache" / "kv", PLENTY)
