"""The leaderboard's charts as Plotly figures, readable on a light page, a dark one and a phone.

Where a chart has no room for names it has the numbers of the lists beside it. It does not know
how ratings are computed.
"""

import math
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from arena.core.standings.bradley_terry import MEAN_RATING
from arena.web.leaderboard.table import interval, rows
from arena.web.words import ENGLISH, Words

ROW_PX = 44
NAME_LENGTH = 25
"""Characters of a name that fit beside its rating on a page 360 px wide."""

INK, RULE = "#6f7a8b", "rgba(127, 138, 155, 0.28)"
"""Greys that can be read on the light page and on the dark one."""
POINT, QUIET = "#37789a", "rgba(55, 120, 154, 0.45)"
BAR = {"color": POINT, "line": {"width": 0}}
MARKS = (
    ("#37789a", "circle"),
    ("#b0692b", "diamond"),
    ("#3f8a67", "square"),
    ("#9a5ea6", "triangle-up"),
    ("#a34c44", "cross"),
    ("#7c7c34", "star"),
)
"""Colour and shape of each group, so that nobody has to tell colours apart."""

SPEEDS = [digit * 10**power for power in range(-2, 6) for digit in (1, 2, 5)]
LOG_FROM = 8
"""Speeds further apart than this are drawn on a logarithmic axis."""
WEEKS_FROM = 120
"""More days than this are drawn as weeks."""
YEARS_FROM = 10 * 366
"""More days than this as years: one vote from long ago would make a hundred thousand weeks."""

MODEBAR = "zoom pan select lasso zoomin zoomout autoscale resetscale toimage".split()
"""Plotly's buttons, none of which these charts need."""


def ratings(standings: pd.DataFrame, words: Words = ENGLISH) -> go.Figure:
    """Each rated contender on a line of its own: name, rating, and the interval below them."""
    rated = standings.dropna(subset="rating").reset_index(drop=True)
    groups = rated["group"].nunique()
    chart = go.Figure()
    number: Any
    for number, group in rated.groupby("group"):
        colour, shape = MARKS[int(number) % len(MARKS)]
        chart.add_scatter(
            x=group["rating"],
            y=group.index,
            error_x=_whiskers(group),
            mode="markers",
            marker={"size": 11, "color": colour, "symbol": shape},
            name=words("board.group", number=number + 1),
            customdata=[_label(row) for row in rows(group)],
            hovertemplate="%{customdata}<extra></extra>",
        )
    names = [f"{row.rank}  {_shortened(row.contender)}" for row in rows(rated)]
    _captions(chart, names, rated)
    _bare(chart, words, height=ROW_PX * len(rated) + (110 if groups > 1 else 80))
    mean = {"type": "line", "x0": MEAN_RATING, "x1": MEAN_RATING, "y0": 0, "y1": 1, "yref": "paper"}
    chart.update_layout(
        showlegend=groups > 1,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        shapes=[mean | {"line": {"color": INK, "width": 1}, "layer": "below"}],
    )
    chart.update_xaxes(title=_title(words("board.axis.interval")), nticks=6, tickformat="d")
    _rows(chart, len(rated))
    return chart


