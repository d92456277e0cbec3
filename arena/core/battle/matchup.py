"""Who fights, and who sits where: the fewest votes first, or by chance, or to find the best.

Each draw says how likely it was, so that votes drawn unevenly can be weighed again. The
generator of random numbers, the vote counts and the belief in strengths are passed in; it does
not know where they come from, nor what becomes of the battle.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import comb

import numpy as np
from scipy.special import ndtri

from arena.core.arrays import Floats
from arena.core.battle.entities import Contender
from arena.core.errors import BadInput
from arena.core.standings.bradley_terry import PRIOR_SD, Fit

SEEDED = 0.5
"""How often `best` gives one seat to the contender with the fewest votes. Without it nobody but
the leaders would be judged, and the intervals of those who lead would be too narrow."""

SIMULATED = 4000
"""Draws of the strengths from which `best` reads its probabilities; each is good to ±0.016."""

JITTER = 1e-9
"""In squared logits: a hundredth of a point, beside standard errors of ten."""

ALONE = 2**17
"""Multiplications that one core does fastest."""


class Policy(StrEnum):
    """fewest: the fewest votes first, ties at random; blind to outcomes, so it does not bend
    the standings. uniform: every set alike. best: mostly those who may be the best, which finds
    the best with fewer votes and knows the others less exactly."""

    FEWEST = "fewest"
    BEST = "best"
    UNIFORM = "uniform"


@dataclass(frozen=True, slots=True)
class Draw:
    """Contenders in the order of their seats, which is also their order of entry.

    probability: that just these were drawn, in any order. taking_part: of every contender of
    the roster, by name, the probability to be among them; they add up to the size."""

    contenders: tuple[Contender, ...]
    policy: str
    probability: float
    taking_part: Mapping[str, float]


def eligible(roster: Sequence[Contender], topic: str = "") -> tuple[Contender, ...]:
    """Who may be drawn for a prompt on the topic: those that name it and those that name none.
    Without a topic, all. Raises BadInput where fewer than two remain."""
    fitting = fitting_to(topic, roster)
    if len(roster) >= 2 > len(fitting):
        raise BadInput(
            "Fewer than two contenders take prompts on this topic. Please choose another topic, "
            "or none."
        )
    return _enough(fitting)


def fitting_to(topic: str, roster: Sequence[Contender]) -> tuple[Contender, ...]:
    """As `eligible`, be they as few as they may."""
    return tuple(c for c in roster if not topic or not c.topics or topic in c.topics)


def draw(
    roster: Sequence[Contender],
    size: int,
    votes: Mapping[str, int],
    rng: random.Random,
    *,
    policy: Policy = Policy.FEWEST,
    belief: Fit | None = None,
) -> Draw:
    """Draw `size` contenders and seat them at random.

    votes: contender name → pairs judged so far. belief: for `best`, what the votes say of the
    strengths; whoever it does not name is taken from the prior. A roster smaller than `size`
    fights whole. All chance comes from `rng`. Raises BadInput for fewer than two contenders.

    Probabilities are exact but for `best`, whose are the mean over SIMULATED + 1 draws of the
    strengths, the one that was played among them. So what was drawn never has probability 0;
    and as each of the draws could have been the one played, 1 / probability has the right
    mean, 1 / the true one, for every set likely to be seen among them."""
    _enough(roster)
    size = min(size, len(roster))
    judged = [votes.get(contender.name, 0) for contender in roster]
    if policy == Policy.BEST and size < len(roster):
        chosen, probability, shares = _best(*_strengths(roster, belief), judged, size, rng)
    elif policy == Policy.UNIFORM:
        chosen, probability, shares = _fewest([0] * len(roster), size, rng)
    else:
        chosen, probability, shares = _fewest(judged, size, rng)
    rng.shuffle(chosen)
    taking_part = {c.name: share for c, share in zip(roster, shares, strict=True)}
    return Draw(tuple(roster[i] for i in chosen), policy, probability, taking_part)


def _enough(roster: Sequence[Contender]) -> tuple[Contender, ...]:
    if len(roster) < 2:
        raise BadInput("A battle needs at least two contenders; the roster has fewer.")
    return tuple(roster)


def _fewest(
    judged: Sequence[int], size: int, rng: random.Random
) -> tuple[list[int], float, list[float]]:
    """Who is drawn, as indices; the probability of that set; everyone's to be in it."""
    shuffled = rng.sample(range(len(judged)), len(judged))
    chosen = sorted(shuffled, key=judged.__getitem__)[:size]
    border = judged[chosen[-1]]
    tied = judged.count(border)
    seats = sum(judged[i] == border for i in chosen)
    shares = [seats / tied if n == border else float(n < border) for n in judged]
    return chosen, 1 / comb(tied, seats), shares


