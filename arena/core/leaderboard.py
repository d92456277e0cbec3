"""Standings from votes: a penalised Bradley–Terry fit with cluster-robust intervals.

Rows of the ledger go in as a DataFrame, standings come out as one; nothing is stored. It does
not know where votes are kept, who may cast them, or how a table is drawn.

Bradley & Terry 1952 (the model); Chiang et al. 2024, arXiv:2403.04132 (its use on human
preference); White 1980 and Liang & Zeger 1986 (the sandwich and its clusters).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, ndtri, stdtrit

from arena.core.ports import BadInput

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ties = Literal["half", "drop"]

PRIOR_SD = 1.5
"""Standard deviation, in logits, of the normal prior on a contender's strength (261 points)."""

LEVEL = 0.95
POINTS_PER_LOGIT = 400 / np.log(10)
MEAN_RATING = 1000.0
MIN_RATERS = 4
"""Fewer effective raters than this say too little about how much tastes differ."""

COLUMNS = (
    *("battle_id", "ballot_id", "supersedes", "excluded_reason", "rater"),
    *("model_a", "model_b", "winner"),
    *("ttft_ms_a", "ttft_ms_b", "tokens_per_s_a", "tokens_per_s_b"),
)
"""The ledger's columns that are read here."""

SCORE = {"model_a": 1.0, "model_b": 0.0, "tie": 0.5, "both_bad": 0.5}
"""What an outcome is worth to model_a."""

STANDINGS = {
    "rank": "Int64",
    "contender": "str",
    "rating": "float64",
    "lower": "float64",
    "upper": "float64",
    "battles": "int64",
    "votes": "int64",
    "wins": "int64",
    "ties": "int64",
    "both_bad": "int64",
    "losses": "int64",
    "win_rate": "float64",
    "ttft_ms": "float64",
    "tokens_per_s": "float64",
    "rank_best": "Int64",
    "rank_worst": "Int64",
    "group": "Int64",
}
"""Columns of the standings, in order, with their dtypes."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Strengths of K contenders in logits. Every group has mean zero, and the covariance is
    zero across groups: contenders that never met, not even through others, cannot be compared."""

    names: tuple[str, ...]
    theta: Floats
    """(K,)"""
    covariance: Floats
    """(K, K)"""
    group: Ints
    """(K,) numbered from 0, the group with the most votes first"""
    df: Floats
    """(K,) degrees of freedom of the t quantile; the same all through a group"""

    @property
    def rating(self) -> Floats:
        """(K,) on the Elo scale, with mean 1000 in every group."""
        return MEAN_RATING + POINTS_PER_LOGIT * self.theta

    @property
    def half_width(self) -> Floats:
        """(K,) half the 95 % interval of the rating."""
        size = np.bincount(self.group)[self.group]
        alone = PRIOR_SD * np.sqrt(1 - 1 / size)
        return POINTS_PER_LOGIT * _half_width(np.diag(self.covariance), self.df, alone)

    def rank_spread(self) -> tuple[Ints, Ints]:
        """Best and worst rank (K,) in its group that the votes leave open to each contender,
        from the standard errors of the differences."""
        together = self.group[:, None] == self.group
        own = np.diag(self.covariance)
        variance = np.maximum(own[:, None] + own - 2 * self.covariance, 0.0)
        margin = _half_width(variance, self.df[:, None], PRIOR_SD * np.sqrt(2))
        lead = self.theta - self.theta[:, None]
        above = (together & (lead > margin)).sum(axis=1)
        below = (together & (lead < -margin)).sum(axis=1)
        return 1 + above, together.sum(axis=1) - below


def fit(votes: pd.DataFrame, *, ties: Ties = "half") -> Fit:
    """The Bradley–Terry fit of all votes that count.

    votes: rows of the ledger with at least `COLUMNS`; superseded ballots and excluded rows are
    left out. `ties` says whether tie and both_bad count as half a win each or not at all.
    Raises `BadInput` for an unknown outcome or a row without two different contenders."""
    return _fit(_counted(votes), ties)


