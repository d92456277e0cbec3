"""The leaderboard in words: how many votes of which kind, what is not counted and why, how the
ratings are made, and where all of it can be had as files. It does not know how any of it is
computed."""

from datetime import timedelta
from html import escape

import pandas as pd

from arena.core.errors import ArenaError, BadInput
from arena.core.standings.board import Board, Query
from arena.core.standings.covariates import ORDER, STYLE
from arena.play.release import Release
from arena.web.drawing import drawn
from arena.web.leaderboard.charts import on_front, rated_with
from arena.web.leaderboard.controls import FIELDS, link
from arena.web.leaderboard.table import rows
from arena.web.words import ENGLISH, Words

FILES = {
    "csv": "format=csv",
    "parquet": "format=parquet",
    "jsonl": "format=jsonl",
    "lmarena": "format=parquet&strict=true",
    "dpo": "format=dpo",
    "latex": "format=latex",
}
"""What the route of the API is asked for, by the name of its texts."""


def status(board: Board, *, counting: bool, words: Words = ENGLISH) -> str:
    """One line: how many votes, of how many contenders, by which choice."""
    judged = int((board.standings["votes"] > 0).sum())
    parts = [
        f"<b>{words('board.votes', count=board.votes)}</b>",
        words("board.contenders", count=judged),
        *map(escape, said(board.query, words)),
        words("board.counting" if counting else "board.updates"),
    ]
    return f'<p role="status">{" · ".join(parts)}</p>'


def said(query: Query, words: Words = ENGLISH) -> list[str]:
    """What sets the choice apart from all votes by the usual method."""
    part, only = query.slice, "board.only"
    named = {field: getattr(part, field) for field in FIELDS}
    kinds = {
        "own": part.rater,
        "ties": query.method.ties == "drop",
        "bad": query.method.bad == "drop",
        "style": set(STYLE) <= set(query.covariates),
        "order": set(ORDER) <= set(query.covariates),
    }
    days = {"since": part.since, "until": part.until and part.until - timedelta(1)}
    return [
        *(words(f"{only}.{field}", name=name) for field, name in named.items() if name),
        *(words(f"{only}.{end}", day=words.day(day)) for end, day in days.items() if day),
        *(words(f"{only}.{kind}") for kind, holds in kinds.items() if holds),
    ]


def nothing(board: Board, words: Words = ENGLISH) -> str:
    """Why there are no standings, and what to do."""
    return drawn("no_votes", words, said=", ".join(said(board.query, words))) + aside(board, words)


def unreadable(error: Exception, *, half: bool, words: Words = ENGLISH) -> str:
    """What went wrong, as far as anyone may know. half: the standings themselves are shown."""
    title = "not_this" if isinstance(error, BadInput) else "not_all" if half else "not_now"
    reason = words("board.broken")
    if isinstance(error, ArenaError):
        reason = words.said(error.public)
    return drawn("fault", words, title=words(f"board.{title}"), reason=reason)


def apart(standings: pd.DataFrame, words: Words = ENGLISH) -> str:
    """That some contenders cannot be compared; empty where all can."""
    groups = standings["group"].nunique()
    return drawn("apart", words, groups=groups) if groups > 1 else ""


def aside(board: Board, words: Words = ENGLISH) -> str:
    """The votes that are there and do not count."""
    reasons = words.table("board.reason")
    excluded = [
        (count, reasons.get(reason) or words("board.marked", reason=reason))
        for reason, count in sorted(board.excluded.items(), key=lambda item: -item[1])
        if count
    ]
    return drawn("aside", words, held_back=board.held_back, excluded=excluded)


def all_counted(board: Board, words: Words = ENGLISH) -> str:
    return aside(board, words) or empty("all_count", words)


def front(standings: pd.DataFrame, words: Words = ENGLISH) -> str:
    """What the chart of speed shows, in words, and whose the numbers in it are."""
    known = rated_with(standings, "tokens_per_s")
    if known.empty:
        return empty(_unmeasured(standings, "unmeasured_speed"), words)
    groups, best = known["group"].nunique(), on_front(known)
    return drawn("front", words, rows=rows(known), best=best, groups=groups)


def without_lengths(standings: pd.DataFrame, words: Words = ENGLISH) -> str:
    """Why there is no chart of lengths; empty where there is one."""
    known = rated_with(standings, "reply_tokens")
    return empty(_unmeasured(standings, "unmeasured_length"), words) if known.empty else ""


def without_ratings(standings: pd.DataFrame, words: Words = ENGLISH) -> str:
    """Why there is no chart of ratings; empty where there is one."""
    return empty("unrated", words) if standings["rating"].isna().all() else ""


def empty(key: str, words: Words = ENGLISH) -> str:
    """In a card that has nothing to show: why."""
    return f"<p>{words(f'board.{key}')}</p>"


def busiest(days: pd.DataFrame, words: Words = ENGLISH) -> str:
    """What the chart of days shows, in words. days: day, votes."""
    if days.empty:
        return empty("no_days", words)
    most = days.iloc[int(days["votes"].argmax())]
    told = words(
        "board.busiest",
        votes=words("board.votes", count=int(days["votes"].sum())),
        days=words("board.days", count=len(days)),
        day=words.day(most["day"]),
        most=int(most["votes"]),
    )
    return f"<p>{told}</p>"


def method(query: Query, words: Words = ENGLISH) -> str:
    """How the ratings shown are made."""
    names = words.table("board.effect.name")
    return drawn("method", words, query=query, covariates=[names[c] for c in query.covariates])


def downloads(query: Query, words: Words = ENGLISH, release: Release | None = None) -> str:
    """Links to the same votes as files, relative, so that they hold behind any prefix. release: what
    whoever looks may have, and when; None for all of it now."""
    given = {
        name: release is None or release.gives(asked.split("&")[0].removeprefix("format="))
        for name, asked in FILES.items()
    }
    later = release is not None and any(given[name] for name in FILES if name != "latex")
    return drawn(
        "files", words, files=FILES, chosen=link(query), given=given, later=later, release=release
    )


def _unmeasured(standings: pd.DataFrame, key: str) -> str:
    return "unrated" if standings["rating"].isna().all() else key
