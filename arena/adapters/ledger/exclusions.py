"""Which votes an operator has excluded, and why: decisions that are only ever added to, each linked
to the one before it and to the votes that there were.

A later decision on the same rater or ballot takes the place of an earlier one, so each is
reversible. It does not know why somebody decides.
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Select, case, func, insert, or_, select

from arena.adapters.ledger import chain
from arena.adapters.ledger.database import Database
from arena.adapters.ledger.schema import CHAIN, EMPTY, EXCLUSIONS, VOTES
from arena.core.ports import BALLOT, OPERATOR, RATER, Exclusion
from arena.core.standings.votes import ITSELF, ODD, WINNERS

_LAST = (
    select(EXCLUSIONS.c.number, EXCLUSIONS.c.digest).order_by(EXCLUSIONS.c.number.desc()).limit(1)
)
_BY_KIND = {RATER: VOTES.c.rater, BALLOT: VOTES.c.ballot_id}


def _current(kind: str) -> Select[str]:
    """Who or what is excluded now."""
    newest = select(func.max(EXCLUSIONS.c.number)).group_by(EXCLUSIONS.c.kind, EXCLUSIONS.c.subject)
    return select(EXCLUSIONS.c.subject).where(
        EXCLUSIONS.c.number.in_(newest), EXCLUSIONS.c.kind == kind, EXCLUSIONS.c.excluded
    )


_EXCLUDED = or_(*(column.in_(_current(kind)) for kind, column in _BY_KIND.items()))

REASON: ColumnElement[str] = case(
    (VOTES.c.excluded_reason != EMPTY, VOTES.c.excluded_reason),
    (VOTES.c.model_a == VOTES.c.model_b, ITSELF),
    (VOTES.c.winner.not_in(WINNERS), ODD),
    (_EXCLUDED, OPERATOR),
    else_=EMPTY,
).label("excluded_reason")
"""Of a vote, as it is now. What was not ranked already keeps its reason."""


def told(connection: Connection) -> list[Exclusion]:
    """All decisions, in their order."""
    rows = connection.execute(select(EXCLUSIONS).order_by(EXCLUSIONS.c.number)).all()
    return [Exclusion(r.kind, r.subject, r.excluded, r.reason, r.decided_at) for r in rows]


def write(connection: Connection, database: Database, decisions: Sequence[Exclusion]) -> None:
    """In a transaction that from here on no other writes beside."""
    database.take_turns(connection)
    number, digest = chain.end(connection, _LAST)
    after, votes = chain.end(connection)
    for decided in decisions:
        number += 1
        row: dict[str, Any] = {
            "number": number,
            "kind": decided.kind,
            "subject": decided.subject,
            "excluded": decided.excluded,
            "reason": decided.reason,
            "decided_at": decided.decided_at.astimezone(UTC),
            "after": after,
        }
        digest = chain.digest_of(digest, votes, *row.values())
        connection.execute(insert(EXCLUSIONS), {**row, "digest": digest})


def count(connection: Connection) -> int:
    return connection.scalar(select(func.max(EXCLUSIONS.c.number))) or 0


def applied(connection: Connection, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of `outcomes`, with what is excluded now."""
    raters = connection.scalars(_current(RATER)).all()
    ballots = _current(BALLOT)
    few = select(VOTES.c.sequence).where(VOTES.c.ballot_id.in_(ballots))
    out = rows["rater"].isin(raters) | rows["sequence"].isin(connection.scalars(few).all())
    out &= rows["excluded_reason"] == ""
    return marked(rows, out, OPERATOR) if out.any() else rows


def marked(rows: pd.DataFrame, where: pd.Series, reason: str) -> pd.DataFrame:
    """Rows of `outcomes`, with that reason there."""
    reasons = rows["excluded_reason"]
    if reason not in reasons.cat.categories:
        reasons = reasons.cat.add_categories(reason)
    return rows.assign(excluded_reason=reasons.mask(where, reason))


def verify(connection: Connection, head: str) -> tuple[str, list[str]]:
    """The head of the decisions, and what is wrong with them. head: one that was told before."""
    columns = [*EXCLUSIONS.c]
    links = select(*chain.stored(connection.dialect.name, columns), CHAIN.c.digest).outerjoin(
        CHAIN, CHAIN.c.sequence == EXCLUSIONS.c.after
    )
    faults: list[str] = []
    before, heads = "", {""}
    number = 0
    for *stored, votes in connection.execute(links.order_by(EXCLUSIONS.c.number)):
        number += 1
        *values, digest = chain.meant(columns, stored)
        if values[0] != number:
            faults.append(f"exclusion {number} is missing")
            number = values[0]
        elif chain.digest_of(before, votes or "", *values) != digest:
            faults.append(f"exclusion {number}, or a vote before it, was changed")
        before = digest
        heads.add(f"{number}:{digest}")
    if head not in heads:
        faults.append(f"the head {head} of exclusions is not in it: they were changed")
    return f"{number}:{before}" if number else "", faults
