"""Between a cache and the states on disk, with a cache that is a list: what is loaded when, what is written when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fimble.backend.llama.kvdisk import KvShelf, forget, prepare
from fimble.backend.llama.kvplan import common_prefix
from fimble.backend.llama.recall import n_at_hand, put_away, recall
from fimble.core.flow import TokenId

Tokens = tuple[TokenId, ...]
PLENTY = 1 << 20


class ListedCache:
    """Holds sequences, last used first; a state is the token ids. Refuses states on demand."""

    def __init__(self, *held: Tokens, takes: bool = True) -> None:
        self.sequences = list(held)
        self.takes = takes
        self.n_restored = 0

    def n_cached(self, tokens: Tokens) -> int:
        return max((common_prefix(one, tokens[:-1]) for one in self.sequences), default=0)

    def by_use(self) -> tuple[int, ...]:
        return tuple(range(len(self.sequences)))

    def held(self, seq: int) -> Tokens:
        return self.sequences[seq]

    def state(self, seq: int) -> npt.NDArray[np.uint8]:
        return np.frombuffer(np.asarray(self.sequences[seq], "<i4").tobytes(), np.uint8)

    def restore(self, tokens: Tokens, state: npt.NDArray[np.uint8]) -> bool:
        assert tuple(state.view("<i4").tolist()) == tokens
        if self.takes:
            self.sequences.insert(0, tokens)
            self.n_restored += 1
        return self.takes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare(tmp_path / "kv", PLENTY)
    return tmp_path / "kv"


def shelf_of(folder: Path, *held: Tokens) -> KvShelf:
    put_away(ListedCache(*held), KvShelf(folder, "key", PLENTY))
    return KvShelf(folder, "key", PLENTY)


def place(first: int, n: int = 200) -> Tokens:
    return tuple(TokenId(first + i) for i in range(n))


def n_files(folder: Path) -> int:
    return len(list(folder.iterdir()))


def test_a_new_cache_gets_back_what_the_last_one_held(folder: Path) -> None:
    shelf = shelf_of(folder, place(1000), place(5000))
    cache = ListedCache()
    wanted = (*place(5000), TokenId(1))
    assert n_at_hand(cache, shelf, wanted) == 200
    recall(cache, shelf, wanted)
    assert cache.sequences == [place(5000)]
    recall(cache, shelf, wanted)
    assert cache.n_restored == 1, "what is in memory is not loaded again"


def test_the_last_token_is_always_evaluated(folder: Path) -> None:
    shelf = shelf_of(folder, place(1000))
    assert n_at_hand(ListedCache(), shelf, place(1000)) == 199
    assert n_at_hand(ListedCache(), shelf, place(1000, 65)) == 64
    assert n_at_hand(ListedCache(), shelf, place(1000, 64)) == 0, "63 tokens are not worth a file"


def test_nothing_is_loaded_for_a_little(folder: Path) -> None:
    shelf = shelf_of(folder, place(1000))
    cache = ListedCache(place(1000, 150))
    recall(cache, shelf, (*place(1000), TokenId(1)))
    assert cache.n_restored == 0
    assert n_at_hand(cache, shelf, (*place(1000), TokenId(1))) == 150


def test_without_a_shelf_only_memory_counts() -> None:
    assert n_at_hand(ListedCache(place(1000)), None, (*place(1000), TokenId(1))) == 200


def test_a_state_that_is_not_taken_is_deleted(folder: Path) -> None:
    shelf = shelf_of(folder, place(1000))
    cache = ListedCache(takes=False)
    recall(cache, shelf, (*place(1000), TokenId(1)))
    assert n_files(folder) == 0
    recall(cache, shelf, (*place(1000), TokenId(1)))


def test_short_places_and_those_within_others_are_not_written(folder: Path) -> None:
    longest, within, branch, short = (
        place(1000),
        place(1000, 150),
        (*place(1000, 100), *place(7000, 90)),
        place(9000, 60),
    )
    shelf = shelf_of(folder, longest, within, branch, short)
    assert n_files(folder) == 2
    for wanted, n_expected in ((longest, 199), (branch, 189), (short, 0)):
        assert n_at_hand(ListedCache(), shelf, wanted) == n_expected


def test_what_is_on_disk_is_not_written_again(folder: Path) -> None:
    shelf = shelf_of(folder, place(1000))
    (path,) = folder.iterdir()
    before = path.stat().st_mtime_ns
    put_away(ListedCache((*place(1000), *place(3000, 10))), shelf)
    assert [(one, one.stat().st_mtime_ns) for one in folder.iterdir()] == [(path, before)]


def test_when_room_is_short_the_last_used_stays(folder: Path) -> None:
    shelf = KvShelf(folder, "key", 2 * 1800)
    put_away(ListedCache(place(1000), place(2000), place(3000)), shelf)
    assert [shelf.best(place(first), 0) is not None for first in (1000, 2000, 3000)] == [True, True, False]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), MemoryError()])
def test_a_failure_to_write_is_logged_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: KvShelf, tokens: Tokens, state: npt.NDArray[np.uint8]) -> None:
        raise failure

    monkeypatch.setattr(KvShelf, "save", fail)
    put_away(ListedCache(place(1000)), KvShelf(folder, "key", PLENTY))
    assert "could not be written" in caplog.text


def test_deleted_while_the_model_ran_they_stay_deleted(folder: Path) -> None:
    shelf = shelf_of(folder, place(1000))
    forget(folder)
    put_away(ListedCache(place(5000)), shelf)
    assert not folder.exists()
