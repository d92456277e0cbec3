"""What seat, order and style do to votes, in points and in words. It does not know how effects
are estimated."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from arena.core.standings.covariates import STYLE
from arena.web.drawing import DASH, drawn
from arena.web.leaderboard.table import rows

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
    effects = [_effect(row, reach) | {"corrected": row.covariate in corrected} for row in measured]
    return drawn("effects", effects=effects, dash=DASH)


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


def _effect(row: Any, reach: float) -> dict[str, Any]:
    """What is drawn of it; its places on the scale in per cent of its width."""
    ends = {"left": row.lower, "right": -row.upper, "at": row.points}
    places = {end: f"{50 + 50 * min(max(at / reach, -1), 1):.1f}" for end, at in ends.items()}
    told_of = {name: getattr(row, name) for name in ("points", "lower", "upper")}
    name, _ = MEANS[row.covariate]
    return told_of | places | {"name": name, "known": _known(row), "told": told(row)}
