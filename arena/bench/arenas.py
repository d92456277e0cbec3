"""Many simulated arenas at once: who is drawn, how battles end, and the fit of each.

Battles are played as the arena plays them: the weakest of those live is dropped until one is
left, and every pair judged is a vote. It does not know what is measured of it.

`core.battle.matchup`'s ways to draw and `core.standings.bradley_terry`'s fit are written again
here for arrays of arenas; tests hold them equal. One thing differs: contenders of an arena are
one group from the start, while standings rank apart who is not yet linked by votes.
"""

from itertools import combinations

import numpy as np
from scipy.special import expit

from arena.core.arrays import Bools, Floats, Ints
from arena.core.battle.matchup import SEEDED, Policy
from arena.core.standings.bradley_terry import PRIOR_SD, Method, half_interval

TIES = 0.3
"""How often two equals tie; the further apart, the rarer."""

AT_ONCE = 30_000
"""Battles whose residuals are held at a time, so that they fit a processor's cache."""


class Arenas:
    """R arenas of K contenders each, the votes cast in them so far, and the last fit.

    truth: strengths (R, K) in logits. battles: how many each may play at most. Of each battle
    are kept its `seats`, and of each pair of seats, in the order of `combinations`, how often
    it was `judged` and the `points` of its first: 1 for a win, ½ for a tie. `theta`,
    `half_width` (R, K) and `covariance` (R, K, K) are those of the last `fit`, in logits."""

    def __init__(self, truth: Floats, size: int, battles: int, rng: np.random.Generator) -> None:
        arenas, contenders = truth.shape
        self._truth, self._size, self._rng = truth, min(size, contenders), rng
        self._one, self._other = np.array(list(combinations(range(self._size), 2))).T
        pairs = (arenas, battles, len(self._one))
        self.seats = np.zeros((arenas, battles, self._size), np.int8)
        self.judged = np.zeros(pairs, np.float32)
        self.points = np.zeros(pairs, np.float32)
        self._squares = np.zeros(arenas)
        self._won = np.zeros((arenas, contenders, contenders))
        self.battles = 0
        self.theta = np.zeros_like(truth)
        self.covariance = np.tile(PRIOR_SD**2 * np.eye(contenders), (arenas, 1, 1))
        self._root = np.sqrt(self.covariance)
        self.half_width = np.full_like(truth, np.inf)

    @property
    def truth(self) -> Floats:
        """(R, K) strengths around their mean."""
        mean: Floats = self._truth.mean(axis=1, keepdims=True)
        return self._truth - mean

    @property
    def met(self) -> Floats:
        """(R, K, K) votes on each pair."""
        return self._won + self._won.swapaxes(1, 2)

    @property
    def votes(self) -> Floats:
        """(R,) votes, one a pair judged."""
        votes: Floats = self._won.sum(axis=(1, 2))
        return votes

    def play(self, policy: Policy) -> None:
        """One more battle in every arena."""
        seats = self._drawn(policy)
        judged, points = self._verdicts(np.take_along_axis(self._truth, seats, axis=1).T)
        self.seats[:, self.battles] = seats
        self.judged[:, self.battles] = judged
        self.points[:, self.battles] = points
        self.battles += 1
        self._squares += judged.sum(axis=1) ** 2
        each = np.arange(len(seats))[:, None]
        one, other = seats[:, self._one], seats[:, self._other]
        # A battle has no pair twice, so each cell is added to once.
        self._won[each, one, other] += points
        self._won[each, other, one] += judged - points

    def _drawn(self, policy: Policy) -> Ints:
        """(R, size) who fights; the model knows no seats, so their order is left as it is."""
        chance = self._rng.random(self._truth.shape)
        # Less than one vote of chance decides between equals only.
        fewest_first = self.met.sum(axis=2) + chance
        key = chance
        if policy == Policy.FEWEST:
            key = fewest_first
        elif policy == Policy.BEST:
            normal = self._rng.standard_normal((*self.theta.shape, 1))
            key = -(self.theta + (self._root @ normal)[:, :, 0])
            seeded = self._rng.random(len(key)) < SEEDED
            key[seeded, fewest_first.argmin(axis=1)[seeded]] = -np.inf
        return np.argpartition(key, self._size - 1, axis=1)[:, : self._size]

    def _verdicts(self, strengths: Floats) -> tuple[Floats, Floats]:
        """(R, pairs) how often each pair of seats was judged, and the points of its first.

        strengths: (size, R)."""
        live = np.ones(strengths.shape, bool)
        judged = np.zeros((len(self._one), strengths.shape[1]))
        points = np.zeros_like(judged)
        for left in range(self._size, 1, -1):
            dropped, tie = self._verdict(strengths, live, left)
            second_out = dropped == self._other[:, None]
            out = second_out | (dropped == self._one[:, None]) | tie
            both = live[self._one] & live[self._other]
            judged += both & out
            points += both * np.where(tie, 0.5, second_out)
            live[dropped, np.arange(len(dropped))] = False
        return judged.T, points.T

    def _verdict(self, strengths: Floats, live: Bools, left: int) -> tuple[Ints, Bools]:
        """(R,) the seat that goes, and whether it goes by the coin of a tie.

        The weakest is chosen after Luce, with weights exp(−strength); by the terms in `tie`
        each pair's mean score stays that of Bradley and Terry, whatever the share of ties."""
        weight = np.where(live, np.exp(-strengths), 0.0)
        weight /= weight.sum(axis=0)
        tie = 2 * TIES * np.where(live, weight, 1.0).min(axis=0)
        chances = np.where(live, (1 + (left - 2) / 2 * tie) * weight - tie / 2, 0.0)
        lot = self._rng.random(live.shape[1])
        dropped = (lot >= chances.cumsum(axis=0)).sum(axis=0)
        tied = dropped == len(live)
        coin = np.where(live, self._rng.random(live.shape), -1.0).argmax(axis=0)
        return np.where(tied, coin, dropped), tied

    # The fit ------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Fit every arena's votes, clustered by battle."""
        contenders = self.theta.shape[1]
        met, ridge = self.met, np.eye(contenders) / PRIOR_SD**2
        for _ in range(50):
            p = expit(self.theta[:, :, None] - self.theta[:, None, :])
            information = _laplacian(met * p * (1 - p))
            slope = (self._won - met * p).sum(axis=2) - self.theta / PRIOR_SD**2
            step = np.linalg.solve(information + ridge, slope[:, :, None])[:, :, 0]
            # From the last fit it is not far, but the first steps from zero may overshoot.
            self.theta = self.theta + np.clip(step, -1.0, 1.0)
            if np.abs(step).max() < 1e-9:
                break
        p = expit(self.theta[:, :, None] - self.theta[:, None, :])
        information = _laplacian(met * p * (1 - p))
        lean = Method().lean * contenders
        share = (lean / (self.votes + lean))[:, None, None]
        meat = share * information + (1 - share) * self._meat(p)
        bread = np.linalg.inv(information + ridge)
        half = bread - bread.mean(axis=1, keepdims=True)
        self._root = half @ np.linalg.cholesky(meat + ridge)
        self.covariance = self._root @ self._root.swapaxes(1, 2)
        effective = self.votes**2 / self._squares
        df = np.maximum(effective - 1, 1.0)[:, None]
        variance = np.maximum(np.einsum("rkk->rk", self.covariance), 0.0)
        self.half_width = half_interval(variance, df, PRIOR_SD * np.sqrt(1 - 1 / contenders))

    def _meat(self, p: Floats) -> Floats:
        """(R, K, K) G/(G−1) Σ u uᵀ over G battles, u (K,) being a battle's residuals."""
        arenas, contenders = self.theta.shape
        meat = np.empty(p.shape)
        flat = p.reshape(arenas, -1)
        together = max(1, AT_ONCE // self.battles)
        # +1 and −1: the two seats that a pair compares.
        sides = np.eye(self._size)[self._one] - np.eye(self._size)[self._other]
        for start in range(0, arenas, together):
            part = np.s_[start : start + together, : self.battles]
            seats = self.seats[part].astype(int)
            cell = seats[:, :, self._one] * contenders + seats[:, :, self._other]
            expected = np.take_along_axis(flat[part[0]], cell.reshape(len(cell), -1), axis=1)
            residual = self.points[part] - self.judged[part] * expected.reshape(cell.shape)
            u = np.zeros((*cell.shape[:2], contenders))
            np.put_along_axis(u, seats, residual @ sides, axis=2)
            meat[part[0]] = u.swapaxes(1, 2) @ u
        return meat * self.battles / max(self.battles - 1, 1)


def _laplacian(weight: Floats) -> Floats:
    """Σ weight x xᵀ over pairs, x being +1 and −1 at the pair's two."""
    sums: Floats = weight.sum(axis=2)
    return np.eye(weight.shape[1]) * sums[:, :, None] - weight
