"""CompletionRequest -> Context: the text split at the cursor, and chunks from every source that answers in time."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from fimble.context.rank import fuse
from fimble.core.flow import Chunk, CompletionRequest, Context
from fimble.core.ports import ContextSource
from fimble.core.position import split_at

_log = logging.getLogger(__name__)

TIME_LIMIT_MS = 25.0


async def gather(
    request: CompletionRequest, sources: Sequence[ContextSource] = (), *, time_limit_ms: float | None = TIME_LIMIT_MS
) -> Context:
    """What the model might see for `request`, line ends as they are in the file.

    Sources run together, each for at most `time_limit_ms`, if it is given; one that fails or is late is logged and left
    out. A source that computes instead of awaiting must do so in a thread, or it holds up everyone.
    """
    document = request.document
    prefix, suffix = split_at(document.text, request.cursor)
    found = await asyncio.gather(*(_collect(source, request, time_limit_ms) for source in sources))
    return Context(
        language_id=document.language_id,
        path=path_of_uri(document.uri),
        prefix=prefix,
        suffix=suffix,
        chunks=fuse(found, prefix, suffix),
    )


def path_of_uri(uri: str) -> str:
    """A path for people and models: the file's for `file:`, else what the URI names (`untitled:Untitled-1`).

    Always with slashes; `file:///c%3A/x` is `c:/x` and `file://server/share` is `//server/share`.
    """
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", uri):  # a drive letter is no scheme
        return uri.replace("\\", "/")
    try:
        parts = urlsplit(uri)
    except ValueError:  # such as file://[
        return uri
    path = unquote(parts.path)
    if parts.scheme != "file":
        return path or unquote(parts.netloc)
    if re.match(r"/[A-Za-z]:", path):
        return path[1:]
    return f"//{parts.netloc}{path}" if parts.netloc not in ("", "localhost") else path


async def _collect(source: ContextSource, request: CompletionRequest, time_limit_ms: float | None) -> Sequence[Chunk]:
    try:
        async with asyncio.timeout(None if time_limit_ms is None else time_limit_ms / 1000.0):
            return await source.collect(request)
    except TimeoutError:
        _log.info("context source %s was not ready within %s ms", source.name, time_limit_ms)
    except Exception:
        _log.exception("context source %s failed", source.name)
    return ()
