"""Head to head: how each contender fared against each other one, as a table whose cells are
coloured and say in figures what the colour says. It does not know ratings."""

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from arena.web.leaderboard.table import rows

FEW = 8
"""Up to so many contenders, columns are wide enough for names."""
STRONGEST = 62
"""Per cent of colour in a cell that won or lost everything; text stays readable on it."""

LEGEND = """
<p class="board-legend">Read along a row: how many per cent the row's contender won against the
column's, and under it how many votes say so. Ties and “both bad” are half a win each.
<span class="board-swatch behind" style="--s:50%"></span> lost more
<span class="board-swatch"></span> level
<span class="board-swatch ahead" style="--s:50%"></span> won more</p>
"""


def draw(head_to_head: pd.DataFrame, names: Sequence[str]) -> str:
    """head_to_head: `leaderboard.head_to_head`. names: all contenders with votes, best first."""
    met = {(row.contender, row.opponent): row for row in rows(head_to_head)}
    few = len(names) <= FEW
    head = "".join(
        f'<th scope="col" title="{escape(name)}"><i>{number}</i>'
        f"{f'<span>{escape(name)}</span>' if few else ''}</th>"
        for number, name in enumerate(names, 1)
    )
    body = "".join(
        f'<tr><th scope="row" title="{escape(name)}"><i>{number}</i><span>{escape(name)}</span>'
        "</th>"
        f"{''.join(_cell(name, other, met, few) for other in names)}</tr>"
        for number, name in enumerate(names, 1)
    )
    return (
        '<div class="board-scroll board-heat" tabindex="0" role="region" aria-label="Head to head">'
        f'<table{" class=few" * few} aria-label="Per cent won by the row against the column, and '
        f'votes"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>{LEGEND}'
    )


def _cell(name: str, other: str, met: dict[tuple[str, str], Any], few: bool) -> str:
    if name == other:
        return '<td class="self"></td>'
    row = met.get((name, other))
    if row is None or not row.votes:
        return '<td class="never" title="Never met">·</td>'
    share = float(row.win_rate)
    side = "ahead" if share > 0.5 else "behind" if share < 0.5 else "level"
    told = f"{row.wins} won, {row.losses} lost, {row.ties} tied, {row.both_bad} both bad"
    strength = round(2 * STRONGEST * abs(share - 0.5))
    per_cent = f"{100 * share:.0f}{' %' * few}"
    return (
        f'<td class="{side}" style="--s:{strength}%" title="{told}"><b>{per_cent}</b>'
        f"<small>{row.votes:,}</small></td>"
    )
