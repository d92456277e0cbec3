"""What a browser's tab sends and reads: its connections, and a battle from the prompt to the names,
timed.

Its calls are those of `arena.checks.page`. It does not know how many tabs there are.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from arena.bench.launched import MODELS
from arena.bench.steady import text_of
from arena.checks.page import Page
from arena.checks.playing import vote_on
from arena.core.errors import ArenaError

LONGEST_S = 120.0
KEPT_S = 300.0
"""Longer than the arena keeps a connection."""


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


class Connections:
    """Those of one tab to the arena, which are kept; nothing else of a browser is."""

    def __init__(self, url: str) -> None:
        self._http = aiohttp.ClientSession(
            url,
            headers={"Accept-Encoding": "gzip"},
            timeout=aiohttp.ClientTimeout(None),
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._stream: aiohttp.ClientResponse | None = None

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, bytes]:
        """The status and the body that is answered."""
        with _whole():
            async with self._http.request(method, path, json=body) as answer:
                return answer.status, await answer.read()

    async def events(self, path: str, told: Callable[[dict[str, Any]], None]) -> None:
        """Hand over the bodies of server-sent events until they end."""
        with _whole():
            async with self._http.get(path) as self._stream:
                async for line in self._stream.content:
                    if line.startswith(b"data: "):
                        told(json.loads(line[6:]))

    def break_off(self) -> None:
        """No event comes any more."""
        if self._stream:
            self._stream.close()

    async def close(self) -> None:
        await self._http.close()


@contextmanager
def _whole() -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientError as error:
        raise Broken("the arena closed a connection in the middle") from error


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
        self._http = Connections(str(page.answer.url))
        self._path = urlsplit(page.moves).path
        self._votes: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Load the page, and make a move."""
        await self._http.ask("GET", "/")
        await self._http.ask("POST", self._path, self._page.body("unmask", battle="none"))

    async def close(self) -> None:
        for vote in self._votes:
            vote.cancel()
        await self._http.close()

    async def play(self, mark: str) -> Watched:
        """A whole battle. mark: a word that no other battle's prompt ends with. Raises Broken
        where a reply did not arrive whole, once, and in its own battle."""
        # A page asks so each ten seconds, which is about once a battle.
        await self._http.ask("GET", "/api/arena/status")
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
            await self._http.events(address, partial(self._told, battle))
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
                self._http.break_off()
                raise
            self._watched.acknowledged.append(time.monotonic() - asked)

    async def _move(self, name: str, **fields: object) -> dict[str, Any]:
        body = self._page.body(name, **fields)
        status, told = await self._http.ask("POST", self._path, body)
        with suppress(ValueError, LookupError, TypeError):
            answer: dict[str, Any] = json.loads(told)["data"][0]
            if "error" in answer:
                raise Broken(f"{name}: {answer['error']}")
            return answer
        raise Broken(f"{name}: status {status}")
