"""Votes and standings as DataFrames: for notebooks, and for the commands that print them.

They come from the ledger that the settings name, whether or not a page is being served from it,
or from files that are not imported. It does not know how they are drawn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, date, datetime
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

from arena import exchange
from arena import settings as config
from arena.core import when
from arena.core.battle.record import VoteRow
from arena.core.errors import BadInput
from arena.core.ports import Ledger
from arena.core.standings.board import Board, Query
from arena.core.standings.bradley_terry import Method
from arena.core.standings.covariates import ORDER, STYLE, style_columns
from arena.core.standings.slices import Slice
from arena.core.standings.votes import require
from arena.exchange.lmarena import FLAGS, OLDER_NAMES, OUTCOMES, metadata
from arena.exchange.receiving import EARLIEST_S, LATEST_S, UNBLINDED, Told, nobody
from arena.play.scoreboard import COLUMNS, board_of

if TYPE_CHECKING:
    from arena.settings import Settings

Result = TypeVar("Result")
When = str | date | None

SEQUENCE = "sequence"
METADATA = "conv_metadata"
ROWS_AT_ONCE = 20_000
"""Fewer at once than a large ledger has, as rows take much room until they are columns."""


def votes(
    columns: Sequence[str] = (),
    *,
    topic: str = "",
    study: str = "",
    language: str = "",
    channel: str = "",
    rater: str = "",
    since: When = None,
    until: When = None,
    **settings: Any,
) -> pd.DataFrame:
    """The ledger's votes, one row a pair judged, in the order written; those of a slice, if one
    is given. Nothing is left out but by the slice: `excluded_reason` says what is not ranked,
    and `supersedes` which ballot another one took back.

    columns: of `core.battle.record.VoteRow`, or sequence; all, when none is named. Conversations are
    long: name columns where the ledger is large. since, until: days or times in ISO 8601, in
    UTC where they have no zone; until a day includes it. settings: any key of the settings
    table, for example DATABASE_URL="sqlite:////data/arena.db". Raises ArenaError."""
    if isinstance(columns, str):
        raise BadInput(f"columns is a text. Give a list, such as [{columns!r:.40}].")
    known = {field.name for field in fields(VoteRow)} | {SEQUENCE}
    if unknown := [str(name) for name in columns if name not in known]:
        raise BadInput(f"Votes have no column {', '.join(unknown)}. They have: {_list(known)}.")
    chosen = slice_of(
        topic=topic,
        study=study,
        language=language,
        channel=channel,
        rater=rater,
        since=since,
        until=until,
    )

    async def read(ledger: Ledger) -> pd.DataFrame:
        wanted = tuple(dict.fromkeys((*columns, *chosen.columns))) if columns else ()
        found = chosen.of(await ledger.votes(wanted))
        return (found[list(columns)] if columns else found).reset_index(drop=True)

    return from_ledger(_settings(settings), read)


def leaderboard(
    *,
    topic: str = "",
    study: str = "",
    language: str = "",
    channel: str = "",
    rater: str = "",
    since: When = None,
    until: When = None,
    ties: Literal["half", "drop"] = "half",
    bad: Literal["tie", "drop"] = "tie",
    style: bool = False,
    order: bool = False,
    anchor: str = "",
    votes: pd.DataFrame | str | Path | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """The standings: one row a contender, with the columns of `core.standings.leaderboard.STANDINGS`.

    votes: instead of the ledger's; rows of a ledger or of one of LMArena's releases, or a file
    in a format that can be imported. ties, bad: how they count in the fit. style, order: correct
    the ratings for length and formatting of replies, for seat and incumbency. anchor: whose
    rating is to be 1000. The slice and settings are as in `votes`. Raises ArenaError."""
    query = query_of(
        slice_of(
            topic=topic,
            study=study,
            language=language,
            channel=channel,
            rater=rater,
            since=since,
            until=until,
        ),
        ties=ties,
        bad=bad,
        style=style,
        order=order,
        anchor=anchor,
    )
    if isinstance(votes, (str, Path)):
        votes = of_files([Path(votes)])
    where = _settings(settings)
    found = board(where, query) if votes is None else board_of_rows(votes, query)
    return found.standings


def slice_of(*, since: When = None, until: When = None, **labels: str) -> Slice:
    """Raises BadInput for times that are none."""
    return Slice(
        **labels,
        since=when.since(since) if since else None,
        until=when.until(until) if until else None,
    )


def query_of(chosen: Slice, *, ties: str, bad: str, style: bool, order: bool, anchor: str) -> Query:
    """Raises BadInput for a choice that there is not."""
    method = Method(ties=ties, bad=bad, anchor=anchor)  # type: ignore[arg-type]
    return Query(chosen, method, (*(STYLE if style else ()), *(ORDER if order else ())))


def board(settings: Settings, query: Query) -> Board:
    """Of the ledger. Conversations are never read, and metadata only where the query is
    corrected by them. Raises ArenaError."""
    columns = tuple(c for c in COLUMNS if c != METADATA or query.covariates)

    async def read(ledger: Ledger) -> pd.DataFrame:
        chunks: list[pd.DataFrame] = []
        after = 0
        while True:
            chunk = await ledger.votes(columns, after=after, limit=ROWS_AT_ONCE)
            if chunks and chunk.empty:
                return pd.concat(chunks, ignore_index=True)
            if METADATA in columns:
                chunk = chunk.drop(columns=METADATA).join(style_columns(chunk))
            chunks.append(chunk)
            after = int(chunk[SEQUENCE].max()) if len(chunk) else after

    return board_of(from_ledger(settings, read), query)


def board_of_rows(rows: pd.DataFrame, query: Query) -> Board:
    """Of rows from elsewhere, in the ledger's columns or those of LMArena's releases, which need
    only say who met and how it was judged. Raises BadInput."""
    if not isinstance(rows, pd.DataFrame):
        raise BadInput(
            f"votes cannot be a {type(rows).__name__}. Give a DataFrame, or the name of a file."
        )
    if twice := rows.columns[rows.columns.duplicated()].tolist():
        raise BadInput(f"The column {twice[0]!s:.40} stands twice. Leave one of them out.")
    rows = _modern(rows)
    require(rows, ("model_a", "model_b", "winner"))
    empty = dict.fromkeys(("rater", "ballot_id", "supersedes", "excluded_reason"), "")
    made = rows.assign(**{name: value for name, value in empty.items() if name not in rows})
    if "battle_id" not in made:
        numbered = pd.Series([f"row {number}" for number in range(len(made))], index=made.index)
        session = "evaluation_session_id"
        made["battle_id"] = made[session].fillna(numbered) if session in made else numbered
    said = made["winner"].dropna().unique().tolist()
    meant = {one: OUTCOMES.get(str(one).strip().lower(), one) for one in said}
    if any(meant[one] != one for one in said):
        made["winner"] = made["winner"].map(meant)
    if "anony" in made:
        named = made["anony"].astype("str").str.strip().str.lower().isin(["false", "0", "0.0"])
        made["excluded_reason"] = made["excluded_reason"].mask(named, UNBLINDED)
    if "timestamp" in made:
        made["timestamp"] = _times(made["timestamp"])
    if METADATA in made and query.covariates:
        try:
            counted = [metadata(known, (), ()) for known in made[METADATA]]
        except (ValueError, TypeError) as error:
            raise BadInput(f"{METADATA} {error}.") from None
        made[METADATA] = pd.Series(counted, index=made.index, dtype=object)
    return board_of(made, query)


def _modern(rows: pd.DataFrame) -> pd.DataFrame:
    """Of any of LMArena's releases, with the column names of the ledger."""
    older = {old: new for old, new in OLDER_NAMES.items() if old in rows and new not in rows}
    rows = rows.rename(columns=older)
    if "winner" in rows or not set(FLAGS) <= set(rows):
        return rows
    flags = rows[list(FLAGS)].astype("str").isin(["1", "1.0"]).to_numpy()
    which = np.where(flags.sum(axis=1) == 1, flags.argmax(axis=1), -1)
    outcome = np.array([*FLAGS.values(), ""])[which]
    return rows.assign(winner=pd.array(outcome, dtype="str"))


