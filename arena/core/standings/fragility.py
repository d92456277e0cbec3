"""How few votes hold an order: the fewest that were found whose removal turns two contenders
round, or takes the first place away.

It works on counts, since votes of the same two contenders and outcome weigh the same, and does
not know who cast them.

Influence of single votes: Broderick, Giordano & Meager 2020, arXiv:2011.14999; on rankings by
preference: Huang, Shen, Wei & Broderick 2025, arXiv:2508.11847, who turn the first place of
Chatbot Arena round with 2 of 57 477 votes. Theirs is one step from the fit; here the influence
is computed anew as votes go, and every answer is a refit without them.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from arena.core.arrays import Floats, Ints
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT, Fit, Method
from arena.core.standings.clusters import Worth
from arena.core.standings.counts import Counts
from arena.core.standings.fitting import expected
from arena.core.standings.sums import summed
from arena.core.standings.votes import TEXT, WINNERS, counted

FRAGILITY = {
    **dict.fromkeys(("upper", "lower"), TEXT),
    "gap": "float64",
    "votes": "Int64",
    **dict.fromkeys(("share", "gap_without"), "float64"),
    "which": "object",
    "first_place": "bool",
}
"""Columns, in order, with their dtypes."""

NAMED = 20
"""So many votes are named at most."""

SMALL = 0.02
"""Logits that are taken in one round: so near, influences add up."""

MANY = 20
"""Votes of a kind of which half may go in one round; of fewer, one after the other."""

RIVALS = 3
"""Of those who may take the first place, so many are followed to the end."""


@dataclass(frozen=True, slots=True, eq=False)
class _Removal:
    """taken: (C,) how many of each kind of vote. gap: without them, in logits."""

    taken: Ints
    gap: float


def fragility(counts: Counts, votes: pd.DataFrame, method: Method = Method()) -> pd.DataFrame:
    """One row for each two neighbours of a group, from the top, with the columns of `FRAGILITY`,
    and first those of the first place of the largest group and whoever takes it most easily.

    votes: the rows that the counts are of, with id (or battle_id), model_a, model_b, winner and
    excluded_reason. gap: in points, between upper and lower. votes: how many have to go until
    the lower one is ahead, share of all that count; missing where no removal of votes does it.
    gap_without: of a refit without them, so below 0. which: the ids of up to `NAMED` of them;
    others of the same two contenders and outcome would do as well. Not the least number in every
    case, but one that holds: fewer might do where influences add up in no simple way."""
    fit = counts.fit(method)
    work = _Work(counts, method, fit, *counts.cells())
    removal = cache(work.removal)
    order = np.lexsort((np.array(fit.names, dtype=object), -fit.theta, fit.behind, fit.group))
    rows = []
    top = [int(at) for at in order if fit.group[at] == 0]
    if len(top) > 1:
        likely = sorted(top[1:], key=lambda rival: work.estimate(top[0], rival))[:RIVALS]
        found = [(rival, removal(top[0], rival)) for rival in likely]
        done = [one for one in found if one[1] is not None]
        best = min(done, key=lambda one: one[1].taken.sum()) if done else found[0]  # type: ignore[union-attr]
        rows.append((top[0], *best, True))
    for upper, lower in zip(order[:-1].tolist(), order[1:].tolist(), strict=True):
        if fit.group[upper] == fit.group[lower] and fit.theta[upper] >= fit.theta[lower]:
            rows.append((upper, lower, removal(upper, lower), False))
    ranked = counted(votes) if len(votes) else votes
    total = int(work.times.sum())
    made = [
        {
            "upper": fit.names[upper],
            "lower": fit.names[lower],
            "gap": (fit.theta[upper] - fit.theta[lower]) * POINTS_PER_LOGIT,
            "votes": pd.NA if removal is None else int(removal.taken.sum()),
            "share": np.nan if removal is None else removal.taken.sum() / total,
            "gap_without": np.nan if removal is None else removal.gap * POINTS_PER_LOGIT,
            "which": [] if removal is None else _named(ranked, work, removal.taken),
            "first_place": is_first,
        }
        for upper, lower, removal, is_first in rows
    ]
    return pd.DataFrame(made, columns=list(FRAGILITY)).astype(FRAGILITY)


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    counts: Counts
    method: Method
    fit: Fit
    names: tuple[str, ...]
    first: Ints
    second: Ints
    outcome: Ints
    times: Ints

    def influence(self, fit: Fit, times: Ints, upper: int, lower: int) -> Floats:
        """(C,) how many logits the gap shrinks by, about, if one vote of each kind goes: a Newton
        step from the fit. A vote whose outcome is worth nothing has none."""
        at = {name: place for place, name in enumerate(fit.names)}
        # Who has no vote left is in no fit; the kinds of theirs weigh nothing, so any place will do.
        place = np.array([at.get(name, 0) for name in self.names])
        first, second = place[self.first], place[self.second]
        worth = Worth.of(*self.method.weights)
        p, variance, _ = expected(fit.theta[first] - fit.theta[second], fit.tie)
        size = len(fit.names)
        weight = times * worth.votes[self.outcome] * variance
        cells = summed(first * size + second, weight, size**2).reshape(size, size)
        cells += cells.T
        hessian = np.diag(cells.sum(axis=1)) - cells + self.method.precision * np.eye(size)
        away = np.zeros(size)
        away[upper], away[lower] = 1.0, -1.0
        pull = np.linalg.lstsq(hessian, away, rcond=None)[0]
        along = pull[first] - pull[second]
        score = worth.score[self.outcome] - p
        # Without the vote the curve is flatter as well: one step of Newton's method, exactly.
        own = np.linalg.pinv(hessian)
        leverage = own[first, first] + own[second, second] - 2 * own[first, second]
        shrinks: Floats = along * score / np.maximum(1 - variance * leverage, 0.05)
        return np.where(worth.votes[self.outcome] > 0, shrinks, 0.0)

    def estimate(self, upper: int, lower: int) -> float:
        """About how many votes it takes, from the influences at the fit."""
        gain = self.influence(self.fit, self.times, upper, lower)
        taken = self._greedily(gain, self.times, self.fit.theta[upper] - self.fit.theta[lower])
        return np.inf if taken is None else float(taken.sum())

    def removal(self, upper: int, lower: int) -> _Removal | None:
        """In rounds: as many of the most influential votes as half of the gap takes, or all of a
        small one, then the influences anew. At the end those that were not needed are put back."""
        names = self.fit.names[upper], self.fit.names[lower]
        times, gap = self.times.copy(), self._gap(self.fit, *names)
        fit = self.fit
        while gap >= 0:
            at = [fit.names.index(name) for name in names]
            gain = self.influence(fit, times, *at)
            taken = self._greedily(gain, times, gap / 2 if gap > SMALL else gap)
            if taken is None:  # There is more to come as the votes that agree get fewer.
                taken = np.where((gain > 0) & (times > MANY), times // 2, 0)
            if not taken.any():
                best = int(np.argmax(np.where(times > 0, gain, -np.inf)))
                if not times[best] or gain[best] <= 0:
                    return None
                taken = np.zeros_like(times)
                taken[best] = 1
            times -= taken
            if times.sum() == 0:
                return None
            fit = self.counts.strengths(times, self.method)
            if not set(names) <= set(fit.names):
                return None
            gap = self._gap(fit, *names)
        return self._put_back(times, gap, names, gain)

    def _put_back(self, times: Ints, gap: float, names: tuple[str, str], gain: Floats) -> _Removal:
        """The least influential first, as many as leave the order turned round."""
        for kind in np.argsort(gain, kind="stable"):
            least, most = 0, int(self.times[kind] - times[kind])
            kept = times
            while least < most:
                number = (least + most + 1) // 2
                fuller = times.copy()
                fuller[kind] += number
                found = self._gap(self.counts.strengths(fuller, self.method), *names)
                if found >= 0:
                    most = number - 1
                else:
                    least, kept, gap = number, fuller, found
            times = kept
        return _Removal(self.times - times, gap)

    @staticmethod
    def _gap(fit: Fit, upper: str, lower: str) -> float:
        return float(fit.theta[fit.names.index(upper)] - fit.theta[fit.names.index(lower)])

    @staticmethod
    def _greedily(gain: Floats, times: Ints, gap: float) -> Ints | None:
        """(C,) the fewest whose influences add up to more than the gap; None if all do not."""
        taken = np.zeros_like(times)
        for kind in np.argsort(-gain, kind="stable"):
            if gain[kind] <= 0:
                return None
            taken[kind] = min(int(gap // gain[kind]) + 1, int(times[kind]))
            gap -= taken[kind] * gain[kind]
            if gap < 0:
                return taken
        return None


def _named(votes: pd.DataFrame, work: _Work, taken: Ints) -> list[str]:
    """The ids of votes of these kinds, the last of them in the table. votes: those that count."""
    ids = votes["id" if "id" in votes else "battle_id"]
    found: list[str] = []
    for kind in np.flatnonzero(taken):
        a, b = (work.names[side[kind]] for side in (work.first, work.second))
        outcome = WINNERS[work.outcome[kind]]
        turned = {"model_a": "model_b", "model_b": "model_a"}.get(outcome, outcome)
        one = (votes["model_a"] == a) & (votes["model_b"] == b) & (votes["winner"] == outcome)
        other = (votes["model_a"] == b) & (votes["model_b"] == a) & (votes["winner"] == turned)
        found += ids[one | other].astype(str).tolist()[-int(taken[kind]) :]
        if len(found) >= NAMED:
            break
    return found[:NAMED]
