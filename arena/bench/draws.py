"""What each policy of the draw costs and saves: votes until the best is known, and how true the
ratings and their intervals are meanwhile.

It plays arenas whose strengths are known (`arena.bench.arenas`), the same for every policy, and
does not draw the figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from arena.bench import Told
from arena.bench.arenas import Arenas
from arena.core.battle.matchup import Policy
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT

Floats = NDArray[np.float64]

GROWTH = 1.1
"""Arenas are fitted, and `best` learns, each time their battles grew by this; at first after
every battle."""

SURE = 0.95
SETTLED = 100
"""Coverage is the mean over all fits from so many votes on."""

ERROR_AT = 1000
"""Votes after which the error of ratings is told, and after which the newcomer comes."""

NEWCOMER_SE = 30.0
"""Points."""

NEWCOMER_ARENAS = 200
NEWCOMER_VOTES = 3000
RESAMPLED = 400


@dataclass(frozen=True, slots=True)
class Plan:
    """repeat: arenas for each policy. spreads: standard deviations of the strengths, in points;
    each is measured by itself. size: of a battle. votes: how long an arena is played."""

    contenders: int
    size: int
    votes: int
    repeat: int
    spreads: tuple[int, ...]
    seed: int

    def battles(self, votes: int) -> int:
        """That give so many votes at least: dropping all but one judges size(size−1)/2 pairs,
        and a tie among three one more."""
        return -(-2 * votes // (self.size * (self.size - 1)))


@dataclass(frozen=True, slots=True)
class Point:
    """A policy's arenas after so many votes. right: the share where the best is ranked first.
    coverage: the share of 95 % intervals that hold the truth, of everybody and of those ranked
    first. error: of a rating, in points, on average."""

    votes: float
    right: float
    coverage: float
    leader_coverage: float
    error: float


@dataclass(frozen=True, slots=True)
class Row:
    """A policy's figures; None for what was not reached. votes_needed: until the best is ranked
    first in 95 % of the arenas. ratio: that over uniform's, with the 95 % interval from
    resampling the arenas; where uniform took longer than was played, only at most. coverage,
    leader_coverage: as in Point, from SETTLED votes on. error: after ERROR_AT votes. newcomer:
    the median arena's votes until the standard error of one who came after ERROR_AT votes was
    below NEWCOMER_SE."""

    spread: int
    policy: str
    votes_needed: float | None
    ratio: float | None
    ratio_lower: float | None
    ratio_upper: float | None
    coverage: float | None
    leader_coverage: float | None
    error: float | None
    newcomer: float | None
    curve: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Played:
    """right: (R, C) where the best was ranked first, at each of the C points of the curve."""

    curve: tuple[Point, ...]
    right: Floats
    newcomer: float | None


class DrawBench:
    """Measures every policy. The same plan gives the same figures."""

    def __init__(self, plan: Plan, told: Told) -> None:
        self._plan = plan
        self._told = told

    def run(self) -> list[Row]:
        return [row for spread in self._plan.spreads for row in self._spread(spread)]

    def _spread(self, spread: int) -> list[Row]:
        plan = self._plan
        shape = (plan.repeat, plan.contenders)
        chance = np.random.default_rng([plan.seed, spread])
        truth = chance.normal(scale=spread / POINTS_PER_LOGIT, size=shape)
        played = {policy: self._policy(policy, spread, truth) for policy in Policy}
        counts = chance.multinomial(plan.repeat, [1 / plan.repeat] * plan.repeat, RESAMPLED)
        needed = {policy: _needed(one, counts) for policy, one in played.items()}
        return [
            _row(spread, policy, one, needed[policy], needed[Policy.UNIFORM])
            for policy, one in played.items()
        ]

    def _policy(self, policy: Policy, spread: int, truth: Floats) -> Played:
        plan = self._plan
        number = plan.spreads.index(spread) * len(Policy) + list(Policy).index(policy)
        rng = np.random.default_rng([plan.seed, spread, number])
        most = plan.battles(plan.votes)
        arenas = Arenas(truth, plan.size, most, rng)
        curve, right = [], []
        for share in _fitted(arenas, policy, most):
            point, best_first = _measured(arenas)
            curve.append(point)
            right.append(best_first)
            done = (number + 0.9 * share) / (len(Policy) * len(plan.spreads))
            self._told(f"Playing {policy}, strengths ±{spread}", done)
        newcomer = self._newcomer(policy, truth[:NEWCOMER_ARENAS], rng)
        return Played(tuple(curve), np.array(right, float).T, newcomer)

    def _newcomer(self, policy: Policy, truth: Floats, rng: np.random.Generator) -> float | None:
        """Votes since the last of the contenders came, until it is known well."""
        before, after = (self._plan.battles(n) for n in (ERROR_AT, NEWCOMER_VOTES))
        arenas = Arenas(truth, self._plan.size, before + after, rng)
        for _ in _fitted(arenas, policy, before, among=truth.shape[1] - 1):
            pass
        came, known = arenas.votes, np.full(len(truth), np.inf)
        for _ in _fitted(arenas, policy, after):
            se = POINTS_PER_LOGIT * np.sqrt(arenas.covariance[:, -1, -1])
            first = (se < NEWCOMER_SE) & np.isinf(known)
            known[first] = (arenas.votes - came)[first]
            if np.isfinite(known).mean() > 0.5:
                return float(np.median(known))
        return None


def _fitted(
    arenas: Arenas, policy: Policy, battles: int, among: int | None = None
) -> Iterator[float]:
    """Play so many battles; yields how much of them is done, each time after a fit."""
    due = 1.0
    for number in range(1, battles + 1):
        arenas.play(policy, among)
        if number >= due or number == battles:
            arenas.fit()
            yield number / battles
            due = max(number + 1, number * GROWTH)


def _measured(arenas: Arenas) -> tuple[Point, NDArray[np.bool_]]:
    """The point of the curve, and of each arena whether the best is ranked first."""
    first = arenas.theta.argmax(axis=1)
    error = np.abs(arenas.theta - arenas.truth)
    held = error <= arenas.half_width
    right = first == arenas.truth.argmax(axis=1)
    point = Point(
        votes=float(arenas.votes.mean()),
        right=float(right.mean()),
        coverage=float(held.mean()),
        leader_coverage=float(held[np.arange(len(first)), first].mean()),
        error=float(POINTS_PER_LOGIT * error.mean()),
    )
    return point, right


def votes_needed(votes: Floats, right: Floats) -> float:
    """Votes at which `right` reaches SURE, infinite where it never does. The share only grows
    but for chance, so the nearest growing curve is taken, straight in the logarithm."""
    growing = isotonic_regression(right).x
    if growing[-1] < SURE:
        return np.inf
    at = int(np.argmax(growing >= SURE))
    if at == 0:
        return float(votes[0])
    return float(np.exp(np.interp(SURE, growing[at - 1 : at + 1], np.log(votes[at - 1 : at + 1]))))


def _needed(played: Played, counts: NDArray[np.int64]) -> Floats:
    """(1 + RESAMPLED,) votes needed: of the arenas as they are, then of each resampling."""
    votes = np.array([point.votes for point in played.curve])
    whole = np.ones((1, len(played.right)))
    shares = np.concatenate([whole, counts]) @ played.right / len(played.right)
    return np.array([votes_needed(votes, right) for right in shares])


def _row(spread: int, policy: Policy, played: Played, needed: Floats, uniform: Floats) -> Row:
    curve = played.curve
    settled = [point for point in curve if point.votes >= SETTLED]
    ratio, lower, upper = _ratio(needed, uniform, curve[-1].votes)
    error = None
    if curve[-1].votes >= ERROR_AT:
        error = float(np.interp(ERROR_AT, [p.votes for p in curve], [p.error for p in curve]))
    return Row(
        spread=spread,
        policy=policy,
        votes_needed=_known(needed[0]),
        ratio=ratio,
        ratio_lower=lower,
        ratio_upper=upper,
        coverage=float(np.mean([p.coverage for p in settled])) if settled else None,
        leader_coverage=float(np.mean([p.leader_coverage for p in settled])) if settled else None,
        error=error,
        newcomer=played.newcomer,
        curve=curve,
    )


def _ratio(needed: Floats, uniform: Floats, played: float) -> tuple[float | None, ...]:
    """The ratio and its interval. Votes beyond those that were played are any number."""
    least, most = np.minimum(needed, played) / uniform, needed / np.minimum(uniform, played)
    lower = np.quantile(least[1:], 0.025, method="lower")
    upper = np.quantile(most[1:], 0.975, method="higher")
    ratio = needed[0] / uniform[0] if uniform[0] < np.inf else np.inf
    return _known(ratio), _known(lower) or None, _known(upper)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
