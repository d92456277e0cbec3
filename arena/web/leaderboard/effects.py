"""What seat, order and style do to votes, in points and in words. It does not know how effects
are estimated."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from arena.core.standings.covariates import STYLE
from arena.web.leaderboard.table import DASH, rows

MEANS = {
    "seat": ("Seat", "Being shown before the other one"),
    "incumbent": ("Staying on", "Having stayed on from the round before, against a newcomer,"),
    "length": ("Length", "Being longer than the other one"),
    "header": ("Headings", "Having more headings than the other one"),
    "bold": ("Bold", "Having more words in bold than the other one"),
    "list": ("Lists", "Having more list items than the other one"),
}
"""Covariate → its name, and what its points are the price of."""

WIDEST = 300.0
"""Points at the ends of the drawn scale at most."""
UNTOLD = 2 * WIDEST
"""An interval wider than this says nothing."""

LEAD = """
<p>What moves votes besides who answers: its worth in points of rating between equal contenders,
with its 95 % interval. Where that holds 0, no effect can be told from chance.</p>
"""
NOTHING = """
<p>The votes of this choice do not know enough of seats and style to tell their effects.</p>
"""
TOO_FEW = """
<p>There are too few votes yet to tell what seat, order and style do to them.</p>
"""


def draw(order: pd.DataFrame, style: pd.DataFrame, corrected: Sequence[str]) -> str:
    """order, style: as `core.standings.board.Panels` has them, empty where nothing is known. corrected:
    covariates that the ratings on the page are corrected for."""
    measured = [row for row in (*rows(order), *rows(style)) if not pd.isna(row.points)]
    if not measured:
        return NOTHING
    if not any(map(_known, measured)):
        return TOO_FEW
    bounds = [abs(bound) for row in measured if _known(row) for bound in (row.lower, row.upper)]
    reach = min(max(*bounds, 1.0), WIDEST)
    drawn = "".join(_row(row, reach, row.covariate in corrected) for row in measured)
    return f'{LEAD}<ul class="board-effects">{drawn}</ul>'


def told(row: Any) -> str:
    """What an effect says, as far as it can be told from chance."""
    _, what = MEANS[row.covariate]
    if not _known(row):
        return "Too few votes to tell yet."
    if row.lower <= 0 <= row.upper:
        return f"{what} makes no difference that could be told from chance."
    gain = "gains" if row.points > 0 else "costs"
    step = ", for one standard deviation of that difference" if row.covariate in STYLE else ""
    return f"{what} {gain} about {abs(row.points):.0f} points{step}."


def _known(row: Any) -> bool:
    return bool(row.upper - row.lower <= UNTOLD)


def _row(row: Any, reach: float, corrected: bool) -> str:
    name, _ = MEANS[row.covariate]
    chip = ' <span class="chip">corrected for</span>' if corrected else ""
    points, bar = DASH, ""
    if _known(row):
        span = f"{_signed(row.lower)} to {_signed(row.upper)}"
        points = f"{_signed(row.points)} <small>({span})</small>"
        ends = (row.lower, row.upper, row.points)
        left, right, at = (50 + 50 * min(max(value / reach, -1), 1) for value in ends)
        bar = (
            f'<i class="board-span" aria-hidden="true"><i style="left:{left:.1f}%;'
            f'right:{100 - right:.1f}%"></i><b style="left:{at:.1f}%"></b></i>'
        )
    return (
        f'<li><b>{name}</b>{chip}<span class="points">{points}</span>{bar}'
        f'<span class="words">{told(row)}</span></li>'
    )


def _signed(points: float) -> str:
    number = round(points)
    return f"+{number}" if number > 0 else f"−{-number}" if number < 0 else "0"