def _times(column: pd.Series) -> pd.Series:
    """In UTC: of ISO 8601, or since 1970 in seconds or smaller parts, told apart by their size."""
    try:
        if not is_numeric_dtype(column):
            dated = is_datetime64_any_dtype(column)
            return pd.to_datetime(column, utc=True, format=None if dated else "ISO8601")
        seconds = column.to_numpy(float, na_value=np.nan)
        for _ in ("milliseconds", "microseconds", "nanoseconds"):
            seconds = np.where(seconds >= LATEST_S, seconds / 1000, seconds)
        if ((seconds < EARLIEST_S) | (seconds >= LATEST_S)).any():
            raise ValueError
        return pd.Series(pd.to_datetime(seconds, unit="s", utc=True), index=column.index)
    except (ValueError, TypeError, OverflowError):
        raise BadInput(
            "timestamp holds what is no time. Give it as 2026-03-01T12:30:00Z."
        ) from None


def of_files(paths: Sequence[Path], told: Told = nobody) -> pd.DataFrame:
    """The votes of files as rows of a ledger, without their conversations. Raises BadInput."""
    kept = [column for column in COLUMNS if column != SEQUENCE]
    rows: list[tuple[Any, ...]] = []
    files = exchange.Votes(paths, datetime.now(UTC))
    files.check(told, lambda row: rows.append(attrgetter(*kept)(row)))
    return pd.DataFrame.from_records(rows, columns=kept)


def from_ledger(
    settings: Settings, work: Callable[[Ledger], Coroutine[Any, Any, Result]]
) -> Result:
    """What `work` makes of the ledger that the settings name. Raises ArenaError."""
    from arena import compose

    async def run() -> Result:
        async with compose.ledger_of(settings) as ledger:
            return await work(ledger)

    # In a thread of its own: a notebook has a running event loop in this one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(lambda: asyncio.run(run())).result()


def _settings(overrides: dict[str, Any]) -> Settings:
    texts: dict[str, Any] = {key: str(value) for key, value in overrides.items()}
    return config.load(**texts)


def _list(names: Any) -> str:
    return ", ".join(sorted(map(str, names)))
