"""Entry: workspace -> the context sources of an engine, and what keeps them up to date."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from fimble.context.gather import path_of_uri
from fimble.context.index.files import FileTable, relative_path
from fimble.context.index.following import Follower
from fimble.context.index.hidden import HiddenFiles
from fimble.context.index.refresh import refresh_files
from fimble.context.index.store import BusyIndexError, IndexStore, index_path
from fimble.context.index.upkeep import Upkeep, refresh_now
from fimble.context.index.watch import Watcher
from fimble.context.index.workspace import Workspace
from fimble.context.sources.activity import Activity
from fimble.context.sources.background import BackgroundSource
from fimble.context.sources.definitions import Definitions
from fimble.context.sources.names import NamesAtCursor
from fimble.context.sources.open_files import OpenFiles
from fimble.context.sources.recent_edits import RecentEdits
from fimble.context.sources.related import Related
from fimble.context.sources.similar import Similar
from fimble.context.sources.surroundings import Surveyor
from fimble.context.sources.usages import Usages
from fimble.core.flow import CompletionRequest, Document
from fimble.core.ports import ContextSource

_log = logging.getLogger(__name__)

# The index of a workspace this small is made when it is first needed, in memory: 5 ms a file.
_MAX_FILES_IN_MEMORY = 64
# How long nobody waits again for an index that another process holds: each wait holds up the sources.
_TRY_AGAIN_S = 60.0


class Sources(Sequence[ContextSource]):
    """The sources, in order of precedence, and their background work, which `close` ends."""

    def __init__(
        self,
        sources: Sequence[BackgroundSource],
        names: NamesAtCursor | None,
        executor: ThreadPoolExecutor | None,
        index: _Index | None,
        watched: _Watched | None,
    ) -> None:
        """Use `build_sources`."""
        self._sources = tuple(sources)
        self._names = names
        self._executor = executor
        self._index = index
        self._watched = watched

    @overload
    def __getitem__(self, index: int) -> ContextSource: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ContextSource]: ...
    def __getitem__(self, index: int | slice) -> ContextSource | Sequence[ContextSource]:
        """A source."""
        return self._sources[index]

    def __len__(self) -> int:
        """How many sources."""
        return len(self._sources)

    def __iter__(self) -> Iterator[ContextSource]:
        """The sources in order."""
        return iter(self._sources)

    async def settle(self, request: CompletionRequest) -> None:
        """Let every source look at a request for as long as it takes, so that asking again is answered at once.

        For a command line or an evaluation, which ask once; an editor asks with every key and needs no waiting.
        """
        await asyncio.gather(*(source.settle(request) for source in self._sources))

    async def names(self, request: CompletionRequest) -> tuple[str, ...]:
        """The names that may follow the link before the cursor; none where nobody can tell."""
        return await self._names.collect(request) if self._names is not None else ()

    def on_open(self, document: Document) -> None:
        """The editor opened a text, or brought it to the front."""
        self._tell(Activity.on_open, document.uri, document.text)

    def on_edit(self, document: Document) -> None:
        """The editor's text is now this one."""
        self._tell(Activity.on_edit, document.uri, document.text)

    def on_close(self, uri: str) -> None:
        """The editor closed a text."""
        self._tell(Activity.on_close, uri)

    def _tell(self, what: Callable[..., None], uri: str, *text: str) -> None:
        """On the sources' thread, before whatever they are asked next: comparing two long texts would hold up a key."""
        watched, executor = self._watched, self._executor
        if watched is None or executor is None:
            return

        def tell() -> None:
            path = watched.path_of(uri)
            if path is not None:
                what(watched.activity, path, *text)

        with contextlib.suppress(RuntimeError):  # closed meanwhile
            executor.submit(tell)

    def close(self) -> None:
        """End threads and processes; what the sources' thread has begun is finished."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        if self._index is not None:
            self._index.close()


def build_sources(
    workspace: Path | None,
    *,
    n_tokens: int,
    cache: Path | None = None,
    keeps_index_up: bool = True,
    activity: Activity | None = None,
    is_patient: bool = False,
) -> Sources:
    """The sources for a workspace folder, which share `n_tokens` tokens; none without a workspace.

    With a cache folder the workspace is watched and its index kept there, made by a process of low priority; unless
    `keeps_index_up`, an index that lies there is used as it is. Else only small workspaces have one. `activity` is what
    the editor's session tells of open files and edits. `is_patient` has who asks by hand wait without limit for names.
    Nothing is read before the first request. Opens no connection.
    """
    if workspace is None or n_tokens <= 0:
        return Sources((), None, None, None, None)
    root = workspace.absolute()
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fimble-context")
    files = Workspace(root)
    index = _Index(files, index_path(cache, root) if cache is not None else None, executor, keeps_up=keeps_index_up)
    surveyor = Surveyor()
    definitions = Definitions(files, n_tokens, surveyor, Related(index.implementations))
    usages = Usages(files, index.open, surveyor, definitions.usable_names)
    hidden = HiddenFiles(root)
    finders: list[Definitions | RecentEdits | OpenFiles | Similar] = [definitions]
    if activity is not None:
        finders += [RecentEdits(activity, hidden), OpenFiles(activity, surveyor, hidden)]
    finders.append(Similar(files, index.open, surveyor))
    built = [BackgroundSource(usages.name, usages.find, root, executor, find_typing=usages.kept)]
    built += [BackgroundSource(finder.name, finder.find, root, executor) for finder in finders]
    names = NamesAtCursor(definitions.names, root, executor, is_patient=is_patient)
    return Sources(built, names, executor, index, _Watched(root, activity) if activity is not None else None)


@dataclass(frozen=True, slots=True)
class _Watched:
    """What an editor does in a workspace."""

    root: Path
    activity: Activity

    def path_of(self, uri: str) -> str | None:
        """The path by which the sources know a text; None outside the workspace."""
        return relative_path(self.root, path_of_uri(uri))


class _Index:
    """The workspace's index: opened, and its upkeep begun, when first asked for. Asked by the sources' thread only."""

    def __init__(self, files: Workspace, path: Path | None, executor: ThreadPoolExecutor, *, keeps_up: bool) -> None:
        """`executor` is the sources' thread."""
        self._files = files
        self._follower = Follower(files, self._bring_up)
        self._path = path if keeps_up or (path is not None and path.exists()) else None
        self._executor = executor
        self._keeps_up = keeps_up
        self._store: IndexStore | None = None
        self._in_memory: IndexStore | None = None
        self._end_upkeep: Callable[[], None] = _nothing
        self._try_at_s = 0.0
        self._lock = threading.Lock()
        self._closed = False

    def open(self) -> IndexStore | None:
        """The index; None where there is none."""
        if time.monotonic() >= self._try_at_s:
            self._try_at_s = math.inf
            try:
                self._open()
            except BusyIndexError:
                self._try_at_s = time.monotonic() + _TRY_AGAIN_S
                _log.info("the index of %s is held by another process", self._files.root)
            except Exception:  # of SQLite or of the disk: completions go on without
                _log.exception("there is no index of %s", self._files.root)
        return self._store

    def _open(self) -> None:
        root = self._files.root
        if len(self._files.files) <= _MAX_FILES_IN_MEMORY:
            self._store = self._in_memory = IndexStore(None)
            refresh_now(self._files, self._in_memory)
            watcher = Watcher(root, self._take)
            # Counting the folders takes as long as the disk does.
            start = threading.Thread(target=watcher.start, name="fimble-index-start", daemon=True).start
            self._keep_up(start, watcher.stop)
        elif self._path is not None:
            self._store = IndexStore(self._path)
            upkeep = Upkeep(self._files, self._path)
            self._keep_up(upkeep.start, upkeep.close)

    def _keep_up(self, start: Callable[[], None], end: Callable[[], None]) -> None:
        with self._lock:
            if self._keeps_up and not self._closed:
                self._end_upkeep = end
                start()

    def _take(self, paths: frozenset[str] | None) -> None:
        """An index in memory belongs to the sources' thread."""
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self._executor.submit(self._follower.take, paths)

    def _bring_up(self, files: FileTable, changed: frozenset[str]) -> None:
        """Bring the index in memory to `files`."""
        store = self._in_memory
        if store is None:
            return
        if len(files) <= _MAX_FILES_IN_MEMORY:
            refresh_files(self._files.root, store, files, sorted(changed))
        else:  # the workspace has grown: from now on its index is on the disk
            self._end_upkeep()
            self._store = self._in_memory = None
            self._try_at_s = 0.0

    def implementations(self, base_name: str) -> list[tuple[str, str]]:
        """Path and name of types with this base."""
        store = self.open()
        return store.implementations_of(base_name) if store is not None else []

    def close(self) -> None:
        """End the upkeep."""
        with self._lock:
            self._closed = True
            end = self._end_upkeep
        end()


def _nothing() -> None:
    return
