"""A whole battle as a person plays it on the page, timed.

Its votes are real, so that their way to the disk is tried too, but are cast as study `smoke`,
which the ledger keeps and no standings count. It does not know models; it plays blind.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arena.checks.page import Page
from arena.core.battle.record import REHEARSAL
from arena.core.errors import ArenaError

LONGEST_S = 900.0


class BattleFailed(ArenaError):
    title = "The battle failed"


@dataclass(slots=True)
class Timing:
    """A battle from its prompt: seconds to the first text, to the first vote being open, from
    the last vote to the names, and in all. `votes` are ballots cast, `rows` pairs recorded."""

    question: str
    first_text_s: float | None = None
    voting_open_s: float | None = None
    reveal_s: float | None = None
    total_s: float = 0.0
    characters: int = 0
    votes: int = 0
    rows: int = 0
    failed: str = ""


def vote_on(state: Mapping[str, Any]) -> dict[str, Any]:
    """What the page sends of whoever votes out the last pane."""
    last = [pane["seat"] for pane in state["panes"] if pane["state"] == "complete"][-1]
    vote = {"judgement": "drop", "seat": last, "dwell_ms": 0}
    return {"round": state["round"], "ballot": state["ballot"], **vote}


class Player:
    """One person in one battle, who votes out the last pane as soon as voting is open."""

    def __init__(self, page: Page, question: str) -> None:
        self.timing = Timing(question)
        self._page = page
        self._started = 0.0

    async def play(self, prompt: str, format: str = "elimination") -> None:
        """Raises ArenaError where the battle does not come to its end."""
        self._started = time.monotonic()
        try:
            async with asyncio.timeout(LONGEST_S):
                await self._play(prompt, format)
        except TimeoutError:
            raise BattleFailed(f"not decided within {LONGEST_S:.0f} s") from None
        finally:
            self.timing.total_s = self._since()

    async def _play(self, prompt: str, format: str) -> None:
        usual = {"size": 0, "topic": "", "system": "", "temperature": None, "images": []}
        asked = {"prompt": prompt, "format": format, "study": REHEARSAL, **usual}
        battle = (await self._page.move("open", **asked))["battle"]
        async with self._page.following(battle) as events:
            async for event in events:
                if await self._over(battle, event):
                    break
            else:
                raise BattleFailed("its events ended before it did")
        before = self._since()
        await self._page.move("unmask", battle=battle)
        self.timing.reveal_s = self._since() - before
        self.timing.rows = await self._page.rows(battle)

    async def _over(self, battle: str, event: dict[str, Any]) -> bool:
        """Look at what has come, and vote if that can be done now."""
        timing = self.timing
        for piece in event.get("pieces", ()):
            timing.first_text_s = timing.first_text_s or self._since()
            timing.characters += len(piece["text"])
        state = event.get("state", {"phase": ""})
        if state["phase"] == "void":
            raise BattleFailed(state["notice"])
        if state["phase"] == "voting" and state["round"] == timing.votes + 1:
            timing.voting_open_s = timing.voting_open_s or self._since()
            await self._page.move("vote", battle=battle, **vote_on(state))
            timing.votes += 1
        return bool(state["phase"] == "decided")

    def _since(self) -> float:
        return time.monotonic() - self._started
