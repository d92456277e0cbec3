"""The leaderboard in words: how many votes of which kind, what is not counted and why, how the
ratings are made, and where all of it can be had as files. It does not know how any of it is
computed."""

from html import escape

import pandas as pd

from arena.core.errors import ArenaError, BadInput
from arena.core.standings.board import Board, Query
from arena.web.drawing import counted, drawn
from arena.web.leaderboard.charts import on_front, rated_with
from arena.web.leaderboard.controls import link
from arena.web.leaderboard.table import rows

COUNTING = "<p>Counting the votes …</p>"
BROKEN = "Something went wrong on the server. The votes are kept; this page tries again by itself."
OWN = "only votes from this browser"
REASONS = {
    "identity": "A reply gave away who wrote it, so the vote was not blind",
    "superseded": "Taken back and cast anew by the one who voted",
    "abuse": "More than one person may cast in an hour",
    "rehearsal": "Rehearsals, which only try out the arena",
    "unmeasured": "Nobody knows how long and how formatted their replies were, so they cannot be "
    "corrected for style",
}
FILES = (
    ("format=csv", "Votes as CSV", "every column, for a spreadsheet"),
    ("format=parquet", "Votes as Parquet", "every column, for pandas and DuckDB"),
    ("format=jsonl", "Votes as JSON Lines", "every column and conversation"),
    ("format=parquet&strict=true", "LMArena’s columns", "Parquet, for tools that read its data"),
    ("format=dpo", "Preference pairs for DPO", "prompt, chosen, rejected"),
    ("format=latex", "Standings as LaTeX", "a table for a paper"),
)
"""What the route of the API is asked for, and what people read."""


def status(board: Board, *, counting: bool) -> str:
    """One line: how many votes, of how many contenders, by which choice."""
    parts = [
        f"<b>{counted(board.votes, 'vote')}</b>",
        counted(int((board.standings["votes"] > 0).sum()), "contender"),
        *(escape(text) for text in board.query.said(OWN)),
    ]
    tail = "counting the votes …" if counting else "updates by itself"
    return f'<p role="status">{" · ".join([*parts, tail])}</p>'


def nothing(board: Board) -> str:
    """Why there are no standings, and what to do."""
    return drawn("no_votes", said=", ".join(board.query.said(OWN))) + aside(board)


def unreadable(error: Exception, *, half: bool) -> str:
    """What went wrong, as far as anyone may know. half: the standings themselves are shown."""
    title = "The standings cannot be shown now"
    if isinstance(error, BadInput):
        title = "This choice cannot be shown"
    elif half:
        title = "Some of this page cannot be shown now"
    reason = error.public if isinstance(error, ArenaError) else BROKEN
    return drawn("fault", title=title, reason=reason)


def apart(standings: pd.DataFrame) -> str:
    """That some contenders cannot be compared; empty where all can."""
    groups = standings["group"].nunique()
    return drawn("apart", groups=groups) if groups > 1 else ""


def aside(board: Board) -> str:
    """The votes that are there and do not count."""
    excluded = [
        (count, REASONS.get(reason, f"Marked “{reason}”"))
        for reason, count in sorted(board.excluded.items(), key=lambda item: -item[1])
        if count
    ]
    return drawn("aside", held_back=board.held_back, excluded=excluded)


def all_counted(board: Board) -> str:
    return aside(board) or "<p>All votes count: none is held back or excluded.</p>"


def front(standings: pd.DataFrame) -> str:
    """What the chart of speed shows, in words, and whose the numbers in it are."""
    known = rated_with(standings, "tokens_per_s")
    if known.empty:
        return "<p>No speeds were measured for these votes.</p>"
    groups = known["group"].nunique()
    return drawn("front", rows=rows(known), best=on_front(known), groups=groups)


def busiest(days: pd.DataFrame) -> str:
    """What the chart of days shows, in words. days: day, votes."""
    if days.empty:
        return "<p>Nothing was voted on in this choice.</p>"
    most = days.iloc[int(days["votes"].argmax())]
    return (
        f"<p>{counted(int(days['votes'].sum()), 'vote')} in {counted(len(days), 'day')} (UTC); "
        f"most on {most['day']:%-d %B %Y}: {most['votes']:,}.</p>"
    )


def method(query: Query) -> str:
    """How the ratings shown are made."""
    return drawn("method", query=query)


def downloads(query: Query) -> str:
    """Links to the same votes as files, relative, so that they hold behind any prefix."""
    return drawn("files", files=FILES, chosen=link(query))
