"""`python -m arena smoke`: whole battles against a running arena, as a person plays them, timed.

Its votes are real, so that their way to the disk is tried too, but are cast as study `smoke`,
which the ledger keeps and no standings count. It does not know models; it plays blind.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from arena import settings as config
from arena.cli.calls import Arena, local_arena
from arena.cli.terminal import Bar, add_row, console, figure, print_json, table
from arena.core.battle.record import REHEARSAL
from arena.core.errors import ArenaError

QUESTIONS = {
    "simple": "What is the capital of France? Answer in one sentence.",
    "hard": "Three people pay 10 each for a room that costs 25. The clerk keeps 2 of the 5 that go "
    "back, so each paid 9, which makes 27, and with the 2 that makes 29. Where is the missing 1? "
    "Explain step by step where the reasoning goes wrong, then give the correct account.",
}
LONGEST_S = 900.0


class BattleFailed(ArenaError):
    title = "The battle failed"


@dataclass(frozen=True, slots=True)
class Timing:
    """A battle from its prompt: seconds to the first text, to the first vote being open, from
    the last vote to the names, and in all. `votes` are ballots cast, `rows` pairs recorded."""

    question: str
    first_text_s: float | None
    voting_open_s: float | None
    reveal_s: float | None
    total_s: float
    characters: int
    votes: int
    rows: int
    failed: str = ""


def smoke(options: argparse.Namespace) -> int:
    return asyncio.run(_smoke(options))


async def _smoke(options: argparse.Namespace) -> int:
    url = options.url or local_arena(config.load())
    timings = []
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        arena = Arena(http, url)
        await arena.get("/api/arena/status")
        with Bar() as bar:
            for number, (name, prompt) in enumerate(QUESTIONS.items()):
                bar.show(f"Playing the {name} question", number / len(QUESTIONS))
                timings.append(await _timed(arena, name, prompt, options.format))
    if options.json:
        print_json({"url": arena.url, "battles": [asdict(timing) for timing in timings]})
    else:
        _print(arena.url, timings)
    return int(any(timing.failed for timing in timings))


async def _timed(arena: Arena, name: str, prompt: str, format: str) -> Timing:
    player = Player(arena, name)
    try:
        async with asyncio.timeout(LONGEST_S):
            await player.play(prompt, format)
    except TimeoutError:
        player.failed = f"not decided within {LONGEST_S:.0f} s"
    except ArenaError as error:
        player.failed = str(error)
    return player.timing()


class Player:
    """One person in one battle, who votes out the last pane as soon as voting is open."""

    def __init__(self, arena: Arena, question: str) -> None:
        self._arena = arena
        self._question = question
        self._started = time.monotonic()
        self._first: float | None = None
        self._open: float | None = None
        self._reveal: float | None = None
        self._characters = 0
        self._votes = 0
        self._rows = 0
        self.failed = ""

    async def play(self, prompt: str, format: str) -> None:
        """Raises ArenaError where the battle does not come to its end."""
        self._started = time.monotonic()
        opened = await self._arena.post("/api/arena/battles", {"prompt": prompt, "format": format})
        battle = opened["battle"]
        async with aclosing(self._events(battle)) as events:
            async for state in events:
                if state["phase"] == "void":
                    raise BattleFailed(state["notice"])
                if state["phase"] == "decided":
                    break
                if state["phase"] == "voting" and state["round"] == self._votes + 1:
                    self._open = self._open or self._since()
                    await self._vote(battle, state)
        asked = time.monotonic()
        revealed = await self._arena.get(f"/api/arena/battles/{battle}/reveal")
        self._reveal, self._rows = time.monotonic() - asked, revealed["votes"]

    def timing(self) -> Timing:
        return Timing(
            self._question,
            self._first,
            self._open,
            self._reveal,
            self._since(),
            self._characters,
            self._votes,
            self._rows,
            self.failed,
        )

    async def _events(self, battle: str) -> AsyncGenerator[dict[str, Any], None]:
        """The states that come; the text between them is counted."""
        async with aclosing(self._arena.follow(battle)) as events:
            async for event in events:
                for piece in event.get("pieces", ()):
                    self._first = self._first or self._since()
                    self._characters += len(piece["text"])
                if "state" in event:
                    yield event["state"]

    async def _vote(self, battle: str, state: dict[str, Any]) -> None:
        last = [pane["seat"] for pane in state["panes"] if pane["state"] == "complete"][-1]
        vote = {"round": state["round"], "judgement": "drop", "seat": last, "study": REHEARSAL}
        await self._arena.post(f"/api/arena/battles/{battle}/votes", vote)
        self._votes += 1

    def _since(self) -> float:
        return time.monotonic() - self._started


def _print(url: str, timings: list[Timing]) -> None:
    # Narrow enough for a terminal of 80 columns.
    numbers = ("First text", "Voting", "Reveal", "In all", "Length", "Votes")
    drawn = table(f"Battles at {url}", "Question", *numbers, "Result", numbers=numbers)
    for timing in timings:
        add_row(
            drawn,
            timing.question,
            figure(timing.first_text_s, "{:.2f} s"),
            figure(timing.voting_open_s, "{:.2f} s"),
            figure(timing.reveal_s, "{:.3f} s"),
            f"{timing.total_s:.2f} s",
            str(timing.characters),
            str(timing.votes),
            "failed" if timing.failed else "decided",
        )
    console.print(drawn)
    for timing in timings:
        if timing.failed:
            console.print(f"{timing.question}: {timing.failed}", style="red", markup=False)
    console.print(f"Its votes are kept as study {REHEARSAL!r} and not ranked.")
