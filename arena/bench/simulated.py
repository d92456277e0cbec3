"""Votes that nobody cast, drawn by a seed. It does not know what is measured with them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.core.battle.record import KINDS, REHEARSAL, VoteRow
from arena.core.codec import records
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

AT_ONCE = 10_000
SEATS = (("A", "B"), ("A", "C"), ("B", "C"))
WINNERS = np.array(["model_a", "model_b", "tie", "both_bad"], dtype=object)

_ORDINARY: dict[type, Any] = {
    str: "",
    int: 0,
    float: 0.5,
    bool: False,
    datetime: datetime(2026, 3, 1, tzinfo=UTC),
    list: [{"role": "user", "content": "x" * (CHARACTERS // 2 - 40)}],
    dict: {"turns": 1},
}
"""What a column holds by its type, where nothing else is said."""


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


def rows(votes: pd.DataFrame, like: VoteRow) -> Iterator[VoteRow]:
    """For a ledger; what the votes do not say is as in the row that they are like."""
    for start in range(0, len(votes), AT_ONCE):
        for said in records(votes.iloc[start : start + AT_ONCE]):
            yield replace(like, **said)


def rehearsed(id: str) -> VoteRow:
    """A row that is never ranked: what the simulated ones have in common."""
    row = VoteRow(**{name: _ORDINARY[kind] for name, (kind, _) in KINDS.items()})
    own: dict[str, Any] = dict.fromkeys(("id", "ballot_id", "battle_id"), id)
    own |= {"model_a": "a", "model_b": "b", "winner": "tie"}
    return replace(row, **own, study=REHEARSAL, excluded_reason="rehearsal")
