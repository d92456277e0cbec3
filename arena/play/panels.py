"""What is told of votes beside their ratings: speeds, effects, days, choices, totals.

It does not know where votes come from, nor which of them may be seen.
"""

import numpy as np
import pandas as pd

from arena.core.errors import BadInput
from arena.core.standings import covariates as effects
from arena.core.standings import leaderboard
from arena.core.standings.board import Panels, Query, Statistics
from arena.core.standings.bradley_terry import Method
from arena.core.standings.judge import EXCLUDED

CHOICES = ("topic", "study", "language", "channel")
MOST_CHOICES = 200
"""Values of a field that are offered at most."""


def panels(votes: pd.DataFrame, query: Query) -> Panels:
    if votes.empty:
        nothing = pd.DataFrame()
        return Panels(nothing, nothing, nothing, days(votes), {})
    told = leaderboard.superseding(votes)
    chosen = query.slice.of(told)
    return Panels(
        speeds=leaderboard.speeds(chosen),
        order=_effects(chosen, effects.ORDER, query.method),
        style=_effects(chosen, effects.STYLE, query.method),
        days=days(chosen),
        choices=_choices(votes),
    )


def _effects(votes: pd.DataFrame, names: tuple[str, ...], method: Method) -> pd.DataFrame:
    """Of votes that know what they need; empty where none does."""
    try:
        return effects.fit_with(effects.measurable(votes, names), names, method)[1]
    except BadInput:
        return pd.DataFrame()


def days(votes: pd.DataFrame) -> pd.DataFrame:
    """Day (UTC) and votes, in order, without gaps."""
    if votes.empty:
        return pd.DataFrame({"day": pd.Series(dtype="datetime64[us, UTC]"), "votes": []})
    by_day = votes["timestamp"].dt.floor("D").value_counts().sort_index()
    every = pd.date_range(by_day.index[0], by_day.index[-1], freq="D")
    counted = by_day.reindex(every, fill_value=0)
    return pd.DataFrame({"day": counted.index, "votes": counted.to_numpy(np.int64)})


def _choices(votes: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    found = {}
    for field in CHOICES:
        values = votes[field].value_counts()
        found[field] = tuple(str(v) for v in values.index if v)[:MOST_CHOICES]
    return found


def statistics(votes: pd.DataFrame, held_back: int) -> Statistics:
    if votes.empty:
        return Statistics(0, 0, 0, 0, {}, {}, {}, {}, held_back)
    told = leaderboard.superseding(votes)
    reasons = told["excluded_reason"]
    ranked = told[reasons == ""]

    def times(values: pd.Series) -> dict[str, int]:
        return {str(value): int(n) for value, n in values.value_counts().items()}

    return Statistics(
        battles=int(told.loc[reasons != EXCLUDED, "battle_id"].nunique()),
        votes=len(ranked),
        ballots=int(ranked["ballot_id"].nunique()),
        raters=int(ranked.loc[ranked["rater"] != "", "rater"].nunique()),
        winner=times(ranked["winner"]),
        channel=times(ranked["channel"]),
        study=times(ranked["study"]),
        excluded=times(reasons[reasons != ""]),
        held_back=held_back,
    )
