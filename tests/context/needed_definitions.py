"""Measures how often context holds the definition that the next name needs. A program, not a test.

    python tests/context/needed_definitions.py --data DATA --repositories FOLDER [--tokens 1024] [--misses FILE]

xfile: the cursor stands before an identifier that another file defines. The sets do not hold those files, so their
repositories (or packages of them: `get_repositories.py`) must lie in FOLDER as OWNER__NAME; a record counts only where
the file that defines the name is there and does define it. `held`: the name stands in what is shown, as a word;
`defined`: what is shown of a file that defines it has the name. With --misses, what was not held is written there.
commitfim: the names of the middle that only an imported file defines; the set holds these files itself. Tokens are
bytes / 3.5. The baseline is the BM25 chunks that xfile comes with, and such chunks of the same files within the same
budget for commitfim.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import math
import re
import statistics
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fimble.context.gather import gather
from fimble.context.index.workspace import Workspace, code_language
from fimble.context.sources.build import Sources, build_sources
from fimble.core.flow import Chunk, CompletionRequest, Document, RequestId, Trigger
from fimble.core.position import ByteOffset
from fimble.syntax.languages import language_id_for_path
from fimble.syntax.outline.read import outline_of

_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_BYTES_PER_TOKEN = 3.5
_HEAD_TOKENS = 4
_WINDOW_LINES = 10


@dataclass(frozen=True, slots=True)
class Hole:
    """A cursor and the name that it needs. `baseline` is what BM25 shows there, `definers` the files that define it."""

    language: str
    path: str
    before: str
    after: str
    name: str
    baseline: tuple[str, ...]
    definers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What context did at one hole."""

    hole: Hole
    is_held: bool
    is_defined: bool
    is_in_baseline: bool
    n_tokens: float


async def measure(hole: Hole, root: Path, sources: Sources, n_tokens: int) -> Found:
    """Ask the sources of the workspace `root` at a hole."""
    document = Document((root / hole.path).as_uri(), language_id_for_path(hole.path), 1, hole.before + hole.after)
    cursor = ByteOffset(len(hole.before.encode("utf-8", "surrogatepass")))
    request = CompletionRequest(RequestId(hole.name), document, cursor, Trigger.INVOKED)
    await sources.settle(request)
    context = await gather(request, sources, time_limit_ms=10_000)
    shown, used = cut(context.chunks, n_tokens)
    of_definers = [text for path, text in shown if path in hole.definers]
    return Found(
        hole,
        holds([text for _, text in shown], hole.name),
        holds(of_definers, hole.name),
        holds(hole.baseline, hole.name),
        used,
    )


def cut(chunks: tuple[Chunk, ...], n_tokens: int) -> tuple[list[tuple[str, str]], float]:
    """Chunks as prompt assembly takes them, with their paths: best first, the last one by whole lines; their tokens."""
    texts: list[tuple[str, str]] = []
    used = 0.0
    for chunk in chunks:
        head = _HEAD_TOKENS + len(chunk.path.encode()) / _BYTES_PER_TOKEN
        lines = chunk.text.splitlines(keepends=True)
        while lines and used + head + len("".join(lines).encode()) / _BYTES_PER_TOKEN > n_tokens:
            lines.pop()
        if lines:
            texts.append((chunk.path, "".join(lines)))
            used += head + len("".join(lines).encode()) / _BYTES_PER_TOKEN
    return texts, used


def holds(texts: list[str] | tuple[str, ...], name: str) -> bool:
    """Whether the name stands in one of the texts, as a word."""
    pattern = re.compile(rf"(?<![\w$]){re.escape(name)}(?![\w$])")
    return any(pattern.search(text) for text in texts)


async def xfile(data: Path, repositories: Path, n_tokens: int) -> list[Found]:
    """The clean part, where the definition's file is to be had."""
    found: list[Found] = []
    left_out: Counter[str] = Counter()
    opened: dict[Path, tuple[Workspace, Sources]] = {}
    for record in read(data / "xfile.jsonl.gz"):
        meta = record["meta"]
        if meta["definer_imported"] is not True:
            continue
        root = repositories / str(meta["repo"]).replace("/", "__")
        if root not in opened:
            opened[root] = (Workspace(root), build_sources(root, n_tokens=n_tokens))
        workspace, sources = opened[root]
        name = str(meta["identifier"])
        definers = tuple(path for path in meta["defined_in"] if defines(workspace, path, name))
        if not definers:
            left_out[str(meta["repo"])] += 1
            continue
        baseline = tuple(piece["text"] for piece in record["cross_file"] or ())
        hole = Hole(record["language"], record["path"], record["prefix"], record["suffix"], name, baseline, definers)
        found.append(await measure(hole, root, sources, n_tokens))
    for _, sources in opened.values():
        sources.close()
    print(f"xfile: left out, for the defining file is not there: {dict(left_out)}")
    return found


