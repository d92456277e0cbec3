"""Raters of a study without a browser, whose judgements are planted: most go by the strengths of
the contenders, some by chance, a robot by the seat. Each asks again whenever an answer is lost."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from arena.core.battle.entities import Contender
from arena.core.study.design import Check, Completion, Item, Questions, Study
from arena.core.study.written import Written, elsewhere
from tests.players import insist

A = "/api/arena"
LONGEST_S = 1200.0
"""For one battle, through many starts of the arena."""

STRENGTHS = {"ash": -3.0, "beech": -1.5, "cedar": 0.0, "elm": 1.5, "fir": 3.0}
"""In logits."""
CARELESS, ROBOT = ("r3", "r8"), "r5"
PLANTED = {*CARELESS, ROBOT}
RATERS = 12


def study(prompts: int) -> Study:
    """Each prompt is for half of the raters; each rater may judge somewhat more than their share."""
    raters = RATERS // 2
    check = "Which is number 9?", "Number 9.", "Number 0."
    return Study(
        "crowd",
        tuple(Item(f"p{n}", (f"Question {n}?",)) for n in range(prompts)),
        tuple(Contender(name, name) for name in STRENGTHS),
        raters=raters,
        alike=3,
        per_rater=min(prompts, prompts * raters // RATERS + 6),
        repeats=min(3, prompts // 2),
        hold=1,
        after=Questions(reasons=("clear",), grades=5),
        completion=Completion("C0DE", "", ("PROLIFIC_PID",)),
        practice=Check(*check),
        attention=(Check(*check),) * 3,
    )


def replies(study: Study) -> list[Written]:
    return [
        Written(item.id, name, item.asked, (elsewhere(f"Number {number} to {item.id}."),))
        for item in study.items
        for number, name in enumerate(STRENGTHS)
    ]


def worth(reply: str) -> float:
    """The strength of whoever wrote it; far more than all for the good one of a check."""
    number = int(reply.removeprefix("Number ").split()[0].rstrip("."))
    return {9: 30.0}.get(number, [*STRENGTHS.values()][min(number, 4)])


def worse(rater: str, said: Mapping[str, str]) -> str:
    """The seat that the rater drops of two: the same for the same replies, wherever they stand,
    unless it is chance or the seat that decides."""
    one, other = sorted(said)
    if rater == ROBOT:
        return other
    first, second = sorted(said, key=lambda seat: said[seat])
    drawn = random.Random(f"{rater} {said[first]} {said[second]}").random()
    if rater in CARELESS:
        return random.choice((one, other))
    beats = 1 / (1 + math.exp(worth(said[second]) - worth(said[first])))
    return second if drawn < beats else first


@dataclass
class Rater:
    http: httpx.AsyncClient
    study: str
    name: str
    votes: dict[str, str] = field(default_factory=dict)
    """Battle → the seat that was dropped, once it was acknowledged."""
    remarked: set[str] = field(default_factory=set)
    asked_again: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"{A}/studies/{self.study}/raters/{self.name}"

    async def take_part(self) -> dict[str, Any]:
        """From the link to the end, or until nothing is left; returns the last page."""
        await self.ask("POST", f"{self.path}/consent", {"passed": {"PROLIFIC_PID": self.name}})
        while True:
            page: dict[str, Any] = (await self.ask("GET", self.path)).json()
            if page["phase"] in ("finished", "closed"):
                return page
            if page["phase"] == "waiting":
                await asyncio.sleep(0.2)
                continue
            async with asyncio.timeout(LONGEST_S):
                await self.judge()

    async def judge(self) -> None:
        """One battle, or as far as it goes: it may be lost, or given to another."""
        opened = await self.ask("POST", f"{self.path}/battles")
        if opened.status_code != 201:
            return
        id = opened.json()["battle"]
        state = await self.voting(f"{A}/battles/{id}")
        if not state:
            return
        seat = worse(self.name, {letter: texts[0] for letter, texts in state["replies"].items()})
        vote = {"round": 1, "judgement": "drop", "seat": seat, "ballot": state["ballot"]}
        voted = await self.ask("POST", f"{A}/battles/{id}/votes", vote | {"dwell_ms": 1500})
        if voted.status_code == 200:
            self.votes[id] = seat
        elif voted.status_code not in (404, 409):
            self.failures.append(f"vote: {voted.status_code} {voted.text}")
        if id in self.votes:
            said = {"battle": id, "reasons": ["clear"], "grades": {"A": 3}}
            told = await self.ask("POST", f"{self.path}/remarks", said)
            if told.status_code == 200:
                self.remarked.add(id)
            else:
                self.failures.append(f"remark: {told.status_code} {told.text}")

    async def voting(self, path: str) -> dict[str, Any]:
        """Its state once it can be voted on; empty where it is not to be had any more. Somebody has
        to look on, so that it is played."""
        until = time.monotonic() + LONGEST_S / 2
        while time.monotonic() < until:
            body = {"battle_id": path.rsplit("/", maxsplit=1)[-1]}
            await self.ask("POST", f"{A}/get_progressive_responses", body)
            found = await self.ask("GET", path)
            state = found.json()
            if found.status_code != 200 or state["phase"] in ("void", "decided"):
                return {}
            if state["phase"] == "voting":
                return dict(state)
            await asyncio.sleep(0.1)
        return {}

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Until there is an answer that is not `later`."""
        link = {"Arena-Rater": f"{self.study}/{self.name}"}
        return await insist(self, method, path, json=body, headers=link)
