"""How many votes it takes to move the first rank by one, with and without each defence.

Riggers want the second of a simulated arena to be first: they drop the first wherever they know
it, and keep the second. It does not draw the figures.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from arena.bench import Told
from arena.bench.attackers import Attack, Crowd
from arena.core.standings.bradley_terry import Method
from arena.core.standings.counts import Counts
from arena.play.audits import audited

MOST = 4000
"""Ballots that riggers cast at most."""

PUBLISHED = (
    "Published for pairs on Chatbot Arena: hundreds of new votes beside 1.7 million move a rank "
    "(Min et al. 2025, arXiv:2501.17858); two votes of 57,477 taken out change the first (Huang et "
    "al. 2025, arXiv:2508.11847)."
)


@dataclass(frozen=True, slots=True)
class Row:
    """ballots, votes: None where MOST do not do it. hours: how long one network has to vote for
    that within the limit of ballots, without any None."""

    defence: str
    raters: int
    ballots: int | None
    votes: int | None
    share: float | None
    hours: float | None = None


@dataclass(frozen=True, slots=True)
class Defence:
    """knows: how often riggers know whom they see. limit: ballots of a network in an hour."""

    name: str
    knows: float
    raters: int
    audit: bool = False
    limited: bool = False


DEFENCES = (
    Defence("none: names are seen", 1.0, 1),
    Defence("blind, told by words (95 %)", 0.95, 1),
    Defence("blind, mostly not told (50 %)", 0.5, 1),
    Defence("blind, and limits", 0.95, 1, limited=True),
    Defence("blind, limits and audit; one rater", 0.95, 1, audit=True, limited=True),
    Defence("the same; twenty raters", 0.95, 20, audit=True, limited=True),
    Defence("the same; two hundred raters", 0.95, 200, audit=True, limited=True),
)


def run(crowd: Crowd, limit: int, told: Told) -> Iterator[Row]:
    """limit: ballots of a network in an hour, 0 for none."""
    honest = crowd.votes()
    names = crowd.names()
    first, second = _order(honest)[:2]
    told("Taking votes out", 0.0)
    out = _taken_out(honest, first, second)
    yield Row("none: honest votes are taken out", 0, None, out, out / len(honest))
    for number, defence in enumerate(DEFENCES, start=1):
        told(f"Rigging: {defence.name}", number / (len(DEFENCES) + 1))
        attack = Attack("rigger", defence.raters, -(-MOST // defence.raters), knows=defence.knows)
        attack = replace(attack, target=names.index(second), rival=names.index(first))
        cast = [crowd.cast(f"rigger-{n}", attack, 10_000 + n) for n in range(defence.raters)]
        yield _row(crowd, honest, defence, cast, first, limit)


def _row(
    crowd: Crowd,
    honest: pd.DataFrame,
    defence: Defence,
    cast: list[list[dict[str, object]]],
    first: str,
    limit: int,
) -> Row:
    each = crowd.size - 1
    longest = len(cast[0]) // each

    def moved(ballots: int) -> bool:
        """So many of each rigger."""
        rows = [row for rows in cast for row in rows[: ballots * each]]
        votes = pd.concat([honest, pd.DataFrame(rows)], ignore_index=True)
        if defence.audit:
            found = audited(votes).report.found
            votes = votes[~votes["rater"].isin(found)]
        return _order(votes)[0] != first

    needed = _least(moved, longest)
    if needed is None:
        return Row(defence.name, defence.raters, None, None, None)
    ballots = needed * defence.raters
    hours = ballots / limit if defence.limited and limit else None
    return Row(
        defence.name, defence.raters, ballots, ballots * each, ballots * each / len(honest), hours
    )


def _least(enough: Callable[[int], bool], most: int) -> int | None:
    """The fewest that are enough, where more always are; None where the most are not. Tried
    upwards first: with an audit, more can be fewer."""
    tried, last = 1, 0
    while not enough(tried):
        if tried >= most:
            return None
        last, tried = tried, min(2 * tried, most)
    while tried - last > 1:
        middle = (tried + last) // 2
        last, tried = (last, middle) if enough(middle) else (middle, tried)
    return tried


def _order(votes: pd.DataFrame) -> list[str]:
    """Best first."""
    fit = Counts.of(votes).fit(Method(clusters="none"))
    return [fit.names[at] for at in np.argsort(-fit.theta)]


def _taken_out(votes: pd.DataFrame, first: str, second: str) -> int:
    """How many of the votes that speak most for the first have to go, by their influence on its
    lead to first order."""
    fit = Counts.of(votes).fit(Method(clusters="none"))
    at = {name: n for n, name in enumerate(fit.names)}
    lead = fit.covariance[at[first]] - fit.covariance[at[second]]
    a, b = (votes[f"model_{side}"].map(at).to_numpy() for side in "ab")
    p = 1 / (1 + np.exp(fit.theta[b] - fit.theta[a]))
    influence = ((votes["winner"] == "model_a") - p) * (lead[a] - lead[b])
    worst = np.argsort(-influence.to_numpy())
    found = _least(
        lambda n: _order(votes.drop(index=votes.index[worst[:n]]))[0] != first, len(votes) // 2
    )
    return found or len(votes)
