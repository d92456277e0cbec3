"""Standings that weigh raters by how reliable they are, and standings without each of them.

It works on rows of votes and does not know who the raters are.

Each rater votes by the strengths with a chance of their own, else at random: the noisy
Bradley–Terry model of Bugakova et al. 2019 (Aggregation of pairwise comparisons with reduction of
biases, arXiv:1906.03711), akin to CrowdBT (Chen et al. 2013, WSDM); here without its bias terms,
as seats are drawn by lot. Fitted by the EM algorithm (Dempster, Laird & Rubin 1977), with a Beta
prior on the chances.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit

from arena.core.arrays import Floats
from arena.core.standings import fitting
from arena.core.standings.bradley_terry import Fit, Method, line_up
from arena.core.standings.clusters import Worth
from arena.core.standings.counts import Counts
from arena.core.standings.fitting import Design, Entries
from arena.core.standings.sums import summed
from arena.core.standings.votes import TEXT, counted, read

RELIABILITY = {"rater": TEXT, "votes": "int64", "reliability": "float64"}
WEIGHED = {"contender": TEXT, **dict.fromkeys(("rating", "rating_weighed", "move"), "float64")}
WITHOUT = {
    "rater": TEXT,
    "votes": "int64",
    "moved": TEXT,
    "by": "float64",
    "first_place": TEXT,
    "order_changed": "bool",
}
"""Columns, in order, with their dtypes."""

PRIOR = (4.0, 1.0)
"""Of reliability: as if of four votes by the strengths and one at random were known."""

MOST_LEFT_OUT = 200
"""Raters that are left out one by one: those with the most votes."""


def weighed(votes: pd.DataFrame, method: Method = Method()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ratings with raters weighed by reliability beside the plain ones, best first, in the columns
    of `WEIGHED`; and the raters, least reliable first, in those of `RELIABILITY`: the chance that
    a vote of theirs follows the strengths and not chance, from 0 to 1. votes: rows with
    `votes.OUTCOME_COLUMNS`; those without a rater are taken for one person's. A tie is half a win
    for each, or left out. Raises BadInput as `votes.read` does."""
    new = read(votes)
    rater, names = pd.factorize(counted(votes)["rater"].astype(TEXT).fillna(""))
    half = replace(method, ties="drop" if method.ties == "drop" else "half")
    worth = Worth.of(*half.weights)
    # Half a vote for each in a tie, so that every entry is decided.
    combination = new.each(np.arange(len(new.outcome)))
    weight, score = worth.votes[new.outcome], worth.score[new.outcome]
    a, b = new.model_a, new.model_b
    times = new.times * weight
    listed, place, group = line_up(new.names, a, b, times)
    size, raters = len(new.outcome), len(names)
    # Who has nothing but votes that are left out has no place in the fit.
    weighs = weight[combination] > 0
    key, count = np.unique((rater * size + combination)[weighs], return_counts=True)
    who, what = np.divmod(key, size)
    number = count * weight[what]
    chance = np.full(raters, PRIOR[0] / sum(PRIOR))
    # The strengths alone need no clusters; votes and scores are those of each step.
    zeros, none = np.zeros(size), np.zeros(0, dtype=np.int64)
    apart = Entries(none, none, zeros[:0], zeros[:0])
    design = Design(
        group, place[a], place[b], np.zeros((0, size)), zeros, zeros, zeros, zeros, lambda _: apart
    )
    fit = None
    for _ in range(200):
        before = chance
        share = np.ones(len(key))
        if fit is not None:
            gap = fit.theta[place[a[what]]] - fit.theta[place[b[what]]]
            p = expit(gap)
            # A tie is half of each: so is what it says of its rater.
            share = score[what] * _by_strength(chance[who], p)
            share += (1 - score[what]) * _by_strength(chance[who], 1 - p)
            total = summed(who, number, raters)
            follows = summed(who, number * share, raters)
            chance = (follows + PRIOR[0] - 1 + 1e-9) / (total + sum(PRIOR) - 2 + 2e-9)
        used = summed(what, number * share, size)
        won = summed(what, number * share * score[what], size)
        fit = fitting.strengths(listed, replace(design, votes=used, score=won), half)
        if share.min(initial=1.0) < 1 and np.abs(chance - before).max(initial=0.0) < 1e-7:
            break
    plain = Counts.of(votes).fit(half)
    assert fit is not None
    rating = pd.Series(plain.rating, index=list(plain.names))
    table = pd.DataFrame({"contender": list(fit.names), "rating_weighed": fit.rating})
    table["rating"] = table["contender"].map(rating)
    table["move"] = table["rating_weighed"] - table["rating"]
    table = table.sort_values("rating_weighed", ascending=False, kind="stable", ignore_index=True)
    votes_of = np.bincount(rater, minlength=raters)
    found = pd.DataFrame({"rater": list(names), "votes": votes_of, "reliability": chance})
    found = found.sort_values("reliability", kind="stable", ignore_index=True)
    return table[list(WEIGHED)].astype(WEIGHED), found.astype(RELIABILITY)


def _by_strength(chance: Floats, p: Floats) -> Floats:
    """How likely a vote followed the strengths, given how it went and how likely that was."""
    followed: Floats = chance * p
    return followed / (followed + (1 - chance) / 2)


def without_each(votes: pd.DataFrame, method: Method = Method()) -> pd.DataFrame:
    """One row a rater, whoever moves most first, with the columns of `WITHOUT`: without their
    votes the contender `moved` moves most, `by` so many points, `first_place` is first, and the
    order is another or not. Of the `MOST_LEFT_OUT` raters with the most votes, of votes that
    count; empty with fewer than two raters. Raises BadInput as `Counts.of` does."""
    counts = Counts.of(votes)
    all_fit = counts.fit(method)
    ranked = counted(votes)
    rater_of = ranked["rater"].astype(TEXT)
    rows_of, sizes = ranked.groupby(rater_of).indices, rater_of.value_counts()
    sizes = sizes[sizes.index != ""].head(MOST_LEFT_OUT)
    rows = []
    before = _ratings(all_fit)
    for rater, size in sizes.items() if len(sizes) > 1 else ():
        after = _ratings(counts.without(ranked.iloc[rows_of[rater]], method))
        moves = (after - before.reindex(after.index)).dropna()
        if moves.empty:
            continue
        most = str(moves.abs().idxmax())
        same = before[before.index.isin(after.index)]
        rows.append(
            {
                "rater": rater,
                "votes": int(size),
                "moved": most,
                "by": moves[most],
                "first_place": after.idxmax(),
                "order_changed": _order(same) != _order(after),
            }
        )
    table = pd.DataFrame(rows, columns=list(WITHOUT)).astype(WITHOUT)
    order = table["by"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _ratings(fit: Fit) -> "pd.Series[float]":
    here = fit.group == 0
    return pd.Series(
        fit.rating[here], index=[n for n, at in zip(fit.names, here, strict=True) if at]
    )


def _order(ratings: "pd.Series[float]") -> list[str]:
    order = np.argsort(-ratings.round(6).to_numpy(), kind="stable")
    return [str(ratings.index[at]) for at in order]
