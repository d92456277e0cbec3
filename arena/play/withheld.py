"""Votes that nobody may know of yet, since whoever plays could read from them who is who.

It does not know which battles these are, nor what is made of votes.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from arena.core.arrays import Bools
from arena.core.standings.votes import SUPERSEDED, coded


class _Row(NamedTuple):
    """One of `core.ports.Outcomes`."""

    sequence: int
    battle_id: str
    rater: str
    model_a: str
    model_b: str
    winner: str
    excluded_reason: str


class Withheld:
    """By their sequences. Rows come and go as those of `core.ports.Outcomes`."""

    def __init__(self) -> None:
        self._rows: dict[int, _Row] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._rows

    def superseded(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Those of the rows that are not here; those that are become superseded ones."""
        known = [at in self._rows for at in rows["sequence"]]
        for at in rows["sequence"][known].tolist():
            self._rows[at] = self._rows[at]._replace(excluded_reason=SUPERSEDED)
        return rows[[not here for here in known]]

    def free(self, live: frozenset[str]) -> pd.DataFrame:
        """Those of other battles than these. They stay until they are forgotten."""
        return pd.DataFrame([row for row in self._rows.values() if row.battle_id not in live])

    def forget(self, rows: pd.DataFrame) -> None:
        for at in rows["sequence"].tolist() if len(rows) else ():
            del self._rows[at]

    def taken(self, rows: pd.DataFrame, live: frozenset[str]) -> pd.DataFrame:
        """The rows without those of these battles, which are kept here."""
        if rows.empty or not live:
            return rows
        battle, battles = coded(rows["battle_id"])
        theirs: Bools = np.array([*map(live.__contains__, battles.tolist()), False])[battle]
        some = rows.loc[theirs, [*_Row._fields]].itertuples(index=False, name=None)
        self._rows |= {row[0]: _Row(*row) for row in some}
        others: pd.DataFrame = rows.loc[~theirs]
        return others
