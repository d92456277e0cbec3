"""The leaderboard in words: how many votes of which kind, what is not counted and why, how the
ratings are made, and where all of it can be had as files. It does not know how any of it is
computed."""

from html import escape

import pandas as pd

from arena.core.errors import ArenaError, BadInput
from arena.core.standings.board import Board, Query
from arena.web.leaderboard.charts import on_front, timed
from arena.web.leaderboard.controls import link
from arena.web.leaderboard.table import rows

COUNTING = "<p>Counting the votes …</p>"
NO_VOTES = """
<h3>No votes yet</h3>
<p>Play a battle on the <em>Arena</em> tab and vote. One vote is enough to put its contenders here,
each with a rating, a 95 % interval, its wins and losses, and how fast it answered. The intervals
start wide; some 100 votes per contender narrow them to about ±60 points.</p>
"""
NO_MATCH = """
<div role="alert">
<h3>No votes here</h3>
<p>None of the votes is of this kind: {said}. Choose something else above, or clear it all.</p>
</div>
"""
FAULT = """
<div role="alert">
<h3>{title}</h3>
<p>{reason}</p>
</div>
"""
BROKEN = "Something went wrong on the server. The votes are kept; this page tries again by itself."
OWN = "only votes from this browser"
APART = """
<p class="board-note"><b>These contenders form {groups} groups that never met</b>, not even through
others. Ranks count within a group, and ratings of different groups cannot be compared: 1000 is
the mean of each group by itself. One battle between two groups joins them.</p>
"""
HELD_BACK = """
<p><b>{votes}</b> of battles still under way {are} held back until those are decided, so that nobody
learns who is who.</p>
"""
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

SCALE = """
<p><b>What a rating means.</b> 1000 is the mean contender. Of two contenders, the one rated 100
points higher is expected to win 64 % of their battles, 200 points 76 %, 400 points 91 %.</p>
"""
FIT = """
<p><b>How it is made.</b> A Bradley–Terry fit to the votes that were cast, one for each pair that
was judged, with a normal prior of {prior:g} logits on each strength, so that a few votes move a
contender a little and many move it as far as they say. {ties} {bad} {corrected}</p>
"""
SURENESS = """
<p><b>How sure it is.</b> The interval holds the rating with 95 % certainty. It comes from a
sandwich covariance that lets votes of one person (or, with fewer than four people, of one battle)
err together, with the quantile of Student’s t. The rank spread comes from the differences between
contenders, so it is narrower than overlapping intervals suggest.</p>
"""
BLIND = """
<p><b>What is counted.</b> Only votes cast blind: names were shown after the last vote of a battle.
Votes that are not counted stay in the files, with the reason beside them.</p>
"""


def status(board: Board, *, counting: bool) -> str:
    """One line: how many votes, of how many contenders, by which choice."""
    contenders = int((board.standings["votes"] > 0).sum())
    parts = [
        f"<b>{_votes(board.votes)}</b>",
        f"{contenders} contender{'' if contenders == 1 else 's'}",
        *(escape(text) for text in board.query.said(OWN)),
    ]
    tail = "counting the votes …" if counting else "updates by itself"
    return f'<p role="status">{" · ".join([*parts, tail])}</p>'


def nothing(board: Board) -> str:
    """Why there are no standings, and what to do."""
    chosen = board.query.said(OWN)
    shown = NO_MATCH.format(said=escape(", ".join(chosen))) if chosen else NO_VOTES
    return shown + aside(board)


def unreadable(error: Exception, *, half: bool) -> str:
    """What went wrong, as far as anyone may know. half: the standings themselves are shown."""
    title = "The standings cannot be shown now"
    if isinstance(error, BadInput):
        title = "This choice cannot be shown"
    elif half:
        title = "Some of this page cannot be shown now"
    reason = error.public if isinstance(error, ArenaError) else BROKEN
    return FAULT.format(title=title, reason=escape(reason))


def apart(standings: pd.DataFrame) -> str:
    """That some contenders cannot be compared; empty where all can."""
    groups = standings["group"].nunique()
    return APART.format(groups=groups) if groups > 1 else ""


def aside(board: Board) -> str:
    """The votes that are there and do not count."""
    held = board.held_back
    parts = [HELD_BACK.format(votes=_votes(held), are="is" if held == 1 else "are")] if held else []
    items = "".join(
        f"<li><b>{count:,}</b> {escape(REASONS.get(reason, f'Marked “{reason}”'))}.</li>"
        for reason, count in sorted(board.excluded.items(), key=lambda item: -item[1])
        if count
    )
    return "".join(parts) + (f"<ul>{items}</ul>" if items else "")


def all_counted(board: Board) -> str:
    return aside(board) or "<p>All votes count: none is held back or excluded.</p>"


def front(standings: pd.DataFrame) -> str:
    """What the chart of speed shows, in words, and whose the numbers in it are."""
    known = timed(standings)
    if known.empty:
        return "<p>No speeds were measured for these votes.</p>"
    best = on_front(known)
    items = "".join(
        f'<li class="{"front" if best[row.Index] else "behind"}"><i>{row.Index + 1}</i>'
        f"<span><b>{escape(row.contender)}</b> {row.tokens_per_s:.1f} tokens/s, rated "
        f"{row.rating:.0f}</span></li>"
        for row in rows(known)
    )
    among = " of their own group" if len(known["group"].unique()) > 1 else ""
    return (
        "<p>Further right is faster, further up is better. Filled points are the Pareto front: "
        f"nobody{among} is both faster and better.</p><ol class='board-key'>{items}</ol>"
    )


def busiest(days: pd.DataFrame) -> str:
    """What the chart of days shows, in words. days: day, votes."""
    if days.empty:
        return "<p>Nothing was voted on in this choice.</p>"
    most = days.iloc[int(days["votes"].argmax())]
    length = f"{len(days):,} day{'' if len(days) == 1 else 's'} (UTC)"
    return (
        f"<p>{_votes(int(days['votes'].sum()))} in {length}; most on {most['day']:%-d %B %Y}: "
        f"{most['votes']:,}.</p>"
    )


def method(query: Query) -> str:
    """How the ratings shown are made."""
    how = query.method
    corrected = "The ratings are not corrected for style or order."
    if query.covariates:
        corrected = (
            f"The ratings are corrected for {escape(', '.join(query.covariates))}: they are those "
            "of contenders that are alike in all of it."
        )
    fit = FIT.format(
        prior=how.prior_sd,
        ties="A tie is half a win for each." if how.ties == "half" else "Ties are left out.",
        bad="“Both bad” is taken for a tie, and counted by itself."
        if how.bad == "tie"
        else "“Both bad” is left out of the ratings, and counted by itself.",
        corrected=corrected,
    )
    return SCALE + fit + SURENESS + BLIND


def downloads(query: Query) -> str:
    """Links to the same votes as files, relative, so that they hold behind any prefix."""
    chosen = link(query)
    items = "".join(_file(asked, head, what, chosen) for asked, head, what in FILES)
    which = "of this choice of votes" if chosen else "of all votes"
    return f'<p>Each file is {which}.</p><ul class="board-files">{items}</ul>'


def _file(asked: str, head: str, what: str, chosen: str) -> str:
    address = escape(f"api/arena/export?{asked}{'&' if chosen else ''}{chosen}")
    return f'<li><a href="{address}" download>{head}</a> <span>{what}</span></li>'


def _votes(count: int) -> str:
    return f"{count:,} vote{'' if count == 1 else 's'}"
