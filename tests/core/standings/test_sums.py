"""Sparse sums: whatever is added in whatever order, they are what a dictionary would hold."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.standings import sums
from arena.core.standings.sums import Sums, keys_of

ENTRIES = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 4), st.integers(-2, 2)), max_size=8)


def held(table: Sums) -> dict[tuple[int, int], float]:
    """Entries that are not zero, by row and column."""
    entries = zip(table.rows.tolist(), table.columns.tolist(), table.values.tolist(), strict=True)
    return {(row, column): value for row, column, value in entries if value}


@given(st.lists(ENTRIES, max_size=12), st.integers(1, 20))
@settings(deadline=None, max_examples=60)
def test_sums_are_those_of_a_dictionary(
    batches: list[list[tuple[int, int, int]]], tail: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "LONGEST_TAIL", tail)
        table, expected = Sums(np.zeros(0, dtype=np.int64)), Counter[tuple[int, int]]()
        for batch in batches:
            new = Counter[tuple[int, int]]()
            for row, column, value in batch:
                new[row, column] += value
            expected.update(new)
            rows, columns = np.array([*new], dtype=np.int64).reshape(-1, 2).T
            table.add(keys_of(rows, columns), np.array([*new.values()], dtype=float))
            assert held(table) == {key: value for key, value in expected.items() if value}
            for row in range(-3, 4):
                at = table.row(row)
                assert (table.rows[at] == row).all()
                assert len(at) == np.count_nonzero(table.rows == row)
            asked = [*expected, (9, 9)]
            rows, columns = np.array(asked, dtype=np.int64).T
            found = table.of(keys_of(rows, columns)).tolist()
            assert found == [expected[key] for key in asked]


def test_repeated_keys_are_counted() -> None:
    rows, columns = np.array([2, -1, 2, 2]), np.array([0, 3, 0, 1])
    table = Sums(keys_of(rows, columns))
    assert held(table) == {(-1, 3): 1, (2, 0): 2, (2, 1): 1}
    assert table.bounds == (-1, 2)


def test_places_hold_until_the_tail_is_sorted_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "LONGEST_TAIL", 2)
    table = Sums(keys_of(np.array([5]), np.array([5])))
    for row in (9, 1):
        before = table.settled
        table.add(keys_of(np.array([row]), np.array([0])), np.ones(1))
        assert table.settled == before and table.head == 1
    table.add(keys_of(np.array([3]), np.array([0])), np.ones(1))
    assert table.settled == before + 1 and table.head == 4
    assert table.rows.tolist() == [1, 3, 5, 9]
