"""Standings from votes: ratings, intervals and records of every contender, as one table.

Counts or rows of the ledger go in, DataFrames come out; nothing is stored. It does not know
where votes are kept, who may cast them, or how a table is drawn. The fit and its sources are in
`core.standings.bradley_terry`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from arena.core.arrays import Bools, Floats, Ints
from arena.core.standings.bradley_terry import Fit, Method
from arena.core.standings.counts import Counts
from arena.core.standings.votes import SUPERSEDED, TEXT, Vote, counted, require

MEASURES = {
    "ttft_ms": "ttft_ms",
    "tokens_per_s": "tokens_per_s",
    "reply_tokens": "output_tokens",
    "thinking_tokens": "thinking_tokens",
    "thinking_ms": "thinking_ms",
}
"""Measure of a reply → the ledger's column, less `_a` or `_b`."""

SPEED_COLUMNS = tuple(f"{column}_{side}" for column in MEASURES.values() for side in "ab")

_COUNTS = ("votes", "wins", "ties", "both_bad", "losses")
STANDINGS = {
    "rank": "Int64",
    "contender": TEXT,
    **dict.fromkeys(("rating", "lower", "upper"), "float64"),
    **dict.fromkeys(("battles", *_COUNTS), "int64"),
    **dict.fromkeys(("win_rate", "both_bad_rate", *MEASURES), "float64"),
    **dict.fromkeys(("rank_best", "rank_worst", "group"), "Int64"),
    "few": "bool",
}
"""Columns of the standings, in order, with their dtypes."""

HEAD_TO_HEAD = {
    **dict.fromkeys(("contender", "opponent"), TEXT),
    **dict.fromkeys(_COUNTS, "int64"),
    "win_rate": "float64",
}
"""Columns of the records of each against each, in order, with their dtypes."""

NO_SPEEDS = pd.DataFrame(columns=list(MEASURES), index=pd.Index([], dtype=TEXT), dtype=float)
"""By contender, where none is known."""


@dataclass(frozen=True, slots=True)
class Movement:
    """How a battle moved the rating and the rank of a contender; null where it had none."""

    contender: str
    rating_before: float | None
    rating_after: float | None
    rank_before: int | None
    rank_after: int | None


def standings(
    counts: Counts,
    roster: Sequence[str] = (),
    *,
    method: Method = Method(),
    speeds: pd.DataFrame | None = None,
    fitted: Fit | None = None,
) -> pd.DataFrame:
    """The leaderboard: one row a contender, with the columns and dtypes of `STANDINGS`.

    roster: contenders to be listed even without votes. speeds: as the function of that name
    gives them. fitted: ratings of the same votes that were made otherwise, such as by
    `covariates.fit_with`.

    Ratings are points on the Elo scale around a mean of 1000, `lower` and `upper` their 95 %
    interval, `rank_best` and `rank_worst` the ranks the votes leave open. `group` counts
    from 0 the sets of contenders that are linked by votes; all ranks are within the group and
    ratings cannot be compared across. `few`: the prior says more of its strength than its votes
    do, and pulls it towards the mean; one that lost all of few votes stands behind those of its
    group, whatever its rating. Whoever has no vote in the fit comes last, without rank
    and rating. `votes` are rows (one a pair), `win_rate` counts tie and both_bad as half a win,
    `both_bad_rate` is both_bad by votes; the speeds are medians over replies, NaN where none was
    measured."""
    fitted = counts.fit(method) if fitted is None else fitted
    tally = counts.tally()
    names = sorted({*tally.index, *fitted.names, *map(str, roster)})
    ratings = _ratings(fitted, names)
    # Built once, in its final order: this is done after each vote.
    unranked = np.iinfo(np.int64).max
    order = np.lexsort(
        [ratings[by].to_numpy(np.int64, na_value=unranked) for by in ("rank", "group")]
    )
    names = [names[at] for at in order.tolist()]
    ranked = {what: values[order] for what, values in ratings.items()}
    record = _by_name(tally, names, 0)
    drawn = record["ties"] + record["both_bad"]
    votes = np.where(record["votes"], record["votes"], np.nan)
    columns = ranked | record | {"contender": pd.array(names, dtype=TEXT)}
    columns["win_rate"] = (record["wins"] + drawn / 2) / votes
    columns["both_bad_rate"] = record["both_bad"] / votes
    few = dict(zip(fitted.names, fitted.few.tolist(), strict=True))
    columns["few"] = np.array([few.get(name, False) for name in names], dtype=bool)
    columns |= _by_name(NO_SPEEDS if speeds is None else speeds, names, np.nan)
    return pd.DataFrame({name: columns[name] for name in STANDINGS})


def speeds(votes: pd.DataFrame) -> pd.DataFrame:
    """Medians over replies, by contender: the `MEASURES`, NaN where none was measured; of thought
    over those replies before which there was any. votes: rows of the ledger that may have `SPEED_COLUMNS`; those that are
    excluded are left out. A reply that was judged in several pairs is one reply."""
    present = [column for column in SPEED_COLUMNS if column in votes]
    if votes.empty or not present:
        return NO_SPEEDS
    votes = superseding(votes) if "supersedes" in votes else votes
    votes = counted(votes)
    battle = pd.factorize(votes["battle_id"], use_na_sentinel=False)[0]
    sides = [votes[f"model_{side}"].astype(TEXT) for side in "ab"]
    contender, names = pd.factorize(pd.concat(sides, ignore_index=True))
    replies = pd.DataFrame({"contender": contender})
    for measure, column in MEASURES.items():
        replies[measure] = np.concatenate([_numbers(votes, f"{column}_{side}") for side in "ab"])
    reply = np.r_[battle, battle] * len(names) + contender
    distinct = _distinct(reply, replies[list(MEASURES)].fillna(-1.0).to_numpy())
    medians = replies[distinct].groupby("contender")[list(MEASURES)].median()
    return medians.set_axis(names[medians.index].rename("contender"))


