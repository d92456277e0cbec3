"""How sure the order of neighbours is, and how many more battles would settle it.

It reads a fit and nothing else: it does not know votes, raters or who will fight next.
"""

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr, ndtri, stdtr

from arena.core.arrays import Floats
from arena.core.standings.bradley_terry import LEVEL, POINTS_PER_LOGIT, Fit, quantile
from arena.core.standings.votes import TEXT

NEIGHBOURS = {
    **dict.fromkeys(("upper", "lower"), TEXT),
    **dict.fromkeys(("gap", "p_right", "battles_to_settle"), "float64"),
    "group": "int64",
}
"""Columns of the neighbours, in order, with their dtypes."""

EVEN = 1e-6
"""A gap of fewer points is none; beyond the digits of a fit."""


def neighbours(fit: Fit) -> pd.DataFrame:
    """One row for each contender and the next one below in its group, from the top, with the
    columns of `NEIGHBOURS`; none to those that lost all of few votes.

    gap: in points. p_right: how likely the upper one is the stronger, from the standard error
    of the difference; ½ for equals. battles_to_settle: about how many more battles between just
    these two until the interval of their difference, 95 % and two-sided, leaves out 0, which is
    a p_right of 0.975. It is 0 where it does now, and infinite where there is no gap.

    The estimate takes the gap for the true one, and every further battle for one vote by
    somebody new: such a vote adds p(1 − p) to the precision of the difference, p being what
    the fit expects of it, and one degree of freedom. Then the chance to have settled it by
    that number is one half. Fewer battles do if others fight as well, more if the same raters
    go on voting."""
    last = fit.behind
    order = np.lexsort((np.array(fit.names, dtype=object), -fit.theta, last, fit.group))
    upper, lower = order[:-1], order[1:]
    together = (fit.group[upper] == fit.group[lower]) & (last[upper] == last[lower])
    upper, lower = upper[together], lower[together]
    gap, df = fit.theta[upper] - fit.theta[lower], fit.df[upper]
    even = gap * POINTS_PER_LOGIT < EVEN
    # Only ties, without a prior or the model's own variance, leave no error at all.
    variance = np.maximum(fit.variance_of_differences[upper, lower], 1e-30)
    t = np.where(even, 0.0, gap / np.sqrt(variance))
    names = np.array(fit.names, dtype=object)
    columns = {
        "upper": names[upper],
        "lower": names[lower],
        "gap": gap * POINTS_PER_LOGIT,
        "p_right": np.where(np.isinf(df), ndtr(t), stdtr(np.minimum(df, 1e15), t)),
        "battles_to_settle": np.where(even, np.inf, _more_votes(gap, variance, df, fit.prior_sd)),
        "group": fit.group[upper],
    }
    return pd.DataFrame(columns).astype(NEIGHBOURS)


def _more_votes(gap: Floats, variance: Floats, df: Floats, prior_sd: float) -> Floats:
    widest = ndtri((1 + LEVEL) / 2) * np.sqrt(2) * prior_sd
    settled = gap > np.minimum(quantile(df) * np.sqrt(variance), widest)
    gap = np.maximum(gap, EVEN / POINTS_PER_LOGIT)
    gain = expit(gap) * expit(-gap)
    votes = np.zeros(len(gap))
    # More votes narrow the quantile as well, so the number that is needed falls as it is met.
    for _ in range(50):
        needed = (quantile(df + votes) ** 2 / gap**2 - 1 / variance) / gain
        votes = np.maximum((votes + np.maximum(needed, 0.0)) / 2, 1.0)
    return np.where(settled, 0.0, np.ceil(votes))