def standings(
    votes: pd.DataFrame, roster: Sequence[str] = (), *, ties: Ties = "half"
) -> pd.DataFrame:
    """The leaderboard: one row a contender, with the columns and dtypes of `STANDINGS`.

    Ratings are points on the Elo scale around a mean of 1000, `lower` and `upper` their 95 %
    interval, `rank_best` and `rank_worst` the ranks the votes leave open. `group` counts
    from 0 the sets of contenders that are linked by votes; all ranks are within the group and
    ratings cannot be compared across. Whoever of `roster` has no vote comes last, without rank
    and rating. `votes` are rows (one a pair), `win_rate` counts tie and both_bad as half a win,
    `ttft_ms` and `tokens_per_s` are medians over replies, NaN where none was measured.
    Raises `BadInput` as `fit` does."""
    counted = _counted(votes)
    ranked = _ranked(_fit(counted, ties))
    tally = _tally(counted)
    names = ranked.index.union(tally.index).union(pd.Index(roster, dtype="str"))
    table = ranked.reindex(names).join(tally)
    whole = ["battles", "votes", "wins", "ties", "both_bad", "losses"]
    table[whole] = table[whole].fillna(0)
    table = table.rename_axis("contender").reset_index()
    table = table.sort_values(["group", "rank", "contender"], na_position="last")
    return table[list(STANDINGS)].astype(STANDINGS).reset_index(drop=True)


def movement(votes: pd.DataFrame, battle_id: str) -> pd.DataFrame:
    """How one battle moved its contenders: the standings of all other votes beside those of all.

    One row a contender of that battle: contender, rating_before, rating_after, rank_before,
    rank_after, best first. Before is NaN for a newcomer; a battle without votes gives no row;
    one whose votes do not count moves nobody. Raises `BadInput` as `fit` does."""
    if votes.empty:
        votes = votes.reindex(columns=COLUMNS)
    here = votes["battle_id"] == battle_id
    fought = pd.unique(votes.loc[here, ["model_a", "model_b"]].to_numpy().ravel())
    before = _ranked(fit(votes[~here])).add_suffix("_before")
    after = _ranked(fit(votes)).add_suffix("_after")
    table = before.join(after, how="outer").reindex(fought)
    table = table.rename_axis("contender").reset_index()
    table = table.sort_values(["rank_after", "contender"], na_position="last", ignore_index=True)
    return table[["contender", "rating_before", "rating_after", "rank_before", "rank_after"]]


def _counted(votes: pd.DataFrame) -> pd.DataFrame:
    """The rows that count: neither superseded nor excluded. All rows are checked."""
    if votes.empty:
        return votes.reindex(columns=COLUMNS)
    if missing := [column for column in COLUMNS if column not in votes]:
        raise BadInput(
            f"The votes lack the columns {', '.join(missing)}. Give rows as the ledger has them."
        )
    unknown = votes[~votes["winner"].isin(SCORE)]
    if len(unknown):
        row = unknown.iloc[0]
        raise BadInput(
            f"Battle {row['battle_id']} has the unknown outcome {row['winner']!r}; it must be "
            f"one of {', '.join(SCORE)}. Correct that row, then compute the standings again."
        )
    named = votes["model_a"].notna() & votes["model_b"].notna()
    unusable = votes[~named | (votes["model_a"].astype("str") == votes["model_b"].astype("str"))]
    if len(unusable):
        raise BadInput(
            f"A vote of battle {unusable.iloc[0]['battle_id']} does not name two different "
            "contenders. Correct that row, then compute the standings again."
        )
    superseded = votes["ballot_id"].isin(votes["supersedes"].dropna())
    excluded = votes["excluded_reason"].notna() & (votes["excluded_reason"] != "")
    return votes[~superseded & ~excluded]


