"""Replies that were written before anybody judges them.

It does not know who wrote them, nor where they are kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arena.core.battle.entities import Contender, Finished, Reply
from arena.core.study.design import BAD, GOOD, Check, Item, Study
from arena.core.study.faults import Fault
from arena.core.study.file import Row

COLUMNS = ("prompt_id", "contender", "reply")
"""That a file of answers has to have; `turn` where prompts have several."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a contender answered to the turns of a prompt. asked: the digest of these turns."""

    prompt_id: str
    contender: str
    asked: str
    replies: tuple[Reply, ...]
    seed: int = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Owed:
    """A contender that has not answered a prompt yet."""

    item: Item
    contender: Contender


def owed(study: Study, written: Iterable[Written]) -> tuple[Owed, ...]:
    """What is still to be written, contender by contender."""
    there = {(each.prompt_id, each.contender, each.asked) for each in written}
    return tuple(
        Owed(item, contender)
        for contender in study.contenders
        for item in study.items
        if contender in study.able(item) and (item.id, contender.name, item.asked) not in there
    )


def told(written: Iterable[Written]) -> frozenset[tuple[str, ...]]:
    """Who said what to what."""
    return frozenset(
        (each.contender, each.asked, each.prompt_id, *(reply.text for reply in each.replies))
        for each in written
    )


def seeing(study: Study, written: Iterable[Written]) -> Study:
    """With images go those contenders that have answered some."""
    asked = {(item.id, item.asked) for item in study.items if item.images}
    saw = {each.contender for each in written if (each.prompt_id, each.asked) in asked}
    return study.seen_by(saw)


def of_check(check: Check) -> Mapping[str, tuple[Reply, ...]]:
    """Contender → its reply, as it stands in the study's file."""
    return {name: (elsewhere(text),) for name, text in ((GOOD, check.good), (BAD, check.bad))}


def elsewhere(text: str) -> Reply:
    """A reply of which only the words are known."""
    return Reply(text, Finished(host="", done_reason="", ttft_ms=None, total_ms=None))


def _turn(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"turn is {value!r:.40}; it must be a whole number from 1.") from None


def answers(study: Study, rows: Iterable[Row]) -> tuple[list[Written], list[Fault]]:
    """Of a file with prompt_id, contender, reply, and turn (from 1) where a prompt has several."""
    names = {contender.name for contender in study.contenders}
    said: dict[tuple[str, str], dict[int, str]] = {}
    faults = []
    for place, record, wrong in rows:
        try:
            if record is None:
                raise ValueError(wrong)
            if lacking := [name for name in COLUMNS if name not in record]:
                raise ValueError(f"There is no column {', '.join(lacking)}.")
            id, name = str(record.get("prompt_id", "")), str(record.get("contender", ""))
            text, turn = record.get("reply"), _turn(record.get("turn") or 1)
            if id not in study.by_id:
                raise ValueError(f"The study has no prompt {id!r:.80}.")
            if name not in names:
                raise ValueError(f"The study has no contender {name!r:.80}.")
            if not isinstance(text, str) or not text.strip():
                raise ValueError("The reply is missing or empty.")
            if not 1 <= turn <= len(study.by_id[id].turns):
                raise ValueError(f"The prompt {id!r:.80} has no turn {turn}.")
            if turn in said.setdefault((id, name), {}):
                raise ValueError(f"{name!r:.80} has answered {id!r:.80} twice.")
            said[id, name][turn] = text
        except ValueError as error:
            faults.append(Fault(place, str(error)))
    made = []
    for (id, name), turns in said.items():
        item = study.by_id[id]
        if len(turns) < len(item.turns):
            faults.append(Fault(id, f"{name!r:.80} has not answered every turn."))
        replies = tuple(elsewhere(turns[turn]) for turn in sorted(turns))
        made.append(Written(id, name, item.asked, replies))
    return made, faults
