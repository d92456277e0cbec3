"""Battles for the tests of the core: contenders, replies, and a battle played so far."""

from __future__ import annotations

from arena.core.battle.entities import (
    Battle,
    Contender,
    Finished,
    Format,
    Judgement,
    Reply,
    Verdict,
)
from arena.core.battle.rules import answer, open_battle, vote

TIE, BAD = Verdict(Judgement.TIE), Verdict(Judgement.BAD)


def drop(seat: str) -> Verdict:
    return Verdict(Judgement.DROP, seat)


def contenders(count: int) -> tuple[Contender, ...]:
    return tuple(Contender(name=f"name-{i}", model=f"model-{i}") for i in range(count))


def reply(text: str = "An answer.", **facts: object) -> Reply:
    measured = {"host": "h", "done_reason": "stop", "ttft_ms": 10.0, "total_ms": 20.0} | facts
    return Reply(text, Finished(**measured))  # type: ignore[arg-type]


def answered(battle: Battle) -> Battle:
    """Everyone live gives all replies they owe."""
    for letter in battle.live:
        while battle.owed(letter):
            battle = answer(battle, letter, reply(f"{letter} says {len(battle.prompts)}."))
    return battle


def opened(count: int, format: Format, seed: int = 0) -> Battle:
    """A battle at its first vote."""
    return answered(open_battle("battle", format, contenders(count), "Why?", seed))


def voted(battle: Battle, *verdicts: Verdict) -> Battle:
    """The battle after these verdicts; replies are given in between."""
    for verdict in verdicts:
        battle = vote(answered(battle), battle.round, verdict, f"ballot-{battle.round}")
    return battle
