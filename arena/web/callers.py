"""Who asks: by a session that this arena signed, and by where a request comes from. Never by what
it says of itself, and never by an address as it is.

It does not know what is limited, nor what a session may do.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.core.errors import ArenaError
from arena.core.keyed import digest
from arena.play.admission import Caller
from arena.web.headers import is_page
from arena.web.operators import AnyRequest

HOMES = 64
"""Bits of an IPv6 address that one home or machine shares; the rest it may change at will."""

SESSION = "Arena-Session"
"""The header by which a program gets a session and brings it back."""

LINK = "Arena-Rater"
"""The header by which a program, or the page, is a rater of a study: `study/rater`, in UTF-8 as in
an address."""

SIGNED = "session"
"""What the names of raters are signed for."""

YEAR_S = 365 * 24 * 3600

Key = Callable[[], Awaitable[bytes]]
"""What sessions are signed with, the same on every replica."""


class Callers:
    """Tells them apart."""

    def __init__(self, key: Key) -> None:
        self._key = key

    async def of(self, request: AnyRequest, brought: str = "", link: str = "") -> Caller:
        """brought, link: what came in the body, where headers and cookies cannot."""
        key = await self._key()
        told = (request.headers.get(SESSION, ""), *cookies(request, cookie(key)), brought)
        raters = (said_in(key, SIGNED, text) for text in told)
        address = address_of(request)
        return Caller(
            rater=next(filter(None, raters), ""),
            network=address and digest(key, f"{datetime.now(UTC).date()} {address}"),
            place=address and digest(key, address),
            link=link or unquote(request.headers.get(LINK, "")),
        )

    async def with_session(self, caller: Caller, label: str = "", key: str = "") -> Caller:
        """The caller, with a new session where there is none. label: the caller's own name for
        it, else key: that of the call it begins with; the same from the same place means the same,
        so that what is named in it has its name also for whoever brings it from then on."""
        if caller.rater:
            return caller
        named = f" {label}" if label else key and f"\n{key}"  # No label has a line break.
        known = digest(await self._key(), f"{caller.place}{named}") if named else ""
        return replace(caller, rater=known or secrets.token_hex(12), begun=True)

    async def session(self, rater: str) -> str:
        """What whoever is to be this rater brings."""
        return session_of(await self._key(), rater)

    async def keep(
        self, response: Response, rater: str, path: str = "/", *, secure: bool = False
    ) -> None:
        """Give the session with this answer: in a header, and as a cookie for that path that no
        script can read."""
        response.headers[SESSION] = session = await self.session(rater)
        give_cookie(response, cookie(await self._key()), session, YEAR_S, path=path, secure=secure)


class Sessions:
    """Gives a browser its session with the page."""

    def __init__(self, app: ASGIApp, key: Key) -> None:
        self._app = app
        self._callers = Callers(key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_session(message: Message) -> None:
            if is_page(message):
                message = {**message, "headers": [*message["headers"], *await self._new(scope)]}
            await send(message)

        await self._app(scope, receive, with_session if scope["type"] == "http" else send)

    async def _new(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """The cookie, as headers, for whoever has none. The page comes without it where the key
        cannot be had now."""
        given = Response()
        try:
            known = await self._callers.of(Request(scope))
            caller = await self._callers.with_session(known)
            if caller.begun:
                secure = scope.get("scheme") == "https"
                await self._callers.keep(given, caller.rater, secure=secure)
        except ArenaError:
            pass
        return [header for header in given.raw_headers if header[0] == b"set-cookie"]


def signed(key: bytes, purpose: str, said: str) -> str:
    """What is said, as it comes back from a browser. purpose: what alone it is worth anything for."""
    return f"{said}.{digest(key, f'{purpose} {said}')}"


def said_in(key: bytes, purpose: str, told: str) -> str:
    """What was said; empty where we have not signed it for this."""
    said = told.rpartition(".")[0]
    return said if told.isascii() and hmac.compare_digest(signed(key, purpose, said), told) else ""


def session_of(key: bytes, rater: str) -> str:
    """What whoever is to be this rater brings."""
    return signed(key, SIGNED, rater)


def cookie(key: bytes) -> str:
    """Its name. A browser keeps cookies of all ports of a machine together, and each may have
    another arena."""
    return f"arena_{digest(key, 'cookie')[:8]}"


def give_cookie(
    answer: Response, name: str, value: str, seconds: int, *, path: str = "/", secure: bool
) -> None:
    """A cookie that is kept for so long, and that no script and no other site can use."""
    answer.set_cookie(name, value, seconds, path=path, secure=secure, httponly=True, samesite="lax")


def cookies(request: AnyRequest, name: str) -> Iterator[str]:
    """All of that name: one may be for a battle alone."""
    for part in request.headers.get("cookie", "").split(";"):
        known, _, value = part.strip().partition("=")
        if known == name:
            yield value


def address_of(request: AnyRequest) -> str:
    if not request.client:
        return ""
    told = unmapped(str(request.client.host))
    try:
        address = ipaddress.ip_address(told)
    except ValueError:
        return told
    if address.version == 6:
        return str(ipaddress.ip_network((address, HOMES), strict=False))
    return told


def unmapped(told: str) -> str:
    """An address of IPv4 that came as one of IPv6, as to a socket for both, is one of IPv4: else
    all of them would be of one home."""
    with suppress(ValueError):
        return str(getattr(ipaddress.ip_address(told), "ipv4_mapped", None) or told)
    return told
