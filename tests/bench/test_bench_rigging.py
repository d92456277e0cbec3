"""bench rigging: what it takes to move the first rank, and what each defence adds."""

from __future__ import annotations

import pytest

from arena.bench import detection, rigging
from arena.bench.attackers import Attack, Crowd
from tests.cli.conftest import Run, ledger, run

__all__ = ["ledger", "run"]


@pytest.mark.slow
def test_it_tells_votes_with_and_without_each_defence_beside_published_figures(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rigging, "MOST", 500)
    crowd = ("--raters", 40, "--ballots", 20, "--contenders", 4, "--repeat", 1)
    told = run("bench", "rigging", *crowd, "--json")
    assert told.code == 0
    rows = {row["defence"]: row for row in told.json["rows"]}
    assert len(rows) == len(rigging.DEFENCES) + 1
    seen, guessed = (rows[each.name]["ballots"] for each in rigging.DEFENCES[:2])
    assert seen and seen <= guessed, "names that are not seen make it dearer"
    audits = {row["attack"]: row for row in told.json["audits"]}
    assert list(audits) == [each.name for each in detection.ATTACKS]
    assert audits["nobody"]["points"] == [0, 0] and audits["nobody"]["found"] is None
    assert "57,477" in told.json["published"] and "1.7 million" in told.json["published"]


def test_votes_taken_out_are_enough_and_one_less_is_not() -> None:
    votes = Crowd(honest=30, ballots=20, contenders=4, seed=2).votes()
    first, second = rigging._order(votes)[:2]
    assert 0 < rigging._taken_out(votes, first, second) < len(votes) / 4


def test_what_whoever_is_found_moved_is_gone_without_them() -> None:
    crowd = Crowd(honest=30, ballots=20, contenders=4, seed=2)
    left = Attack("left", 2, 100, how="left")
    row = detection._row(left, [(crowd, crowd.votes())])
    assert (row.found, row.accused, row.ballots) == (1.0, 0.0, 200)
    assert row.points[0] > 1 and row.points[1] == 0
