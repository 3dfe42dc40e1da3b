"""Downloads of models that are under way: one per model, for all who wait for it; goes on when nobody does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from fimble.core.errors import DownloadError
from fimble.engine.settings import Settings
from fimble.lsp_server.client import Client
from fimble.lsp_server.ports import Download, ModelInstaller

_log = logging.getLogger(__name__)


class Downloads:
    """One client's. Each has its own progress bar. Loop thread only."""

    def __init__(
        self, client: Client, installer: ModelInstaller | None, on_progress: Callable[[str, int | None], None]
    ) -> None:
        """`on_progress` hears of each model's percents, and of None while they are unknown."""
        self._client = client
        self._installer = installer
        self._on_progress = on_progress
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._percents: dict[str, int] = {}

    def is_running(self, model_id: str) -> bool:
        """Whether the model's weights are on their way."""
        return model_id in self._tasks

    async def fetch(self, settings: Settings) -> None:
        """Fetch the configured model; joins its download where one is under way.

        Raises:
            FimbleError: it could not be fetched, or the user cancelled.
        """
        model_id = settings.config.model.id
        if self._installer is None:
            raise DownloadError("This server cannot download models.", mend=f"Run `fimble models pull {model_id}`.")
        task = self._tasks.get(model_id)
        if task is None:
            task = self._tasks[model_id] = asyncio.ensure_future(self._run(self._installer, settings))
            task.add_done_callback(partial(self._end, model_id))
        self._on_progress(model_id, self._percents.get(model_id))
        try:
            # Two may wait for one download; only the user's own cancelling ends it for both.
            await asyncio.shield(task)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling() > 0:
                raise
            raise DownloadError(
                "The download was cancelled.", mend="What was fetched is kept; download again to go on."
            ) from None

    async def aclose(self) -> None:
        """Leave off; what was fetched is kept."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, installer: ModelInstaller, settings: Settings) -> None:
        model_id = settings.config.model.id
        task = asyncio.current_task()

        def cancel() -> None:
            if task is not None:
                task.cancel()

        bar = await self._client.progress("fimble", f"Downloading {model_id}", cancel)

        def on_progress(download: Download) -> None:
            percent = None if download.percent is None else int(download.percent)
            is_late = model_id not in self._tasks
            if is_late or percent is None or percent == self._percents.get(model_id):
                return
            self._percents[model_id] = percent
            self._on_progress(model_id, percent)
            bar.report(f"{download.n_bytes / 1e6:.0f} of {download.n_total_bytes / 1e6:.0f} MB", percent)

        outcome = "not downloaded"
        try:
            await installer.install(settings, on_progress)
            outcome = "downloaded"
        finally:
            bar.end(outcome)

    def _end(self, model_id: str, task: asyncio.Task[None]) -> None:
        """Whether or not anybody waits for it still."""
        del self._tasks[model_id]
        self._percents.pop(model_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("the download of %s failed: %s", model_id, error)
