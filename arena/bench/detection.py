"""Whom an audit finds of those who rig, whom it accuses beside, and what they moved before and
after whoever it found is excluded.

Riggers lift the second of a simulated arena. It does not draw the figures.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from arena.bench import Told
from arena.bench.attackers import Attack, Crowd
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT, Method
from arena.core.standings.counts import Counts
from arena.play.audits import audited

ATTACKS = (
    Attack("nobody", 0, 0),
    Attack("at random", 5, 200, how="random"),
    Attack("loyal by its words", 2, 200),
    Attack("slow and patient", 2, 400, share=0.5, pause_s=5000),
    Attack("ring of twenty, 30 each", 20, 30),
    Attack("ring of twenty, 10 each", 20, 10),
    Attack("keeps it, else honest", 2, 200, how="fan"),
    Attack("honest minority, reversed", 20, 0, how="minority"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """found, accused: shares of the riggers and of the honest; None where there are none. ranks:
    how many places all contenders moved together, points: how far the furthest did; each by the
    attack, and of it after the audit, on average."""

    attack: str
    raters: int
    ballots: int
    found: float | None
    accused: float
    ranks: tuple[float, float]
    points: tuple[float, float]


def run(crowd: Crowd, repeat: int, told: Told) -> Iterator[Row]:
    """Each attack in so many arenas."""
    crowds = [replace(crowd, seed=crowd.seed + n) for n in range(repeat)]
    honest = [(each, each.votes()) for each in crowds]
    for number, attack in enumerate(ATTACKS):
        told(f"Auditing: {attack.name}", number / len(ATTACKS))
        yield _row(attack, honest)


def _row(attack: Attack, honest: list[tuple[Crowd, pd.DataFrame]]) -> Row:
    guilty = 0 if attack.how == "minority" else attack.raters
    caught, accused, moved, ballots = [], [], [], 0
    for crowd, own in honest:
        target = crowd.names().index(_ratings(own).index[1])
        its = replace(attack, target=target)
        cast = [crowd.cast(f"rigger-{n}", its, 10_000 + n) for n in range(attack.raters)]
        rigged = pd.concat([own, pd.DataFrame([row for rows in cast for row in rows])])
        rigged = rigged.reset_index(drop=True)
        ballots += rigged["ballot_id"].nunique() - own["ballot_id"].nunique()
        found = audited(rigged).report.found
        riggers = {name for name in found if name.startswith("rigger")}
        caught.append(len(riggers) if guilty else 0)
        accused.append((len(found) - caught[-1]) / (crowd.honest + attack.raters - guilty))
        left = rigged[~rigged["rater"].isin(found)]
        # What an honest minority thinks is no move.
        true = own if guilty or not attack.raters else rigged
        moved.append([each for votes in (rigged, left) for each in _moved(true, votes)])
    ranks, points, ranks_left, points_left = np.mean(moved, axis=0).tolist()
    share = sum(caught) / (guilty * len(honest)) if guilty else None
    return Row(
        attack.name,
        attack.raters,
        ballots // len(honest),
        share,
        float(np.mean(accused)),
        (ranks, ranks_left),
        (points, points_left),
    )


def _ratings(votes: pd.DataFrame) -> pd.Series:
    """In points, best first."""
    fit = Counts.of(votes).fit(Method(clusters="none"))
    points = pd.Series(fit.theta * POINTS_PER_LOGIT, list(fit.names))
    return points.sort_values(ascending=False)


def _moved(true: pd.DataFrame, votes: pd.DataFrame) -> tuple[float, float]:
    """Places of all together, and points of the furthest."""
    before, after = _ratings(true), _ratings(votes)
    places = (before.rank() - after.rank().reindex(before.index)).abs().sum()
    return float(places), float((before - after.reindex(before.index)).abs().max())
