"""What seat, order and style do to votes, in points and in words. It does not know how effects
are estimated."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from arena.core.standings.covariates import STYLE
from arena.web.drawing import drawn
from arena.web.leaderboard.table import rows
from arena.web.words import DASH, ENGLISH, Words

WIDEST = 300.0
"""Points at the ends of the drawn scale at most."""
UNTOLD = 2 * WIDEST
"""An interval wider than this says nothing."""


def draw(
    order: pd.DataFrame, style: pd.DataFrame, corrected: Sequence[str], words: Words = ENGLISH
) -> str:
    """order, style: as `core.standings.board.Panels` has them, empty where nothing is known. corrected:
    covariates that the ratings on the page are corrected for."""
    measured = [row for row in (*rows(order), *rows(style)) if not pd.isna(row.points)]
    if not measured:
        return f"<p>{words('board.effect.unknown')}</p>"
    if not any(map(_known, measured)):
        return f"<p>{words('board.effect.too_few')}</p>"
    bounds = [abs(bound) for row in measured if _known(row) for bound in (row.lower, row.upper)]
    reach = min(max(*bounds, 1.0), WIDEST)
    effects = [
        _effect(row, reach, words) | {"corrected": row.covariate in corrected} for row in measured
    ]
    return drawn("effects", words, effects=effects, dash=DASH)


def told(row: Any, words: Words = ENGLISH) -> str:
    """What an effect says, as far as it can be told from chance."""
    if not _known(row):
        return words("board.effect.untold")
    what = words(f"board.effect.what.{row.covariate}")
    if row.lower <= 0 <= row.upper:
        return words("board.effect.chance", what=what)
    key = ("gains" if row.points > 0 else "costs") + ("_step" if row.covariate in STYLE else "")
    return words(f"board.effect.{key}", what=what, count=round(abs(row.points)))


def _known(row: Any) -> bool:
    return bool(row.upper - row.lower <= UNTOLD)


def _effect(row: Any, reach: float, words: Words) -> dict[str, Any]:
    """What is drawn of it; its places on the scale in per cent of its width."""
    ends = {"left": row.lower, "right": -row.upper, "at": row.points}
    places = {end: f"{50 + 50 * min(max(at / reach, -1), 1):.1f}" for end, at in ends.items()}
    points = {n: words.rating(getattr(row, n), signed=True) for n in ("points", "lower", "upper")}
    name = words(f"board.effect.name.{row.covariate}")
    return points | places | {"name": name, "known": _known(row), "told": told(row, words)}
