"""Rows from elsewhere, as a DataFrame, in the columns of a ledger: whole columns at a time.

It knows LMArena's releases. It does not know files, which are read row by row (`receiving`), nor
what is made of the rows.
"""

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

from arena.core.errors import BadInput
from arena.core.standings.votes import TEXT, require
from arena.exchange.lmarena import FLAGS, OLDER_NAMES, OUTCOMES, metadata
from arena.exchange.receiving import OURS, SIDES, UNBLINDED, UNIQUE
from arena.exchange.values import EARLIEST_S, LATEST_S, PARTS_S, YEARS, language

METADATA = "conv_metadata"


def ledger_rows(rows: pd.DataFrame, *, with_metadata: bool) -> pd.DataFrame:
    """The rows, which need only say who met and how it was judged, with all that standings are
    made of; metadata are read only where they are wanted. Raises BadInput."""
    if not isinstance(rows, pd.DataFrame):
        raise BadInput(
            f"votes cannot be a {type(rows).__name__}. Give a DataFrame, or the name of a file."
        )
    if twice := rows.columns[rows.columns.duplicated()].tolist():
        raise BadInput(f"The column {twice[0]!s:.40} stands twice. Leave one of them out.")
    given = set(rows)
    # Rows that were put together from several tables are numbered twice.
    rows = _modern(rows.reset_index(drop=True))
    require(rows, ("model_a", "model_b", "winner"))
    empty = dict.fromkeys(("rater", "supersedes", "excluded_reason"), "")
    made = rows.assign(**{name: value for name, value in empty.items() if name not in rows})
    numbered = pd.Series([f"row {number}" for number in range(len(made))], index=made.index)
    if "ballot_id" not in made:
        made["ballot_id"] = made["id"].astype(TEXT).fillna(numbered) if "id" in made else numbered
    if "battle_id" not in made:
        session = "evaluation_session_id"
        made["battle_id"] = made[session].fillna(numbered) if session in made else numbered
    if {"question_id", "turn"} <= given:
        judged = _by_turn(made)
        made = made.assign(**{name: judged[name] for name in judged if name not in given})
    sides = () if OURS in given else ((side, _stripped) for side in SIDES)
    for name, here in (*sides, ("winner", _outcome), ("language", language)):
        said = made[name].dropna().unique().tolist() if name in made else []
        meant = {one: here(one) for one in said}
        if any(meant[one] != one for one in said):
            made[name] = made[name].map(meant)
    if "anony" in made:
        named = made["anony"].astype(TEXT).str.strip().str.lower().isin(["false", "0", "0.0"])
        made["excluded_reason"] = made["excluded_reason"].mask(named, UNBLINDED)
    if "timestamp" in made:
        made["timestamp"] = _times(made["timestamp"])
    if METADATA in made and with_metadata:
        try:
            counted = [metadata(known, (), ()) for known in made[METADATA]]
        except (ValueError, TypeError) as error:
            raise BadInput(f"{METADATA} {error}.") from None
        made[METADATA] = pd.Series(counted, index=made.index, dtype=object)
    return made


def _stripped(said: Any) -> Any:
    return said.strip() if isinstance(said, str) else said


def _outcome(said: Any) -> Any:
    return OUTCOMES.get(str(said).strip().lower(), said)


def _modern(rows: pd.DataFrame) -> pd.DataFrame:
    """Of any of LMArena's releases, with the column names of the ledger."""
    older = {old: new for old, new in OLDER_NAMES.items() if old in rows and new not in rows}
    rows = rows.rename(columns=older)
    if "winner" in rows or not set(FLAGS) <= set(rows):
        return rows
    flags = rows[list(FLAGS)].astype(TEXT).isin(["1", "1.0"]).to_numpy()
    which = np.where(flags.sum(axis=1) == 1, flags.argmax(axis=1), -1)
    outcome = np.array([*FLAGS.values(), ""])[which]
    return rows.assign(winner=pd.array(outcome, dtype=TEXT))


def _by_turn(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Prompt, battle and round of judgments of prompts: a rater's on two replies are one battle,
    turn by turn. Of votes that their question_id numbers, as `receiving` tells them apart, those
    they have."""
    question, rater, a, b = (
        rows[name].astype(TEXT).fillna("") for name in ("prompt_id", "rater", "model_a", "model_b")
    )
    turn = pd.to_numeric(rows["turn"], errors="coerce").fillna(0)
    judged = (turn > 0) & ~question.str.fullmatch(UNIQUE.pattern).astype(bool)
    pair = a.where(a < b, b) + "/" + a.where(a > b, b)
    by_whom = question + "/" + rater + "/" + pair
    return {
        "prompt_id": question,
        "battle_id": by_whom.where(judged, rows["battle_id"]),
        "round": turn.where(judged, 1).astype(int),
    }


def _times(column: pd.Series) -> pd.Series:
    """In UTC: of ISO 8601, or since 1970 in seconds or smaller parts, told apart by their size."""
    try:
        if not is_numeric_dtype(column):
            dated = is_datetime64_any_dtype(column)
            times = pd.to_datetime(column, utc=True, format=None if dated else "ISO8601")
            earliest, end = (pd.Timestamp(s, unit="s", tz="UTC") for s in (EARLIEST_S, LATEST_S))
            if ((times < earliest) | (times >= end)).any():
                raise ValueError
            return times
        seconds = column.to_numpy(float, na_value=np.nan)
        for _ in ("milliseconds", "microseconds", "nanoseconds"):
            seconds = np.where(seconds >= PARTS_S, seconds / 1000, seconds)
        if ((seconds < EARLIEST_S) | (seconds >= LATEST_S)).any():
            raise ValueError
        return pd.Series(pd.to_datetime(seconds, unit="s", utc=True), index=column.index)
    except (ValueError, TypeError, OverflowError):
        raise BadInput(
            f"timestamp holds what is no time. Give it as 2026-03-01T12:30:00Z, of {YEARS}."
        ) from None
