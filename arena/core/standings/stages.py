"""Eliminations by their own likelihood: in each stage one of those in play is the last, with the
chance that is its due among all of them; beside the pairs that the leaderboard takes it apart
into.

It needs rows with their ballots, and does not know where they are kept.

Plackett 1975 and Luce 1959 on the reversed order: the chance that i is dropped from a set is
exp(−θ_i) by the sum of exp(−θ) over the set. Of two contenders this is Bradley and Terry's.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from arena.core.arrays import Floats, Ints
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT, Fit, Method, half_interval
from arena.core.standings.counts import Counts
from arena.core.standings.sandwich import effective, means, sandwich
from arena.core.standings.votes import TEXT, counted

STAGES = {
    "contender": TEXT,
    **dict.fromkeys(("rating", "lower", "upper", "rating_pairs"), "float64"),
    "error_ratio": "float64",
}
"""Columns, in order, with their dtypes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Stages:
    """B ballots on K contenders."""

    member: Floats
    """(B, K) 1 for who was in play"""
    dropped: Floats
    """(B, K) how much of the ballot dropped whom: 1 for one, equal shares in a tie"""
    battle: Ints
    """(B,)"""


def stages(votes: pd.DataFrame, method: Method = Method()) -> pd.DataFrame:
    """One row a contender of the largest group, best first, with the columns of `STAGES`.

    votes: rows of the ledger with their ballots; those with an excluded_reason are left out. Ties and
    both_bad are shared equally among those in play, or left out, as the method says. rating, lower
    and upper: points and their 95 % interval, votes of one battle erring together. rating_pairs:
    by the pairs of the same ballots. error_ratio: the standard error by pairs, by the one here:
    above 1, the stages make more of the same ballots. Empty where no ballot had three in play,
    since all is the same then, and where all are left out."""
    votes, nothing = counted(votes), pd.DataFrame(columns=list(STAGES)).astype(STAGES)
    if not len(votes) or votes["ballot_id"].value_counts().max() < 2:
        return nothing
    plain = Method(method.ties, method.bad, method.prior_sd, 0.0, "battle", method.anchor)
    pairs = Counts.of(votes).fit(plain)
    at = np.flatnonzero(pairs.group == 0)
    largest = [pairs.names[place] for place in at]
    if not largest:
        return nothing
    read = _read(votes, largest, method)
    theta, information = _mode(read, method.precision)
    chance = _chances(read, theta)
    surplus = read.member * (chance * read.dropped.sum(axis=1, keepdims=True) - read.dropped)
    by_battle = np.zeros((read.battle.max() + 1, len(largest)))
    np.add.at(by_battle, read.battle, surplus)
    clusters = len(by_battle)
    meat = by_battle.T @ by_battle * clusters / max(clusters - 1, 1)
    level = means(np.zeros(len(largest), dtype=np.int64))
    covariance = sandwich(information, meat, method.precision, level)
    df = max(effective(np.bincount(read.battle).astype(float)) - 1, 1.0)
    group, all_df = np.zeros(len(largest), dtype=np.int64), np.full(len(largest), df)
    fit = Fit(tuple(largest), theta, covariance, group, all_df, method.prior_sd, method.anchor)
    half = POINTS_PER_LOGIT * half_interval(np.diag(covariance), all_df, method.prior_sd)
    errors = np.sqrt(np.diag(pairs.covariance)[at]), np.sqrt(np.diag(covariance))
    columns = {
        "contender": largest,
        "rating": fit.rating,
        "lower": fit.rating - half,
        "upper": fit.rating + half,
        "rating_pairs": pairs.rating[at],
        "error_ratio": errors[0] / errors[1],
    }
    table = pd.DataFrame(columns).astype(STAGES)
    return table.sort_values("rating", ascending=False, kind="stable", ignore_index=True)


def _read(votes: pd.DataFrame, names: list[str], method: Method) -> _Stages:
    """The ballots that the method counts."""
    votes = votes[votes["model_a"].isin(names)]
    worth = dict(zip(("tie", "both_bad"), method.weights, strict=True))
    votes = votes[votes["winner"].astype(TEXT).map(worth).fillna(1.0) > 0]
    ballot, _ = pd.factorize(votes["ballot_id"])
    at = pd.Index(names)
    a, b = (at.get_indexer(pd.Index(votes[side].astype(TEXT))) for side in ("model_a", "model_b"))
    won = votes["winner"].astype(TEXT).to_numpy()
    size = int(ballot.max(initial=-1)) + 1
    member, dropped = np.zeros((size, len(names))), np.zeros((size, len(names)))
    for side in (a, b):
        member[ballot, side] = 1.0
    drawn = np.isin(won, ["tie", "both_bad"])
    dropped[ballot[won == "model_a"], b[won == "model_a"]] = 1.0
    dropped[ballot[won == "model_b"], a[won == "model_b"]] = 1.0
    tied = np.zeros(size, dtype=bool)
    tied[ballot[drawn]] = True
    dropped[tied] = member[tied]
    dropped /= np.maximum(dropped.sum(axis=1, keepdims=True), 1.0)
    battle = np.zeros(size, dtype=np.int64)
    battle[ballot] = pd.factorize(votes["battle_id"])[0]
    return _Stages(member, dropped, battle)


def _chances(read: _Stages, theta: Floats) -> Floats:
    """(B, K) how likely each in play is to be dropped."""
    worth: Floats = np.exp(-theta) * read.member
    shares: Floats = worth / worth.sum(axis=1, keepdims=True)
    return shares


def _mode(read: _Stages, precision: float) -> tuple[Floats, Floats]:
    """θ (K,), with mean 0, and the information there (K, K), by Newton's method."""
    size = read.member.shape[1]
    theta = np.zeros(size)
    level = means(np.zeros(size, dtype=np.int64))
    ridge = precision * np.eye(size) + level

    def loss(theta: Floats) -> float:
        chance = np.where(read.member > 0, _chances(read, theta), 1.0)
        said = (read.dropped * np.log(np.maximum(chance, 1e-300))).sum()
        return float(precision / 2 * theta @ theta - said)

    for _ in range(100):
        chance = _chances(read, theta)
        information = np.diag(chance.sum(axis=0)) - chance.T @ chance
        slope = (chance - read.dropped).sum(axis=0) - precision * theta
        step = np.linalg.solve(information + ridge, slope)
        while np.abs(step).max() > 0.1 and loss(theta + step) > loss(theta):
            step /= 2
        theta = theta + step
        if np.abs(step).max() < 1e-10:
            break
    return theta, information
