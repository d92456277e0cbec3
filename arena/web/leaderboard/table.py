"""The standings as a table of HTML that sorts by its headings; one body for each group of
contenders that met. It does not know how standings are computed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from arena.web.drawing import DASH, figure

PERCENT = "{:.0f} %"


@dataclass(frozen=True, slots=True)
class Column:
    """key: what it sorts by, a column of the standings. head: as people read it. hint: what it
    means. draw: a row's cell, as HTML; a whole number without it."""

    key: str
    head: str
    hint: str
    draw: Callable[[Any], str] | None = None


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
        drawn = column.draw(row) if column.draw else figure(value)
        tag = 'th scope="row"' if column.key == "contender" else "td"
        cells.append(f'<{tag} data-by="{by}">{drawn}</{tag.split(maxsplit=1)[0]}>')
    return f"<tr>{''.join(cells)}</tr>"


def _name(row: Any) -> str:
    name = escape(str(row.contender))
    return f'<span title="{name}">{name}</span>'


def _rating(row: Any) -> str:
    if pd.isna(row.rating):
        return DASH
    return f"<b>{row.rating:.0f}</b><small>{interval(row.lower, row.upper)}</small>"


def _spread(row: Any) -> str:
    if pd.isna(row.rank_best):
        return DASH
    best, worst = int(row.rank_best), int(row.rank_worst)
    return str(best) if best == worst else f"{best}{DASH}{worst}"


COLUMNS = (
    Column("rank", "Rank", "By rating; equals share a rank"),
    Column("contender", "Contender", "", _name),
    Column("rating", "Rating", "1000 is the mean contender", _rating),
    Column(
        "lower",
        "95 % interval",
        "Where the rating lies with 95 % certainty",
        lambda r: interval(r.lower, r.upper),
    ),
    Column("rank_best", "Rank spread", "The ranks that the votes leave open", _spread),
    Column("battles", "Battles", "Battles it was judged in"),
    Column("votes", "Votes", "Pairs it was judged in"),
    Column("wins", "Won", ""),
    Column("ties", "Tied", ""),
    Column("losses", "Lost", ""),
    Column("both_bad", "Both bad", "Neither was good enough"),
    Column(
        "both_bad_rate",
        "Bad rate",
        "Both bad, of its votes",
        lambda r: figure(100 * r.both_bad_rate, PERCENT),
    ),
    Column(
        "win_rate", "Win rate", "A tie is half a win", lambda r: figure(100 * r.win_rate, PERCENT)
    ),
    Column(
        "ttft_ms",
        "First token",
        "Median wait for it",
        lambda r: figure(r.ttft_ms / 1000, "{:.2f} s"),
    ),
    Column(
        "tokens_per_s",
        "Tokens/s",
        "Median over replies",
        lambda r: figure(r.tokens_per_s, "{:,.1f}"),
    ),
    Column("reply_tokens", "Tokens", "Median length of a reply"),
    Column(
        "thinking_tokens",
        "Thought",
        "Median tokens and time of thought, where it thinks",
        lambda r: (
            f"{figure(r.thinking_tokens)} in {figure(r.thinking_ms / 1000, '{:.1f} s')}"
            if r.thinking_tokens > 0
            else DASH
        ),
    ),
)
