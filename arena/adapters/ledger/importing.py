"""Votes that were cast elsewhere, brought in all at once or not at all.

They are gathered in a temporary table first: while rows still come, nobody who votes waits, and
no more than some hundreds are held in memory. It does not know where they come from.
"""

from collections.abc import Iterable, Iterator
from itertools import islice, product
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, and_, func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from arena.adapters.ledger import chain
from arena.adapters.ledger.chain import AT_ONCE
from arena.adapters.ledger.database import Database
from arena.adapters.ledger.schema import (
    DTYPES,
    INCOMING,
    INCOMING_SAID,
    ONE_BALLOT,
    STUDY_EVENTS,
    VOTES,
)
from arena.adapters.ledger.schema import EMPTY as EMPTY_TEXT
from arena.core.battle.record import EMPTY, VoteRow
from arena.core.errors import BadInput, KnownVotes

NOTHING = "Nothing was imported."

SAME = [INCOMING.c.id == VOTES.c.id, and_(*(INCOMING.c[n] == VOTES.c[n] for n in ONE_BALLOT))]


def _bare(name: str) -> ColumnElement[str]:
    return func.substr(INCOMING.c[name], func.length(INCOMING.c.study) + 2)


FORMERLY_SAME = and_(
    VOTES.c.battle_id == _bare("battle_id"),
    VOTES.c.battle_id != INCOMING.c.battle_id,
    VOTES.c.supersedes.in_([INCOMING.c.supersedes, _bare("supersedes")]),
    *(INCOMING.c[name] == VOTES.c[name] for name in ("study", "round", "seat_a", "seat_b")),
)
"""Earlier releases took the names of battles in without that of their study."""


def add(
    connection: Connection, database: Database, rows: Iterable[VoteRow], *, dry: bool = False
) -> int:
    """As `core.ports.Ledger.add`, in the transaction of this connection, which must not have
    read from the table of votes yet."""
    INCOMING.create(connection)
    number = 0
    for some in _chunks(rows):
        number += len(some)
        connection.execute(insert(INCOMING), _known(some))
    _refuse_twice(connection)
    if dry:
        _refuse_known(connection, *SAME, FORMERLY_SAME)
        _refuse_taking_back(connection, VOTES, INCOMING.alias())
        _refuse_joining(connection)
    else:
        database.may_add(connection)
        INCOMING_SAID.create(connection)
        _prepare(connection)
        # No study is opened between the look at those that were and the end.
        database.take_turns(connection)
        _write(connection)
        INCOMING_SAID.drop(connection)
    INCOMING.drop(connection)
    return number


def _prepare(connection: Connection) -> None:
    """What takes longest, while nobody waits: the first row that is written locks others out."""
    columns = chain.stored(connection.dialect.name, [INCOMING.c[name] for name in DTYPES])
    following = select(INCOMING.c.place, INCOMING.c.id, *columns).order_by(INCOMING.c.place)
    place = 0
    while some := connection.execute(
        following.where(INCOMING.c.place > place).limit(AT_ONCE)
    ).all():
        place = some[-1][0]
        said = [{"id": id, "said": chain.said(values)} for _, id, *values in some]
        connection.execute(insert(INCOMING_SAID), said)


def _write(connection: Connection) -> None:
    written = insert(VOTES).from_select(
        list(DTYPES), select(*(INCOMING.c[name] for name in DTYPES)).order_by(INCOMING.c.place)
    )
    try:
        with connection.begin_nested():
            connection.execute(written)
            chain.extend_by(connection, INCOMING_SAID)
    except IntegrityError:
        _refuse_known(connection, *SAME)
        raise
    except DBAPIError as error:
        # Where there is no room SQLite has undone all of it, and knows no savepoint to go back to.
        told: list[BaseException] = [error]
        while before := told[-1].__context__:
            told.append(before)
        raise next(each for each in reversed(told) if isinstance(each, DBAPIError)) from None
    _refuse_known(connection, FORMERLY_SAME)
    _refuse_taking_back(connection, VOTES)
    _refuse_joining(connection)