def _fit(counted: pd.DataFrame, ties: Ties) -> Fit:
    if ties == "drop":
        counted = counted[counted["winner"].isin(("model_a", "model_b"))]
    side_a, side_b, names = _sides(counted)
    score = counted["winner"].map(SCORE).to_numpy(float)
    battle = pd.factorize(counted["battle_id"], use_na_sentinel=False)[0]
    rater = pd.factorize(counted["rater"], use_na_sentinel=False)[0]
    group = _groups(side_a, side_b, len(names))
    theta, df = np.zeros(len(names)), np.zeros(len(names))
    covariance = np.zeros((len(names), len(names)))
    for number in range(group.max(initial=-1) + 1):
        members = np.flatnonzero(group == number)
        rows = group[side_a] == number
        a, b = np.searchsorted(members, side_a[rows]), np.searchsorted(members, side_b[rows])
        theta[members], information = _strengths(a, b, score[rows], len(members))
        covariance[np.ix_(members, members)], df[members] = _sandwich(
            a, b, score[rows], battle[rows], rater[rows], theta[members], information
        )
    return Fit(tuple(names), theta, covariance, group, df)


def _sides(counted: pd.DataFrame) -> tuple[Ints, Ints, pd.Index]:
    """Each vote's two contenders as indices into the sorted names."""
    both = pd.concat([counted["model_a"], counted["model_b"]]).astype("str")
    codes, names = pd.factorize(both, sort=True)
    side_a, side_b = codes.reshape(2, -1)
    return side_a, side_b, names


def _groups(side_a: Ints, side_b: Ints, size: int) -> Ints:
    """(size,) the connected component of each contender, the one with the most votes being 0."""
    met = coo_array((np.ones(len(side_a)), (side_a, side_b)), shape=(size, size))
    count, label = connected_components(met, directed=False) if size else (0, side_a)
    busiest_first = np.argsort(-np.bincount(label[side_a], minlength=count), kind="stable")
    return np.argsort(busiest_first)[label]


def _strengths(a: Ints, b: Ints, score: Floats, size: int) -> tuple[Floats, Floats]:
    """Posterior mode (K,) and the information H0 of the votes there (K, K), by Newton's method
    on the at most K(K−1)/2 pairs that met. The prior being the same for all, the mode sums to 0."""
    swap = a > b
    pair, cell = np.unique(np.where(swap, b * size + a, a * size + b), return_inverse=True)
    met = np.bincount(cell)
    won = np.bincount(cell, np.where(swap, 1 - score, score))
    i, j = np.divmod(pair, size)
    precision = 1 / PRIOR_SD**2

    def loss(theta: Floats) -> float:
        gap = theta[i] - theta[j]
        return float(met @ np.logaddexp(0, gap) - won @ gap + precision / 2 * theta @ theta)

    def information(p: Floats) -> Floats:
        weight = met * p * (1 - p)
        cells = np.zeros((size, size))
        cells[i, j] = cells[j, i] = weight
        return np.diag(cells.sum(axis=1)) - cells

    theta = np.zeros(size)
    for _ in range(100):
        p = expit(theta[i] - theta[j])
        surplus = won - met * p
        slope = np.bincount(i, surplus, size) - np.bincount(j, surplus, size) - precision * theta
        step = np.linalg.solve(information(p) + precision * np.eye(size), slope)
        # Far from the mode the quadratic can overshoot; near it a full step always gains.
        while np.abs(step).max() > 0.1 and loss(theta + step) > loss(theta):
            step /= 2
        theta = theta + step
        if np.abs(step).max() < 1e-10:
            break
    return theta, information(expit(theta[i] - theta[j]))


