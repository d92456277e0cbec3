"""A model as a judge: it is shown two replies that people judged, in both orders, and its verdicts
are kept apart from theirs.

The words that it is asked with stand in judge.txt. It does not know hosts, nor how a ledger keeps
rows; what verdicts say of a judge is in `core.standings.judge`.

Zheng et al. 2023, arXiv:2306.05685 (the verdict's form, and asking in both orders).
"""

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Any

import pandas as pd

from arena.core.battle.entities import Contender, Text, Thought
from arena.core.battle.record import EMPTY, SCHEMA_VERSION, VoteRow
from arena.core.codec import records
from arena.core.errors import HostFault
from arena.core.ports import Hosts, Ledger
from arena.core.standings.judge import CHANNEL, EXCLUDED, VERDICTS, judge_of
from arena.core.standings.leaderboard import superseding
from arena.core.standings.slices import Slice
from arena.core.study.course import Event

TEMPLATE = Template((Path(__file__).parent / "judge.txt").read_text(encoding="utf-8"))
VERDICT = re.compile(r"\[\[([ABC])\]\]")
WINNERS = {"A": "model_a", "B": "model_b", "C": "tie"}
ROWS_AT_ONCE = 500
SEED = 0

TRIES = 3
"""How often a judge is asked for verdicts on two replies that could not be read: it mostly says the
same again, and has its price."""

OWN = ("refused", "empty", "overthought", "too long")
"""Kinds of fault by which a judge says nothing on these two replies, and will not another time."""

GONE = ("nowhere", "missing", "forbidden")
"""Kinds of fault that are of no reply: no host has the judge any more, or lets it be asked."""

PEOPLE = (
    *("sequence", "id", "battle_id", "ballot_id", "supersedes", "excluded_reason", "rater"),
    *("model_a", "model_b", "winner", "conversation_a", "conversation_b", "round"),
    *("system", "study", "topic", "prompt_id", "language", "channel", "timestamp"),
)
"""The ledger's columns that are read here."""

Messages = Sequence[Mapping[str, Any]]


async def verdicts(ledger: Ledger, model: str) -> pd.DataFrame:
    """A judge's verdicts, in the columns of `core.standings.judge.VERDICTS`."""
    columns = ("rater", "excluded_reason", "battle_id", "round", "model_a", "model_b", "winner")
    rows = await ledger.votes(columns)
    own = rows[(rows["rater"] == judge_of(model)) & (rows["excluded_reason"] == EXCLUDED)]
    return own.rename(columns={"battle_id": "item", "round": "order"})[list(VERDICTS)]


async def tried(ledger: Ledger, model: str) -> tuple[frozenset[str], Counter[str]]:
    """The items that a judge has given its verdicts on; and those on which none could be read, with
    how often it was asked. These are no votes, but stand beside those of studies, under a name
    that none of them may have."""
    done = frozenset((await verdicts(ledger, model))["item"])
    events, _ = await ledger.happened(judge_of(model))
    return done, Counter(event.item for event in events if event.item not in done)


@dataclass(frozen=True, slots=True)
class Case:
    """Two replies that people judged, as they stood in a row of the ledger; `item` is the same for
    the same two. sides: the order in which the judge is shown them."""

    item: str
    row: Mapping[str, Any]
    sides: tuple[str, str] = ("a", "b")

    def each(self, column: str) -> list[Any]:
        """In the order shown."""
        return [self.row[f"{column}_{side}"] for side in self.sides]


async def cases(
    ledger: Ledger, chosen: Slice, model: str, hidden: frozenset[str] = frozenset()
) -> tuple[list[Case], pd.DataFrame]:
    """What there is for a model to judge, each two replies once, and people's votes on it: item,
    prompt, rater, model_a, model_b, winner, length_a, length_b. Only votes that are ranked and have both
    replies, of battles that are not hidden."""
    found: dict[str, Case] = {}
    rows: list[dict[str, Any]] = []
    labels = await ledger.votes(("sequence", "ballot_id", "supersedes", "excluded_reason"))
    counted = superseding(labels)
    counts = set(counted.loc[counted["excluded_reason"] == "", "sequence"])
    after = 0
    while len(votes := await ledger.votes(PEOPLE, after=after, limit=ROWS_AT_ONCE)):
        after = int(votes["sequence"].iloc[-1])
        seen = votes["sequence"].isin(counts) & ~votes["battle_id"].isin(hidden)
        for row in records(chosen.of(votes[seen])):
            talk = row["conversation_a"], row["conversation_b"]
            if not all(said and said[-1]["role"] == "assistant" for said in talk):
                continue
            prompt = _prompt(row)
            if row["system"]:
                setting = {"role": "system", "content": row["system"]}
                row |= {
                    f"conversation_{side}": [setting, *row[f"conversation_{side}"]] for side in "ab"
                }
            item = _item(row, model)
            found.setdefault(item, Case(item, row))
            told = {name: row[name] for name in ("rater", "winner", "model_a", "model_b")}
            lengths = {f"length_{s}": _length(said) for s, said in zip("ab", talk, strict=True)}
            rows.append({"item": item, "prompt": prompt, **told, **lengths})
    columns = ["item", "prompt", "rater", "winner", "model_a", "model_b", "length_a", "length_b"]
    return list(found.values()), pd.DataFrame(rows, columns=columns)


