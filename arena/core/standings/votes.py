"""Rows of the ledger read as votes: checked, and told apart by who met whom and how it ended.

It does not know what is made of votes. Whole columns are coded at once and only the few
different combinations are looked at one by one, so a million rows are read in some milliseconds.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.core.arrays import Bools, Ints
from arena.core.errors import BadInput

TEXT: Any = pd.StringDtype(na_value=np.nan)
"""Texts in a table: what pandas 3 calls "str", and what that is not in pandas 2."""

OUTCOME_COLUMNS = ("battle_id", "rater", "model_a", "model_b", "winner", "excluded_reason")
"""The ledger's columns that are read here."""

WINNERS = ("model_a", "model_b", "tie", "both_bad")
"""What a vote can say, in the order in which outcomes are numbered."""

SUPERSEDED = "superseded"
"""The excluded_reason of a vote in whose place another one stands."""

ITSELF = "itself"
"""The excluded_reason of a vote whose two contenders have one name. None is written any more."""

ODD = "outcome"
"""The excluded_reason of a vote whose outcome is none of `WINNERS`. No arena writes one, but a ledger
may hold one, and what is in a ledger cannot be corrected."""

FEW = 64
"""Up to so many rows are coded one by one, faster than by setting out to code a whole column."""

MANY = 50_000
"""From so many rows on columns are coded side by side: coding text lets other threads run."""


class Vote(NamedTuple):
    """What is told of one vote of a battle: which it is, what its voter was shown, and what it
    says, each as the ledger has it."""

    sequence: int
    ballot_id: str
    supersedes: str
    round: int
    seat_a: str
    seat_b: str
    model_a: str
    model_b: str
    winner: str
    excluded_reason: str


@dataclass(frozen=True, slots=True, eq=False)
class CodedVotes:
    """N rows that count, each being one of C combinations that occur among all rows."""

    times: Ints
    """(C,) how many rows"""
    names: tuple[str, ...]
    """the contenders that occur"""
    model_a: Ints
    """(C,) index into names"""
    model_b: Ints
    outcome: Ints
    """(C,) index into WINNERS"""
    battle_id: pd.Series
    """(N,)"""
    rater: pd.Series
    """(N,)"""
    excluded: dict[str, int]
    """reason → rows that do not count"""
    cell: Ints
    """(N,) number of the combination, with gaps"""
    numbers: Ints
    """(C,) the numbers there are, in order"""

    def each(self, of_combination: Ints) -> Ints:
        """(N,) for each row what is given for its combination."""
        by_number = np.zeros(self.numbers.max(initial=-1) + 1, dtype=of_combination.dtype)
        by_number[self.numbers] = of_combination
        return by_number[self.cell]


def read(votes: pd.DataFrame) -> CodedVotes:
    """Rows with `OUTCOME_COLUMNS`, of dtype str, object or category; those with an
    excluded_reason are only counted. Raises `BadInput` for a row that counts with an unknown outcome
    or without two different contenders, or a column that is missing."""
    require(votes, OUTCOME_COLUMNS)
    (a, names_a), (b, names_b), (winner, winners), (counts, excluded) = side_by_side(
        len(votes),
        lambda: _coded_text(votes["model_a"]),
        lambda: _coded_text(votes["model_b"]),
        lambda: _coded_text(votes["winner"]),
        lambda: counting(votes["excluded_reason"]),
    )
    # Number 0 stands for a value that is missing.
    shape = (len(names_a) + 1, len(names_b) + 1, len(winners) + 1)
    cell = a.astype(np.int64)
    cell *= shape[1]
    cell += b
    cell *= shape[2]
    cell += winner
    cell += (shape[1] + 1) * shape[2] + 1
    seen = np.bincount(cell, minlength=shape[0] * shape[1] * shape[2])
    there = np.flatnonzero(seen)
    model_a, model_b, outcome = (np.array(part) for part in np.unravel_index(there, shape))
    names = {
        name: n
        for n, name in enumerate(
            dict.fromkeys(
                [names_a[n - 1] for n in _used(model_a)] + [names_b[n - 1] for n in _used(model_b)]
            )
        )
    }
    model_a, model_b = _numbered(model_a, names_a, names), _numbered(model_b, names_b, names)
    outcome = _numbered(outcome, winners, {name: n for n, name in enumerate(WINNERS)})
    if counts is not None:
        cell = cell[counts]
        votes = votes.loc[counts, ["battle_id", "rater"]]
        seen = np.bincount(cell, minlength=len(seen))
        ranked = seen[there] > 0
        there, model_a, model_b, outcome = (
            part[ranked] for part in (there, model_a, model_b, outcome)
        )
    _check_outcomes(votes, cell, there[outcome < 0])
    _check_contenders(votes, cell, there[(model_a < 0) | (model_b < 0) | (model_a == model_b)])
    return CodedVotes(
        seen[there],
        tuple(names),
        model_a,
        model_b,
        outcome,
        votes["battle_id"],
        votes["rater"],
        excluded,
        cell,
        there,
    )


