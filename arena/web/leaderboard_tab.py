"""The Leaderboard tab: the standings as a table, as a chart with intervals, and in words.

It does not know how standings are computed. Nothing of them is in the page before the tab is
opened, so that a battle that is still blind shares its page with no contender's name.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd
import plotly.graph_objects as go

from arena.core.ports import ArenaError

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from arena.referee import Referee

DASH = "–"
ROW_PX = 46
NAME_LENGTH = 28
"""Characters of a name that fit beside its rating on a page 360 px wide."""

INK, RULE = "#6f7a8b", "rgba(127, 138, 155, 0.28)"
"""Greys that can be read on the light page and on the dark one."""
GROUP_COLOURS = ("#4a87a4", "#c0793a", "#4f9d7a", "#a86bb3", "#b3574f", "#8a8a3a")

MODEBAR = "zoom pan select lasso zoomin zoomout autoscale resetscale toimage".split()
"""Plotly's buttons, none of which this chart needs."""

HEADERS = {
    "rank": "Rank",
    "contender": "Contender",
    "group": "Group",
    "rating": "Rating",
    "interval": "95 % interval",
    "battles": "Battles",
    "votes": "Votes",
    "wins": "Won",
    "ties": "Tied",
    "losses": "Lost",
    "both_bad": "Both bad",
    "win_percent": "Win rate",
    "ttft_s": "First token",
    "tokens_per_s": "Tokens/s",
}
FORMATS = {
    "Rank": "{:.0f}",
    "Group": "{:.0f}",
    "Rating": "{:.0f}",
    "Win rate": "{:.0f} %",
    "First token": "{:.2f} s",
    "Tokens/s": "{:.1f}",
}
WIDTHS_PX = {
    "Rank": 56,
    "Contender": 160,
    "Group": 72,
    "Rating": 80,
    "95 % interval": 130,
    "Battles": 84,
    "Votes": 70,
    "Won": 62,
    "Tied": 66,
    "Lost": 66,
    "Both bad": 94,
    "Win rate": 94,
    "First token": 114,
    "Tokens/s": 94,
}

COUNTING = "Counting the votes …"
NO_VOTES = """### No votes yet

Play a battle on the *Arena* tab and vote. One vote is enough to put its contenders here, each \
with a rating, a 95 % interval, its wins and losses, and how fast it answered. The intervals start \
wide; some 100 votes per contender narrow them to about ±60 points.
"""
UNREADABLE = """### The standings cannot be shown now

{reason}
"""
METHOD = """Ratings are a Bradley–Terry fit to the votes that were cast (tie and both bad count \
as half a win), with a normal prior of 1.5 logits, on the Elo scale around a mean of 1000; the \
interval is a 95 % sandwich interval, clustered by rater or battle; flagged ballots are excluded."""
APART = """These contenders form {groups} groups that never met, not even through others. \
Ranks count within a group; ratings of different groups cannot be compared.

"""


def build(tab: gr.Tab, referee: Referee) -> None:
    """Fill `tab`, which must be open (`with gr.Tab(…) as tab:`)."""
    with gr.Row(equal_height=True):
        gr.Markdown("## Leaderboard")
        refresh = gr.Button("Refresh", elem_id="refresh", size="sm", scale=0, min_width=110)
    message = gr.Markdown(COUNTING, elem_id="leaderboard-empty")
    table = gr.Dataframe(
        elem_id="leaderboard",
        label="Standings",
        show_label=False,
        interactive=False,
        visible=False,
        datatype="auto",
        pinned_columns=2,
        wrap=True,
        max_height=640,
        buttons=["copy"],
    )
    method = gr.Markdown(METHOD, elem_id="leaderboard-method", visible=False)
    chart = gr.Plot(elem_id="leaderboard-chart", show_label=False, container=False, visible=False)
    outputs = [message, table, method, chart]

    async def show() -> list[Any]:
        try:
            return updates(await referee.standings())
        except ArenaError as error:
            gone = gr.update(visible=False)
            return [gr.update(value=UNREADABLE.format(reason=error.public), visible=True), *[gone] * 3]

    for opened in (tab.select, refresh.click):
        opened(show, outputs=outputs, queue=False, show_progress="hidden", api_visibility="private")


