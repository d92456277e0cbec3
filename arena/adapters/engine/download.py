"""A file from a URL into a folder, resumed where an earlier attempt stopped.

The caller verifies what came. It knows HTTP only, no models and no caches.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from arena.adapters.engine.faults import NoNetwork, NotPublished

if TYPE_CHECKING:
    import httpx

Progress = Callable[[int, int], None]
"""`(done, total)` in bytes; total is 0 while unknown."""

_STALL_S = 60.0


async def fetch_url(url: str, work: Path, progress: Progress) -> Path:
    """Download `url` into `work`, after what is there of it already. NoNetwork, NotPublished, or
    OSError when it cannot be stored."""
    import httpx  # here, because the engine's own processes import this module for nothing

    part = work / "download.part"
    host = urlsplit(url).hostname or url
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    timeout = httpx.Timeout(_STALL_S, connect=15.0)
    try:
        connected = httpx.AsyncClient(follow_redirects=True, timeout=timeout)
    except (OSError, ValueError) as error:
        # What SSL_CERT_FILE or a proxy's variable names is read here.
        reason = f"the certificates or the proxy of the environment cannot be used ({error})"
        raise NoNetwork(host, reason) from error
    try:
        async with connected as client, client.stream("GET", url, headers=headers) as response:
            if response.status_code == 416:
                # Nothing is missing, or too much is there: the caller's hash will tell.
                return part
            if response.status_code in (404, 410):
                raise NotPublished(host, f"file {url}")
            response.raise_for_status()
            await _store(response, part, have, progress)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoNetwork(host, str(error) or type(error).__name__) from error
    return part


async def _store(response: httpx.Response, part: Path, have: int, progress: Progress) -> None:
    resumed = response.status_code == 206
    done = have if resumed else 0
    total = done + int(response.headers.get("content-length") or -done)
    with part.open("ab" if resumed else "wb") as file:
        progress(done, total)
        # In pieces as they come: gathered ones would be lost when the connection breaks.
        async for chunk in response.aiter_raw():
            file.write(chunk)
            done += len(chunk)
            progress(done, total)
