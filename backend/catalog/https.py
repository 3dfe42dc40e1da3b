"""Fetching one file over HTTPS into a Partial, going on where an earlier attempt stopped.

Proxies and certificates come from the environment (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE), as httpx reads them.
Knows nothing of checksums: what is fetched is compared by download.py.
"""

from __future__ import annotations

import re
import time

import httpx

from fimble.backend.catalog.catalog import CatalogEntry, HttpsSource, is_fetchable
from fimble.backend.catalog.partial import Partial, require_room
from fimble.backend.catalog.verify import OnBytes
from fimble.core.errors import DownloadError

# A server that sends nothing for so long has stalled.
_READ_TIMEOUT_S = 30.0
# Attempts in a row that may end without a single new byte.
_MAX_FRUITLESS_ATTEMPTS = 3
_RETRY_PAUSE_S = 1.0
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_OK, _PARTIAL_CONTENT, _RANGE_NOT_SATISFIABLE = 200, 206, 416
_REASONS = {
    401: "it asks for a login",
    403: "it refuses access",
    404: "it has no such file",
    407: "the proxy asks for a login",
    429: "it answers too many requests; try again later",
}


def fetch_https(
    source: HttpsSource, partial: Partial, entry: CatalogEntry, *, connect_timeout_s: float, on_bytes: OnBytes
) -> None:
    """Bring `partial.data` to the whole file. A cut connection is taken up again while bytes keep coming.

    Raises:
        DownloadError: with the reason alone, for a list of reasons.
        DiskFullError: no room.
        OSError: the disk.
    """
    with _client(connect_timeout_s) as client:
        fruitless = 0
        while True:
            before = partial.size_bytes()
            try:
                if _attempt(client, source, partial, entry, on_bytes):
                    return
                problem = "the connection ended too early"
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol) as error:
                if partial.size_bytes() == before and fruitless == 0:
                    raise DownloadError(f"no connection: {_text(error)}") from error
                problem = f"no connection: {_text(error)}"
            except httpx.TransportError as error:
                problem = f"the connection broke: {_text(error)}"
            except (httpx.InvalidURL, httpx.TooManyRedirects) as error:
                raise DownloadError(_text(error)) from error
            fruitless = 0 if partial.size_bytes() > before else fruitless + 1
            if fruitless >= _MAX_FRUITLESS_ATTEMPTS:
                raise DownloadError(f"{problem} (after {partial.size_bytes():,} bytes, which are kept)")
            time.sleep(_RETRY_PAUSE_S)


def _client(connect_timeout_s: float) -> httpx.Client:
    try:
        return httpx.Client(
            timeout=httpx.Timeout(_READ_TIMEOUT_S, connect=connect_timeout_s),
            follow_redirects=True,
            event_hooks={"request": [_refuse_plain_http]},
        )
    except (ValueError, ImportError, OSError) as error:
        raise DownloadError(f"the environment's proxy or certificate settings are wrong: {_text(error)}") from error


def _attempt(
    client: httpx.Client, source: HttpsSource, partial: Partial, entry: CatalogEntry, on_bytes: OnBytes
) -> bool:
    """One request. True when the file is whole as far as sizes tell."""
    expected_bytes = entry.size_bytes
    if expected_bytes is not None and partial.size_bytes() > expected_bytes:
        partial.clear()
    if expected_bytes is not None and partial.size_bytes() == expected_bytes:
        return True
    with client.stream("GET", source.url, headers=_resume_headers(partial, entry)) as response:
        if response.status_code == _RANGE_NOT_SATISFIABLE:
            partial.clear()
            return False
        if response.status_code not in (_OK, _PARTIAL_CONTENT):
            reason = _REASONS.get(response.status_code, "")
            raise DownloadError(f"HTTP {response.status_code}{': ' if reason else ''}{reason}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadError("it sends the file in another encoding")
        start, total_bytes = _extent(response)
        if start not in (0, partial.size_bytes()):
            raise DownloadError("it sends another part of the file than was asked for")
        if None not in (expected_bytes, total_bytes) and total_bytes != expected_bytes:
            raise DownloadError(f"its file has {total_bytes:,} bytes instead of {expected_bytes:,}: another file")
        total_bytes = total_bytes if expected_bytes is None else expected_bytes
        partial.truncate(start)
        require_room(partial.folder, (total_bytes or start) - start)
        partial.write_state({"etag": response.headers.get("ETag", "")})
        return _receive(response, partial, start, total_bytes, on_bytes)


def _receive(
    response: httpx.Response, partial: Partial, start: int, total_bytes: int | None, on_bytes: OnBytes
) -> bool:
    done_bytes = start
    with partial.data.open("ab") as file:
        for chunk in response.iter_raw():  # as they arrive: gathered chunks would be lost when the connection breaks
            file.write(chunk)
            done_bytes += len(chunk)
            if total_bytes is not None and done_bytes > total_bytes:
                raise DownloadError(f"it sends more than {total_bytes:,} bytes: another file")
            on_bytes(done_bytes, total_bytes)
    return total_bytes is None or done_bytes == total_bytes


def _resume_headers(partial: Partial, entry: CatalogEntry) -> dict[str, str]:
    """Ask for the rest only where the whole can be trusted to be one file."""
    headers = {"Accept-Encoding": "identity"}
    if not partial.size_bytes():
        return headers
    etag = partial.read_state().get("etag")
    # RFC 9110, 13.1.5: a weak tag cannot be used with If-Range.
    if isinstance(etag, str) and etag and not etag.startswith("W/"):
        headers["If-Range"] = etag
    elif not entry.verified:
        partial.clear()  # no tag and no checksum: nothing would notice two files mixed
        return headers
    headers["Range"] = f"bytes={partial.size_bytes()}-"
    return headers


def _extent(response: httpx.Response) -> tuple[int, int | None]:
    """Where the body begins in the file, and the file's size in bytes."""
    if response.status_code == _OK:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None:
        raise DownloadError("it sends a part of the file without saying which")
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _refuse_plain_http(request: httpx.Request) -> None:
    if not is_fetchable(str(request.url)):
        raise DownloadError(f"it leads to {request.url.scheme}://{request.url.host}, which is not https")


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