def _item(row: Mapping[str, Any], model: str) -> str:
    """What the judge's battle on these two replies is called, whichever stood first."""
    sides = sorted((row[f"model_{side}"], row[f"conversation_{side}"]) for side in "ab")
    said = json.dumps([judge_of(model), *sides], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _prompt(row: Mapping[str, Any]) -> str:
    """What all the rounds of a battle began with."""
    said = row["conversation_a"]
    first: str = next((m["content"] for m in said if m["role"] == "user"), said[0]["content"])
    return first


def _length(said: Messages) -> int:
    return sum(len(message["content"]) for message in said if message["role"] == "assistant")


def asked(first: Messages, second: Messages) -> str:
    """What the judge is asked, with the replies in this order."""
    return TEMPLATE.substitute(first=_told(first), second=_told(second))


def _told(said: Messages) -> str:
    names = {"user": "Person", "assistant": "Reply", "system": "Setting"}
    return "\n\n".join(f"{names.get(m['role'], m['role'])}: {m['content']}" for m in said)


def verdict(reply: str) -> str | None:
    """model_a, model_b or tie by the last verdict in a judge's reply; None where there is none."""
    found = VERDICT.findall(reply)
    return WINNERS[found[-1]] if found else None


@dataclass(frozen=True, slots=True)
class Judge:
    """A model of the hosts that judges cases into the ledger."""

    hosts: Hosts
    ledger: Ledger
    model: str

    async def owed(self, wanted: Sequence[Case]) -> list[Case]:
        """Those that were not judged yet, first those that were not asked for, and none that
        could not be read so often that it is left alone."""
        done, unread = await tried(self.ledger, self.model)
        left = (case for case in wanted if case.item not in done and unread[case.item] < TRIES)
        return sorted(left, key=lambda case: unread[case.item])

    async def judge(self, owed: Sequence[Case], now: datetime) -> AsyncIterator[HostFault | None]:
        """Both orders of each, one case at a time; yields after each. A case is kept whole, or
        kept in mind as one that could not be read; if a host failed over it, which is no word of
        the judge's, neither, and its fault is told. Raises ArenaError where no host has the
        model."""
        for case in owed:
            ways = (case, replace(case, sides=("b", "a")))
            replies = await asyncio.gather(*(self._reply(way) for way in ways))
            faults = [reply for reply in replies if isinstance(reply, HostFault)]
            if faults:
                yield faults[0]
                continue
            said = [verdict(str(reply)) for reply in replies]
            if all(said):
                rows = [
                    self._row(way, order, winner or "", now)
                    for order, (way, winner) in enumerate(zip(ways, said, strict=True), 1)
                ]
                await self.ledger.append(rows)
            else:
                rater = judge_of(self.model)
                news = Event("unread", now, rater, item=case.item)
                await self.ledger.move(rater, lambda *_, news=news: (None, [news]))
            yield None

    async def _reply(self, case: Case) -> str | HostFault:
        """Empty where the judge says nothing on it; the fault where the host failed over it.
        Raises HostFault where none has the judge."""
        # Each case is a contender of its own: one that is refused twice sits out for a while.
        name = f"{judge_of(self.model)}/{case.item}"
        contender = Contender(name, self.model, options={"temperature": 0.0})
        message = {"role": "user", "content": asked(*case.each("conversation"))}
        text = ""
        try:
            async with aclosing(self.hosts.reply(contender, [message], seed=SEED)) as events:
                async for event in events:
                    if isinstance(event, Text):
                        text += event.text
                    elif isinstance(event, Thought) and event.earlier:
                        text = ""
        except HostFault as fault:
            if fault.kind in GONE:
                raise
            return "" if fault.kind in OWN else fault
        return text

    def _row(self, case: Case, order: int, winner: str, now: datetime) -> VoteRow:
        kept = {key: case.row[key] for key in ("study", "topic", "prompt_id", "language")}
        # Nothing was written by anybody here.
        values: dict[str, Any] = {**EMPTY} | kept
        model_a, model_b = case.each("model")
        values |= {
            "conv_metadata": {},
            "schema_version": SCHEMA_VERSION,
            "seat_a": "A",
            "seat_b": "B",
            "live": "AB",
            "id": f"{case.item}-{order}",
            "ballot_id": f"{case.item}-{order}",
            "battle_id": case.item,
            "round": order,
            "evaluation_session_id": case.row["battle_id"],
            "evaluation_order": case.row["round"],
            "model_a": model_a,
            "model_b": model_b,
            "winner": winner,
            "rater": judge_of(self.model),
            "channel": CHANNEL,
            "excluded_reason": EXCLUDED,
            "timestamp": now,
        }
        return VoteRow(**values)
