"""Fetching a model of the catalog: the sources in order, until one gives the right bytes.

Nothing is in the store before its size, checksum and header hold. `fimble models pull` and the language server
are the callers.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fimble.backend.catalog.catalog import CatalogEntry, HttpsSource, Source
from fimble.backend.catalog.https import fetch_https
from fimble.backend.catalog.partial import DiskFullError, Partial, free_bytes
from fimble.backend.catalog.python_index import fetch_parts
from fimble.backend.catalog.store import InstalledModel, ModelStore
from fimble.backend.catalog.verify import OnBytes, OnProgress, check_gguf, check_sha256, sha256_of
from fimble.core.config import NetworkOptions
from fimble.core.errors import DownloadError, InputError, ModelCorruptError, ModelMissingError


@dataclass(frozen=True, slots=True)
class Pulled:
    """The model, now in the store. `fetched` is False when it was there and sound already."""

    model: InstalledModel
    fetched: bool


def pull(
    entry: CatalogEntry,
    store: ModelStore,
    network: NetworkOptions,
    *,
    allow_unverified: bool = False,
    on_progress: OnProgress = lambda _done, _total, _source: None,
    on_wait: Callable[[], None] = lambda: None,
    on_failure: Callable[[str, str], None] = lambda _source, _reason: None,
) -> Pulled:
    """Bring a model into the store. A second pull of the same model waits for the first (`on_wait` is told).

    `on_failure` is told of each source that did not work, and why, when the next one is about to be tried.

    Raises:
        InputError: the entry has no checksum and `allow_unverified` is off.
        DownloadError: offline, no source worked (the message lists why), or no room on the disk.
    """
    with store.lock(entry.id, on_wait=on_wait):
        installed = _sound(entry, store)
        if installed:
            return Pulled(installed, fetched=False)
        if network.offline:
            raise DownloadError(
                f"The model {entry.id} is not on this machine, and fimble is set to stay offline.",
                mend="Set network.offline (FIMBLE_NETWORK_OFFLINE) to false, or bring the file by other means: "
                "`fimble models import FILE.gguf`.",
            )
        if not entry.verified and not allow_unverified:
            raise InputError(
                f"fimble knows no checksum for {entry.id}, so it cannot tell whether a download is the right file.",
                mend="Fetch it all the same with --allow-unverified; the checksum that came is then recorded.",
            )
        reasons: list[tuple[str, str]] = []
        for source in entry.sources:
            try:
                return Pulled(_from_source(entry, source, store, network, on_progress), fetched=True)
            except DiskFullError:
                raise
            except (DownloadError, ModelCorruptError) as error:
                reasons.append((source.label, error.message))
                on_failure(source.label, error.message)
    raise DownloadError(
        f"The model {entry.id} could not be fetched:\n"
        + "\n".join(f"  - {label}: {reason}" for label, reason in reasons),
        mend="Check the network and the proxy (HTTPS_PROXY, pip's index-url) and pull again; what came so far is kept. "
        "Or bring the file from another machine: `fimble models import FILE.gguf`.",
    )


def _sound(entry: CatalogEntry, store: ModelStore) -> InstalledModel | None:
    """The installed model, unless it is missing, damaged, or not the file that the catalog now means."""
    try:
        installed = store.check(entry.id)
    except (ModelMissingError, ModelCorruptError):
        return None
    return installed if entry.sha256 in (None, installed.sha256) else None


def _from_source(
    entry: CatalogEntry, source: Source, store: ModelStore, network: NetworkOptions, on_progress: OnProgress
) -> InstalledModel:
    partial = Partial(store.partial_folder(entry.id) / _key(source))
    on_bytes = _labelled(on_progress, source.label)
    try:
        if isinstance(source, HttpsSource):
            fetch_https(source, partial, entry, connect_timeout_s=network.connect_timeout_s, on_bytes=on_bytes)
        else:
            fetch_parts(source, partial, entry, on_bytes=on_bytes)
        sha256 = _compare(entry, partial.data, _labelled(on_progress, "checksum"))
        return store.install(partial.data, entry.id, sha256=sha256, source=_origin(source))
    except ModelCorruptError:
        partial.clear()  # wrong bytes: going on from them would give wrong bytes again
        raise
    except OSError as error:
        raise _disk_error(error, store.folder) from error


def _compare(entry: CatalogEntry, data: Path, on_bytes: OnBytes) -> str:
    """The checksum of what came, after every check that can be made of it."""
    mend = f"Pull it again: `fimble models pull {entry.id}`."
    if entry.sha256 is None:
        check_gguf(data, mend=mend)
        return sha256_of(data, on_bytes)
    size_bytes = data.stat().st_size
    if size_bytes != entry.size_bytes:
        raise ModelCorruptError(f"{size_bytes:,} bytes came instead of {entry.size_bytes:,}.", mend=mend)
    check_sha256(data, entry.sha256, mend=mend, on_bytes=on_bytes)
    check_gguf(data, mend=mend)
    return entry.sha256


def _labelled(on_progress: OnProgress, source: str) -> OnBytes:
    return lambda done_bytes, total_bytes: on_progress(done_bytes, total_bytes, source)


def _key(source: Source) -> str:
    """A folder name of its own for each source, the same in every run."""
    return hashlib.sha256(repr(source).encode()).hexdigest()[:16]


def _origin(source: Source) -> str:
    if isinstance(source, HttpsSource):
        return source.url
    return f"{source.requirement(1)} to {source.requirement(source.count)} of the Python package index"


def _disk_error(error: OSError, folder: Path) -> DownloadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(
            f"The disk of {folder} is full ({free_bytes(folder) / 1e9:.2f} GB free).",
            mend="Free some space, or set FIMBLE_HOME to a folder on another disk. What was fetched so far is kept.",
        )
    return DownloadError(f"cannot write to {folder}: {error.strerror or error}")