def superseding(votes: pd.DataFrame) -> pd.DataFrame:
    """Rows of the ledger, with excluded_reason "superseded" wherever the `supersedes` of one of
    another ballot names theirs, whether that one counts itself or not."""
    if votes.empty:
        return votes
    require(votes, ("ballot_id", "supersedes", "excluded_reason"))
    named = {
        ballot for ballot in votes["supersedes"].unique() if isinstance(ballot, str) and ballot
    }
    if not named:
        return votes
    those = votes.loc[votes["supersedes"].isin(named), ["ballot_id", "supersedes"]]
    named = {older for ballot, older in those.itertuples(index=False) if older != ballot}
    superseded = votes["ballot_id"].isin(named)
    reason = votes["excluded_reason"].astype(TEXT).mask(superseded, SUPERSEDED)
    return votes.assign(excluded_reason=reason)


def _standing(votes: Sequence[Vote]) -> list[Vote]:
    """Of those of a battle the ones that count."""
    replaced = {vote.supersedes for vote in votes if vote.supersedes != vote.ballot_id}
    return [v for v in votes if not v.excluded_reason and v.ballot_id not in replaced]


def movement(
    counts: Counts, counted: Sequence[Vote], votes: Sequence[Vote]
) -> tuple[Movement, ...]:
    """How one battle moved its contenders: the standings of all other votes beside those of all.

    votes: all of the battle; counted: those of them that were folded into the counts. One item a
    contender of the battle, best first; a battle without votes gives none, one whose votes do not
    count moves nobody."""
    if not votes:
        return ()
    names = sorted({name for vote in votes for name in (vote.model_a, vote.model_b)})
    fits = counts.moved(_standing(counted), _standing(votes))
    before, after = (_placed(fit) for fit in fits)
    nowhere = None, None
    rows = []
    for name in names:
        (was, stood), (rating, rank) = before.get(name, nowhere), after.get(name, nowhere)
        rows.append(Movement(name, was, rating, stood, rank))
    return tuple(sorted(rows, key=lambda row: row.rank_after or math.inf))


def head_to_head(counts: Counts) -> pd.DataFrame:
    """One row for each contender and opponent that met, each pair from both sides, with the
    columns and dtypes of `HEAD_TO_HEAD`; `win_rate` counts tie and both_bad as half a win."""
    one = counts.outcomes()
    turned = {"contender": "opponent", "opponent": "contender", "wins": "losses", "losses": "wins"}
    table = pd.concat([one, one.rename(columns=turned)], ignore_index=True)
    drawn = table["ties"] + table["both_bad"]
    table["votes"] = table["wins"] + table["losses"] + drawn
    table["win_rate"] = (table["wins"] + drawn / 2) / table["votes"]
    table = table.sort_values(["contender", "opponent"], ignore_index=True)
    return table[list(HEAD_TO_HEAD)].astype(HEAD_TO_HEAD)


def _numbers(votes: pd.DataFrame, column: str) -> Floats:
    """(N,) NaN where nothing is known."""
    if column not in votes:
        return np.full(len(votes), np.nan)
    return pd.to_numeric(votes[column]).to_numpy(float, na_value=np.nan)


def _distinct(key: Ints, values: Floats) -> Bools:
    """(N,) one row of each that agree in key and values (N, …); few have a key in common."""
    order = np.argsort(key)
    key, values = key[order], values[order]
    again = np.zeros(len(key), dtype=bool)
    later, distance = np.arange(1, len(key)), 1
    while len(later := later[key[later] == key[later - distance]]):
        again[later] |= (values[later] == values[later - distance]).all(axis=1)
        later, distance = later[later > distance], distance + 1
    stays = np.empty(len(key), dtype=bool)
    stays[order] = ~again
    return stays


def _by_name(table: pd.DataFrame, names: Sequence[str], missing: float) -> dict[str, Any]:
    """By column, the values of these names, and `missing` for those the table does not have."""
    at = table.index.get_indexer(pd.Index(list(names), dtype=TEXT))
    return {str(name): np.append(of.to_numpy(), missing)[at] for name, of in table.items()}


def _ratings(fit: Fit, names: Sequence[str]) -> dict[str, Any]:
    """By column of the standings, what the fit says of these contenders, and nothing of those it
    does not know."""
    at = {name: place for place, name in enumerate(fit.names)}
    known = np.array([at.get(name, -1) for name in names], dtype=np.int64)
    best, worst = fit.rank_spread()
    whole = {"rank": _ranks(fit), "rank_best": best, "rank_worst": worst, "group": fit.group}
    half = fit.half_width
    points = {"rating": fit.rating, "lower": fit.rating - half, "upper": fit.rating + half}
    columns: dict[str, Any] = {
        name: pd.arrays.IntegerArray(np.append(of, 0)[known], known < 0)
        for name, of in whole.items()
    }
    return columns | {name: np.append(of, np.nan)[known] for name, of in points.items()}


def _placed(fit: Fit) -> dict[str, tuple[float, int]]:
    """Rating and rank by contender."""
    placed = zip(fit.rating.tolist(), _ranks(fit).tolist(), strict=True)
    return dict(zip(fit.names, placed, strict=True))


def _ranks(fit: Fit) -> Ints:
    """(K,) each in its group."""
    # Equal records differ in the last bits of their strengths; they share a rank.
    rating = fit.rating.round(6)
    last = fit.behind
    better = np.where(last == last[:, None], rating > rating[:, None], last < last[:, None])
    ranks: Ints = 1 + ((fit.group[:, None] == fit.group) & better).sum(axis=1)
    return ranks
