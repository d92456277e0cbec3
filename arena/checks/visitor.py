"""Somebody without rights who asks an arena over HTTP, through all that is in front of it.

What goes wrong on the way is one kind line. It does not know what is asked.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Self
from urllib.parse import unquote

import httpx
from httpx_sse import EventSource

from arena.addresses import reached_at, shown
from arena.checks.findings import called
from arena.core.errors import ArenaError, BadInput
from arena.settings import Settings
from arena.web.headers import REPLICA

TIMEOUT_S = 30.0
SILENT_S = 20.0
"""A stream gives a sign of life each five seconds; without any for so long it is held back."""
TICKET_S = 3600
PORTS = 65535
WHO = re.compile(r"(\w+://)([^/?#@:]*)(?::([^/?#@]*))?@")
SIGN_IN = (
    "Run this where the arena's settings and its ledger are, which lets it in, or put a name and a "
    "password into the address: --url https://name:password@arena.example"
)
"""What to do where an arena, or a proxy in front of it, wants to know who asks."""


class Elsewhere(ArenaError):
    """Nothing that answers like an arena is at the address. `what` says so, without advice."""

    status = 502
    title = "No arena"

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what}. Start the arena with `{called()}`, or name another with --url.")


class Refused(ArenaError):
    """The arena said no, in its own words."""

    title = "The arena refused"


def local_arena(settings: Settings) -> str:
    """Where the arena of these settings is, if it runs on this machine."""
    return f"http://{reached_at(settings.bind)}:{settings.port}"


async def let_in(settings: Settings) -> tuple[str, str] | None:
    """What lets whoever can read the ledger of these settings through the gate of their arena."""
    if settings.gated:
        from arena.compose import ledger_key
        from arena.server.application import admitted
        from arena.web.gate import ticket

        with suppress(ArenaError):
            key = await ledger_key(settings)
            return ticket(key, admitted(settings), called(), TICKET_S)
    return None


class Visitor:
    """url: may hold a name and a password. browses: brings cookies back, as a browser does; else
    every call is a stranger's. allowed: a cookie that every call brings along. `replicas`: the
    names of those that have answered so far. Raises BadInput where the address is cut by its
    password; whatever is asked raises Elsewhere where no answer comes."""

    def __init__(
        self,
        url: str,
        *,
        allowed: tuple[str, str] | None = None,
        browses: bool = False,
        silent_s: float = SILENT_S,
    ) -> None:
        url = url.strip() if "://" in url else f"http://{url.strip()}"
        who = WHO.match(url)
        if "@" in (url[who.end() :] if who else url):
            raise BadInput(
                f"--url {shown(url)} cannot be read: in a name and a password write %2F for /, "
                "and likewise %3A for :, %40 for @, %3F for ? and %23 for #."
            )
        self._given = url
        self.url = f"{who[1]}{url[who.end() :]}" if who else url
        self._allowed = allowed
        self.replicas: set[str] = set()
        self._browses = browses
        self._silent_s = silent_s
        self._http = httpx.AsyncClient(
            trust_env=False,
            timeout=TIMEOUT_S,
            auth=(unquote(who[2]), unquote(who[3] or "")) if who else None,
            verify=ssl.create_default_context(),
            # A connection that is kept would be led to one replica by simpler balancers.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    def browsing(self) -> Visitor:
        """Somebody else, who comes in as this one does, in a browser."""
        return Visitor(self._given, allowed=self._allowed, browses=True)

    async def ask(self, method: str, path: str, **what: Any) -> httpx.Response:
        """path: of the arena, or a whole address."""
        async with self._asked(path, "does not answer") as address:
            return self._met(await self._http.request(method, address, **what))

    async def call(self, path: str) -> dict[str, Any]:
        """What the API answers in JSON. Raises Refused too."""
        response = await self.ask("GET", path)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if response.status_code == 401:
            raise Refused(f"{self.url} lets in only who signs in. {SIGN_IN}.")
        if response.is_error and isinstance(answer, dict) and "detail" in answer:
            raise Refused(f"{self.url}: {answer['detail']}")
        if response.is_error or not isinstance(answer, dict):
            raise Elsewhere(f"{self.url} answers, but not as an arena does")
        return answer

    @asynccontextmanager
    async def streamed(self, path: str, silent_s: float = 0.0) -> AsyncIterator[httpx.Response]:
        """An event stream, asked for as somebody who could read it compressed."""
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "gzip"}
        timeout = httpx.Timeout(TIMEOUT_S, read=silent_s or self._silent_s)
        async with self._asked(path, "tells no events") as address:
            stream = self._http.stream("GET", address, headers=headers, timeout=timeout)
            async with stream as response:
                yield self._met(response)

    @asynccontextmanager
    async def _asked(self, path: str, gone: str) -> AsyncIterator[str]:
        address = f"{self.url.rstrip('/')}{path}" if path.startswith("/") else path
        if not self._browses:
            self._http.cookies.clear()
        try:
            if (httpx.URL(address).port or 0) > PORTS:
                raise httpx.InvalidURL("there is no such port")
            if self._allowed:
                self._http.cookies.set(*self._allowed, domain=_domain(self.url))
            yield address
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Elsewhere(f"{address} {gone} ({type(error).__name__})") from error

    def _met(self, response: httpx.Response) -> httpx.Response:
        if name := response.headers.get(REPLICA):
            self.replicas.add(name)
        return response


def _domain(url: str) -> str:
    """As whose a cookie jar keeps what is for the URL's host alone."""
    host = httpx.URL(url).host
    host = f"[{host}]" if ":" in host else host
    return host if "." in host else f"{host}.local"


async def events(response: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
    """The bodies of a stream's events. Raises httpx.HTTPError where it is none."""
    async with aclosing(EventSource(response).aiter_sse()) as told:
        async for event in told:
            if event.data:
                yield event.json()


def detail(response: httpx.Response) -> str:
    """What a refusal says of itself."""
    try:
        return str(response.json()["detail"])
    except (ValueError, LookupError, TypeError):
        return f"status {response.status_code}"
