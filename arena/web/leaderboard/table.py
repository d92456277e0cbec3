"""The standings as a table of HTML that sorts by its headings; one body for each group of
contenders that met. It does not know how standings are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

DASH = "–"


@dataclass(frozen=True, slots=True)
class Column:
    """key: what it sorts by, a column of the standings. head: as people read it. hint: what it
    means. draw: a row's cell, as HTML."""

    key: str
    head: str
    hint: str
    draw: Callable[[Any], str]


def draw(standings: pd.DataFrame) -> str:
    """standings: `leaderboard.STANDINGS`, best first within each group."""
    head = "".join(
        f'<th scope="col" data-key="{c.key}" title="{c.hint}"><button type="button">{c.head}'
        "</button></th>"
        for c in COLUMNS
    )
    return (
        '<p class="board-hint">Best first. Press a heading to sort by it.</p>'
        '<div class="board-scroll" tabindex="0" role="region" aria-label="Standings">'
        f'<table class="board-table" aria-label="Standings"><thead><tr>{head}</tr></thead>'
        f"{''.join(_bodies(standings))}</table></div>"
    )


def rows(frame: pd.DataFrame) -> Iterator[Any]:
    """Each with its index and its columns as attributes, of whatever types they are."""
    return iter(frame.itertuples())


def whole(value: float) -> str:
    return DASH if pd.isna(value) else f"{value:,.0f}"


def interval(lower: float, upper: float) -> str:
    return DASH if pd.isna(lower) else f"{lower:.0f}{DASH}{upper:.0f}"


def _bodies(standings: pd.DataFrame) -> Iterator[str]:
    groups = standings["group"].nunique()
    number: Any
    for number, group in standings.groupby("group", dropna=False, sort=True):
        if pd.isna(number):
            title = "Not rated yet"
        else:
            title = f"Group {int(number) + 1}" if groups > 1 else ""
        heading = (
            f'<tr class="board-group"><th scope="rowgroup" colspan="{len(COLUMNS)}">'
            f"<span>{title}</span></th></tr>"
            if title
            else ""
        )
        yield f"<tbody>{heading}{''.join(map(_row, rows(group)))}</tbody>"


def _row(row: Any) -> str:
    cells = []
    for column in COLUMNS:
        value = getattr(row, column.key)
        by = "" if pd.isna(value) else escape(str(value))
        tag = 'th scope="row"' if column.key == "contender" else "td"
        cells.append(f'<{tag} data-by="{by}">{column.draw(row)}</{tag.split(maxsplit=1)[0]}>')
    return f"<tr>{''.join(cells)}</tr>"


def _name(row: Any) -> str:
    name = escape(str(row.contender))
    return f'<span title="{name}">{name}</span>'


def _rating(row: Any) -> str:
    if pd.isna(row.rating):
        return DASH
    return f"<b>{row.rating:.0f}</b><small>{interval(row.lower, row.upper)}</small>"


def _interval(row: Any) -> str:
    return interval(row.lower, row.upper)


def _spread(row: Any) -> str:
    if pd.isna(row.rank_best):
        return DASH
    best, worst = int(row.rank_best), int(row.rank_worst)
    return str(best) if best == worst else f"{best}{DASH}{worst}"


def _percent(value: float) -> str:
    return DASH if pd.isna(value) else f"{100 * value:.0f} %"


def _seconds(value: float) -> str:
    return DASH if pd.isna(value) else f"{value / 1000:.2f} s"


def _one_decimal(value: float) -> str:
    return DASH if pd.isna(value) else f"{value:,.1f}"


COLUMNS = (
    Column("rank", "Rank", "By rating; equals share a rank", lambda r: whole(r.rank)),
    Column("contender", "Contender", "", _name),
    Column("rating", "Rating", "1000 is the mean contender", _rating),
    Column("lower", "95 % interval", "Where the rating lies with 95 % certainty", _interval),
    Column("rank_best", "Rank spread", "The ranks that the votes leave open", _spread),
    Column("battles", "Battles", "Battles it was judged in", lambda r: whole(r.battles)),
    Column("votes", "Votes", "Pairs it was judged in", lambda r: whole(r.votes)),
    Column("wins", "Won", "", lambda r: whole(r.wins)),
    Column("ties", "Tied", "", lambda r: whole(r.ties)),
    Column("losses", "Lost", "", lambda r: whole(r.losses)),
    Column("both_bad", "Both bad", "Neither was good enough", lambda r: whole(r.both_bad)),
    Column(
        "both_bad_rate", "Bad rate", "Both bad, of its votes", lambda r: _percent(r.both_bad_rate)
    ),
    Column("win_rate", "Win rate", "A tie is half a win", lambda r: _percent(r.win_rate)),
    Column("ttft_ms", "First token", "Median wait for it", lambda r: _seconds(r.ttft_ms)),
    Column(
        "tokens_per_s", "Tokens/s", "Median over replies", lambda r: _one_decimal(r.tokens_per_s)
    ),
    Column("reply_tokens", "Tokens", "Median length of a reply", lambda r: whole(r.reply_tokens)),
)