def coded(column: pd.Series) -> tuple[NDArray[np.integer], pd.Index | NDArray[np.object_]]:
    """(N,) a number for each row, −1 where nothing is, and what the numbers stand for."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(), column.cat.categories
    if len(column) > FEW:
        return pd.factorize(column)
    numbers: dict[object, int] = {}
    codes = [
        -1 if pd.isna(value) else numbers.setdefault(value, len(numbers))
        for value in column.tolist()
    ]
    return np.array(codes, dtype=np.int64), np.array([*numbers], dtype=object)


def side_by_side(rows: int, *works: Callable[[], Any]) -> list[Any]:
    """What the works return, which are done at the same time if they are about many rows."""
    if rows < MANY:
        return [work() for work in works]
    with ThreadPoolExecutor(len(works)) as threads:
        return [doing.result() for doing in [threads.submit(work) for work in works]]


def _coded_text(column: pd.Series) -> tuple[NDArray[np.integer], list[str]]:
    codes, labels = coded(column)
    return codes, [str(label) for label in labels.tolist()]


def require(votes: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """Raises `BadInput` naming the columns that are missing."""
    if missing := [column for column in columns if column not in votes]:
        raise BadInput(
            f"The votes lack the columns {', '.join(missing)}. Give rows as the ledger has them."
        )


def counting(reason: pd.Series) -> tuple[Bools | None, dict[str, int]]:
    """Which rows count, None for all, and how many do not, by reason."""
    # Mostly there is none, and to see that is quicker than to code a long column.
    long = len(reason) >= MANY and not isinstance(reason.dtype, pd.CategoricalDtype)
    if long and (reason == "").to_numpy(bool, na_value=False).all():
        return None, {}
    codes, reasons = _coded_text(reason)
    times = np.bincount(codes.astype(np.int64) + 1, minlength=len(reasons) + 1)[1:]
    excluded = {r: n for r, n in zip(reasons, times.tolist(), strict=True) if r and n}
    if not excluded:
        return None, {}
    counts = np.array([*(not r for r in reasons), True])
    return counts[codes], excluded


def counted(votes: pd.DataFrame) -> pd.DataFrame:
    """Those rows that count."""
    counts = counting(votes["excluded_reason"])[0]
    return votes if counts is None else votes[counts]


def _used(numbers: Ints) -> list[int]:
    return [n for n in np.unique(numbers).tolist() if n]


def _numbered(numbers: Ints, labels: list[str], known: dict[str, int]) -> Ints:
    """What the numbers stand for, by the numbers known for it; −1 for what is not known."""
    return np.array([-1, *(known.get(label, -1) for label in labels)])[numbers]


def _check_outcomes(votes: pd.DataFrame, cell: Ints, wrong: Ints) -> None:
    """wrong: the combinations with an outcome that is none."""
    if wrong.size:
        row = votes.iloc[int(np.argmax(np.isin(cell, wrong)))]
        raise BadInput(
            f"Battle {row['battle_id']} has the unknown outcome {row['winner']!r}; it must be "
            f"one of {', '.join(WINNERS)}. Correct that row, then compute the standings again."
        )


def _check_contenders(votes: pd.DataFrame, cell: Ints, wrong: Ints) -> None:
    """wrong: the combinations without two different contenders."""
    if wrong.size:
        row = votes.iloc[int(np.argmax(np.isin(cell, wrong)))]
        raise BadInput(
            f"A vote of battle {row['battle_id']} does not name two different "
            "contenders. Correct that row, then compute the standings again."
        )
