"""How many raters and prompts a study needs to tell a difference, by playing it many times.

It does not know studies, only what is simulated: contenders of which the best two lie so far
apart, raters with tastes of their own, prompts that suit one more than the other, ties; then the
same fit and the same interval that the leaderboard uses. Before a study its assumptions are
guesses; after it they are what the study showed (`assumptions`).

Power by simulation: Arnold et al. 2011, BMC Medical Research Methodology 11:94.
"""

from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pandas as pd
from numpy.polynomial.hermite_e import hermegauss
from scipy.optimize import brentq
from scipy.special import expit, logit

from arena.core.arrays import Floats
from arena.core.errors import BadInput
from arena.core.standings.agreement import wilson
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT, Method, half_interval
from arena.core.standings.chance import below, normal, seeded, uniform
from arena.core.standings.counts import Counts
from arena.core.standings.votes import TEXT, counted


@dataclass(frozen=True, slots=True)
class Assumed:
    """gap: points between the best two, whose difference is to be told. contenders: others lie
    below at the same distance. per_prompt: raters of each prompt. ties: their share among
    equals. taste, suit: standard deviations, in logits, of what a rater and what a prompt add
    to each contender. Raises
    BadInput for what cannot be."""

    gap: float = 50.0
    contenders: int = 3
    per_prompt: int = 3
    ties: float = 0.2
    taste: float = 0.3
    suit: float = 0.5

    def __post_init__(self) -> None:
        if not (self.gap > 0 and self.contenders >= 2 and self.per_prompt >= 1):
            raise BadInput("A plan needs a gap above 0, two contenders and a rater of each prompt.")
        if not (0 <= self.ties < 1 and self.taste >= 0 and self.suit >= 0):
            raise BadInput("A share of ties is from 0 to below 1; taste and suit are 0 or more.")


def power(
    assumed: Assumed, raters: int, prompts: int, *, times: int = 200, seed: int = 0
) -> dict[str, float]:
    """By name, beside what was asked: the share of simulated studies in which the interval of the
    difference of the best two leaves out 0, on the right side, with its 95 % interval (Wilson
    1927), and the mean half interval of that difference in points. Each of so many prompts is
    judged by per_prompt of the raters, in turn, each time on one pair; a battle of three says more,
    so for such ones this is the least. Raises BadInput with fewer
    raters than a prompt needs."""
    if raters < assumed.per_prompt:
        raise BadInput(f"{assumed.per_prompt} raters of each prompt need as many raters at least.")
    rng, told, half = seeded(seed), 0, 0.0
    for _ in range(times):
        votes = _study(assumed, raters, prompts, rng)
        fit = Counts.of(votes).fit(Method())
        if not {"c0", "c1"} <= set(fit.names):
            continue
        best, next_ = fit.names.index("c0"), fit.names.index("c1")
        variance = fit.variance_of_differences[best, next_]
        margin = float(half_interval(variance, fit.df[best], np.inf))
        told += bool(fit.theta[best] - fit.theta[next_] > margin)
        half += margin * POINTS_PER_LOGIT / times
    share = told / times
    (lower,), (upper,) = wilson(np.array([share]), np.array([times]))
    ballots = prompts * assumed.per_prompt
    return {
        "raters": raters,
        "prompts": prompts,
        "votes": ballots,
        "power": share,
        "power_lower": float(lower),
        "power_upper": float(upper),
        "half_width": half,
    }


def _study(assumed: Assumed, raters: int, prompts: int, rng: Random) -> pd.DataFrame:
    size, ballots = assumed.contenders, prompts * assumed.per_prompt
    strength = -np.arange(size) * assumed.gap / POINTS_PER_LOGIT
    taste = normal(rng, raters, size) * assumed.taste
    suit = normal(rng, prompts, size) * assumed.suit
    prompt = np.arange(ballots) // assumed.per_prompt
    rater = (np.arange(ballots) + below(rng, raters, 1)) % raters
    one = below(rng, size, ballots)
    other = (one + 1 + below(rng, size - 1, ballots)) % size
    worth = strength + taste[rater] + suit[prompt]
    at = np.arange(ballots)
    win, tied = _odds(assumed, worth[at, one] - worth[at, other])
    drawn = uniform(rng, ballots) * (1 + tied)
    winner = np.where(drawn < win, "model_a", np.where(drawn < 1, "model_b", "tie"))
    names = np.array([f"c{number}" for number in range(size)])
    columns = {"battle_id": at.astype(str), "rater": rater.astype(str), "model_a": names[one]}
    columns |= {"model_b": names[other], "winner": winner}
    return pd.DataFrame(columns).assign(excluded_reason="").astype({"winner": TEXT})


def _odds(assumed: Assumed, gap: Floats) -> tuple[Floats, Floats]:
    """Of a win and of a tie, beside those of a loss, which are 1 less that of a win, by the gap in
    logits. Davidson's model, ν being what gives equals that share of ties."""
    win = expit(gap)
    return win, 2 * assumed.ties / (1 - assumed.ties) * np.sqrt(win * (1 - win))


QUADRATURE = 40
"""Points of Gauss and Hermite; a logit of taste and suit is met to a thousandth by fewer."""

EQUAL = 1e-9
"""Logits by which a fit of equals differs at most."""

WIDEST = 40.0
"""Logits, beyond which no gap is looked for."""


def _shown(assumed: Assumed, gap: float) -> float:
    """The gap that a fit shows of one in logits: what raters and prompts add, and ties that are
    worth half, press it together."""
    at, weight = hermegauss(QUADRATURE)
    spread = np.sqrt(2 * (assumed.taste**2 + assumed.suit**2))
    win, tied = _odds(assumed, gap + spread * at)
    return float(logit(weight @ ((win + tied / 2) / (1 + tied)) / weight.sum()))


def assumptions(votes: pd.DataFrame, assumed: Assumed) -> tuple[Assumed, int, int]:
    """What these votes show in the place of what was assumed: the gap of the first two, how many
    contenders, raters of a prompt and ties; and how many raters and prompts there were. Tastes
    stay as assumed, and the gap is that of which a fit shows what it shows of these votes. Prompts
    of two studies are two; a vote without a prompt_id counts for one of its own. Raises BadInput
    where fewer than two contenders are rated."""
    counts = Counts.of(votes)
    fit = counts.fit()
    first = np.sort(fit.theta[fit.group == 0])[::-1]
    if len(first) < 2 or first[0] - first[1] < EQUAL:
        raise BadInput("Only with votes on two contenders that differ can it be told.")
    ranked = counted(votes)
    prompt = ranked["prompt_id"].astype(TEXT).fillna("")
    prompts = prompt.where(prompt != "", ranked["battle_id"].astype(TEXT))
    raters, number = ranked["rater"].nunique(), len({*zip(ranked["study"], prompts, strict=True)})
    # A battle of three has several rows, which are one rater's and err together.
    each = min(max(round(ranked["battle_id"].nunique() / number), 1), raters)
    tie = counts.fit(Method(ties="davidson")).tie
    ties = min(tie / (2 + tie), 0.95)
    seen = replace(assumed, contenders=len(first), per_prompt=each, ties=ties)
    gap = brentq(lambda gap: _shown(seen, gap) - float(first[0] - first[1]), 0, WIDEST)
    return replace(seen, gap=gap * POINTS_PER_LOGIT), raters, number