def defines(workspace: Workspace, path: str, name: str) -> bool:
    """Whether a file of the workspace defines a name."""
    outline = workspace.outline(path)
    return outline is not None and any(definition.name == name for definition in outline.walk())


async def commitfim(data: Path, n_tokens: int) -> list[Found]:
    """Every name of a middle that only an imported file defines, at most three a record."""
    found: list[Found] = []
    for record in read(data / "commitfim.jsonl.gz"):
        files = {
            piece["path"]: piece["text"] for piece in record["cross_file"] or () if piece["path"] != record["path"]
        }
        holes = list(needed(record, files, n_tokens))
        if not holes:
            continue
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for path, text in {**files, record["path"]: record["prefix"] + record["suffix"]}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding="utf-8")
            for hole in holes[:3]:
                sources = build_sources(root, n_tokens=n_tokens)
                found.append(await measure(hole, root, sources, n_tokens))
                sources.close()
    return found


def needed(record: dict[str, Any], files: dict[str, str], n_tokens: int) -> Iterator[Hole]:
    """Holes before each name of the middle that stands nowhere else in the file and is defined in another one."""
    defined: dict[str, list[str]] = defaultdict(list)
    for path, text in files.items():
        if language := code_language(path):
            for definition in outline_of(language, text).walk():
                defined[definition.name].append(path)
    known = set(_NAME.findall(record["prefix"] + record["suffix"]))
    middle = record["middle"]
    for match in _NAME.finditer(middle):
        name = match[0]
        line = middle[: match.start()].rpartition("\n")[2]
        is_code = not re.search(r"//|#|/\*|^\s*\*", line) and all(line.count(quote) % 2 == 0 for quote in "\"'`")
        if len(name) < 3 or name in known or name not in defined or not is_code:
            continue
        known.add(name)
        before = record["prefix"] + middle[: match.start()]
        baseline = bm25(files, "\n".join(before.split("\n")[-_WINDOW_LINES:]), n_tokens)
        yield Hole(record["language"], record["path"], before, record["suffix"], name, baseline, tuple(defined[name]))


def bm25(files: dict[str, str], query: str, n_tokens: int) -> tuple[str, ...]:
    """The best ten-line chunks of the files that fit."""
    windows: list[tuple[str, str]] = []
    for path, text in files.items():
        lines = text.split("\n")
        starts = range(0, len(lines), _WINDOW_LINES)
        windows += ((path, "\n".join(lines[start : start + _WINDOW_LINES])) for start in starts)
    counts = [Counter(_NAME.findall(text)) for _, text in windows]
    in_windows = Counter(word for count in counts for word in count)
    mean = statistics.mean(sum(count.values()) for count in counts) or 1.0

    def score(count: Counter[str]) -> float:
        norm = 1.2 * (0.25 + 0.75 * sum(count.values()) / mean)
        return sum(
            math.log(1 + (len(windows) - in_windows[word] + 0.5) / (in_windows[word] + 0.5))
            * count[word] * 2.2 / (count[word] + norm)
            for word in set(_NAME.findall(query)) if word in count
        )  # fmt: skip

    shown: list[str] = []
    used = 0.0
    for index in sorted(range(len(windows)), key=lambda index: -score(counts[index])):
        path, text = windows[index]
        used += _HEAD_TOKENS + len((path + text).encode()) / _BYTES_PER_TOKEN
        if used > n_tokens:
            break
        shown.append(text)
    return tuple(shown)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Records of a set."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def show(title: str, found: list[Found]) -> None:
    """A line a language."""
    groups: dict[str, list[Found]] = defaultdict(list)
    for item in found:
        groups[item.hole.language].append(item)
    for language, items in [*sorted(groups.items()), ("all", found)]:
        if items:
            held = statistics.mean(item.is_held for item in items)
            defined = statistics.mean(item.is_defined for item in items)
            base = statistics.mean(item.is_in_baseline for item in items)
            tokens = statistics.mean(item.n_tokens for item in items)
            print(
                f"{title} {language:11} n={len(items):4} held={held:.3f} defined={defined:.3f} bm25={base:.3f}"
                f" tokens={tokens:.0f}"
            )


def write_misses(path: Path, found: list[Found]) -> None:
    """The lines before each hole whose name was not held."""
    with path.open("w", encoding="utf-8") as out:
        for item in found:
            hole = item.hole
            if not item.is_held:
                lines = "\n".join(hole.before.split("\n")[-_WINDOW_LINES:])
                out.write(f"=== {hole.path} needs {hole.name} of {', '.join(hole.definers)}\n{lines}\n")


async def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--repositories", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--misses", type=Path)
    arguments = parser.parse_args()
    of_xfile = await xfile(arguments.data, arguments.repositories, arguments.tokens)
    show("xfile", of_xfile)
    of_commitfim = await commitfim(arguments.data, arguments.tokens)
    show("commitfim", of_commitfim)
    if arguments.misses:
        write_misses(arguments.misses, [*of_xfile, *of_commitfim])


if __name__ == "__main__":
    asyncio.run(main())
