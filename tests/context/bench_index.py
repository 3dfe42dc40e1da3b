"""What a workspace's index and its context cost, and how that grows with the workspace. A program, not a test.

    python tests/context/bench_index.py --repository FOLDER [--grow 100,1000,10000] [--json FILE] [--plot FILE]

Measures FOLDER as it is, then, with --grow, trees of so many source files, made of numbered copies of FOLDER's. Every
tree is measured in a process of its own. Prints one JSON object a tree:

    first_index     the indexing process, from nothing (its pauses included), and what it takes of the processor
    again           the same with nothing changed
    cold_ms         the first request in a file, the sources given all the time they want (p50)
    gather_ms       a request for a further key in a place, all sources together, as the engine asks (p50, p95, max)
    late_share      requests that a source answered with an earlier answer, for it had no time
    saved_ms        from hearing that one file was written until the index has it (median of five)
    scan_ms         looking for changes in the whole tree, as after a switch of branches
    server_mib      resident memory that workspace, sources and index add to a process that has imported them
    indexer_mib     the most that the indexing process had

`*_cpu` is processor time, which a busy machine changes little. `gather` asks at once, without a model or a server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from fimble.context.gather import gather
from fimble.context.index.files import rescan, scan
from fimble.context.index.ignore import IgnoreRules
from fimble.context.index.refresh import refresh_files
from fimble.context.index.store import IndexStore, index_path
from fimble.context.index.worker import start_worker
from fimble.context.index.workspace import code_language
from fimble.context.sources.activity import Activity
from fimble.context.sources.build import Sources, build_sources
from fimble.core.flow import Chunk, CompletionRequest, Document, RequestId, Trigger
from fimble.core.position import ByteOffset
from fimble.evaluation.plots import plot_lines
from fimble.evaluation.statistics import percentile
from fimble.syntax.languages import language_id_for_path

_N_TOKENS = 512
_N_PLACES = 60
_N_KEYS = 10
_PATIENT_MS = 60_000.0
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Cost:
    """One tree; the units are in the names."""

    n_files: int
    n_folders: int
    first_index_s: float
    first_index_cpu_s: float
    again_s: float
    again_cpu_s: float
    index_mib: float
    cold_ms: float
    cold_cpu_ms: float
    gather_p50_ms: float
    gather_p95_ms: float
    gather_max_ms: float
    gather_cpu_p95_ms: float
    late_share: float
    saved_ms: float
    saved_cpu_ms: float
    scan_ms: float
    server_mib: float
    indexer_mib: float


def measure(root: Path, seed: int) -> Cost:
    """Everything of one tree; its index is made in a folder that is removed."""
    with tempfile.TemporaryDirectory(prefix="fimble-bench-") as folder:
        cache = Path(folder)
        index = index_path(cache, root)
        first_s, first_cpu_s, indexer_mib = run_indexer(root, index)
        again_s, again_cpu_s, _ = run_indexer(root, index)
        resident = psutil.Process().memory_info().rss
        sources = build_sources(root, n_tokens=_N_TOKENS, cache=cache, activity=Activity())
        try:
            asked = asyncio.run(ask(root, sources, seed))
            server_mib = (psutil.Process().memory_info().rss - resident) / _MIB
        finally:
            sources.close()
        saved = save_some(root, index, seed)
        files = scan(root)
        return Cost(
            n_files=sum(code_language(path) is not None for path in files.stamps),
            n_folders=len({path.rpartition("/")[0] for path in files.stamps}),
            first_index_s=first_s,
            first_index_cpu_s=first_cpu_s,
            again_s=again_s,
            again_cpu_s=again_cpu_s,
            index_mib=sum(part.stat().st_size for part in index.parent.glob(f"{index.name}*")) / _MIB,
            server_mib=server_mib,
            indexer_mib=indexer_mib,
            **asked,
            **saved,
        )


def run_indexer(root: Path, index: Path) -> tuple[float, float, float]:
    """Run the indexing process to its end: seconds, its processor seconds, its largest resident MiB."""
    started = time.perf_counter()
    before = os.times()
    process = start_worker(root, index)
    watched, most = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            most = max(most, watched.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.02)
    process.wait()
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - started, cpu_s, most / _MIB


async def ask(root: Path, sources: Sources, seed: int) -> dict[str, float]:
    """Ask in many places, first cold, then key by key."""
    chance = random.Random(seed)
    paths = [path for path in scan(root).stamps if code_language(path)]
    chance.shuffle(paths)
    cold: list[tuple[float, float]] = []
    keys: list[tuple[float, float]] = []
    n_late = 0
    for path in paths:
        text = (root / path).read_text("utf-8", "replace")
        place = place_in(text, chance)
        if place is None:
            continue
        start, line = place
        for n_typed in range(1, _N_KEYS + 1):
            typed = text[:start] + line[:n_typed]
            document = Document(
                (root / path).as_uri(), language_id_for_path(path), n_typed, typed + text[start + len(line) :]
            )
            cursor = ByteOffset(len(typed.encode()))
            request = CompletionRequest(RequestId(path), document, cursor, Trigger.AUTOMATIC)
            began, began_cpu = time.perf_counter(), time.process_time()
            if n_typed == 1:
                await sources.settle(request)
            context = await gather(request, sources, **({"time_limit_ms": _PATIENT_MS} if n_typed == 1 else {}))
            spent = (1000 * (time.perf_counter() - began), 1000 * (time.process_time() - began_cpu))
            (cold if n_typed == 1 else keys).append(spent)
            if n_typed > 1:
                await sources.settle(request)  # typing is slower than that
                n_late += _typed(context.chunks) != _typed((await gather(request, sources)).chunks)
        if len(cold) == _N_PLACES:
            break
    waits = sorted(wait for wait, _ in keys)
    return {
        "cold_ms": statistics.median(wait for wait, _ in cold),
        "cold_cpu_ms": statistics.median(cpu for _, cpu in cold),
        "gather_p50_ms": statistics.median(waits),
        "gather_p95_ms": percentile(waits, 0.95) or 0.0,
        "gather_max_ms": waits[-1],
        "gather_cpu_p95_ms": percentile(sorted(cpu for _, cpu in keys), 0.95) or 0.0,
        "late_share": n_late / len(keys),
    }


def _typed(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Without uses: those are looked for by settling, and stay while one types."""
    return [chunk for chunk in chunks if chunk.source != "usages"]


