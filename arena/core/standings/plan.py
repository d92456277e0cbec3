"""How many raters and prompts a study needs to tell a difference, by playing it many times.

It does not know studies, only what is simulated: contenders of which the best two lie so far
apart, raters with tastes of their own, prompts that suit one more than the other, ties, battles
round by round with every vote that a ledger has of them; then the same fit and the same interval
that the leaderboard uses. Before a study its assumptions are guesses; after it they are what the
study showed (`assumptions`).

Power by simulation: Arnold et al. 2011, BMC Medical Research Methodology 11:94. Who is dropped:
Plackett 1975 and Luce 1959 on the reversed order, as in `stages`; of two this is Bradley and
Terry's, and with ties Davidson's (1970).
"""

from dataclasses import dataclass, replace
from itertools import combinations
from random import Random

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_softmax

from arena.core.arrays import Floats, Ints
from arena.core.errors import BadInput
from arena.core.standings.agreement import wilson
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT, Method, half_interval
from arena.core.standings.chance import below, normal, seeded, uniform
from arena.core.standings.counts import Counts
from arena.core.standings.votes import TEXT, counted

WON = np.array(["model_a", "model_b", "tie"])


@dataclass(frozen=True, slots=True)
class Assumed:
    """gap: points between the best two, whose difference is to be told. contenders: others lie
    below at the same distance. per_prompt: raters of each prompt. ties: their share among
    equals. taste, suit: standard deviations, in logits, of what a rater and what a prompt add
    to each contender. size: of them in a battle; panes: of these in play at once, three in an
    elimination, two in a knockout. Raises BadInput for more in a battle than there are."""

    gap: float = 50.0
    contenders: int = 3
    per_prompt: int = 3
    ties: float = 0.2
    taste: float = 0.3
    suit: float = 0.5
    size: int = 2
    panes: int = 2

    def __post_init__(self) -> None:
        if self.size > self.contenders:
            raise BadInput("No battle has more contenders than meet.")


def power(assumed: Assumed, raters: int, prompts: int, *, times: int = 200) -> dict[str, float]:
    """By name, beside what was asked: the share of simulated studies in which the interval of the
    difference of the best two leaves out 0, on the right side, with its 95 % interval (Wilson
    1927), the mean half interval of that difference in points, and how many votes the ledger has of
    such a study, in the mean. Each of so many prompts is judged by per_prompt of the raters, in
    turn, each time in one battle; there have to be as many raters."""
    rng, told, half, rows = seeded(0), 0, 0.0, 0
    for _ in range(times):
        votes = _study(assumed, raters, prompts, rng)
        rows += len(votes)
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
    return {
        "raters": raters,
        "prompts": prompts,
        "battles": prompts * assumed.per_prompt,
        "votes": round(rows / times),
        "power": share,
        "power_lower": float(lower),
        "power_upper": float(upper),
        "half_width": half,
    }


