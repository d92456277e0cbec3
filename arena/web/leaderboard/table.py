"""The standings as a table of HTML that sorts by its headings; one body for each group of
contenders that met. It does not know how standings are computed."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd

from arena.web.drawing import drawn
from arena.web.words import DASH, ENGLISH, Words


def draw(standings: pd.DataFrame, words: Words = ENGLISH) -> str:
    """standings: `leaderboard.STANDINGS`, best first within each group."""
    groups = standings["group"].nunique()
    bodies = [
        (_title(number, groups, words), [(row, _cells(row, words)) for row in rows(group)])
        for number, group in standings.groupby("group", dropna=False, sort=True)
    ]
    return drawn("standings", words, columns=COLUMNS, bodies=bodies, interval=interval)


def rows(frame: pd.DataFrame) -> Iterator[Any]:
    """Each with its index and its columns as attributes, of whatever types they are."""
    return iter(frame.itertuples())


def interval(lower: float, upper: float) -> str:
    return DASH if pd.isna(lower) else f"{lower:.0f}{DASH}{upper:.0f}"


def spread(best: float, worst: float) -> str:
    """Of ranks; one of them where it is sure."""
    return interval(best, worst) if pd.isna(best) or best != worst else f"{best:.0f}"


def _title(number: Any, groups: int, words: Words) -> str:
    """Of a group by its number, which those without a rating have not."""
    if pd.isna(number):
        return words("board.not_rated")
    return words("board.group", number=int(number) + 1) if groups > 1 else ""


def _cells(row: Any, words: Words) -> Iterator[tuple[str, str, str]]:
    """Of each column: its name, by what it sorts, and what is shown."""
    for key, said in COLUMNS.items():
        value = getattr(row, key)
        by = "" if pd.isna(value) else str(value)
        yield key, by, said(row, words) if said else words.number(value)


def _thought(row: Any, words: Words) -> str:
    if not row.thinking_tokens > 0:
        return DASH
    tokens, time = words.number(row.thinking_tokens), words.seconds(row.thinking_ms)
    return words("board.tokens_in", tokens=tokens, time=time)


COLUMNS: Mapping[str, Callable[[Any, Words], str] | None] = {
    "rank": None,
    "contender": lambda row, _: str(row.contender),
    "rating": lambda row, words: words.rating(row.rating),
    "lower": lambda row, _: interval(row.lower, row.upper),
    "rank_best": lambda row, _: spread(row.rank_best, row.rank_worst),
    **dict.fromkeys(("battles", "votes", "wins", "ties", "losses", "both_bad")),
    "both_bad_rate": lambda row, words: words.percent(row.both_bad_rate),
    "win_rate": lambda row, words: words.percent(row.win_rate),
    "ttft_ms": lambda row, words: words.seconds(row.ttft_ms),
    "tokens_per_s": lambda row, words: words.number(row.tokens_per_s, 1),
    "reply_tokens": None,
    "thinking_tokens": _thought,
}
"""By what each sorts, a column of the standings and the name of its texts: what a row's cell says;
a whole number where nothing else is said."""
