"""The reveal as HTML: who was who, how fast they were, and how the battle moved their standing.

Names come from the roster of whoever runs the arena and are escaped all the same. It does not
know when it may be drawn; the referee does.
"""

import math
from collections.abc import Hashable, Mapping
from html import escape
from typing import Any

import pandas as pd

from arena.core.battle.view import Reveal, RevealedSeat

UNKNOWN = "–"


def draw(reveal: Reveal, standings: pd.DataFrame) -> str:
    """standings: one row a contender with the columns contender, rating_before, rating_after,
    rank_before, rank_after; the two before are missing for a contender that was never judged."""
    moved = {str(row["contender"]): row for row in standings.to_dict("records")}
    cells = [_cells(seat, moved.get(seat.name, {})) for seat in reveal.seats]
    rows = "".join(map(_row, reveal.seats, cells))
    return f"""
<section class="unmasked" aria-label="The reveal">
<h2 tabindex="-1">{_champions(reveal)}</h2>
<p class="outcome">{escape(reveal.outcome)}</p>
<table>
<thead><tr>{"".join(f"<th scope='col'>{head}</th>" for head in cells[0])}</tr></thead>
<tbody>{rows}</tbody>
</table>
{"".join(map(_thoughts, reveal.seats))}
<p class="small">{_recorded(reveal)}</p>
</section>"""


def _champions(reveal: Reveal) -> str:
    champions = [escape(seat.name) for seat in reveal.seats if seat.champion]
    if not champions:
        return "No champion this time"
    return " <small>and</small> ".join(champions)


def _row(seat: RevealedSeat, cells: Mapping[str, str]) -> str:
    crown = ' class="first"' if seat.champion else ""
    drawn = "".join(f'<td data-label="{h}"><div>{cell}</div></td>' for h, cell in cells.items())
    return f"<tr{crown}>{drawn}</tr>"


def _cells(seat: RevealedSeat, moved: Mapping[Hashable, Any]) -> Mapping[str, str]:
    """By heading."""
    model = f'<code class="model">{escape(seat.model)}</code>' if seat.model != seat.name else ""
    return {
        "Place": str(seat.place),
        "Contender": f"<b>{escape(seat.name)}</b><span>Model {escape(seat.letter)}</span>{model}",
        "Eliminated": _fell(seat),
        "First token": _with_unit(seat.ttft_ms, "ms", ".0f"),
        "Speed": _with_unit(seat.tokens_per_s, "tokens/s", ".1f"),
        "Tokens": UNKNOWN if seat.output_tokens is None else str(seat.output_tokens),
        "Thought": _thought(seat),
        "Standing": _standing(_number(moved, "rank_before"), _number(moved, "rank_after")),
        "Rating": _rating(_number(moved, "rating_before"), _number(moved, "rating_after")),
    }


def _thought(seat: RevealedSeat) -> str:
    """How much was thought before the replies, and for how long."""
    if not seat.thinking_tokens:
        return "none" if seat.think else UNKNOWN
    seconds = f", {seat.thinking_ms / 1000:.1f} s" if seat.thinking_ms else ""
    return f"{seat.thinking_tokens} <span>tokens{seconds}</span>"


def _thoughts(seat: RevealedSeat) -> str:
    """What was thought, as it came, to be unfolded."""
    if not seat.thinking:
        return ""
    texts = "".join(f"<pre>{escape(text)}</pre>" for text in seat.thinking)
    return f"<details><summary>What {escape(seat.name)} thought</summary>{texts}</details>"


def _fell(seat: RevealedSeat) -> str:
    if seat.champion:
        return '<span class="chip" data-state="champion">champion</span>'
    if not seat.fell_in:
        return "no"
    return f"round {seat.fell_in}" + (" <span>drawn by lot</span>" if seat.by_coin else "")


def _standing(before: float | None, after: float | None) -> str:
    if after is None:
        return UNKNOWN
    if before is None:
        return f"#{after:.0f} <span>new</span>"
    return f"#{after:.0f}" if before == after else f"#{before:.0f} → #{after:.0f}"


def _rating(before: float | None, after: float | None) -> str:
    if after is None:
        return UNKNOWN
    if before is None:
        return f"{after:.0f} <span>new</span>"
    change = round(after) - round(before)
    way = "up" if change > 0 else "down" if change < 0 else "same"
    return f'{before:.0f} → {after:.0f} <span class="{way}">{_signed(change)}</span>'


def _signed(change: int) -> str:
    return f"+{change}" if change > 0 else f"−{-change}" if change < 0 else "±0"


def _recorded(reveal: Reveal) -> str:
    count = f"{reveal.votes} vote{'' if reveal.votes == 1 else 's'} recorded."
    if reveal.counted:
        return count
    return f"{count} A reply gave away who wrote it, so they are kept but not ranked."


def _with_unit(value: float | None, unit: str, how: str) -> str:
    return UNKNOWN if value is None else f"{value:{how}} <span>{unit}</span>"


def _number(row: Mapping[Hashable, Any], column: str) -> float | None:
    value = row.get(column)
    if not isinstance(value, int | float) or math.isnan(value):
        return None
    return float(value)
