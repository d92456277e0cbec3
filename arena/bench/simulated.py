"""Votes that nobody cast: drawn by a seed, and put into a ledger faster than they could be cast.

It does not know what is measured with them, nor which database the ledger is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from arena.core.battle.record import REHEARSAL, VoteRow
from arena.core.codec import records
from arena.core.errors import LedgerFault
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT
from arena.core.standings.votes import TEXT

SPREAD = 150.0
"""Standard deviation of the strengths, in points."""
TIES, BAD = 0.15, 0.05
RATERS = 5000
UNEVEN = 2.5
"""The share of raters that cast a share p of the votes is p to this power."""

CHARACTERS = 600
"""Of the conversations of a row."""

AT_ONCE = 50_000
SEATS = (("A", "B"), ("A", "C"), ("B", "C"))
WINNERS = np.array(["model_a", "model_b", "tie", "both_bad"], dtype=object)
WHOLE = ("round",)

# What a column of VoteRow holds by its type, where nothing else is said.
_ORDINARY = {
    "str": "",
    "int": 0,
    "float": 0.5,
    "bool": False,
    "datetime": datetime(2026, 3, 1, tzinfo=UTC),
    "list": [{"role": "user", "content": "x" * (CHARACTERS // 2 - 40)}],
    "dict": {"turns": 1},
}


def votes(number: int, contenders: int, seed: int) -> pd.DataFrame:
    """So many rows that count, as text: battles of three, of which one to three pairs were
    judged, by RATERS uneven raters. Columns as in VoteRow, only those that differ."""
    chance = np.random.default_rng(seed)
    judged = chance.integers(1, 4, size=number)
    battle = np.repeat(np.arange(number), judged)[:number]
    place = np.arange(number) - np.searchsorted(battle, battle)
    # Three different contenders: the first, and two different steps from it.
    first = chance.integers(contenders, size=number)
    step = chance.integers(1, contenders, size=number)
    other = chance.integers(1, contenders - 1, size=number)
    other += other >= step
    drawn = np.stack([first, first + step, first + other])[:, battle] % contenders
    seat_a, seat_b = np.array([["ABC".index(s) for s in pair] for pair in SEATS]).T[:, place]
    row = np.arange(number)
    a, b = drawn[seat_a, row], drawn[seat_b, row]
    strength = chance.normal(scale=SPREAD / POINTS_PER_LOGIT, size=contenders)
    lost = chance.random(number) > 1 / (1 + np.exp(strength[b] - strength[a]))
    lot = chance.random(number)
    outcome = np.select([lot < TIES, lot < TIES + BAD], [2, 3], lost.astype(int))
    rater = (RATERS * chance.random(number) ** UNEVEN).astype(int)[battle]

    def ids(size: int) -> NDArray[np.object_]:
        """As long as a UUID."""
        digits = chance.bytes(18 * size).hex()
        return np.array([digits[36 * n : 36 * n + 36] for n in range(size)], dtype=object)

    ballots = ids(battle[-1] + 1)[battle]
    letters = np.array(list("ABC"), dtype=object)
    names = np.array([f"model-{n:02}:8b-instruct" for n in range(contenders)], dtype=object)
    columns = {
        "id": ballots + "-" + letters[seat_a] + letters[seat_b],
        "battle_id": ids(battle[-1] + 1)[battle],
        "ballot_id": ballots,
        "rater": ids(RATERS)[rater],
        "model_a": names[a],
        "model_b": names[b],
        "seat_a": letters[seat_a],
        "seat_b": letters[seat_b],
        "winner": WINNERS[outcome],
        "excluded_reason": np.full(number, "", dtype=object),
        "study": np.full(number, "", dtype=object),
    }
    return pd.DataFrame(columns).astype(TEXT).assign(round=1)


def rehearsed(id: str) -> VoteRow:
    """A row that is never ranked: what the simulated ones have in common."""
    values: dict[str, Any] = {
        f.name: _ORDINARY[str(f.type).split("[")[0].split(" ")[0]] for f in fields(VoteRow)
    }
    row = VoteRow(**values)
    return replace(
        row,
        id=id,
        ballot_id=id,
        battle_id=id,
        model_a="a",
        model_b="b",
        winner="tie",
        study=REHEARSAL,
        excluded_reason="rehearsal",
    )


def writing(url: str, rows: pd.DataFrame, like: str) -> Iterator[float]:
    """Put the rows into the ledger at this URL, which must have been opened; what they do not
    say is taken from the row of the id `like`. Yields how much is done (0…1); they are there
    when it ends. Raises `LedgerFault`."""
    engine = create_engine(url, hide_parameters=True)
    kinds = (f"{name} {'INTEGER' if name in WHOLE else 'TEXT'}" for name in rows)
    insert = text(f"INSERT INTO coming VALUES ({', '.join(f':{name}' for name in rows)})")  # noqa: S608 -- columns' names
    try:
        with engine.begin() as connection:
            every = [c["name"] for c in inspect(connection).get_columns("votes")]
            every.remove("sequence")
            connection.execute(text(f"CREATE TEMPORARY TABLE coming ({', '.join(kinds)})"))
            wanted = ", ".join(f"{'coming' if name in rows else 'alike'}.{name}" for name in every)
            move = text(
                f"INSERT INTO votes ({', '.join(every)}) SELECT {wanted} FROM coming "  # noqa: S608 -- columns' names
                "CROSS JOIN votes AS alike WHERE alike.id = :like"
            )
            for start in range(0, len(rows), AT_ONCE):
                yield start / len(rows)
                some = rows.iloc[start : start + AT_ONCE]
                connection.execute(insert, records(some))
                connection.execute(move, {"like": like})
                connection.execute(text("DELETE FROM coming"))
            connection.execute(text("DROP TABLE coming"))
    except DBAPIError as error:
        raise LedgerFault(
            f"The simulated votes could not be written ({type(error.orig).__name__}). See that "
            "the database has room and takes writes, then measure again."
        ) from error
    finally:
        engine.dispose()
