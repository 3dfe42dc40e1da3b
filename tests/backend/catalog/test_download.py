"""Pulling over HTTP from a real local server that breaks off, lies, and fails."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fimble.backend.catalog import https, partial
from fimble.backend.catalog.catalog import CatalogEntry, HttpsSource
from fimble.backend.catalog.download import pull
from fimble.backend.catalog.partial import DiskFullError
from fimble.backend.catalog.store import ModelStore
from fimble.core.config import NetworkOptions
from fimble.core.errors import DownloadError, InputError, ModelMissingError

ONLINE = NetworkOptions()
NOWHERE = HttpsSource("http://127.0.0.1:9/model.gguf")  # the discard port: nobody listens
MakeStore = Callable[..., ModelStore]
MakeEntry = Callable[..., CatalogEntry]


@pytest.fixture
def entry(server, weights: bytes, make_entry: MakeEntry) -> CatalogEntry:
    server.body = weights
    return make_entry(HttpsSource(server.url))


@pytest.fixture
def store(entry: CatalogEntry, make_store: MakeStore) -> ModelStore:
    return make_store(entry)


def test_a_pull_brings_the_file_its_record_and_nothing_else(server, entry, store, weights: bytes) -> None:
    steps: list[tuple[int, int | None, str]] = []
    pulled = pull(entry, store, ONLINE, on_progress=lambda *step: steps.append(step))
    assert pulled.fetched
    assert store.resolve("tiny").read_bytes() == weights
    assert (pulled.model.sha256, pulled.model.source) == (entry.sha256, server.url)
    assert (len(weights), len(weights), "127.0.0.1") in steps
    assert steps[-1] == (len(weights), len(weights), "checksum")
    assert sorted(path.name for path in store.folder.iterdir() if path.is_file()) == ["tiny.gguf", "tiny.json"]
    assert list(store.folder.joinpath(".partial").iterdir()) == []


def test_a_second_pull_asks_for_nothing(server, entry, store) -> None:
    pull(entry, store, ONLINE)
    assert not pull(entry, store, ONLINE).fetched
    assert not pull(entry, store, NetworkOptions(offline=True)).fetched
    assert len(server.asked) == 1


def test_a_damaged_model_is_pulled_again(server, entry, store, weights: bytes) -> None:
    pull(entry, store, ONLINE)
    store.resolve("tiny").write_bytes(weights[:-1])
    assert pull(entry, store, ONLINE).fetched
    assert store.resolve("tiny").read_bytes() == weights


def test_a_model_that_the_catalog_has_replaced_is_pulled_again(
    server, entry, store, make_entry, make_gguf: Callable[..., Path], tmp_path: Path
) -> None:
    pull(entry, store, ONLINE)
    server.body = make_gguf(tmp_path / "newer.gguf", seed=1).read_bytes()
    newer = make_entry(*entry.sources, data=server.body)
    assert pull(newer, store, ONLINE).model.sha256 == newer.sha256


def test_a_cut_connection_is_taken_up_where_it_broke(server, entry, store, weights: bytes) -> None:
    server.cuts = [5000, 3000]
    pull(entry, store, ONLINE)
    assert server.asked == [None, "bytes=5000-", "bytes=8000-"]
    assert server.sent_bytes == len(weights)
    assert store.resolve("tiny").read_bytes() == weights


def test_a_broken_pull_goes_on_in_the_next_run(server, entry, store, weights: bytes) -> None:
    server.cuts = [5000, 0, 0, 0]
    with pytest.raises(DownloadError, match="5,000 bytes, which are kept"):
        pull(entry, store, ONLINE)
    with pytest.raises(ModelMissingError):
        store.resolve("tiny")
    server.asked.clear()
    pull(entry, store, ONLINE)
    assert server.asked == ["bytes=5000-"]
    assert store.resolve("tiny").read_bytes() == weights


def test_a_server_without_ranges_sends_everything_again(server, entry, store, weights: bytes) -> None:
    server.ranges, server.cuts = False, [5000]
    pull(entry, store, ONLINE)
    assert server.asked == [None, "bytes=5000-"]
    assert store.resolve("tiny").read_bytes() == weights


def test_a_file_that_changed_meanwhile_is_not_mixed(server, entry, store, weights: bytes) -> None:
    server.body, server.etag, server.cuts = bytes(len(weights)), '"old"', [5000, 0, 0, 0]
    with pytest.raises(DownloadError):
        pull(entry, store, ONLINE)
    server.body, server.etag = weights, '"new"'
    pull(entry, store, ONLINE)
    assert store.resolve("tiny").read_bytes() == weights


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_tag_and_checksum_nothing_is_resumed(server, weights: bytes, make_entry, make_store, etag) -> None:
    server.body, server.etag, server.cuts = weights, etag, [5000]
    entry = make_entry(HttpsSource(server.url), verified=False)
    store = make_store(entry)
    pull(entry, store, ONLINE, allow_unverified=True)
    assert server.asked == [None, None]
    assert store.resolve("tiny").read_bytes() == weights


def test_a_body_without_length_that_ends_early_is_noticed(server, entry, store, weights: bytes) -> None:
    server.says_length, server.cuts = False, [5000]
    pull(entry, store, ONLINE)
    assert server.asked == [None, "bytes=5000-"]
    assert store.resolve("tiny").read_bytes() == weights


def test_wrong_bytes_never_reach_the_store(server, entry, store, weights: bytes) -> None:
    server.body = weights[:-1] + bytes([weights[-1] ^ 1])
    with pytest.raises(DownloadError, match="wrong checksum") as caught:
        pull(entry, store, ONLINE)
    assert hashlib.sha256(server.body).hexdigest() in caught.value.message
    assert store.ids() == ()
    server.body = weights
    server.asked.clear()
    pull(entry, store, ONLINE)
    assert server.asked == [None], "wrong bytes are not gone on from"


@pytest.mark.parametrize("extra", [-10, 10])
def test_another_size_is_refused_before_it_is_fetched(server, entry, store, weights: bytes, extra: int) -> None:
    server.body = bytes(len(weights) + extra)
    with pytest.raises(DownloadError, match="another file"):
        pull(entry, store, ONLINE)
    assert store.folder.joinpath("tiny.gguf").exists() is False
    assert not [path for path in store.folder.rglob("data") if path.stat().st_size]


def test_too_long_a_body_without_length_is_stopped(server, entry, store, weights: bytes) -> None:
    server.body, server.says_length = bytes(len(weights) + (8 << 20)), False
    with pytest.raises(DownloadError, match="sends more than"):
        pull(entry, store, ONLINE)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, "HTTP 404: it has no such file"), (401, "asks for a login"), (403, "refuses"), (503, "HTTP 503")],
)
def test_a_refusal_is_named_and_the_next_source_tried(
    server, weights: bytes, make_entry, make_store, status: int, reason: str
) -> None:
    server.status = status
    entry = make_entry(HttpsSource(server.url), NOWHERE)
    with pytest.raises(DownloadError) as caught:
        pull(entry, make_store(entry), ONLINE)
    lines = caught.value.message.splitlines()
    assert reason in lines[1]
    assert "no connection" in lines[2]
    assert "models import" in caught.value.mend
    assert len(server.asked) == 1


def test_the_next_source_takes_over(server, weights: bytes, make_entry, make_store) -> None:
    server.body = weights
    entry = make_entry(NOWHERE, HttpsSource(server.url))
    failures: list[tuple[str, str]] = []
    pulled = pull(entry, make_store(entry), ONLINE, on_failure=lambda *failure: failures.append(failure))
    assert pulled.model.source == server.url
    assert [label for label, _ in failures] == ["127.0.0.1"]
    assert "no connection" in failures[0][1]


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"Location": "http://example.invalid/x"}, 302, "not https"),
        ({"Location": "ftp://127.0.0.1/x"}, 302, "ftp"),
        ({"Content-Encoding": "gzip"}, 200, "another encoding"),
    ],
)
def test_strange_answers_are_refused(server, entry, store, headers, status: int, reason: str) -> None:
    server.headers, server.status = headers, status
    with pytest.raises(DownloadError, match=reason):
        pull(entry, store, ONLINE)


def test_a_redirect_loop_ends(server, entry, store) -> None:
    server.status, server.headers = 302, {"Location": server.url}
    with pytest.raises(DownloadError, match="redirect"):
        pull(entry, store, ONLINE)


def test_a_compressed_answer_is_never_asked_for(server, entry, store) -> None:
    server.body = gzip.compress(server.body)
    with pytest.raises(DownloadError, match="another file"):
        pull(entry, store, ONLINE)


def test_no_room_is_said_before_a_byte_is_written(server, weights: bytes, make_entry, make_store, monkeypatch) -> None:
    server.body = weights
    entry = make_entry(HttpsSource(server.url), HttpsSource(server.url + "?again"))
    store = make_store(entry)
    monkeypatch.setattr(partial, "free_bytes", lambda _folder: 100_000_000)
    with pytest.raises(DiskFullError, match=r"0\.10 GB are free") as caught:
        pull(entry, store, ONLINE)
    assert "FIMBLE_HOME" in caught.value.mend
    assert len(server.asked) == 1, "another source would not help"
    assert not [path for path in store.folder.rglob("data") if path.stat().st_size]


def test_a_disk_that_fills_up_keeps_what_came(server, entry, store, weights: bytes, monkeypatch) -> None:
    receive = https._receive

    def fill(response, part, start, total, on_bytes):
        server.cuts = []
        part.data.write_bytes(weights[:5000])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(https, "_receive", fill)
    with pytest.raises(DiskFullError, match="is full"):
        pull(entry, store, ONLINE)
    monkeypatch.setattr(https, "_receive", receive)
    pull(entry, store, ONLINE)
    assert server.asked == [None, "bytes=5000-"]


def test_two_pulls_at_once_fetch_once(server, entry, store) -> None:
    server.gate = threading.Event()
    waited = threading.Event()
    results: list[bool] = []

    def run(on_wait: Callable[[], None]) -> None:
        own = ModelStore(store.folder, store.catalog)
        results.append(pull(entry, own, ONLINE, on_wait=on_wait).fetched)

    first = threading.Thread(target=run, args=(lambda: None,))
    first.start()
    while not server.asked:
        time.sleep(0.01)
    second = threading.Thread(target=run, args=(waited.set,))
    second.start()
    assert waited.wait(30)
    server.gate.set()
    first.join()
    second.join()
    assert results == [True, False]
    assert len(server.asked) == 1


def test_a_rename_that_fails_leaves_nothing_half(server, entry, store, weights: bytes, monkeypatch) -> None:
    replace = os.replace

    def fail_on_weights(source, target, **options):
        if str(target).endswith(".gguf"):
            raise OSError(errno.EIO, "Input/output error")
        return replace(source, target, **options)

    monkeypatch.setattr(os, "replace", fail_on_weights)
    with pytest.raises(DownloadError, match="Input/output error"):
        pull(entry, store, ONLINE)
    assert store.ids() == ()
    with pytest.raises(ModelMissingError):
        store.resolve("tiny")
    monkeypatch.setattr(os, "replace", replace)
    server.asked.clear()
    pull(entry, store, ONLINE)
    assert server.asked == [], "the bytes were there already"
    assert store.resolve("tiny").read_bytes() == weights


def test_a_rename_that_was_interrupted_over_an_old_file_is_noticed(
    server, entry, store, make_gguf: Callable[..., Path], monkeypatch
) -> None:
    store.folder.mkdir()
    make_gguf(store.folder / "tiny.gguf", seed=9)
    replace = os.replace

    def stop_at_weights(source, target, **options):
        if str(target).endswith(".gguf"):
            raise KeyboardInterrupt
        return replace(source, target, **options)

    monkeypatch.setattr(os, "replace", stop_at_weights)
    with pytest.raises(KeyboardInterrupt):
        pull(entry, store, ONLINE)
    monkeypatch.setattr(os, "replace", replace)
    assert pull(entry, store, ONLINE).fetched
    assert store.check("tiny", full=True).sha256 == entry.sha256


def test_offline_opens_no_connection(server, entry, store) -> None:
    with pytest.raises(DownloadError, match="offline") as caught:
        pull(entry, store, NetworkOptions(offline=True))
    assert "FIMBLE_NETWORK_OFFLINE" in caught.value.mend
    assert server.asked == []


def test_an_entry_without_checksum_needs_a_word(server, weights: bytes, make_entry, make_store) -> None:
    server.body = weights
    entry = make_entry(HttpsSource(server.url), verified=False)
    store = make_store(entry)
    with pytest.raises(InputError) as caught:
        pull(entry, store, ONLINE)
    assert "--allow-unverified" in caught.value.mend
    assert server.asked == []
    pulled = pull(entry, store, ONLINE, allow_unverified=True)
    assert pulled.model.sha256 == hashlib.sha256(weights).hexdigest()
    store.resolve("tiny").write_bytes(weights[:-1] + b"?")
    assert pull(entry, store, ONLINE, allow_unverified=True).fetched, "what came first is what is compared with"


@pytest.mark.parametrize("body", [b"<html>sign in</html>", None])
def test_an_entry_without_checksum_must_still_be_a_whole_model(
    server, weights: bytes, make_entry, make_store, body
) -> None:
    server.body = weights[:-200] if body is None else body
    entry = make_entry(HttpsSource(server.url), verified=False)
    store = make_store(entry)
    with pytest.raises(DownloadError, match="truncated" if body is None else "not a GGUF"):
        pull(entry, store, ONLINE, allow_unverified=True)
    assert store.ids() == ()


@pytest.mark.parametrize(("name", "value"), [("HTTP_PROXY", "nonsense://x"), ("SSL_CERT_FILE", "/nowhere.pem")])
def test_wrong_settings_of_the_environment_are_named(entry, store, monkeypatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(DownloadError, match="proxy or certificate settings"):
        pull(entry, store, ONLINE)


def test_a_proxy_of_the_environment_is_used(server, entry, store, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match="no connection"):
        pull(entry, store, ONLINE)
    assert server.asked == []


def test_the_connect_timeout_is_the_option() -> None:
    with https._client(3.5) as client:
        assert client.timeout.connect == 3.5