def speed(standings: pd.DataFrame, words: Words = ENGLISH) -> go.Figure:
    """Rating against tokens per second, with intervals, and the front of those that nobody beats
    in both. Points carry the contender's place in the standings."""
    known = rated_with(standings, "tokens_per_s")
    size = 20 if len(known) <= 12 else 16
    chart = go.Figure()
    for _, group in known.groupby("group"):
        front = group[on_front(group)].sort_values("tokens_per_s")
        chart.add_scatter(
            x=front["tokens_per_s"],
            y=front["rating"],
            mode="lines",
            line={"shape": "vh", "color": POINT, "width": 2, "dash": "dot"},
            hoverinfo="skip",
        )
    best = on_front(known)
    for uid, points, fill, ink in (
        ("behind", known[~best], "#ffffff", INK),
        ("front", known[best], POINT, "#ffffff"),
    ):
        chart.add_scatter(
            uid=uid,
            x=points["tokens_per_s"],
            y=points["rating"],
            error_y=_whiskers(points) | {"thickness": 2, "color": QUIET},
            mode="markers+text",
            marker={"size": size, "color": fill, "line": {"color": POINT, "width": 2}},
            text=[f"<b>{place + 1}</b>" for place in points.index],
            textfont={"color": ink, "size": size / 2},
            customdata=[
                f"{_label(row)}<br>{words.speed(row.tokens_per_s)}" for row in rows(points)
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    _bare(chart, words, height=380)
    wide = known["tokens_per_s"].max() > LOG_FROM * known["tokens_per_s"].min() > 0
    chart.update_xaxes(
        title=_title(words("board.axis.speed_log" if wide else "board.axis.speed")),
        type="log" if wide else "linear",
        rangemode="normal" if wide else "tozero",
        **({"tickvals": SPEEDS} if wide else {"nticks": 6}),
    )
    chart.update_yaxes(
        title=_title(words("board.axis.rating")), gridcolor=RULE, tickformat="d", nticks=7
    )
    return chart


def lengths(standings: pd.DataFrame, words: Words = ENGLISH) -> go.Figure:
    """Tokens of each contender's replies on the left, its rating on the right, a line each."""
    known = rated_with(standings, "reply_tokens").reset_index(drop=True)
    chart = go.Figure()
    hover = {"hovertemplate": "%{customdata}<extra></extra>"}
    labels = [
        f"{_label(r)}<br>{words('board.axis.tokens', count=round(r.reply_tokens))}"
        for r in rows(known)
    ]
    chart.add_bar(
        x=known["reply_tokens"],
        y=known.index,
        orientation="h",
        width=0.3,
        customdata=labels,
        marker=BAR,
        text=[f" {words.number(n)}" for n in known["reply_tokens"]],
        textposition="outside",
        cliponaxis=False,
        **hover,
    )
    chart.add_scatter(
        x=known["rating"],
        y=known.index,
        error_x=_whiskers(known),
        mode="markers",
        xaxis="x2",
        marker={"size": 10, "color": POINT},
        customdata=labels,
        **hover,
    )
    _captions(chart, [_shortened(name) for name in known["contender"]], known)
    _bare(chart, words, height=ROW_PX * len(known) + 80)
    lengths, ratings = (_title(words(f"board.axis.{key}")) for key in ("lengths", "rating"))
    left = {"domain": [0, 0.55], "title": lengths, "rangemode": "tozero", "nticks": 3}
    right = {"domain": [0.66, 1], "title": ratings, "tickformat": "d", "nticks": 2}
    chart.update_layout(xaxis=left, xaxis2=right)
    chart.update_xaxes(gridcolor=RULE, zeroline=False, fixedrange=True, tickangle=0)
    _rows(chart, len(known))
    return chart


def days(counted: pd.DataFrame, words: Words = ENGLISH) -> go.Figure:
    """Votes by day, or by week or year where there are many days. counted: day, votes."""
    votes = counted.set_index("day")["votes"]
    axis, told = "daily", "day_of"
    if yearly := len(votes) > YEARS_FROM:
        axis = "yearly"
        votes = votes.groupby(pd.DatetimeIndex(votes.index).year).sum()
        votes.index = [pd.Timestamp(year, 1, 1) for year in votes.index]
    elif len(votes) > WEEKS_FROM:
        axis, told = "weekly", "week_of"
        votes = votes.resample("W-MON", label="left", closed="left").sum()
    names = [str(day.year) if yearly else words.day(day) for day in votes.index]
    counts = [words("board.votes", count=int(count)) for count in votes]
    chart = go.Figure()
    chart.add_bar(
        x=[day.date() for day in votes.index],
        y=votes,
        marker=BAR,
        customdata=[
            words(f"board.axis.{told}", votes=count, day=name)
            for count, name in zip(counts, names, strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
    _bare(chart, words, height=240)
    few = len(votes) < 8
    ticks = votes.index if few else votes.index[:: math.ceil(len(votes) / 4)]
    chart.update_layout(bargap=1 - len(votes) / 10 if few else 0.25)
    chart.update_xaxes(
        tickvals=[day.date() for day in ticks],
        ticktext=[
            str(day.year) if yearly else f"{words.short_day(day)}<br>{day.year}" for day in ticks
        ],
        tickangle=0,
        showgrid=False,
    )
    title = _title(words(f"board.axis.{axis}"))
    chart.update_yaxes(title=title, gridcolor=RULE, nticks=5, rangemode="tozero", tickformat=",d")
    if votes.max() < 5:
        chart.update_yaxes(dtick=1)
    return chart


def rated_with(standings: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The contenders with a rating and that measure, indexed by their place (from 0)."""
    rated = standings.dropna(subset="rating").reset_index(drop=True)
    return rated.dropna(subset=measure)


def on_front(known: pd.DataFrame) -> pd.Series:
    """True for each whom no other of its group beats in speed or rating without losing in the
    other: the Pareto front."""
    ahead = pd.Series(True, index=known.index)
    for _, group in known.groupby("group"):
        speeds, ratings = group["tokens_per_s"].to_numpy(), group["rating"].to_numpy()
        as_good = (speeds >= speeds[:, None]) & (ratings >= ratings[:, None])
        better = (speeds > speeds[:, None]) | (ratings > ratings[:, None])
        ahead[group.index] = np.asarray(~(as_good & better).any(axis=1))
    return ahead


def _whiskers(rows: pd.DataFrame) -> dict[str, Any]:
    up, down = rows["upper"] - rows["rating"], rows["rating"] - rows["lower"]
    return {"array": np.asarray(up), "arrayminus": np.asarray(down), "thickness": 3, "width": 0}


def _bare(chart: go.Figure, words: Words, height: int) -> None:
    chart.update_layout(
        height=height,
        margin={"l": 12, "r": 12, "t": 12, "b": 56},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "size": 13, "family": "inherit"},
        showlegend=False,
        dragmode=False,
        modebar={"remove": MODEBAR},
        separators=words.separators,
    )
    chart.update_xaxes(gridcolor=RULE, zeroline=False, fixedrange=True)
    chart.update_yaxes(zeroline=False, fixedrange=True)


def _rows(chart: go.Figure, count: int) -> None:
    chart.update_yaxes(visible=False, range=[count - 0.55, -0.75], autorange=False)


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "standoff": 8, "font": {"size": 13}}


def _captions(chart: go.Figure, names: list[str], rows: pd.DataFrame) -> None:
    """Above each line its name, at the left end of the chart, and its rating at the right end."""
    ratings = [f"<b>{rating:.0f}</b>" for rating in rows["rating"]]
    ends = (("left", 0, names), ("right", 1, ratings))
    above = {"xref": "paper", "yshift": 17, "showarrow": False}
    notes = [
        above | {"text": text, "x": x, "xanchor": anchor, "y": at}
        for anchor, x, texts in ends
        for at, text in enumerate(texts)
    ]
    # All at once: Plotly takes a third of a second to add those of thirty contenders one by one.
    chart.update_layout(annotations=notes)


def _label(row: Any) -> str:
    name = _text(str(row.contender))
    return f"<b>{name}</b><br>{row.rating:.0f} ({interval(row.lower, row.upper)})"


def _shortened(name: str) -> str:
    short = name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"
    return _text(short)


def _text(name: str) -> str:
    """As Plotly takes it, which does not know `&quot;`."""
    return escape(name, quote=False)
