"""How sure the order is, in words: each contender beside the next one, and how many more battles
would settle which is better. It does not know how that is estimated."""

import math
from html import escape
from typing import Any

import pandas as pd

TOO_MANY = 10_000


def draw(neighbours: pd.DataFrame) -> str:
    """neighbours: `certainty.neighbours`."""
    if neighbours.empty:
        return "<p>There are no two contenders to compare yet.</p>"
    settled = int((neighbours["battles_to_settle"] == 0).sum())
    pairs = "".join(_pair(row) for row in neighbours.itertuples())
    return (
        f"<p>{_summary(settled, len(neighbours))}</p>"
        '<div class="board-scroll board-sure" tabindex="0" role="region" aria-label="Sure enough?">'
        f"<ol>{pairs}</ol></div>"
    )


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


def _summary(settled: int, pairs: int) -> str:
    if pairs == 1:
        return f"The order of the two {'is settled' if settled else 'may still turn'}."
    if settled == pairs:
        return "Every place is settled against the next one, with 95 % confidence."
    return (
        f"<b>{settled} of {pairs}</b> places are settled against the next one: the 95 % interval "
        "of the gap leaves out that both are equal, which takes 97.5 % for the order (the mark on "
        "each bar). The others may still change."
    )


def _percent(p: float) -> str:
    return "more than 99 %" if p > 0.995 else f"{100 * p:.0f} %"


def _pair(row: Any) -> str:
    state = "open" if row.battles_to_settle else "settled"
    share = round(200 * (max(row.p_right, 0.5) - 0.5))
    upper, lower = f"<b>{escape(row.upper)}</b>", f"<b>{escape(row.lower)}</b>"
    said = f"{upper} above {lower}: {told(row.p_right, row.battles_to_settle)}."
    if math.isinf(row.battles_to_settle):
        said = f"{upper} level with {lower}: nothing sets them apart yet."
    return (
        f'<li data-state="{state}"><span>{said}</span>'
        f'<i class="board-meter" aria-hidden="true"><i style="width:{share}%"></i></i></li>'
    )
