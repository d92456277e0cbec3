"""People without a browser: each plays battles over HTTP as a careful program does, asks again
whenever an answer is lost, and remembers what was acknowledged and all it was shown."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

import httpx

from arena.web.headers import REPLICA

A = "/api/arena"
OVER = ("decided", "void")
LONGEST_S = 120.0
AGAIN = (429, 502, 503, 504)
HANGS_UP_AFTER = 12
"""Events; then it drops the stream and resumes it, wherever that leads."""


@dataclass
class Story:
    """One battle, as a player saw it."""

    battle: str
    home: str
    """The replica that opened it."""
    state: dict[str, Any]
    ids: list[float] = field(default_factory=list)
    texts: dict[tuple[str, int], str] = field(default_factory=dict)
    resumed: int = 0
    replicas: dict[str, set[str]] = field(default_factory=dict)
    """What was asked → who answered it."""
    votes: dict[int, int] = field(default_factory=dict)
    """Round of each vote that was acknowledged → how many were live."""
    replies: dict[str, list[str]] = field(default_factory=dict)

    @property
    def mid_generation(self) -> bool:
        return self.state["phase"] == "answering" and bool(self.texts)


@dataclass
class Player:
    http: httpx.AsyncClient
    stories: list[Story] = field(default_factory=list)
    asked_again: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def now(self) -> Story | None:
        return self.stories[-1] if self.stories else None

    async def play_until(self, enough: Callable[[], bool], longest_s: float = LONGEST_S) -> None:
        """Battle after battle; the last one is played to its end."""
        for number in count():
            if enough():
                return
            async with asyncio.timeout(longest_s):
                await self.play(("elimination", "knockout")[number % 2])

    async def play(self, format: str) -> None:
        body = {"prompt": f"Why {uuid.uuid4().hex[:8]}?", "format": format}
        key = {"Idempotency-Key": uuid.uuid4().hex}
        answer = await self._insist("POST", f"{A}/battles", json=body, headers=key)
        assert answer.status_code == 201, answer.text
        opened = answer.json()
        story = Story(opened["battle"], answer.headers[REPLICA], opened)
        self.stories.append(story)
        async with aclosing(self._states(story)) as states:
            async for state in states:
                if state["phase"] == "voting" and state["round"] not in story.votes:
                    await self._vote(story, state)
        if story.state["phase"] == "decided":
            await self._told(story, "reveal", "GET", f"{self._path(story)}/reveal")
        known = await self._told(story, "look", "GET", self._path(story))
        story.state, story.replies = known.json(), known.json()["replies"]

    async def _vote(self, story: Story, state: Mapping[str, Any]) -> None:
        live = [pane["seat"] for pane in state["panes"] if pane["state"] == "complete"]
        body = {"round": state["round"], "judgement": "drop", "seat": live[-1]}
        path = f"{self._path(story)}/votes"
        ballot = {"ballot": state["ballot"]}
        answer = await self._told(story, "vote", "POST", path, json=body | ballot)
        if answer.status_code == 200:
            story.votes[state["round"]] = len(live)
        elif answer.status_code != 409:
            self.failures.append(f"vote: {answer.status_code} {answer.text}")

    # Following ---------------------------------------------------------------------------------

    async def _states(self, story: Story) -> AsyncIterator[dict[str, Any]]:
        """Every state, through all hang-ups, until the battle is over."""
        while story.state["phase"] not in OVER:
            try:
                async with aclosing(self._events(story)) as events:
                    async for body in events:
                        self._keep(story, body)
                        if state := body.get("state"):
                            story.state = state
                            yield state
            except httpx.TransportError:
                self.asked_again += 1
            story.resumed += 1
            await asyncio.sleep(0.1)

    async def _events(self, story: Story) -> AsyncIterator[dict[str, Any]]:
        """The next events, not more than HANGS_UP_AFTER."""
        headers = {"Last-Event-ID": f"{story.ids[-1]:.1f}".removesuffix(".0")} if story.ids else {}
        path = f"{self._path(story)}/events"
        async with self.http.stream("GET", path, headers=headers, timeout=15) as answer:
            if answer.status_code != 200:
                self.asked_again += 1
                await answer.aread()
                if answer.status_code == 204:
                    state = await self._told(story, "look", "GET", self._path(story))
                    story.state = state.json()
                elif answer.status_code not in AGAIN:
                    self.failures.append(f"events: {answer.status_code} {answer.text}")
                    await asyncio.sleep(0.5)
                return
            story.replicas.setdefault("watch", set()).add(answer.headers[REPLICA])
            told = 0
            async with aclosing(_fields(answer)) as events:
                async for number, body in events:
                    story.ids.append(number)
                    yield body
                    told += 1
                    if told == HANGS_UP_AFTER:
                        return

    def _keep(self, story: Story, body: Mapping[str, Any]) -> None:
        if body.get("anew"):
            story.texts.clear()
        for piece in body.get("pieces", ()):
            at = (piece["seat"], piece["turn"])
            story.texts[at] = story.texts.get(at, "") + piece["text"]

    # Asking ------------------------------------------------------------------------------------

    def _path(self, story: Story) -> str:
        return f"{A}/battles/{story.battle}"

    async def _told(self, story: Story, what: str, *asked: Any, **how: Any) -> httpx.Response:
        answer = await self._insist(*asked, **how)
        story.replicas.setdefault(what, set()).add(answer.headers.get(REPLICA, ""))
        return answer

    async def _insist(self, method: str, path: str, **how: Any) -> httpx.Response:
        return await insist(self, method, path, **how)


class Asking(Protocol):
    http: httpx.AsyncClient
    asked_again: int
    """Counted at once: somebody may wait for it."""


async def insist(who: Asking, method: str, path: str, **how: Any) -> httpx.Response:
    """Until there is an answer that is not `later`."""
    while True:
        try:
            answer = await who.http.request(method, path, **how)
            if answer.status_code not in AGAIN:
                return answer
        except httpx.TransportError:
            pass
        who.asked_again += 1
        await asyncio.sleep(0.2)


async def _fields(answer: httpx.Response) -> AsyncIterator[tuple[float, dict[str, Any]]]:
    """Id and body of each event that has come whole."""
    number, data = 0.0, ""
    async with aclosing(answer.aiter_lines()) as lines:
        async for line in lines:
            name, _, value = line.partition(": ")
            if name == "id":
                number = float(value)
            elif name == "data":
                data = value
            elif not line and data:
                if body := json.loads(data):  # A sign of life has none.
                    yield number, body
                data = ""
