"""The model process: serves every client of one user over a socket only that user can open, and ends when idle.

Run as `python -P -m fimble.backend.host.worker`; the supervisor (client.py) does so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from fimble.backend.host import protocol
from fimble.backend.host.inference import Inference, Job, StatePlace
from fimble.backend.llama import kvdisk
from fimble.core.flow import Token
from fimble.core.priority import give_way

_log = logging.getLogger("fimble.host")
_MIB = 1024 * 1024
_HOUSEKEEPING_S = 1.0
_FIRST_CLIENT_S = 30.0


class Worker:
    """Accepts clients and turns their frames into jobs."""

    def __init__(
        self, socket: Path, *, linger_s: float, idle_unload_s: float, states: StatePlace | None = None
    ) -> None:
        """Prepare; `serve` does the work."""
        self._socket = socket
        self._linger_s = linger_s
        self._idle_unload_s = idle_unload_s
        self._inference = Inference(states)
        self._n_clients = 0
        self._lonely_since = time.monotonic()
        self._had_a_client = False
        self._last_request = time.monotonic()

    async def serve(self) -> None:
        """Serve until nobody has been here for `linger_s`, or a signal says stop."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        old_mask = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._client, path=self._socket)
        finally:
            os.umask(old_mask)
        inode = self._socket.stat().st_ino
        try:
            while not stop.is_set() and not self._is_forsaken():
                self._maybe_unload()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _HOUSEKEEPING_S)
        finally:
            # The name goes first: a client that comes now starts a new host instead of talking to a dying one.
            # By now it may be another host's, that was started where this one did not answer.
            with contextlib.suppress(OSError):
                if self._socket.stat().st_ino == inode:
                    self._socket.unlink()
            server.close()
            self._inference.close()

    def _is_forsaken(self) -> bool:
        # Whoever started it is on the way: before its first client it waits that long whatever `linger_s` says.
        patience_s = self._linger_s if self._had_a_client else max(self._linger_s, _FIRST_CLIENT_S)
        return self._n_clients == 0 and time.monotonic() - self._lonely_since > patience_s

    def _maybe_unload(self) -> None:
        if self._inference.is_loaded and time.monotonic() - self._last_request > self._idle_unload_s:
            self._inference.unload()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._n_clients += 1
        self._had_a_client = True
        jobs: dict[int, Job] = {}
        try:
            while frame := await protocol.read_frame(reader):
                self._last_request = time.monotonic()
                self._take(frame, jobs, writer)
        except Exception:
            _log.exception("a client's frame could not be read; closing its connection")
        finally:
            for job in jobs.values():
                self._inference.cancel(job)
            self._n_clients -= 1
            self._lonely_since = time.monotonic()
            writer.close()

    def _take(self, frame: protocol.Frame, jobs: dict[int, Job], writer: asyncio.StreamWriter) -> None:
        request_id: int = frame["id"]
        operation: str = frame["op"]
        if operation == "cancel":
            if job := jobs.get(frame["target"]):
                self._inference.cancel(job)
            return
        loop = asyncio.get_running_loop()

        def send(body: protocol.Frame) -> None:
            if not writer.is_closing():
                writer.write(protocol.encode_frame({"id": request_id, **body}))

        def finish(body: protocol.Frame) -> None:
            jobs.pop(request_id, None)
            send(body)

        def on_token(token: Token) -> None:
            loop.call_soon_threadsafe(send, {"token": protocol.token_to_wire(token)})

        def on_done(result: dict[str, Any]) -> None:
            loop.call_soon_threadsafe(finish, {"result": result})

        def on_error(error: Exception) -> None:
            loop.call_soon_threadsafe(finish, {"error": protocol.error_to_wire(error)})

        job = Job(
            spec=protocol.spec_from_wire(frame["model"]),
            on_done=on_done,
            on_error=on_error,
            on_token=on_token if operation == "generate" else None,
            prompt=protocol.prompt_from_wire(frame["prompt"]) if "prompt" in frame else None,
            is_warm_up=operation == "warm",
            texts=tuple(frame["texts"]) if operation == "tokenize" else None,
            markers=tuple(frame["markers"]) if operation == "markers" else None,
            candidates=tuple(map(tuple, frame["prompts"])) if operation == "cached" else None,
        )
        jobs[request_id] = job
        self._inference.submit(job)


def main(argv: list[str] | None = None) -> None:
    """Entry point of the model process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--options", required=True, help="JSON, as launch.py writes it")
    arguments = parser.parse_args(argv)
    options: dict[str, Any] = json.loads(arguments.options)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    give_way(options["niceness"])
    if options["memory_limit_mb"]:
        limit_bytes = int(options["memory_limit_mb"]) * _MIB
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    states = StatePlace(Path(options["kv_folder"]), int(options["kv_disk_mb"]) * _MIB)
    worker = Worker(
        arguments.socket,
        linger_s=options["linger_s"],
        idle_unload_s=options["idle_unload_s"],
        states=states if kvdisk.prepare(states.folder, states.max_bytes) else None,
    )
    asyncio.run(worker.serve())


if __name__ == "__main__":
    main()