def _sandwich(
    a: Ints, b: Ints, score: Floats, battle: Ints, rater: Ints, theta: Floats, information: Floats
) -> tuple[Floats, float]:
    """Covariance (K, K) of the strengths around their mean, P A (B* + λI) A P, and the degrees
    of freedom of its t quantile."""
    size = len(theta)
    by_rater = _effective(rater) >= MIN_RATERS
    cluster = np.unique(rater if by_rater else battle, return_inverse=True)[1]
    count = cluster.max() + 1
    share = 10 * size / (len(a) + 10 * size)
    meat = information
    if count > 1:
        residual = score - expit(theta[a] - theta[b])
        where = (np.r_[cluster, cluster], np.r_[a, b])
        u = coo_array((np.r_[residual, -residual], where), shape=(count, size)).tocsr()
        meat = share * information + (1 - share) * count / (count - 1) * (u.T @ u).toarray()
    ridge = np.eye(size) / PRIOR_SD**2
    bread = np.linalg.inv(information + ridge)
    centre = np.eye(size) - 1 / size
    half = centre @ bread
    return half @ (meat + ridge) @ half.T, max(_effective(cluster) - 1, 1.0)


def _effective(cluster: Ints) -> float:
    """(Σm)²/Σm²: how many clusters of equal size would say as much."""
    votes = np.bincount(cluster).astype(float)
    return float(votes.sum() ** 2 / (votes @ votes))


def _half_width(variance: Floats, df: Floats, prior_sd: float | Floats) -> Floats:
    """Half an interval in logits. The t quantile of two or three battles alone would claim less
    than is known before the first vote, so the prior's own interval is the widest."""
    tail = (1 + LEVEL) / 2
    return np.minimum(stdtrit(df, tail) * np.sqrt(variance), ndtri(tail) * prior_sd)


def _ranked(result: Fit) -> pd.DataFrame:
    """The fit as a table, indexed by contender."""
    best, worst = result.rank_spread()
    table = pd.DataFrame(
        {
            "rating": result.rating,
            "lower": result.rating - result.half_width,
            "upper": result.rating + result.half_width,
            "rank_best": best,
            "rank_worst": worst,
            "group": result.group,
        },
        index=pd.Index(result.names, dtype="str"),
    )
    # Equal records differ in the last bits of their strengths; they share a rank.
    settled = table["rating"].round(6).groupby(table["group"])
    table["rank"] = settled.rank(method="min", ascending=False)
    return table.astype({c: "Int64" for c in ("rank", "rank_best", "rank_worst", "group")})


def _tally(counted: pd.DataFrame) -> pd.DataFrame:
    """Counts, win rate and speed, indexed by contender."""
    side_a, side_b, names = _sides(counted)
    size = len(names)
    contender = np.r_[side_a, side_b]
    winner = counted["winner"].to_numpy(object)
    a_won, b_won = winner == "model_a", winner == "model_b"

    def times(mask_a: NDArray[np.bool_], mask_b: NDArray[np.bool_]) -> Ints:
        return np.bincount(contender, np.r_[mask_a, mask_b], size).astype(int)

    battle = pd.factorize(counted["battle_id"], use_na_sentinel=False)[0]
    replies = pd.DataFrame({"contender": contender, "battle": np.r_[battle, battle]})
    battles = np.bincount(replies.drop_duplicates()["contender"], minlength=size)
    for column in ("ttft_ms", "tokens_per_s"):
        measured = [pd.to_numeric(counted[f"{column}_{side}"]) for side in "ab"]
        replies[column] = np.concatenate(measured).astype(float)
    # A reply that was judged in several pairs was timed once.
    medians = replies.drop_duplicates().groupby("contender")[["ttft_ms", "tokens_per_s"]].median()
    tally = pd.DataFrame(
        {
            "battles": battles,
            "votes": np.bincount(contender, minlength=size),
            "wins": times(a_won, b_won),
            "ties": times(winner == "tie", winner == "tie"),
            "both_bad": times(winner == "both_bad", winner == "both_bad"),
            "losses": times(b_won, a_won),
        },
    ).join(medians)
    tally["win_rate"] = (tally["wins"] + (tally["ties"] + tally["both_bad"]) / 2) / tally["votes"]
    return tally.set_index(pd.Index(names, dtype="str"))
