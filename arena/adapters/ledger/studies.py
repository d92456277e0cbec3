"""What happens in studies and what was written ahead for them, append-only beside the votes.

It does not know who judges what; that is decided by whoever asks, under the lock taken here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, insert, or_, select

from arena.adapters.ledger.chain import AT_ONCE
from arena.adapters.ledger.database import Database
from arena.adapters.ledger.schema import INSERTS, STUDY_EVENTS, STUDY_REPLIES, VOTES
from arena.core.battle.entities import Reply
from arena.core.battle.record import KINDS, REMARKED
from arena.core.codec import decode, encode
from arena.core.errors import BadInput
from arena.core.ports import Answer
from arena.core.study.course import Event
from arena.core.study.written import Written

_EVENT = [STUDY_EVENTS.c[name] for name in ("kind", "at", "rater", "battle", "item", "data")]


def events(connection: Connection, study: str) -> list[Event]:
    wanted = select(*_EVENT).where(STUDY_EVENTS.c.study == study)
    return [Event(*row) for row in connection.execute(wanted.order_by(STUDY_EVENTS.c.sequence))]


def openings(connection: Connection) -> dict[str, list[Event]]:
    """Study → when it was opened and closed, without what else is told of that."""
    kinds = STUDY_EVENTS.c.kind.in_(("opened", "closed"))
    columns = (STUDY_EVENTS.c[name] for name in ("study", "kind", "at"))
    found: dict[str, list[Event]] = {}
    for study, *event in connection.execute(
        select(*columns).where(kinds).order_by(STUDY_EVENTS.c.sequence)
    ):
        found.setdefault(study, []).append(Event(*event))
    return found


def happened(connection: Connection, study: str) -> tuple[list[Event], frozenset[str]]:
    """As `core.ports.StudyLedger.happened`."""
    so_far = events(connection, study)
    return so_far, judged(connection, so_far)


def battles(connection: Connection, studies: Collection[str]) -> frozenset[str]:
    wanted = select(STUDY_EVENTS.c.battle).where(
        STUDY_EVENTS.c.study.in_(studies), STUDY_EVENTS.c.kind == "claim"
    )
    return frozenset(connection.scalars(wanted))


def move(
    connection: Connection,
    database: Database,
    study: str,
    decide: Callable[[Sequence[Event], frozenset[str]], tuple[Answer, Sequence[Event]]],
) -> Answer:
    """As `core.ports.StudyLedger.move`, in a transaction that others wait for."""
    database.take_turns(connection)
    so_far, known = happened(connection, study)
    answer, news = decide(so_far, known)
    if not so_far and any(event.kind == "opened" for event in news):
        _refuse_joined(connection, study)
    if news:
        rows = [{"study": study, **asdict(event)} for event in news]
        connection.execute(insert(STUDY_EVENTS), rows)
    return answer


def _refuse_joined(connection: Connection, study: str) -> None:
    """Raises `BadInput` where votes came in while whoever opens the study looked at all else."""
    if connection.scalar(select(VOTES.c.id).where(VOTES.c.study == study).limit(1)) is not None:
        raise BadInput(
            f"Votes in the ledger are of a study {study} already, by its link or an import, and "
            "would count as this one's. Give this one another name."
        )


def judged(connection: Connection, so_far: Iterable[Event]) -> frozenset[str]:
    """Battles of which the ledger has the last vote though it is not told of them."""
    known: set[str] = set()
    told: set[str] = set()
    for event in so_far:
        if event.kind == "claim":
            known.add(event.battle)
        elif event.kind in ("done", "void"):
            told.add(event.battle)
    ended = or_(VOTES.c.champion != "", VOTES.c.winner == "both_bad")
    found: set[str] = set()
    for some in _chunks(sorted(known - told)):
        wanted = select(VOTES.c.battle_id).where(VOTES.c.battle_id.in_(some), ended)
        found.update(connection.scalars(wanted))
    return frozenset(found)


def keep(connection: Connection, study: str, written: Iterable[Written]) -> int:
    """How many of them were new."""
    rows = [
        {
            "study": study,
            "prompt_id": each.prompt_id,
            "contender": each.contender,
            "asked": each.asked,
            "replies": [encode(reply, Reply) for reply in each.replies],
            "seed": each.seed,
            "at": each.at or datetime.now(UTC),
        }
        for each in written
    ]
    into = INSERTS[connection.dialect.name](STUDY_REPLIES)
    new = into.on_conflict_do_nothing().returning(STUDY_REPLIES.c.sequence)
    return sum(len(connection.execute(new, row).all()) for row in rows)


def written(connection: Connection, study: str, prompt: str = "") -> list[Written]:
    columns = ("prompt_id", "contender", "asked", "replies", "seed", "at")
    wanted = select(*(STUDY_REPLIES.c[name] for name in columns))
    wanted = wanted.where(STUDY_REPLIES.c.study == study).order_by(STUDY_REPLIES.c.sequence)
    if prompt:
        wanted = wanted.where(STUDY_REPLIES.c.prompt_id == prompt)
    return [
        Written(id, name, asked, tuple(decode(each, Reply) for each in said), seed, at)
        for id, name, asked, said, seed, at in connection.execute(wanted)
    ]


def with_remarks(connection: Connection, votes: pd.DataFrame) -> pd.DataFrame:
    """votes: with `battle_id`, `seat_a` and `seat_b`. What raters said after them is filled in."""
    told: dict[str, Mapping[str, Any]] = {}
    for some in _chunks(votes["battle_id"].unique().tolist()):
        wanted = select(STUDY_EVENTS.c.battle, STUDY_EVENTS.c.data).where(
            STUDY_EVENTS.c.kind == "remark", STUDY_EVENTS.c.battle.in_(some)
        )
        for row in connection.execute(wanted.order_by(STUDY_EVENTS.c.sequence)):
            told[row.battle] = row.data
    if not told:
        return votes
    rows = zip(votes["battle_id"], votes["seat_a"], votes["seat_b"], strict=True)
    said = [_remark(told.get(battle), a, b) for battle, a, b in rows]
    made = votes.copy()
    for name in set(REMARKED).intersection(votes.columns):
        values = [
            known if remark is None else remark[name]
            for known, remark in zip(votes[name], said, strict=True)
        ]
        kind = object if KINDS[name][0] is list else votes[name].dtype
        made[name] = pd.Series(values, index=votes.index, dtype=kind)
    return made


def _remark(said: Mapping[str, Any] | None, a: str, b: str) -> dict[str, Any] | None:
    if said is None:
        return None
    grades, marks = said.get("grades", {}), said.get("marks", {})
    return {
        "reasons": said.get("reasons", []),
        "comment": said.get("comment", ""),
        "grade_a": grades.get(a),
        "grade_b": grades.get(b),
        "marks_a": marks.get(a, []),
        "marks_b": marks.get(b, []),
    }


def _chunks(values: list[str]) -> Iterable[list[str]]:
    return (values[at : at + AT_ONCE] for at in range(0, len(values), AT_ONCE))
