"""Who may come in, where a setting says so: by one password, by users of the arena's own, by the
account that a reverse proxy names, or by OpenID Connect. Whoever has an account is one rater by it.

Nobody is let in by a fault, and nobody's vote counts less for one: who is in stays in while what
they signed in with is away. It does not know what is behind it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

from markupsafe import Markup
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.core.errors import ArenaError, RateLimited
from arena.core.keyed import digest
from arena.web.api.problems import problem, refused
from arena.web.bodies import Bodies
from arena.web.callers import (
    SESSION,
    Key,
    address_of,
    cookie,
    cookies,
    give_cookie,
    said_in,
    session_of,
    signed,
    unmapped,
)
from arena.web.drawing import drawn
from arena.web.words import spoken

if TYPE_CHECKING:
    from arena.web.openid import OpenId

OPEN = ("/healthz", "/readyz")
OWN = ASK, START, BACK = "/gate", "/gate/start", "/gate/back"
PEER = "arena.peer"
"""In a scope: the address that the connection comes from, whoever it is for."""
MONTH_S = 30 * 24 * 3600
LARGEST = 4096
"""Bytes that a name and a password take at most, with what leads on from them."""
TRIES, WINDOW_S = 10, 60.0
"""Wrong passwords from one network."""
WRONG = "That is not right. Try again."

STYLE = Markup(Path(__file__).with_suffix(".css").read_text("utf-8"))  # noqa: S704 -- ours

Take = Callable[[str, int, float], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Admitted:
    """What lets somebody in; empty where that is no way. users: passwords by name. header: in which
    a proxy from one of `proxies` names the account."""

    password: str = ""
    users: Mapping[str, str] | None = None
    header: str = ""
    proxies: Sequence[str] = ()
    openid: OpenId | None = None

    def account(self, name: str, password: str) -> str | None:
        """Whose password this is, empty for everybody's; None where it is nobody's."""
        known = (self.users or {}).get(name, "")
        if _same(password, known):
            return name
        return "" if _same(password, self.password) else None

    def named_by_proxy(self, scope: Scope) -> str:
        """Told twice, one of them may be the visitor's own word."""
        told = Headers(scope=scope).getlist(self.header) if self.header else []
        named = told[0].strip() if len(told) == 1 else ""
        return named if named and self._is_proxy(scope.get(PEER) or "") else ""

    def _is_proxy(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in ip_network(network) for network in self.proxies)

    @property
    def purpose(self) -> str:
        """Of what is signed; another one as soon as somebody is not to be let in any more."""
        told = repr((self.password, self.users, self.openid and self.openid.issuer))
        return f"gate {sha256(told.encode()).hexdigest()}"


