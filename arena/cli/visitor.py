"""For deploy-check: somebody without rights who asks an arena through all that is in front of it.

It does not know what is checked.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from arena.web.replica import REPLICA

TIMEOUT_S = 15.0


class Visitor:
    """`replicas`: the names of those that have answered so far."""

    def __init__(self, url: str) -> None:
        self.url = (url if "://" in url else f"http://{url}").rstrip("/")
        self.replicas: set[str] = set()
        self._tls = ssl.create_default_context()
        self._http = self._client()

    async def __aenter__(self) -> Visitor:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def ask(self, method: str, path: str, **what: Any) -> httpx.Response:
        """As a stranger, who brings no cookie back. Raises httpx.HTTPError."""
        self._http.cookies.clear()
        response = await self._http.request(method, path, **what)
        self._met(response.headers)
        return response

    @asynccontextmanager
    async def streamed(self, path: str) -> AsyncIterator[httpx.Response]:
        """An event stream, asked for as a stranger who could read it compressed."""
        self._http.cookies.clear()
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "gzip"}
        async with self._http.stream("GET", path, headers=headers) as response:
            self._met(response.headers)
            yield response

    async def browse(self, *paths: str) -> list[httpx.Response]:
        """A page and what it asks for next, as a browser that keeps its cookies."""
        async with self._client() as http:
            page = await http.get("/", headers={"Accept": "text/html"})
            return [page, *[await http.get(path) for path in paths]]

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.url,
            trust_env=False,
            timeout=TIMEOUT_S,
            verify=self._tls,
            # A connection that is kept would be led to one replica by simpler balancers.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def _met(self, headers: Mapping[str, str]) -> None:
        if name := headers.get(REPLICA):
            self.replicas.add(name)


def detail(response: httpx.Response) -> str:
    """What a refusal says of itself."""
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code}"