def _best(
    mean: Floats, root: Floats, judged: Sequence[int], size: int, rng: random.Random
) -> tuple[list[int], float, list[float]]:
    """As `_fewest`. Given the strengths only the coin and, among those with the fewest votes,
    the lot are left to chance, and both are summed over."""
    theta = mean + _turned(_normal(rng, (SIMULATED + 1, len(mean))), root)
    fewest = np.asarray(judged) == min(judged)
    seeded = [rng.choice(np.flatnonzero(fewest).tolist())] if rng.random() < SEEDED else []
    best_first = np.argsort(-theta[0]).tolist()
    chosen = (seeded + [i for i in best_first if i not in seeded])[:size]

    # Of each row the top without the last of it, in any order, and that last one.
    top = np.argpartition(-theta, size - 1, axis=1)[:, :size]
    upper, last = top[:, :-1], top[:, -1]
    few_above = fewest[upper].sum(axis=1)
    drawn = np.isin(np.arange(len(mean)), chosen)
    above = drawn[upper].all(axis=1)
    plain = above & drawn[last]
    few_drawn = fewest[drawn].sum()
    # Whoever is seeded from below the top takes the seat of its last.
    from_seed = np.where(plain, few_drawn, above * (few_drawn - few_above)) / fewest.sum()
    probability = float(np.mean((1 - SEEDED) * plain + SEEDED * from_seed))

    in_upper = np.bincount(upper.ravel(), minlength=len(mean)) / len(top)
    in_last = np.bincount(last, minlength=len(mean)) / len(top)
    kept = np.bincount(last, few_above, len(mean)) / len(top) / fewest.sum()
    by_seed = in_upper + fewest / fewest.sum() * (1 - in_upper) + kept
    shares = (1 - SEEDED) * (in_upper + in_last) + SEEDED * by_seed
    return chosen, probability, shares.tolist()


def _strengths(roster: Sequence[Contender], belief: Fit | None) -> tuple[Floats, Floats]:
    """Mean (K,) and a root (K, K) of the covariance of the strengths, in logits. Strengths of a
    fit add up to zero, so a covariance of theirs is singular, and has a root only with a little
    more on its diagonal."""
    mean, covariance = np.zeros(len(roster)), PRIOR_SD**2 * np.eye(len(roster))
    if belief:
        place = {name: number for number, name in enumerate(belief.names)}
        known = [i for i, contender in enumerate(roster) if contender.name in place]
        there = [place[roster[i].name] for i in known]
        mean[known] = belief.theta[there]
        covariance[np.ix_(known, known)] = belief.covariance[np.ix_(there, there)]
    root = np.linalg.cholesky(covariance + JITTER * np.eye(len(mean)))
    return mean, root.astype(float, copy=False)


def _turned(normal: Floats, root: Floats) -> Floats:
    """normal @ root.T, in parts too small for linear algebra to share out among threads: where
    every core is busy, waiting for them takes far longer than the work."""
    parts = 1 + normal.size * len(root) // ALONE
    return np.concatenate([part @ root.T for part in np.array_split(normal, parts)])


def _normal(rng: random.Random, shape: tuple[int, int]) -> Floats:
    """Standard normal numbers, of whole arrays at once and yet from this generator alone."""
    drawn = np.frombuffer(rng.randbytes(4 * shape[0] * shape[1]), dtype="<u4")
    return ndtri((drawn + 0.5) / 2**32).reshape(shape)
