"""Votes and standings as DataFrames: for notebooks, and for the commands that print them.

They come from the ledger that the settings name, whether or not a page is being served from it,
or from files that are not imported. It does not know how they are drawn.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pandas as pd

from arena import exchange
from arena import settings as config
from arena.core.battle.record import KINDS
from arena.core.errors import BadInput
from arena.core.ports import Ledger
from arena.core.standings.board import Board, Query, board_of
from arena.core.standings.bradley_terry import Method, Ties
from arena.core.standings.covariates import style_columns
from arena.core.standings.leaderboard import superseding
from arena.core.standings.review import NEEDED, Review, review_of
from arena.core.standings.slices import BATTLES, Slice, without
from arena.core.standings.votes import TEXT, WINNERS
from arena.core.when import When
from arena.exchange.foreign import METADATA, ledger_rows
from arena.exchange.receiving import Told, nobody
from arena.play.scoreboard import COLUMNS
from arena.play.studies import blinded, opened
from arena.settings import Settings

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from arena.compose import Absent


Result = TypeVar("Result")

SEQUENCE = "sequence"
MARKING = ("ballot_id", "supersedes")
"""What says, beside excluded_reason, what was taken back."""

ROWS_AT_ONCE = 20_000
"""Fewer at once than a large ledger has, as rows take much room until they are columns."""

TALKS_AT_ONCE = 2000
"""Of votes with their conversations."""

SERVED: set[str] = set()
"""The databases of the pages that this process serves now."""


def votes(
    columns: Iterable[str] = (),
    *,
    topic: str = "",
    study: str = "",
    language: str = "",
    channel: str = "",
    rater: str = "",
    since: When | None = None,
    until: When | None = None,
    unblind: bool = False,
    **settings: Any,
) -> pd.DataFrame:
    """The ledger's votes, one row a pair judged, in the order written; those of a slice, if one
    is given. Nothing else is left out but, unless `unblind`, what raters of open studies have
    judged: `excluded_reason` says what is not ranked,
    and `supersedes` which ballot another one took back. Models and winner are categories.

    columns: of `core.battle.record.VoteRow`, or sequence; all but that one, when none is named.
    Conversations are long: name columns where the ledger is large. since, until: days or times in
    ISO 8601, in UTC where they have no zone; until a day includes it. settings: any key of the
    settings table, for example DATABASE_URL="sqlite:////data/arena.db". Raises ArenaError."""
    if isinstance(columns, str):
        raise BadInput(f"columns is a text. Give a list, such as [{columns!r:.40}].")
    columns, known = list(columns), {*KINDS, SEQUENCE}
    if unknown := [str(name) for name in columns if name not in known]:
        raise BadInput(
            f"Votes have no column {', '.join(unknown)}. They have: {', '.join(sorted(known))}."
        )
    chosen = Slice.asked(
        topic=topic,
        study=study,
        language=exchange.values.language(language),
        channel=channel,
        rater=rater,
        since=since,
        until=until,
    )

    async def read(ledger: Ledger) -> pd.DataFrame:
        hidden = frozenset() if unblind else await blinded(ledger)
        told = not columns or "excluded_reason" in columns
        beside = (*(BATTLES if hidden else ()), *(MARKING if told else ()))
        wanted = tuple(dict.fromkeys((*columns, *chosen.columns, *beside))) if columns else ()
        found = await ledger.votes(wanted)
        found = chosen.of(without(superseding(found) if told else found, hidden))
        return _categorical(found[columns] if columns else found).reset_index(drop=True)

    return from_ledger(_settings(settings), read)


def leaderboard(
    *,
    topic: str = "",
    study: str = "",
    language: str = "",
    channel: str = "",
    rater: str = "",
    since: When | None = None,
    until: When | None = None,
    ties: Ties = "half",
    bad: Literal["tie", "drop"] = "tie",
    style: bool = False,
    order: bool = False,
    anchor: str = "",
    votes: pd.DataFrame | str | Path | None = None,
    unblind: bool = False,
    **settings: Any,
) -> pd.DataFrame:
    """The standings: one row a contender, with the columns of `core.standings.leaderboard.STANDINGS`.

    votes: instead of the ledger's; rows of a ledger or of one of LMArena's releases, or a file
    in a format that can be imported. ties, bad: how they count in the fit. style, order: correct
    the ratings for length and formatting of replies, for seat and incumbency. anchor: whose
    rating is to be 1000. The slice, unblind and settings are as in `votes`. Raises ArenaError."""
    query = Query.asked(
        topic=topic,
        study=study,
        language=exchange.values.language(language),
        channel=channel,
        rater=rater,
        since=since,
        until=until,
        ties=ties,
        bad=bad,
        style=style,
        order=order,
        anchor=anchor,
    )
    if votes is None:
        return board(Source(_settings(settings), unblind=unblind), query).standings
    loaded = config.given(settings)
    if isinstance(votes, (str, Path)):
        return board(Source(loaded, Path(votes)), query).standings
    return board_of_rows(votes, query).standings


def plot_leaderboard(*, title: str = "", **choices: Any) -> Figure:
    """The ratings with their intervals, as a Plotly figure. choices: as of `leaderboard`, settings
    among them. Raises ArenaError."""
    from arena.web.leaderboard import charts

    chart = charts.ratings(leaderboard(**choices))
    if title:
        chart.update_layout(title=title, margin_t=64)
    return chart


@dataclass(frozen=True, slots=True)
class Source:
    """Where votes come from: the ledger that the settings name, or a file in any format that can
    be imported. told: how far the file is read. unblind: with what raters of open studies have
    judged."""

    settings: Settings
    path: Path | None = None
    told: Told = nobody
    unblind: bool = False

    def rows(self, columns: Sequence[str]) -> pd.DataFrame:
        """Without the sequence where there is none, in a file. Raises ArenaError."""
        if self.path:
            votes = exchange.Votes([self.path], datetime.now(UTC))
            return votes.frame([name for name in columns if name != SEQUENCE], self.told)
        return from_ledger(self.settings, lambda ledger: _shown(ledger, columns, self.unblind))

    def blind(self, study: str = "") -> bool:
        """What raters have judged is left out: of any study, or of this one. Raises ArenaError."""
        if self.path or self.unblind:
            return False
        there = from_ledger(self.settings, opened)
        return study in there if study else bool(there)


def board(source: Source, query: Query) -> Board:
    """Conversations are never read, and metadata only where the query is corrected by them.
    Raises ArenaError."""
    return board_of(source.rows(_needed(query)), query)


def reviewed_board(source: Source, query: Query) -> tuple[Board, Review | None]:
    """The board and its review, which no votes have none of, from one reading. Raises
    ArenaError."""
    rows = source.rows(tuple(dict.fromkeys((*_needed(query), *NEEDED))))
    board = board_of(rows, query)
    return board, _reviewed(rows, query) if board.votes else None


def _needed(query: Query) -> tuple[str, ...]:
    return tuple(name for name in COLUMNS if name != METADATA or query.covariates)


def _reviewed(rows: pd.DataFrame, query: Query) -> Review:
    return review_of(query.slice.of(superseding(rows)), query.method)


async def _shown(ledger: Ledger, columns: Sequence[str], unblind: bool) -> pd.DataFrame:
    hidden = frozenset() if unblind else await blinded(ledger)
    beside = [name for name in BATTLES if hidden and name not in columns]

    def made(chunk: pd.DataFrame) -> pd.DataFrame:
        if METADATA in columns:
            chunk = chunk.drop(columns=METADATA).join(style_columns(chunk))
        return without(chunk, hidden).drop(columns=beside)

    return await in_chunks(ledger, (*columns, *beside), made)


async def in_chunks(
    ledger: Ledger,
    columns: Sequence[str],
    made: Callable[[pd.DataFrame], pd.DataFrame],
    at_once: int = ROWS_AT_ONCE,
) -> pd.DataFrame:
    """All votes in these columns, `SEQUENCE` among them: what is made of so many at once, so that
    no more than that has to be held of what is not kept."""
    chunks: list[pd.DataFrame] = []
    after = 0
    while True:
        chunk = await ledger.votes(columns, after=after, limit=at_once)
        if chunks and chunk.empty:
            return pd.concat(chunks, ignore_index=True)
        after = int(chunk[SEQUENCE].max()) if len(chunk) else after
        chunks.append(made(chunk))


def rows_of(source: Source, chosen: Slice) -> pd.DataFrame:
    """What a review needs of the votes of a slice, superseded ones marked. Raises ArenaError."""
    return chosen.of(superseding(source.rows((SEQUENCE, *NEEDED))))


def review(
    *,
    topic: str = "",
    study: str = "",
    language: str = "",
    channel: str = "",
    rater: str = "",
    since: When | None = None,
    until: When | None = None,
    ties: Ties = "half",
    bad: Literal["tie", "drop"] = "tie",
    anchor: str = "",
    votes: pd.DataFrame | str | Path | None = None,
    unblind: bool = False,
    **settings: Any,
) -> Review:
    """What a reviewer asks for beyond the standings, each a DataFrame: fragility, order, ties,
    stages, agreement, raters, reliability, weighed, without_each. The choices are as in
    `leaderboard`, whose corrections for style and order are for ratings alone; it takes seconds
    where votes are many. Raises ArenaError."""
    loaded = config.given(settings) if votes is not None else _settings(settings)
    labels = {
        "topic": topic,
        "study": study,
        "language": exchange.values.language(language),
        "channel": channel,
    }
    chosen = Slice.asked(**labels, rater=rater, since=since, until=until)
    query = Query(chosen, Method(ties=ties, bad=bad, anchor=anchor))
    if isinstance(votes, pd.DataFrame):
        return _reviewed(ledger_rows(votes, with_metadata=False), query)
    source = Source(loaded, Path(votes) if votes is not None else None, unblind=unblind)
    return review_of(rows_of(source, chosen), query.method)


def board_of_rows(rows: pd.DataFrame, query: Query) -> Board:
    """Of rows from elsewhere, in the ledger's columns or those of LMArena's releases. Raises
    BadInput."""
    return board_of(ledger_rows(rows, with_metadata=bool(query.covariates)), query)


def from_ledger(
    settings: Settings,
    work: Callable[[Ledger], Coroutine[Any, Any, Result]],
    absent: Absent = "empty",
    *,
    looking: bool = False,
) -> Result:
    """What `work` makes of the ledger that the settings name; of one without votes where that is
    not there, unless that is `absent` otherwise. looking: as of `compose.ledger_of`. Raises
    ArenaError."""
    from arena import compose

    async def run() -> Result:
        async with compose.ledger_of(settings, absent, looking=looking) as ledger:
            return await work(ledger)

    # In a thread of its own: a notebook has a running event loop in this one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(lambda: asyncio.run(run())).result()


def _categorical(votes: pd.DataFrame) -> pd.DataFrame:
    """With models and winner as categories; both sides have the same, so that they compare."""
    sides = [side for side in ("model_a", "model_b") if side in votes]
    names = sorted({name for side in sides for name in votes[side].unique()})
    kinds = dict.fromkeys(sides, names) | ({"winner": [*WINNERS]} if "winner" in votes else {})
    return votes.astype(
        {name: pd.CategoricalDtype(pd.Index(kind, dtype=TEXT)) for name, kind in kinds.items()}
    )


def _settings(overrides: dict[str, Any]) -> Settings:
    loaded = config.given(overrides)
    if SERVED and "DATABASE_URL" not in overrides and loaded.database_url not in SERVED:
        warnings.warn(
            "This is the ledger that the settings name. The running page keeps its votes in "
            "another one: page.votes(), page.leaderboard().",
            stacklevel=3,
        )
    return loaded