def _study(assumed: Assumed, raters: int, prompts: int, rng: Random) -> pd.DataFrame:
    """Rows as of a ledger: of each round every pair that it judged."""
    size, battles = assumed.contenders, prompts * assumed.per_prompt
    strength = -np.arange(size) * assumed.gap / POINTS_PER_LOGIT
    taste = normal(rng, raters, size) * assumed.taste
    suit = normal(rng, prompts, size) * assumed.suit
    battle = np.arange(battles)
    rater = (battle + below(rng, raters, 1)) % raters
    worth = strength + taste[rater] + suit[battle // assumed.per_prompt]
    seats = np.argsort(uniform(rng, battles, size), axis=1)[:, : assumed.size]
    live, waiting = seats[:, : assumed.panes], seats[:, assumed.panes :]
    rows, playing = [], live.shape[1]
    for number in range(1, assumed.size):
        dropped, tied = _verdicts(assumed, np.take_along_axis(worth, live, axis=1), rng)
        for a, b in combinations(range(playing), 2):
            won = np.where(tied, 2, np.where(dropped == b, 0, 1))
            judged = tied | (dropped == a) | (dropped == b)
            of_round = battle, np.full(battles, number), live[:, a], live[:, b], won
            rows.append(np.column_stack(of_round)[judged])
        stay = live[np.arange(playing) != dropped[:, np.newaxis]].reshape(battles, -1)
        live, waiting = np.hstack((stay, waiting[:, :1])), waiting[:, 1:]
        playing = live.shape[1]
    at, number, one, other, won = np.concatenate(rows).T
    names = np.array([f"c{number}" for number in range(size)])
    columns = {"battle_id": battle.astype(str)[at], "rater": rater.astype(str)[at]}
    columns |= {"round": number, "model_a": names[one], "model_b": names[other], "winner": WON[won]}
    return pd.DataFrame(columns).assign(excluded_reason="").astype({"winner": TEXT})


def _verdicts(assumed: Assumed, worth: Floats, rng: Random) -> tuple[Ints, NDArray[np.bool_]]:
    """Of each battle the place of who is dropped, and whether by a coin after a tie. worth: in
    logits, of all in play."""
    battles, playing = worth.shape
    lost, equal = _chances(assumed, worth)
    drawn = uniform(rng, battles)
    tied = drawn < equal
    dropped = ((drawn - equal)[:, np.newaxis] >= np.cumsum(lost[:, :-1], axis=1)).sum(axis=1)
    return np.where(tied, below(rng, playing, battles), dropped), tied


def _chances(assumed: Assumed, worth: Floats) -> tuple[Floats, Floats]:
    """How likely each in play is to be dropped, and a tie, whose weight gives equals that share
    of ties."""
    lost = log_softmax(-worth, axis=1)
    equal = np.exp(lost.mean(axis=1)) * worth.shape[1] * _odds(assumed.ties)
    return np.exp(lost) / (1 + equal[:, np.newaxis]), equal / (1 + equal)


DRAWS = 1_000
"""Raters and prompts over whom is averaged what a fit shows, each beside its opposite."""

TOLD = 100.0
"""Points by which it is found what part of a gap is shown; of a smaller one it is as much."""

STEPS = 4
"""How often what is assumed is corrected by what is shown of it."""

EQUAL = 1e-9
"""Logits by which a fit of equals differs at most."""


def _shown(assumed: Assumed) -> tuple[float, float]:
    """What part of the gap of the best two a fit shows, and of the odds of a tie on them: what
    raters and prompts add, and ties that are worth half, press the gap together, the more as a
    tie of three makes more votes than a verdict."""
    gap, size, rng = max(assumed.gap, TOLD) / POINTS_PER_LOGIT, assumed.contenders, seeded(0)
    half = normal(rng, DRAWS, size) * np.hypot(assumed.taste, assumed.suit)
    worth = np.vstack((half, -half)) - np.arange(size) * gap
    others = np.argsort(uniform(rng, DRAWS, size - 2), axis=1)[:, : assumed.size - 2] + 2
    seats = np.hstack((np.tile([0, 1], (DRAWS, 1)), others))
    seats = np.take_along_axis(seats, np.argsort(uniform(rng, *seats.shape), axis=1), axis=1)
    seats = np.vstack((seats, seats))
    live, waiting = seats[:, : assumed.panes], seats[:, assumed.panes :]
    won, lost, tied = _expected(assumed, worth, live, waiting, np.ones(len(worth)))
    shown = np.log((won + tied / 2) / (lost + tied / 2))
    return float(shown) / gap, float(tied / np.sqrt(won * lost) / 2)


def _expected(
    assumed: Assumed, worth: Floats, live: Ints, waiting: Ints, weight: Floats
) -> NDArray[np.float64]:
    """Votes on the best two to come of battles so far, each as likely as its weight: won by the
    first, lost, and ties."""
    playing = live.shape[1]
    if playing < 2:
        return np.zeros(3)
    lost, equal = _chances(assumed, np.take_along_axis(worth, live, axis=1))
    both = weight * ((live < 2).sum(axis=1) == 2)
    found = np.array([both @ (lost * (live == n)).sum(axis=1) for n in (1, 0)] + [both @ equal])
    for place in range(playing):
        then = np.hstack((np.delete(live, place, axis=1), waiting[:, :1]))
        likely = weight * (lost[:, place] + equal / playing)
        found += _expected(assumed, worth, then, waiting[:, 1:], likely)
    return found


def assumptions(votes: pd.DataFrame, assumed: Assumed) -> tuple[Assumed, int, int]:
    """What these votes show in the place of what was assumed: the gap of the first two, how many
    contenders, raters of a prompt and ties, and what most battles were like; and how many raters
    and prompts there were. Tastes stay as assumed, and gap and ties are those of which a fit shows
    what it shows of these votes. Prompts of two studies are two; a vote without a prompt_id counts
    for one of its own. Raises BadInput where fewer than two contenders are rated."""
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
    size, panes = _battles(ranked, len(first))
    # Ties of three are on all its pairs, which Davidson's model takes for more.
    alone = ~ranked.duplicated(["battle_id", "ballot_id"], keep=False)
    odds = Counts.of(ranked[alone] if alone.any() else ranked).fit(Method(ties="davidson")).tie / 2
    gap = float(first[0] - first[1]) * POINTS_PER_LOGIT
    seen = replace(assumed, contenders=len(first), per_prompt=each, size=size, panes=panes)
    seen = replace(seen, gap=gap, ties=_share(odds))
    for _ in range(STEPS):
        shown = _shown(replace(seen, size=2, panes=2))[1]
        ties = _share(odds * _odds(seen.ties) / shown) if shown else 0.0
        seen = replace(seen, gap=gap / _shown(seen)[0], ties=ties)
    return seen, raters, number


def _odds(share: float) -> float:
    return share / (1 - share)


def _share(odds: float) -> float:
    return min(odds / (1 + odds), 0.95)


def _battles(ranked: pd.DataFrame, most: int) -> tuple[int, int]:
    """How many contenders most battles had, and how many of these a ballot judged at most."""
    sides = pd.concat(
        [ranked[["battle_id", "ballot_id"]].assign(name=ranked[m]) for m in ("model_a", "model_b")]
    )
    by_battle = sides.groupby("battle_id")["name"].nunique()
    by_ballot = sides.groupby(["battle_id", "ballot_id"])["name"].nunique()
    at_once = by_ballot.groupby("battle_id").max()
    size = int(by_battle.mode().iloc[-1])
    return min(size, most), int(at_once[by_battle == size].mode().iloc[-1])
