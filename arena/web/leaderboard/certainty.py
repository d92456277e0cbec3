"""How sure the order is, in words: each contender beside the next one, and how many more battles
would settle which is better. It does not know how that is estimated."""

import math

import pandas as pd

from arena.web.drawing import drawn
from arena.web.leaderboard.table import rows

TOO_MANY = 10_000


def draw(neighbours: pd.DataFrame) -> str:
    """neighbours: `certainty.neighbours`."""
    return drawn("certainty", pairs=list(rows(neighbours)), told=told, never=math.inf)


def told(p_right: float, battles: float) -> str:
    """On one pair: “83 % sure; about 40 more battles between them would settle it”."""
    if battles == 0:
        return f"{_percent(p_right)} sure; settled"
    if battles > TOO_MANY:
        return f"{_percent(p_right)} sure; too close for any number of battles worth naming"
    number = max(rounded(battles), 1)
    more = "one more battle" if number == 1 else f"{number:,} more battles"
    return f"{_percent(p_right)} sure; about {more} between them would settle it"


def rounded(count: float) -> int:
    """Up to two figures, as an estimate deserves."""
    step = 10 ** max(math.floor(math.log10(max(count, 1))) - 1, 0)
    return int(math.ceil(count / step) * step)


def _percent(p: float) -> str:
    return "more than 99 %" if p > 0.995 else f"{100 * p:.0f} %"
