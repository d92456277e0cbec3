"""Replies of a study, written ahead on all hosts: each kept as soon as it is there, so that
whatever breaks off goes on where it was.

It does not know hosts, nor who waits for it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from arena.core.battle.entities import Seat, Terms
from arena.core.errors import ArenaError
from arena.core.ports import Hosts, StudyLedger
from arena.core.study.design import Study
from arena.core.study.staging import instructed, seed_of
from arena.core.study.written import Owed, Written, owed
from arena.play.writer import Writer


@dataclass(frozen=True, slots=True)
class Failed:
    """A reply that could not be had. why: for the operator."""

    prompt_id: str
    contender: str
    why: str


async def write(
    study: Study,
    hosts: Hosts,
    ledger: StudyLedger,
    told: Callable[[int, int], None],
    *,
    at_once: int,
    now: Callable[[], datetime],
) -> Sequence[Failed]:
    """Everything that is owed, one contender after the other, so that models are loaded once.
    told(done, total). at_once: replies that are asked for at the same time. Returns what failed."""
    left = owed(study, await ledger.written(study.name))
    waiting = iter(left)
    failed: list[Failed] = []
    done = 0
    told(0, len(left))

    async def work() -> None:
        nonlocal done
        for each in waiting:
            if why := await _written(study, each, hosts, ledger, now):
                failed.append(Failed(each.item.id, each.contender.name, why))
            done += 1
            told(done, len(left))

    await asyncio.gather(*(work() for _ in range(at_once)))
    return failed


async def _written(
    study: Study, each: Owed, hosts: Hosts, ledger: StudyLedger, now: Callable[[], datetime]
) -> str:
    """Why it could not be had; empty where it is kept."""
    contender = instructed(study, each.contender.name, each.item)
    seed = seed_of(study, each.item)
    terms = Terms(images=each.item.images)
    writer = Writer(Seat("A", contender), each.item.turns, hosts.families(), terms)
    await writer.write(hosts, seed)
    if isinstance(writer.fault, ArenaError):
        return str(writer.fault)
    replies = tuple(writer.replies)
    kept = Written(each.item.id, contender.name, each.item.asked, replies, seed, now())
    await ledger.keep(study.name, [kept])
    return ""
