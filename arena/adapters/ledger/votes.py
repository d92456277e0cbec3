"""Votes out of the database, in a DataFrame: with what operators decided of them, and what raters
said after them. It does not know who asks."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, bindparam, select

from arena.adapters.ledger import exclusions, studies
from arena.adapters.ledger.schema import DTYPES, VOTES
from arena.core.battle.record import REMARKED
from arena.core.standings.votes import Vote

_COLUMNS: Mapping[str, ColumnElement[Any]] = {**VOTES.c, "excluded_reason": exclusions.REASON}

_ON_BATTLE = (
    select(*(_COLUMNS[name] for name in Vote._fields))
    .where(VOTES.c.battle_id == bindparam("battle"))
    .order_by(VOTES.c.sequence)
)


def on(db: Connection, battle: str) -> list[Vote]:
    """As `core.ports.Ledger.votes_on`."""
    return [Vote._make(row) for row in db.execute(_ON_BATTLE, {"battle": battle})]


def read(db: Connection, columns: Sequence[str], after: int, limit: int) -> pd.DataFrame:
    """As `core.ports.Ledger.votes`."""
    known = {"sequence": "int64", **DTYPES}
    remarked = not set(REMARKED).isdisjoint(columns)
    beside = ("battle_id", "seat_a", "seat_b") if remarked else ()
    dtypes = {name: known[name] for name in dict.fromkeys((*columns, *beside))}
    wanted = select(*(_COLUMNS[name] for name in dtypes)).order_by(VOTES.c.sequence)
    if after:
        wanted = wanted.where(VOTES.c.sequence > after)
    if limit:
        wanted = wanted.limit(limit)
    values = list(zip(*db.execute(wanted), strict=True)) or [()] * len(dtypes)
    pairs = zip(dtypes.items(), values, strict=True)
    # Columns that bring no index of their own need not be compared by it.
    arrays = {name: pd.Series(of, dtype=kind).array for (name, kind), of in pairs}
    votes = pd.DataFrame(arrays, copy=False)
    return studies.with_remarks(db, votes)[[*columns]] if remarked else votes
