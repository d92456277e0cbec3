"""Sparse sums: whatever is added in whatever order, they are what a dictionary would hold."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.standings.sums import Sums, keys_of

ENTRIES = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 4), st.integers(-2, 2)), max_size=8)


def held(table: Sums) -> dict[tuple[int, int], float]:
    """Entries that are not zero, by row and column."""
    entries = zip(table.rows.tolist(), table.columns.tolist(), table.values.tolist(), strict=True)
    return {(row, column): value for row, column, value in entries if value}


@given(st.lists(ENTRIES, max_size=12))
@settings(deadline=None, max_examples=60)
def test_sums_are_those_of_a_dictionary(batches: list[list[tuple[int, int, int]]]) -> None:
    table, expected = Sums(np.zeros(0, dtype=np.int64)), Counter[tuple[int, int]]()
    for batch in batches:
        new = Counter[tuple[int, int]]()
        for row, column, value in batch:
            new[row, column] += value
        expected.update(new)
        rows, columns = np.array(sorted(new), dtype=np.int64).reshape(-1, 2).T
        values = [new[key] for key in sorted(new)]
        table.add(keys_of(rows, columns), np.array(values, dtype=float))
        assert held(table) == {key: value for key, value in expected.items() if value}
        assert table.keys.tolist() == sorted(table.keys.tolist())
        for row in range(-3, 4):
            columns, values_there = table.in_row(row)
            assert columns.tolist() == table.columns[table.rows == row].tolist()
            assert values_there.tolist() == table.values[table.rows == row].tolist()
        asked = [*expected, (9, 9)]
        rows, columns = np.array(asked, dtype=np.int64).T
        found = table.of(keys_of(rows, columns)).tolist()
        assert found == [expected[key] for key in asked]


def test_repeated_keys_are_counted() -> None:
    rows, columns = np.array([2, -1, 2, 2]), np.array([0, 3, 0, 1])
    table = Sums(keys_of(rows, columns))
    assert held(table) == {(-1, 3): 1, (2, 0): 2, (2, 1): 1}
    assert table.rows.tolist() == [-1, 2, 2]
