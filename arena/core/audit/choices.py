"""All choices of a rater together: how likely they are by Luce's rule with a taste for everything
(Laplace's method), and how much likelier if the rater does with one contender as no taste would.

How somebody votes where that one is there is judged by how the same rater votes elsewhere, so a
minority with an order of its own is not taken for one that is bent. It does not know what is
improbable.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.special import log_softmax, logsumexp, softmax

from arena.core.arrays import Bools, Floats, Ints
from arena.core.audit.ballots import Ballots
from arena.core.audit.evidence import RATES, Evidence

WIDER = 3.0
FEW = (0.005, 0.02, 0.05, 0.1, 0.2, 0.4)
"""A share of raters may differ by WIDER times the taste of most: a minority with an order of its
own. It is learnt, and never none."""
SHARES = (0.95, 0.7, 0.4, 0.2)
"""Of the ballots with it, those in which somebody patient lifts it."""
STRONGER = 3.0
"""How surely the stronger goes then, as a power of how much stronger it is."""
TASTES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.3, 1.6)
"""Standard deviations of tastes that are tried, in logits."""
MOST = 20_000
STEPS = 8
ENTRIES = 4_000_000
"""Numbers that are held at once."""


class Choices:
    """strength: (K,). taste: its width, of most. honest: (R,) of whom the share is learnt."""

    def __init__(self, ballots: Ballots, strength: Floats, taste: float, honest: Bools) -> None:
        self._ballots, self._strength, self.taste = ballots, strength, taste
        self._widths = (taste, WIDER * taste)
        each, tastes = zip(*(likely(ballots, strength, w) for w in self._widths), strict=True)
        # The wider one, by which no rater's taste is taken for less than it is.
        self._tastes = tastes[1]
        self._usual = each[0]
        self._few = max(FEW, key=lambda few: _either(few, each)[honest].sum())
        self._all, self._any = _either(self._few, each), np.max(each, axis=0)

    def at_random(self) -> Evidence:
        """Against each rater: that anybody is dropped alike, where the taste of most would not."""
        ballots, count = self._ballots, len(self._ballots.raters)
        alike = np.bincount(ballots.rater, -np.log(ballots.there.sum(axis=1)), minlength=count)
        much = alike - self._usual
        return Evidence(np.arange(count), much, much, np.bincount(ballots.rater, minlength=count))

    def drops(self) -> Floats:
        """(B, S) how likely each place is to be dropped, by the rater's own taste."""
        live, there = self._ballots.live, self._ballots.there
        liked = self._strength[live] + self._tastes[self._ballots.rater[:, None], live]
        goes: Floats = softmax(np.where(there, -liked, -np.inf), axis=1)
        return goes

    def bent(self, contender: int) -> Iterator[tuple[str, Evidence]]:
        """That a rater keeps it nearly always (for), drops it nearly always (against), or keeps it
        and drops whoever is strongest beside it, often enough (lift). An ardent fan does the first
        two as well, and is told of: there the taste of most is the measure. `now` is for rings, and
        allows that the minority are many."""
        ballots, raters = self._ballots, len(self._ballots.raters)
        with_it = (ballots.live == contender).any(axis=1)
        count = np.bincount(ballots.rater[with_it], minlength=raters)
        # Whom the crowd explains better is not looked at closely: less evidence is always allowed.
        crowd, bets = self._bets(contender, with_it, np.zeros((raters, len(self._strength))))
        close = np.max([each - crowd for each in bets.values()], axis=0) > 0
        its = close[ballots.rater]
        apart = [likely(ballots, self._strength, width, its & ~with_it) for width in self._widths]
        elsewhere = _either(self._few, [told for told, _ in apart])
        _, bets = self._bets(contender, with_it & its, apart[0][1])
        nothing = np.where(count == 0, 0.0, -np.inf)
        for kind, bet in bets.items():
            told = elsewhere - self._all if kind == "lift" else apart[0][0] - self._usual
            alone = np.where(close, bet + told, nothing)
            of_many = np.where(close, bet + elsewhere - self._any, nothing)
            yield kind, Evidence(np.arange(raters), of_many, alone, count)

    def _bets(self, contender: int, of: Bools, taste: Floats) -> tuple[Floats, dict[str, Floats]]:
        """(R,) the logarithms of how likely these ballots are without a bet, and by each."""
        live, rater = self._ballots.live[of], self._ballots.rater[of]
        lot, out = np.arange(len(live)), self._ballots.dropped[of]
        there, it = live >= 0, live == contender
        strength = self._strength[live]
        own = strength + taste[rater[:, None], live]
        weak, better, best = (
            np.where(there, by, -np.inf) for by in (-own, STRONGER * strength, STRONGER * own)
        )
        usual = log_softmax(weak, axis=1)[lot, out]
        goes = it[lot, out]
        others, *strongest = (
            np.where(goes, -np.inf, log_softmax(np.where(it, -np.inf, by), axis=1)[lot, out])
            for by in (weak, better, best)
        )
        # Of two, who keeps the one says no more by dropping the other.
        more = there.sum(axis=1) > 2
        strong = [np.where(more, each, usual) for each in strongest]

        def mixed(each: list[Floats]) -> Floats:
            by_rater = [np.bincount(rater, of, minlength=len(taste)) for of in each]
            told: Floats = np.asarray(logsumexp(by_rater, axis=0)) - np.log(len(each))
            return told

        def dropped(rate: float) -> Floats:
            stays = np.log1p(-rate) + np.where(goes, 0.0, others)
            return np.asarray(np.where(goes, np.log(rate), stays))

        return mixed([usual]), {
            "for": mixed([dropped(1 - rate) for rate in RATES]),
            "against": mixed([dropped(rate) for rate in RATES]),
            "lift": mixed(
                [
                    np.logaddexp(np.log(share) + each, np.log1p(-share) + usual)
                    for share in SHARES
                    for each in strong
                ]
            ),
        }


