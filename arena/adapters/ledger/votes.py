"""Votes out of the database, in a DataFrame: with what operators decided of them, and what raters
said after them. It does not know who asks."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, select

from arena.adapters.ledger import exclusions, studies
from arena.adapters.ledger.schema import DTYPES, VOTES
from arena.core.battle.record import REMARKED


def read(
    db: Connection, columns: Sequence[str], after: int, battle: str, limit: int
) -> pd.DataFrame:
    """As `core.ports.Ledger.votes`."""
    known = {"sequence": "int64", **DTYPES}
    remarked = not set(REMARKED).isdisjoint(columns)
    beside = ("battle_id", "seat_a", "seat_b") if remarked else ()
    dtypes = {name: known[name] for name in dict.fromkeys((*columns, *beside))}
    asked: dict[str, ColumnElement[Any]] = {name: VOTES.c[name] for name in dtypes}
    if "excluded_reason" in asked:
        asked["excluded_reason"] = exclusions.REASON
    wanted = select(*asked.values()).order_by(VOTES.c.sequence)
    if after:
        wanted = wanted.where(VOTES.c.sequence > after)
    if battle:
        wanted = wanted.where(VOTES.c.battle_id == battle)
    if limit:
        wanted = wanted.limit(limit)
    values = list(zip(*db.execute(wanted), strict=True)) or [()] * len(dtypes)
    pairs = zip(dtypes.items(), values, strict=True)
    # Columns that bring no index of their own need not be compared by it.
    arrays = {name: pd.Series(of, dtype=kind).array for (name, kind), of in pairs}
    votes = pd.DataFrame(arrays, copy=False)
    return studies.with_remarks(db, votes)[[*columns]] if remarked else votes
