"""Opens files in the real server, its model warm, and says when the first suggestion is there: run by hand, no test.

    python tests/lsp_server/bench_first_ghost.py [--files 20] [--rest-ms 0] [--model ID] FOLDER

Each file of FOLDER is opened, as an editor does it, with the cursor behind the first half of a line in its middle; the
request goes out at once, or after the cursor has rested there (--rest-ms). Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from pathlib import Path
from typing import Any

from bench_typing import percentile, start

_SUFFIXES = {".py": "python", ".ts": "typescript", ".js": "javascript", ".go": "go", ".rs": "rust", ".java": "java"}
_MIN_LINES = 20


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """One measurement."""
    files = [path for path in sorted(arguments.folder.rglob("*")) if path.suffix in _SUFFIXES and path.is_file()]
    random.Random(arguments.seed).shuffle(files)
    process, wire = await start(arguments.model, arguments.folder.absolute().as_uri())
    waits: list[float] = []
    n_lines: list[int] = []
    n_with_items = 0
    for path in files:
        text = path.read_text("utf-8", errors="replace")
        place = _place(text)
        if place is None:
            continue
        uri = path.absolute().as_uri()
        kept = _without_rest_of_line(text, place)
        document = {"uri": uri, "languageId": _SUFFIXES[path.suffix], "version": 1, "text": kept}
        at = {"textDocument": {"uri": uri}, "position": {"line": place[0], "character": place[1]}}
        began = time.perf_counter()
        wire.notify("textDocument/didOpen", {"textDocument": document})
        wire.notify("fimble/didMoveCursor", at)
        await asyncio.sleep(arguments.rest_ms / 1000.0)
        message = await wire.request("textDocument/inlineCompletion", {**at, "context": {"triggerKind": 2}})[1]
        waits.append((time.perf_counter() - began) * 1000.0)
        n_lines.append(text.count("\n"))
        n_with_items += bool(message.get("result") and message["result"]["items"])
        wire.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        if len(waits) == arguments.files:
            break
    process.terminate()
    await process.wait()
    waits.sort()
    return {
        "files": len(waits),
        "lines_median": sorted(n_lines)[len(n_lines) // 2],
        "with_items": n_with_items,
        "open_to_answer_ms": {
            "p50": percentile(waits, 0.5),
            "p90": percentile(waits, 0.9),
            "max": round(waits[-1], 2),
        },
    }


def _place(text: str) -> tuple[int, int] | None:
    """Half into a line of code near the middle of the file, in UTF-16 units; None in short files."""
    lines = text.split("\n")
    for row in range(len(lines) // 2, len(lines) if len(lines) >= _MIN_LINES else 0):
        line = lines[row]
        body = line.lstrip()
        if len(body) > 8 and line.isascii():
            return row, len(line) - len(body) + len(body) // 2
    return None


def _without_rest_of_line(text: str, place: tuple[int, int]) -> str:
    lines = text.split("\n")
    lines[place[0]] = lines[place[0]][: place[1]]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="whose files are opened")
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rest-ms", type=float, default=0.0, help="how long the cursor rests before the request")
    parser.add_argument("--model", help="model id or path; the configured one if left out")
    print(json.dumps(asyncio.run(run(parser.parse_args())), indent=2))


if __name__ == "__main__":
    main()