class Gate:
    """take: counts tries. root_path: as the page's."""

    def __init__(
        self, app: ASGIApp, admitted: Admitted, key: Key, take: Take, root_path: str = ""
    ) -> None:
        self._app = app
        self._admitted = admitted
        self._key = key
        self._take = take
        self._root = root_path
        self._forms = Bodies(self._decide, LARGEST)
        self._shut: dict[str, float] = {}
        """Networks with too many wrong tries, and until when."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(self._root)
        if scope["type"] != "http" or path in OPEN:
            await self._app(scope, receive, send)
        elif path in OWN:
            await self._forms(scope, receive, send)
        else:
            await self._decide(scope, receive, send)

    async def _decide(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(self._root)
        try:
            key = await self._key()
            account = await self._account(scope, key)
            if path in OWN:
                answer = await self._answer(path, Request(scope, receive), key)
            elif account is None:
                answer = await self._refuse(Request(scope))
            else:
                await self._app(_as(scope, account, key), receive, send)
                return
        except ArenaError as error:
            answer = refused(error)
        await answer(scope, receive, send)

    async def _account(self, scope: Scope, key: bytes) -> str | None:
        """Empty for somebody without one, None for nobody who may come in."""
        if told := self._admitted.named_by_proxy(scope):
            return told
        request = Request(scope)
        for told in cookies(request, _name(key)):
            if (account := self._read(key, told)) is not None:
                return account
        if request.headers.get("authorization", "").lower().startswith("basic "):
            return await self._tried(request, key, *_basic(request))
        return None

    async def _tried(self, request: Request, key: bytes, name: str, password: str) -> str | None:
        here, now = digest(key, f"gate {address_of(request)}"), time.monotonic()
        self._shut = {place: until for place, until in self._shut.items() if until > now}
        if here in self._shut:
            raise TooManyTries(self._shut[here] - now)
        account = self._admitted.account(name, password)
        if account is None and (wait := await self._take(f"gate:{here}", TRIES, WINDOW_S)):
            self._shut[here] = now + wait
            raise TooManyTries(wait)
        return account

    async def _answer(self, path: str, request: Request, key: bytes) -> Response:
        """To whoever signs in. People read on the page why they cannot, and may try again."""
        openid = self._admitted.openid if path != ASK else None
        if not openid and request.method != "POST":
            return RedirectResponse(f"{self._root}/", 303)
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        name, password, after = (form.get(field, [""])[0] for field in ("name", "word", "after"))
        if openid:
            asked = request.query_params.get("after", "")
            after = asked if path == START else openid.after(request, key)
        account: str | None
        try:
            if openid and path == START:
                return await openid.start(request, f"{request.base_url}{BACK[1:]}", after, key)
            if openid:
                account = await openid.finish(request, key)
            else:
                account = await self._tried(request, key, name, password)
        except ArenaError as error:
            if not _is_read(request):
                raise
            return self._page(request, after=after, why=error.public, refusal=refused(error))
        if account is None:
            return self._page(request, after=after, why=WRONG)
        return self._in(request, key, account, after)

    def _in(self, request: Request, key: bytes, account: str, after: str) -> Response:
        """Let in, and led to where they wanted to go, which is here."""
        here = after if after.startswith("/") and after[1:2] not in ("/", "\\") else "/"
        answer = RedirectResponse(f"{self._root}{here}", 303)
        name, value = ticket(key, self._admitted, account, MONTH_S)
        secure = request.url.scheme == "https"
        give_cookie(answer, name, value, MONTH_S, path=f"{self._root}/", secure=secure)
        return answer

    def _read(self, key: bytes, told: str) -> str | None:
        said = said_in(key, self._admitted.purpose, told)
        account, _, until = said.partition(".")
        return bytes.fromhex(account).decode() if said and int(until) > time.time() else None

    async def _refuse(self, request: Request) -> Response:
        if request.method == "GET" and _is_read(request):
            path = request.url.path.removeprefix(self._root) or "/"
            query = f"?{request.url.query}" if request.url.query else ""
            return self._page(request, after=f"{path}{query}")
        said = "Sign in on the arena's page first."
        if self._admitted.password or self._admitted.users:
            said += " Programs send name and password as HTTP Basic authentication."
        return problem(401, "Not signed in", said)

    def _page(
        self, request: Request, *, after: str, why: str = "", refusal: Response | None = None
    ) -> Response:
        """why: they were not let in. refusal: what a program is told instead."""
        words = spoken(request.headers)
        start = f"{self._root}{START}?{urlencode({'after': after})}"
        page = drawn(
            "gate",
            words,
            action=f"{self._root}{ASK}",
            start=start if self._admitted.openid else "",
            names=bool(self._admitted.users),
            asks=bool(self._admitted.password or self._admitted.users),
            after=after,
            why=words.said(why),
            style=STYLE,
        )
        answer = HTMLResponse(page, 401, {"Cache-Control": "no-store"})
        if refusal:
            answer.status_code = refusal.status_code
            if wait := refusal.headers.get("retry-after"):
                answer.headers["Retry-After"] = wait
        return answer


def ticket(key: bytes, admitted: Admitted, account: str, seconds: int) -> tuple[str, str]:
    """The cookie, by name and value, of whoever is in for so long."""
    told = f"{account.encode().hex()}.{int(time.time()) + seconds}"
    return _name(key), signed(key, admitted.purpose, told)


class TooManyTries(RateLimited):
    title = "Too many tries"

    def __init__(self, wait_s: float) -> None:
        said = f"Too many wrong passwords. Try again in {wait_s:.0f} s."
        super().__init__(said, retry_after_s=wait_s)


class Peers:
    """Keeps the address of a connection before proxies say for whom they ask."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if client := scope.get("client"):
            scope[PEER] = unmapped(client[0])
            scope["client"] = (scope[PEER], client[1])
        await self._app(scope, receive, send)


def _as(scope: Scope, account: str, key: bytes) -> Scope:
    """The account is the rater, whatever session is brought along."""
    if not account:
        return scope
    session = session_of(key, digest(key, f"account {account}"))
    own = SESSION.lower().encode()
    kept = [(name, value) for name, value in scope["headers"] if name != own]
    return {**scope, "headers": [*kept, (own, session.encode())]}


def _is_read(request: Request) -> bool:
    """By a person, in a browser."""
    return "text/html" in request.headers.get("accept", "")


def _same(given: str, known: str) -> bool:
    one, other = (sha256(text.encode()).digest() for text in (given, known))
    return bool(known) and hmac.compare_digest(one, other)


def _name(key: bytes) -> str:
    return f"{cookie(key)}_gate"


def _basic(request: Request) -> tuple[str, str]:
    told = request.headers["authorization"].partition(" ")[2].strip()
    try:
        name, _, password = base64.b64decode(told, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password