def _known(rows: list[VoteRow]) -> list[dict[str, Any]]:
    """By column, without those of which nothing is known in any of the rows."""
    columns = zip(EMPTY.items(), zip(*map(attrgetter(*EMPTY), rows), strict=True), strict=True)
    known = {name: of for (name, no), of in columns if of.count(no) < len(rows)}
    return [dict(zip(known, values, strict=True)) for values in zip(*known.values(), strict=True)]


def _chunks(rows: Iterable[VoteRow]) -> Iterator[list[VoteRow]]:
    remaining = iter(rows)
    while some := list(islice(remaining, AT_ONCE)):
        for row in some:
            if row.model_a == row.model_b:
                raise BadInput(
                    f"The two contenders of vote {_shown(row.id)} have one name. {NOTHING} Leave it "
                    "out, then import again."
                )
            if row.supersedes and row.supersedes == row.ballot_id:
                raise BadInput(
                    f"The vote {_shown(row.id)} takes back its own ballot. {NOTHING} Correct "
                    "supersedes or ballot_id, then import again."
                )
            if row.timestamp.utcoffset() is None:
                raise BadInput(
                    f"The vote {_shown(row.id)} has a time without a time zone. {NOTHING} Give "
                    "it one, then import again."
                )
        yield some


def _refuse_twice(connection: Connection) -> None:
    """Raises `BadInput` where two of the votes to come are the same."""
    for key in ((INCOMING.c.id,), tuple(INCOMING.c[name] for name in ONE_BALLOT)):
        first = func.min(INCOMING.c.place)
        twice = select(func.min(INCOMING.c.id)).group_by(*key).having(func.count() > 1)
        if (known := connection.scalar(twice.order_by(first).limit(1))) is not None:
            raise BadInput(
                f"The vote {_shown(known)}, or another on the same two replies, comes twice. "
                f"{NOTHING} Leave one of them out, then import again."
            )


def _refuse_known(connection: Connection, *same: ColumnElement[bool]) -> None:
    """Raises `KnownVotes` where some of the votes to come are here already."""
    for agree in same:
        here = select(INCOMING.c.id).join(VOTES, agree).order_by(INCOMING.c.place)
        if known := connection.scalars(here.limit(KnownVotes.most)).all():
            raise KnownVotes(
                f"The vote {_shown(known[0])}, or another on the same two replies, is here "
                f"already. {NOTHING} Leave it out, then import again.",
                ids=known,
            )


def _refuse_taking_back(connection: Connection, *there: FromClause) -> None:
    """Raises `BadInput` where one of the votes that came takes back a ballot of another battle
    among those that are there, or its own is taken back there: a file takes no votes out that it
    did not bring."""
    for among, back in product(there, (False, True)):
        older, newer = (INCOMING, among) if back else (among, INCOMING)
        taken = and_(
            older.c.ballot_id == newer.c.supersedes,
            newer.c.supersedes != EMPTY_TEXT,
            older.c.battle_id != newer.c.battle_id,
        )
        named = select(INCOMING.c.id).join(among, taken).order_by(INCOMING.c.place)
        if (known := connection.scalar(named.limit(1))) is not None:
            raise BadInput(
                f"The vote {_shown(known)} takes back a ballot of another battle, or is taken back "
                f"by one. {NOTHING} Correct supersedes or ballot_id, then import again."
            )


def _refuse_joining(connection: Connection) -> None:
    """Raises `BadInput` at a vote that would join those that raters of a study have cast here: it
    would count as one of theirs, also while they are blind, and nothing could tell it apart."""
    opened = select(STUDY_EVENTS.c.study).where(STUDY_EVENTS.c.kind == "opened")
    joining = select(INCOMING.c.id, INCOMING.c.study).where(INCOMING.c.study.in_(opened))
    for id, study in connection.execute(joining.order_by(INCOMING.c.place).limit(1)):
        raise BadInput(
            f"The vote {_shown(id)} is of a study {study} that was opened here, and would count as "
            f"one of its own. {NOTHING} Give these votes another name with --study, then import "
            "again."
        )


def _shown(id: str) -> str:
    return id if len(id) <= 60 else f"{id[:60]}…"
