"""Types into the real server, 12 keys a second, and says how late its loop is: run by hand, no test.

    python tests/lsp_server/bench_typing.py [--seconds 30] [--keys-per-s 12] [--model ID] [--source FILE]
                                          [--lines-below 0]

Every key is a didChange and, as an editor does it, a request that the next key cancels. Beside that a cheap request
goes to the server every 20 ms; how long it takes is the loop's lag and both ways' transport, so an upper bound. Prints
one JSON object: lost_keys (characters in which server and client differ at the end), lag_ms (p50, p99, max), answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SERVER = [sys.executable, "-P", "-m", "fimble.cli.serve", "--stdio", "--log-level", "error"]
URI = "file:///bench/typed.py"


class Wire:
    """JSON-RPC over a process's pipes, with as little of its own as can be."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._n_sent = 0
        self.states: list[str] = []
        self._reader = asyncio.ensure_future(self._read())

    def notify(self, method: str, params: Any) -> None:
        self._write({"jsonrpc": "2.0", "method": method, "params": params})

    def request(self, method: str, params: Any) -> tuple[int, asyncio.Future[Any]]:
        self._n_sent += 1
        future = asyncio.get_running_loop().create_future()
        self._waiting[self._n_sent] = future
        self._write({"jsonrpc": "2.0", "id": self._n_sent, "method": method, "params": params})
        return self._n_sent, future

    def _write(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        self._in.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async def _read(self) -> None:
        while header := await self._out.readline():
            length = 0
            while header.strip():
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
                header = await self._out.readline()
            message = json.loads(await self._out.readexactly(length))
            if message.get("method") == "fimble/status":
                self.states.append(message["params"]["state"])
            elif "method" in message and "id" in message:
                self._write({"jsonrpc": "2.0", "id": message["id"], "result": None})
            elif message.get("id") in self._waiting:
                future = self._waiting.pop(message["id"])
                if not future.cancelled():
                    future.set_result(message)


async def start(model: str | None = None, root_uri: str | None = None) -> tuple[asyncio.subprocess.Process, Wire]:
    """A server with its model loaded."""
    process = await asyncio.create_subprocess_exec(
        *SERVER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    wire = Wire(process)
    options = {"settings": {"model": {"id": model}} if model else {}}
    capabilities = {"general": {"positionEncodings": ["utf-16"]}}
    await wire.request(
        "initialize",
        {"processId": None, "rootUri": root_uri, "capabilities": capabilities, "initializationOptions": options},
    )[1]
    wire.notify("initialized", {})
    while "ready" not in wire.states:
        if "error" in wire.states:
            raise SystemExit("the model cannot be loaded; see `fimble doctor`")
        await asyncio.sleep(0.05)
    return process, wire


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """One measurement."""
    process, wire = await start(arguments.model)
    below = "".join(f"\ndef f{i}(x):\n    return x * {i}\n" for i in range(arguments.lines_below // 3))
    wire.notify("textDocument/didOpen", {"textDocument": _document(below)})
    lags: list[float] = []
    pinging = asyncio.ensure_future(_ping(wire, lags))
    typed, answers = await _type(wire, arguments)
    pinging.cancel()
    _, answer = wire.request("fimble/viewText", {"textDocument": {"uri": URI}})
    seen = (await answer)["result"]["text"]
    typed += below
    process.terminate()
    await process.wait()
    lags.sort()
    return {
        "keys": len(typed) - len(below),
        "keys_per_s": arguments.keys_per_s,
        "lost_keys": abs(len(typed) - len(seen)) + sum(a != b for a, b in zip(typed, seen, strict=False)),
        "requests": len(answers),
        "answered": sum("result" in message for message in answers),
        "with_items": sum(bool(message.get("result") and message["result"]["items"]) for message in answers),
        "cancelled": sum("error" in message for message in answers),
        "lag_ms": {
            "n": len(lags),
            "p50": percentile(lags, 0.5),
            "p99": percentile(lags, 0.99),
            "max": round(lags[-1], 2),
        },
    }


async def _type(wire: Wire, arguments: argparse.Namespace) -> tuple[str, list[Any]]:
    source = arguments.source.read_text("utf-8")
    typed, line, column = "", 0, 0
    futures: list[asyncio.Future[Any]] = []
    last_id = 0
    begin = time.perf_counter()
    for i in range(int(arguments.seconds * arguments.keys_per_s)):
        char = source[i % len(source)]
        at = {"line": line, "character": column}
        change = {"range": {"start": at, "end": at}, "text": char}
        wire.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": URI, "version": i + 2}, "contentChanges": [change]},
        )
        typed += char
        line, column = (line + 1, 0) if char == "\n" else (line, column + len(char.encode("utf-16-le")) // 2)
        if futures and not futures[-1].done():
            wire.notify("$/cancelRequest", {"id": last_id})
        last_id, future = wire.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": URI},
                "position": {"line": line, "character": column},
                "context": {"triggerKind": 2},
            },
        )
        futures.append(future)
        await asyncio.sleep(max(0.0, begin + (i + 1) / arguments.keys_per_s - time.perf_counter()))
    return typed, list(await asyncio.gather(*futures))


async def _ping(wire: Wire, lags: list[float]) -> None:
    while True:
        sent = time.perf_counter()
        await wire.request("workspace/executeCommand", {"command": "fimble.status", "arguments": []})[1]
        lags.append((time.perf_counter() - sent) * 1000)
        await asyncio.sleep(0.02)


def _document(text: str) -> dict[str, Any]:
    return {"uri": URI, "languageId": "python", "version": 1, "text": text}


def percentile(values: Sequence[float], q: float) -> float:
    return round(values[min(len(values) - 1, int(q * len(values)))], 2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--keys-per-s", type=float, default=12.0)
    parser.add_argument("--model", help="model id or path; the configured one if left out")
    parser.add_argument("--lines-below", type=int, default=0, help="lines of the file behind the cursor")
    parser.add_argument("--source", type=Path, default=Path(__file__), help="what is typed")
    print(json.dumps(asyncio.run(run(parser.parse_args())), indent=2))


if __name__ == "__main__":
    main()