def _either(few: float, each: Sequence[Floats]) -> Floats:
    """How likely, where so many are of the second kind."""
    return np.asarray(np.logaddexp(np.log1p(-few) + each[0], np.log(few) + each[1]))


def width(ballots: Ballots, strength: Floats, honest: Bools) -> float:
    """That of the tastes which explains best what the `honest` of the ballots chose."""
    # Some thousands of ballots say it as well as all.
    some = honest & (np.cumsum(honest) <= MOST)
    told = [likely(ballots, strength, taste, some)[0].sum() for taste in TASTES]
    return TASTES[int(np.argmax(told))]


def likely(
    ballots: Ballots, strength: Floats, width: float, of: Bools | None = None
) -> tuple[Floats, Floats]:
    """(R,) the logarithm, of each rater's ballots, or of those `of` them, with 0 where there is
    none; and (R, K) the taste that explains them best."""
    size = len(strength)
    rows = np.arange(len(ballots.rater)) if of is None else np.flatnonzero(of)
    told, tastes = np.zeros(len(ballots.raters)), np.zeros((len(ballots.raters), size))
    raters, number = np.unique(ballots.rater[rows], return_inverse=True)
    at_once = max(1, ENTRIES // size**2)
    for first in range(0, len(raters), at_once):
        begin, end = np.searchsorted(number, [first, first + at_once])
        part, whose = rows[begin:end], raters[first : first + at_once]
        live, dropped, its = ballots.live[part], ballots.dropped[part], number[begin:end] - first
        told[whose], tastes[whose] = _marginal(live, dropped, its, strength, width)
    return told, tastes


def _marginal(
    live: Ints, dropped: Ints, rater: Ints, strength: Floats, width: float
) -> tuple[Floats, Floats]:
    """Over normal tastes, of raters who are numbered from 0; and the likeliest tastes."""
    size, count = len(strength), int(rater.max(initial=-1)) + 1
    there = live >= 0
    weak = np.where(there, -strength[live], -np.inf)
    one = rater[:, None] * size + live
    both = there[:, :, None] & there[:, None, :]
    pair = (one[:, :, None] * size + live[:, None, :])[both]
    lot, diagonal = np.arange(len(live)), np.arange(size)
    out = np.bincount(one[lot, dropped], minlength=count * size).reshape(count, size)
    taste = np.zeros((count, size))

    def chances() -> tuple[Floats, ...]:
        """Of each choice as a logarithm, how often each should go, and the curvature."""
        choice = log_softmax(weak - np.where(there, taste[rater[:, None], live], 0.0), axis=1)
        p = np.exp(choice)
        goes = np.bincount(one[there], p[there], minlength=count * size).astype(float)
        goes = goes.reshape(count, size)
        product = (p[:, :, None] * p[:, None, :])[both]
        curved = -np.bincount(pair, product, minlength=count * size**2).astype(float)
        curved = curved.reshape(count, size, size)
        curved[:, diagonal, diagonal] += goes + width**-2
        return choice, goes, curved

    for _ in range(STEPS):
        _, goes, curved = chances()
        step = np.linalg.solve(curved, (goes - out - taste / width**2)[..., None])[..., 0]
        taste += np.clip(step, -1.5, 1.5)
    choice, _, curved = chances()
    told = np.bincount(rater, choice[lot, dropped], minlength=count).astype(float)
    prior = (taste**2).sum(axis=1) / (2 * width**2) + size * np.log(width)
    return told - prior - np.linalg.slogdet(curved)[1] / 2, taste