def updates(standings: pd.DataFrame) -> list[Any]:
    """What message, table, method and chart show for these standings."""
    if standings["votes"].sum() == 0:
        gone = gr.update(visible=False)
        return [gr.update(value=NO_VOTES, visible=True), *[gone] * 3]
    groups = standings["group"].nunique()
    apart = APART.format(groups=groups) if groups > 1 else ""
    table = readable(standings)
    widths = [WIDTHS_PX[header] for header in table]
    return [
        gr.update(visible=False),
        gr.update(value=styled(table), column_widths=widths, visible=True),
        gr.update(value=apart + METHOD, visible=True),
        gr.update(value=figure(standings), visible=True),
    ]


def readable(standings: pd.DataFrame) -> pd.DataFrame:
    """The standings under the headers people read, with a group only where there are several.
    Numbers stay numbers, so that columns sort."""
    table = standings.assign(
        interval=[_interval(row.lower, row.upper) for row in standings.itertuples()],
        win_percent=100 * standings["win_rate"],
        ttft_s=standings["ttft_ms"] / 1000,
        rank=standings["rank"].astype("float64"),
        group=standings["group"].astype("float64") + 1,
    )
    table = table[list(HEADERS)].rename(columns=HEADERS)
    return table if standings["group"].nunique() > 1 else table.drop(columns="Group")


def styled(table: pd.DataFrame) -> Styler:
    """`readable` standings as they are to be shown."""
    formats = {header: text for header, text in FORMATS.items() if header in table}
    return table.style.format(formats, na_rep=DASH)


def figure(standings: pd.DataFrame) -> go.Figure:
    """Each rated contender on a line of its own: name, rating, and the interval below them."""
    rated = standings.dropna(subset="rating").reset_index(drop=True)
    chart = go.Figure()
    for number, group in rated.groupby("group"):
        chart.add_scatter(
            x=group["rating"],
            y=group.index,
            error_x={
                "array": group["upper"] - group["rating"],
                "arrayminus": group["rating"] - group["lower"],
                "thickness": 3,
                "width": 0,
            },
            mode="markers",
            marker={"size": 11, "color": GROUP_COLOURS[int(number) % len(GROUP_COLOURS)]},
            name=f"Group {number + 1}",
            customdata=[_label(row) for row in group.itertuples()],
            hovertemplate="%{customdata}<extra></extra>",
        )
    for row in rated.itertuples():
        _caption(chart, row.Index, _shortened(row.contender), side=0)
        _caption(chart, row.Index, f"<b>{row.rating:.0f}</b>", side=1)
    chart.add_vline(x=1000, line={"color": INK, "width": 1}, layer="below")
    groups = rated["group"].nunique()
    chart.update_layout(
        height=ROW_PX * len(rated) + (110 if groups > 1 else 80),
        margin={"l": 12, "r": 12, "t": 12, "b": 56},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "size": 13, "family": "inherit"},
        showlegend=groups > 1,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        dragmode=False,
        modebar={"remove": MODEBAR},
    )
    chart.update_xaxes(
        title={"text": "Rating and 95 % interval", "standoff": 8, "font": {"size": 13}},
        gridcolor=RULE,
        zeroline=False,
        fixedrange=True,
        nticks=6,
        tickformat="d",
    )
    chart.update_yaxes(
        visible=False, fixedrange=True, range=[len(rated) - 0.55, -0.75], autorange=False
    )
    return chart


def _caption(chart: go.Figure, row: int, text: str, *, side: int) -> None:
    """Text above line `row`, at the left end (side 0) or the right end (side 1) of the chart."""
    chart.add_annotation(
        text=text,
        x=side,
        xref="paper",
        xanchor="right" if side else "left",
        y=row,
        yshift=17,
        showarrow=False,
    )


def _label(row: Any) -> str:
    name, interval = html.escape(row.contender), _interval(row.lower, row.upper)
    return f"<b>{name}</b><br>{row.rating:.0f} ({interval})"


def _shortened(name: str) -> str:
    short = name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"
    return html.escape(short)


def _interval(lower: float, upper: float) -> str:
    return DASH if pd.isna(lower) else f"{lower:.0f}{DASH}{upper:.0f}"
