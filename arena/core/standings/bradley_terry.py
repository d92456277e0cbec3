"""What a Bradley–Terry fit is asked for, and what it says: strengths and how sure they are.

It does not know rows, the ledger, or how the fit is made (`core.standings.fitting`).

Bradley & Terry 1952 (the model); Davidson 1970 (with ties); Chiang et al. 2024,
arXiv:2403.04132 (its use on human preference).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtri, stdtrit

from arena.core.arrays import Bools, Floats, Ints
from arena.core.errors import BadInput
from arena.core.standings.sums import summed

Ties = Literal["half", "drop", "davidson"]

PRIOR_SD = 1.5
"""Standard deviation, in logits, of the normal prior on a contender's strength (261 points)."""

LEVEL = 0.95
POINTS_PER_LOGIT = 400 / math.log(10)
MEAN_RATING = 1000.0
MIN_RATERS = 4
"""Fewer effective raters than this say too little about how much tastes differ."""

CHOICES = {
    "ties": ("half", "drop", "davidson"),
    "bad": ("tie", "drop"),
    "clusters": ("auto", "battle", "none"),
}


@dataclass(frozen=True, slots=True)
class Method:
    """How ratings are made of votes. Raises `BadInput` for a choice that there is not.

    ties: a tie is half a win each, left out of the fit, or an outcome of its own by Davidson's
    model, whose chance is ν√(π_a π_b) beside π_a and π_b (π = exp θ). bad: both_bad is taken for a tie,
    whatever `ties` makes of one, or left out. prior_sd: in logits, above 0.
    lean: w = lean·K/(N + lean·K) is the weight of the model's own variance beside the observed
    one; 0 never leans on it. clusters: which votes may err together. auto: those of a rater if
    raters are effectively four or more, else those of a battle; none: each vote stands alone,
    and the quantile is the normal one. anchor: the contender whose rating is to be 1000."""

    ties: Ties = "half"
    bad: Literal["tie", "drop"] = "tie"
    prior_sd: float = PRIOR_SD
    lean: float = 10.0
    clusters: Literal["auto", "battle", "none"] = "auto"
    anchor: str = ""

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise BadInput(
                    f"{name} cannot be {getattr(self, name)!r:.20}. Choose {' or '.join(known)}."
                )

    @property
    def weights(self) -> tuple[float, float]:
        """How many votes a tie and a both_bad are worth in the fit."""
        ties = float(self.ties != "drop")
        return ties, ties * (self.bad == "tie")

    @property
    def precision(self) -> float:
        return self.prior_sd**-2


@dataclass(frozen=True, slots=True, eq=False)
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
    prior_sd: float = PRIOR_SD
    anchor: str = ""
    information: Floats | None = None
    """(K,) what the votes on each alone say of it, in inverse squared logits; None: not known"""
    score: Floats | None = None
    """(K,) votes won, a tie being half of one; None: not known"""
    tie: float = 0.0
    """ν of Davidson's model: how likely a tie is beside equals' wins; 0 without it"""

    @property
    def few(self) -> Bools:
        """(K,) the prior says more of the contender than its votes do."""
        if self.information is None:
            return np.zeros(len(self.names), dtype=bool)
        return self.information < self.prior_sd**-2

    @property
    def behind(self) -> Bools:
        """(K,) it has few votes and lost them all: only the prior lifts it above others, so it
        stands behind those of its group that votes speak for."""
        spoken_for = np.isin(self.group, self.group[~self.few])
        return self.few & spoken_for & (self.score == 0 if self.score is not None else True)

    @property
    def rating(self) -> Floats:
        """(K,) on the Elo scale, with mean 1000 in every group; where the anchor is in the
        group, that has 1000 instead. A shift: differences and intervals stay as they are."""
        shift = np.zeros(len(self.names))
        if self.anchor in self.names:
            at = self.names.index(self.anchor)
            shift[self.group == self.group[at]] = self.theta[at]
        return MEAN_RATING + POINTS_PER_LOGIT * (self.theta - shift)

    @property
    def half_width(self) -> Floats:
        """(K,) half the 95 % interval of the rating."""
        size = np.bincount(self.group)[self.group]
        alone = self.prior_sd * np.sqrt(1 - 1 / size)
        return POINTS_PER_LOGIT * half_interval(np.diag(self.covariance), self.df, alone)

    @property
    def variance_of_differences(self) -> Floats:
        """(K, K) in squared logits."""
        own = np.diag(self.covariance)
        return np.maximum(own[:, None] + own - 2 * self.covariance, 0.0)

    def rank_spread(self) -> tuple[Ints, Ints]:
        """Best and worst rank (K,) in its group that the votes leave open to each contender,
        from the standard errors of the differences. Whoever stands behind leads nobody who does
        not: that is the prior's word alone."""
        last = self.behind
        together = self.group[:, None] == self.group
        widest = self.prior_sd * np.sqrt(2)
        margin = half_interval(self.variance_of_differences, self.df[:, None], widest)
        lead = self.theta - self.theta[:, None]
        over = together & (lead > margin) & (last <= last[:, None])
        return 1 + over.sum(axis=1), together.sum(axis=1) - over.sum(axis=0)


def quantile(df: Floats) -> Floats:
    """Of the t distribution at LEVEL, two-sided; df may be infinite."""
    tail = (1 + LEVEL) / 2
    return np.where(np.isinf(df), ndtri(tail), stdtrit(np.minimum(df, 1e15), tail))


def half_interval(variance: Floats, df: Floats, prior_sd: float | Floats) -> Floats:
    """Half an interval in logits. The t quantile of two or three battles alone would claim less
    than is known before the first vote, so the prior's own interval is the widest."""
    widest = ndtri((1 + LEVEL) / 2) * prior_sd
    return np.minimum(quantile(df) * np.sqrt(variance), widest)


def line_up(
    names: Sequence[str], first: Ints, second: Ints, votes: Floats
) -> tuple[tuple[str, ...], Ints, Ints]:
    """Of (U,) votes: the K contenders that have any, in the order of their names; the place of
    each of all names among these; (K,) the group of each, numbered from 0, that with the most
    votes first."""
    met = np.flatnonzero(votes)
    present = np.unique(np.r_[first[met], second[met]])
    order = np.array(sorted(present.tolist(), key=lambda code: names[code]), dtype=np.int64)
    place = np.zeros(len(names), dtype=np.int64)
    place[order] = np.arange(len(order))
    named = tuple(names[code] for code in order)
    group = _groups_of(place[first[met]], place[second[met]], votes[met], len(order))
    return named, place, group


def _groups_of(first: Ints, second: Ints, votes: Floats, size: int) -> Ints:
    """(size,) the connected component of each contender, the one with the most votes being 0."""
    met = np.eye(size, dtype=bool)
    met[first, second] = met[second, first] = True
    if not size or met.all(axis=1).any():
        # Mostly somebody has met everybody, which is seen sooner than components are found.
        return np.zeros(size, dtype=np.int64)
    # Not before the first fit: the start does not wait for it.
    from scipy.sparse.csgraph import connected_components

    count, label = connected_components(met, directed=False)
    busiest_first = np.argsort(-summed(label[first], votes, count), kind="stable")
    return np.argsort(busiest_first)[label]