def place_in(text: str, chance: random.Random) -> tuple[int, str] | None:
    """Where an indented line of some length begins behind its indentation, and the line."""
    places: list[tuple[int, str]] = []
    at = 0
    for line in text.split("\n"):
        body = line.lstrip()
        if len(line) - len(body) >= 4 and len(body) >= 2 * _N_KEYS:
            places.append((at + len(line) - len(body), body))
        at += len(line) + 1
    return chance.choice(places) if places else None


def save_some(root: Path, index: Path, seed: int) -> dict[str, float]:
    """Touch files, one after another, and take each up as the upkeep does."""
    chance = random.Random(seed)
    paths = chance.sample([path for path in scan(root).stamps if code_language(path)], 5)
    scans: list[float] = []
    spent: list[tuple[float, float]] = []
    files, rules = scan(root), IgnoreRules(root)
    for path in paths:
        began = time.perf_counter()
        scan(root)
        scans.append(1000 * (time.perf_counter() - began))
        os.utime(root / path)
        began, began_cpu = time.perf_counter(), time.process_time()
        files = rescan(root, files, rules, [path])
        store = IndexStore(index)
        try:
            refresh_files(root, store, files, [path])
        finally:
            store.close()
        spent.append((1000 * (time.perf_counter() - began), 1000 * (time.process_time() - began_cpu)))
    return {
        "saved_ms": statistics.median(wait for wait, _ in spent),
        "saved_cpu_ms": statistics.median(cpu for _, cpu in spent),
        "scan_ms": statistics.median(scans),
    }


def grown(repository: Path, n_files: int, into: Path) -> None:
    """A tree of `n_files` source files: numbered copies of the repository's, the last one cut short."""
    paths = [path for path in scan(repository).stamps if code_language(path)]
    for number in range(n_files):
        path = paths[number % len(paths)]
        place = into / f"part{number // len(paths)}" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(repository / path, place)


def trees(repository: Path, sizes: list[int], seed: int) -> Iterator[Cost]:
    """Each tree, measured in a process of its own."""

    def apart(root: Path) -> Cost:
        command = [sys.executable, __file__, "--repository", str(root), "--seed", str(seed), "--alone"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        fields: dict[str, Any] = json.loads(done.stdout)
        return Cost(**fields)

    yield apart(repository)
    for n_files in sizes:
        with tempfile.TemporaryDirectory(prefix="fimble-grown-") as folder:
            grown(repository, n_files, Path(folder) / "grown")
            yield apart(Path(folder) / "grown")


def main() -> None:
    """Read the arguments, measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--grow", default="", help="numbers of files, with commas")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        print(json.dumps(asdict(measure(arguments.repository.resolve(), arguments.seed))))
        return
    sizes = [int(size) for size in arguments.grow.split(",") if size]
    found: list[Cost] = []
    for cost in trees(arguments.repository.resolve(), sizes, arguments.seed):
        found.append(cost)
        print(json.dumps({name: round(value, 3) for name, value in asdict(cost).items()}), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(cost) for cost in found], indent=1) + "\n", encoding="utf-8")
    if arguments.plot:
        draw(found, arguments.plot)


def draw(found: list[Cost], path: Path) -> None:
    """What grows, over the number of source files."""
    ordered = sorted(found, key=lambda cost: cost.n_files)
    shown = {
        "first index, CPU s": "first_index_cpu_s",
        "gather p95, ms": "gather_p95_ms",
        "one file saved, ms": "saved_ms",
        "server's memory, MiB": "server_mib",
        "index on disk, MiB": "index_mib",
    }
    plot_lines(
        {label: [(cost.n_files, getattr(cost, field)) for cost in ordered] for label, field in shown.items()},
        "source files of the workspace",
        "",
        path,
    )


if __name__ == "__main__":
    main()
