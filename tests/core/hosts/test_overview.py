"""What a battle costs on a host, from the rows of the ledger."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from arena.core.hosts.overview import COLUMNS, costs


def row(battle: str, number: int, live: str, a: str, b: str, **known: Any) -> dict[str, Any]:
    """A pair judged; 10 s for a and 20 s for b on one host unless said otherwise."""
    return {
        "battle_id": battle,
        "round": number,
        "live": live,
        "seat_a": a,
        "seat_b": b,
        "host_a": "h",
        "host_b": "h",
        "total_ms_a": 10_000.0,
        "total_ms_b": 20_000.0,
        "conv_metadata": {"turns": 1},
        **known,
    }


def spent(*rows: dict[str, Any], price: float = 3.6) -> dict[str, tuple[float, float, int]]:
    found = costs(pd.DataFrame(list(rows), columns=list(COLUMNS)), price)
    return {h: (c.seconds, pytest.approx(c.cost), c.battles) for h, c in found.items()}


def test_of_replies_written_side_by_side_the_longest_counts_once() -> None:
    first = row("1", 1, "ABC", "A", "C")
    other = row("1", 1, "ABC", "B", "C", total_ms_a=5_000.0)
    again = row("1", 2, "BC", "B", "C", total_ms_a=5_000.0)
    assert spent(first, other, again) == {"h": (20.0, 0.02, 1)}


def test_a_challenger_that_joins_later_is_paid_for_on_top() -> None:
    first = row("1", 1, "AB", "A", "B")
    joined = row("1", 2, "BC", "B", "C", total_ms_a=20_000.0, total_ms_b=7_000.0)
    assert spent(first, joined) == {"h": (27.0, 0.027, 1)}


def test_follow_ups_are_paid_for() -> None:
    talked = row("1", 1, "AB", "A", "B", conv_metadata={"turns": 3})
    assert spent(talked) == {"h": (60.0, 0.06, 1)}


def test_a_vote_that_does_not_say_how_many_turns_is_of_one() -> None:
    assert spent(row("1", 1, "AB", "A", "B", conv_metadata={})) == {"h": (20.0, 0.02, 1)}


def test_votes_that_nobody_timed_cost_nothing() -> None:
    assert spent(row("1", 1, "AB", "A", "B", total_ms_a=None, total_ms_b=None)) == {}
    assert spent() == {}


def test_each_host_is_paid_for_what_it_wrote_and_the_median_battle_counts() -> None:
    rows = [row(str(n), 1, "AB", "A", "B", host_b="g", total_ms_a=1000.0 * n) for n in (1, 2, 9)]
    assert spent(*rows) == {"h": (2.0, 0.002, 3), "g": (20.0, 0.02, 3)}


def test_without_votes_nothing_is_known_and_a_missing_time_is_left_out() -> None:
    assert spent() == {}
    assert spent(row("1", 1, "AB", "A", "B", total_ms_b=float("nan"))) == {"h": (10.0, 0.01, 1)}


def test_imported_votes_cost_this_arenas_hosts_nothing() -> None:
    assert spent(row("1", 1, "AB", "A", "B", channel="import")) == {}
