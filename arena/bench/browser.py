"""What a browser's tab sends and reads, at the least cost of our own: its connections, and a
battle from the prompt to the names, timed.

Its calls are those of `arena.checks.page`. It does not know how many tabs there are.
"""

import asyncio
import json
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

from httptools import HttpResponseParser

from arena.bench.launched import MODELS
from arena.bench.steady import text_of
from arena.checks.page import Page
from arena.checks.playing import vote_on
from arena.core.errors import ArenaError

LONGEST_S = 120.0

Got = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """tokens: of a reply, written at so many a second."""

    tokens: int = 250
    rate: float = 40.0

    @property
    def length_s(self) -> float:
        return self.tokens / self.rate

    def check(self, mark: str, texts: Iterable[str]) -> None:
        """Raises Broken unless these are the replies to the prompt with the mark."""
        if sorted(texts) != sorted(text_of(model, mark, self.tokens) for model in MODELS):
            raise Broken(f"the replies to {mark} did not arrive whole")


class Broken(ArenaError):
    title = "A battle went wrong"


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection that is kept; requests go one after the other."""

    def __init__(self, url: str) -> None:
        self._at = urlsplit(url).netloc
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[None] | None = None
        self.status = 0

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, got: Got | None = None
    ) -> bytes:
        """The body that is answered; with `got`, it is handed over as it comes."""
        sent = b"" if body is None else json.dumps(body).encode()
        kind = f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n" if sent else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._at}\r\nAccept-Encoding: gzip\r\n"
        request = f"{head}{kind}\r\n".encode() + sent
        parts: list[bytes] = []
        self._got = got or parts.append
        while True:
            kept = self._transport and not self._transport.is_closing()
            try:
                await self._answered(request)
                return b"".join(parts)
            except Broken:
                # One that was kept may be closed just then; a browser asks again on another.
                if not kept or self._heard:
                    raise

    async def _answered(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        if not self._transport or self._transport.is_closing():
            host, _, port = self._at.rpartition(":")
            await loop.create_connection(lambda: self, host, int(port))
        assert self._transport
        self._parser, self._heard = HttpResponseParser(self), False
        self._done = loop.create_future()
        self._transport.write(request)
        await self._done

    async def events(self, path: str, told: Callable[[dict[str, Any]], None]) -> None:
        """Hand over the bodies of server-sent events until they end."""
        rest = b""

        def got(data: bytes) -> None:
            nonlocal rest
            *whole, rest = (rest + data).split(b"\n\n")
            for event in whole:
                for line in event.split(b"\n"):
                    if line.startswith(b"data: "):
                        told(json.loads(line[6:]))

        await self.ask("GET", path, got=got)

    def close(self) -> None:
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        if self._done and not self._done.done():
            self._done.set_exception(Broken("the arena closed a connection in the middle"))

    def data_received(self, data: bytes) -> None:
        self._heard = True
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-encoding" and value == b"gzip":
            packed, got = zlib.decompressobj(31), self._got
            self._got = lambda data: got(packed.decompress(data))

    def on_body(self, body: bytes) -> None:
        self._got(body)

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self._done and not self._done.done():
            self._done.set_result(None)


@dataclass(slots=True)
class Watched:
    """A battle as its tab saw it: by the clock when it was asked for and opened, when each
    update came, when each round could be voted on, and when votes were sent. length_s: as long
    as the host writes. acknowledged: seconds until each vote was."""

    asked: float
    length_s: float
    opened: float = 0.0
    updates: list[float] = field(default_factory=list)
    voting: list[float] = field(default_factory=list)
    voted: list[float] = field(default_factory=list)
    acknowledged: list[float] = field(default_factory=list)

    @property
    def late(self) -> float:
        """By which part of its length its last text came too late."""
        return (self.updates[-1] - self.opened) / self.length_s - 1


class Tab:
    """One tab of one person, who reads for so long before each vote."""

    def __init__(
        self, page: Page, plan: Plan, *, format: str = "elimination", reading_s: float = 0.0
    ) -> None:
        self._page, self._plan, self._format, self._reading_s = page, plan, format, reading_s
        url = str(page.answer.url)
        self._moves, self._stream = Connection(url), Connection(url)
        self._path = urlsplit(page.moves).path
        self._votes: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Load the page, and make a move."""
        await self._moves.ask("GET", "/")
        await self._moves.ask("POST", self._path, self._page.body("unmask", battle="none"))

    def close(self) -> None:
        for vote in self._votes:
            vote.cancel()
        self._moves.close()
        self._stream.close()

    async def play(self, mark: str) -> Watched:
        """A whole battle. mark: a word that no other battle's prompt ends with. Raises Broken
        where a reply did not arrive whole, once, and in its own battle."""
        # A page asks so each ten seconds, which is about once a battle.
        await self._moves.ask("GET", "/api/arena/status")
        self._watched = watched = Watched(time.monotonic(), self._plan.length_s)
        self._pieces: dict[str, list[str]] = {}
        self._votes, self._void = [], ""
        self._voting = asyncio.Lock()
        usual = {"size": 0, "topic": "", "study": "", "system": "", "temperature": None}
        asked = {"format": self._format, "images": [], **usual}
        battle = (await self._move("open", prompt=f"Tell me of {mark}", **asked))["battle"]
        watched.opened = time.monotonic()
        async with asyncio.timeout(LONGEST_S):
            address = f"/api/arena/battles/{battle}/events"
            await self._stream.events(address, partial(self._told, battle))
            await asyncio.gather(*self._votes)
            if self._void:
                raise Broken(f"{mark}: {self._void}")
            await self._move("unmask", battle=battle)
        self._plan.check(mark, map("".join, self._pieces.values()))
        return watched

    def _told(self, battle: str, body: Mapping[str, Any]) -> None:
        if pieces := body.get("pieces"):
            self._watched.updates.append(time.monotonic())
            for piece in pieces:
                self._pieces.setdefault(piece["seat"], []).append(piece["text"])
        state = body.get("state")
        if state and state["phase"] == "void":
            self._void = state["notice"]
        if state and state["phase"] == "voting" and state["round"] == len(self._votes) + 1:
            self._watched.voting.append(time.monotonic())
            self._votes.append(asyncio.ensure_future(self._vote(battle, state)))

    async def _vote(self, battle: str, state: Mapping[str, Any]) -> None:
        await asyncio.sleep(self._reading_s)
        # The page sends no move while another is not answered.
        async with self._voting:
            asked = time.monotonic()
            self._watched.voted.append(asked)
            try:
                await self._move("vote", battle=battle, **vote_on(state))
            except Broken:
                # Nothing more would come.
                self._stream.close()
                raise
            self._watched.acknowledged.append(time.monotonic() - asked)

    async def _move(self, name: str, **fields: object) -> dict[str, Any]:
        told = await self._moves.ask("POST", self._path, self._page.body(name, **fields))
        with suppress(ValueError, LookupError, TypeError):
            answer: dict[str, Any] = json.loads(told)["data"][0]
            if "error" in answer:
                raise Broken(f"{name}: {answer['error']}")
            return answer
        raise Broken(f"{name}: status {self._moves.status}")
