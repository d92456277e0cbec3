"""The whole order at once: intervals and ranks that hold together for all contenders, where the
usual ones hold for each by itself.

It reads a fit and nothing else.

The largest of all |t|, simulated from the fit's covariance: Hothorn, Bretz & Westfall 2008
(multivariate t); step-down: Romano & Wolf 2005; ranks from differences: Mogstad, Romano, Shaikh &
Wilhelm 2024, Review of Economic Studies 91.
"""

from random import Random

import numpy as np
import pandas as pd

from arena.core.arrays import Bools, Floats
from arena.core.standings.bradley_terry import LEVEL, POINTS_PER_LOGIT, Fit, quantile
from arena.core.standings.chance import chi_squared, normal, seeded
from arena.core.standings.votes import TEXT

ORDER = {
    "contender": TEXT,
    **dict.fromkeys(("rating", "lower_all", "upper_all"), "float64"),
    **dict.fromkeys(("rank_best", "rank_worst", "rank_best_all", "rank_worst_all"), "int64"),
    "group": "int64",
}
"""Columns, in order, with their dtypes."""

DRAWS = 20_000
MOST_CELLS = 20_000_000
"""Numbers that are held at once."""


def whole_order(fit: Fit) -> pd.DataFrame:
    """One row a contender, best first in its group, with the columns of `ORDER`.

    lower_all, upper_all: intervals of the ratings that all hold together with 95 %, in points.
    rank_best_all, rank_worst_all: ranks that all hold together with 95 %, so the chance that any
    of the differences they rest on is claimed falsely is 5 % (family-wise); beside them the
    ranks of each contender by itself. All within a group, where those that lost all of few votes
    stand behind the others, as in the standings. They are simulated, the same again for the same fit."""
    rng = seeded(0)
    size = len(fit.names)
    half, above = np.zeros(size), np.zeros((size, size), dtype=bool)
    for group in np.unique(fit.group):
        here = np.flatnonzero(fit.group == group)
        if len(here) > 1:
            df = float(fit.df[here[0]])
            covariance = fit.covariance[np.ix_(here, here)]
            error = np.sqrt(np.diag(covariance))
            half[here] = error * largest(covariance, np.eye(len(here)), df, rng)
            above[np.ix_(here, here)] = _told_apart(fit.theta[here], covariance, df, rng)
    last = fit.behind
    above &= last[:, None] <= last
    best, worst = fit.rank_spread()
    together = np.bincount(fit.group, minlength=size)[fit.group]
    columns = {
        "contender": np.array(fit.names, dtype=object),
        "rating": fit.rating,
        "lower_all": fit.rating - half * POINTS_PER_LOGIT,
        "upper_all": fit.rating + half * POINTS_PER_LOGIT,
        "rank_best": best,
        "rank_worst": worst,
        "rank_best_all": 1 + above.sum(axis=0),
        "rank_worst_all": together - above.sum(axis=1),
        "group": fit.group,
    }
    order = np.lexsort((columns["contender"], -fit.theta, last, fit.group))
    table = pd.DataFrame(columns).astype(ORDER)
    return table.iloc[order].reset_index(drop=True)


def largest(covariance: Floats, contrasts: Floats, df: float, rng: Random) -> float:
    """The 95 % quantile of the largest |t| among contrasts (M, K) of K normal estimates with
    that covariance, whose scale was estimated with df degrees of freedom."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    spread = contrasts @ root
    error = np.sqrt((spread**2).sum(axis=1))
    spread = spread[error > 0] / error[error > 0, None]
    if not len(spread):
        return float(quantile(np.array(df)))
    highest = []
    at_once = max(MOST_CELLS // len(spread), 1)
    for start in range(0, DRAWS, at_once):
        number = min(at_once, DRAWS - start)
        drawn = np.abs(spread @ normal(rng, spread.shape[1], number)).max(axis=0)
        if np.isfinite(df):
            drawn /= np.sqrt(chi_squared(rng, df, number) / df)
        highest.append(drawn)
    return float(np.quantile(np.concatenate(highest), LEVEL))


def _told_apart(theta: Floats, covariance: Floats, df: float, rng: Random) -> Bools:
    """(K, K) who is above whom beyond doubt. In steps: those pairs that are told apart leave the
    others fewer to compete with."""
    size = len(theta)
    first, second = np.triu_indices(size, 1)
    contrasts = np.zeros((len(first), size))
    contrasts[np.arange(len(first)), first] = 1.0
    contrasts[np.arange(len(first)), second] = -1.0
    own = np.diag(covariance)
    error = np.sqrt(np.maximum(own[first] + own[second] - 2 * covariance[first, second], 1e-30))
    t = (theta[first] - theta[second]) / error
    told = np.zeros(len(first), dtype=bool)
    while not told.all():
        most = largest(covariance, contrasts[~told], df, rng)
        more = ~told & (np.abs(t) > most)
        if not more.any():
            break
        told |= more
    above = np.zeros((size, size), dtype=bool)
    above[first, second] = told & (t > 0)
    above[second, first] = told & (t < 0)
    return above
