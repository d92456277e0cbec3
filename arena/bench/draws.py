"""What each policy of the draw costs and saves: votes until the best is known, and how true the
ratings and their intervals are meanwhile.

It plays arenas whose strengths are known (`arena.bench.arenas`), the same for every policy, and
does not draw the figures.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from arena.bench import Told
from arena.bench.arenas import Arenas
from arena.core.arrays import Floats
from arena.core.battle.matchup import Policy
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT

GROWTH = 1.1
"""Arenas are fitted, and `best` learns, each time their battles grew by this; at first after
every battle."""

SURE = 0.95
SETTLED = 100
"""Coverage is the mean over all fits from so many votes on."""

ERROR_AT = 1000
"""Votes after which the error of ratings is told."""


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

    @property
    def battles(self) -> int:
        """That give so many votes at least: dropping all but one judges size(size−1)/2 pairs,
        and a tie among three one more."""
        return -(-2 * self.votes // (self.size * (self.size - 1)))


@dataclass(frozen=True, slots=True)
class Row:
    """A policy's figures; None for what was not reached. votes_needed: until the best is ranked
    first in 95 % of the arenas. coverage: the share of 95 % intervals that hold the truth, of
    everybody and of those ranked first, from SETTLED votes on. error: of a rating, in points, on
    average, after ERROR_AT votes."""

    spread: int
    policy: str
    votes_needed: float | None
    coverage: float | None
    leader_coverage: float | None
    error: float | None


def run(plan: Plan, told: Told) -> Iterator[Row]:
    """A row for each policy, by spread. The same plan gives the same figures."""
    rows = [(spread, policy) for spread in plan.spreads for policy in Policy]
    for number, (spread, policy) in enumerate(rows):
        chance = np.random.default_rng([plan.seed, spread])
        shape = (plan.repeat, plan.contenders)
        truth = chance.normal(scale=spread / POINTS_PER_LOGIT, size=shape)
        rng = np.random.default_rng([plan.seed, spread, number])
        arenas = Arenas(truth, plan.size, plan.battles, rng)
        curve = []
        for share in _fitted(arenas, policy, plan.battles):
            curve.append(_measured(arenas))
            told(f"Playing {policy}, strengths ±{spread}", (number + share * 0.99) / len(rows))
        yield _row(spread, policy, np.array(curve).T)


def _fitted(arenas: Arenas, policy: Policy, battles: int) -> Iterator[float]:
    """Play so many battles; yields how much of them is done, each time after a fit."""
    due = 1.0
    for number in range(1, battles + 1):
        arenas.play(policy)
        if number >= due or number == battles:
            arenas.fit()
            yield number / battles
            due = max(number + 1, number * GROWTH)


def _measured(arenas: Arenas) -> tuple[float, ...]:
    """Means over the arenas: votes, whether the best is ranked first, coverage of everybody and of
    who is ranked first, error in points."""
    first = arenas.theta.argmax(axis=1)
    error = np.abs(arenas.theta - arenas.truth)
    held = error <= arenas.half_width
    right = first == arenas.truth.argmax(axis=1)
    leaders = held[np.arange(len(first)), first]
    told = (arenas.votes, right, held, leaders, POINTS_PER_LOGIT * error)
    return tuple(float(each.mean()) for each in told)


def votes_needed(votes: Floats, right: Floats) -> float | None:
    """Votes at which `right` reaches SURE; None where it never does. The share only grows
    but for chance, so the nearest growing curve is taken, straight in the logarithm."""
    growing = isotonic_regression(right).x
    if growing[-1] < SURE:
        return None
    at = int(np.argmax(growing >= SURE))
    if at == 0:
        return float(votes[0])
    return float(np.exp(np.interp(SURE, growing[at - 1 : at + 1], np.log(votes[at - 1 : at + 1]))))


def _row(spread: int, policy: Policy, curve: Floats) -> Row:
    """curve: (5, C) what was measured at each of the C fits."""
    votes, right, coverage, leaders, error = curve
    settled = votes >= SETTLED
    return Row(
        spread=spread,
        policy=policy,
        votes_needed=votes_needed(votes, right),
        coverage=float(coverage[settled].mean()) if settled.any() else None,
        leader_coverage=float(leaders[settled].mean()) if settled.any() else None,
        error=float(np.interp(ERROR_AT, votes, error)) if votes[-1] >= ERROR_AT else None,
    )
