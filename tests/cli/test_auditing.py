"""audit as an operator runs it, and what excluding whom it finds does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from arena.bench.attackers import Attack, Crowd
from arena.core.battle.record import VoteRow
from arena.core.codec import records
from tests.cli.conftest import Run
from tests.exchange.rows import filled, some_votes, vote


def cast(crowd: Crowd) -> list[VoteRow]:
    rows = records(crowd.votes().drop(columns="attack"))
    return [replace(vote(), **row, id=f"{n}", thinking_a=[]) for n, row in enumerate(rows)]


def test_whoever_is_found_is_named_and_gone_once_excluded(run: Run, ledger: Path) -> None:
    left = Attack("left", 1, 60, how="left")
    filled(ledger, cast(Crowd(honest=30, ballots=10, seed=5, attacks=[left])))
    found = run("audit", "--json")
    assert found.code == 1
    (finding,) = found.json["report"]["findings"]
    assert (finding["rater"], finding["kind"]) == ("left-0", "place")
    told = run("audit")
    assert "left-0" in told.out and "from the left" in told.out
    assert run("exclude", "--rater", "left-0", "--because", "always left").code == 0
    again = run("audit")
    assert again.code == 0 and "0 found" in again.out


def test_a_small_ledger_or_an_empty_one_accuses_nobody(run: Run, ledger: Path) -> None:
    empty = run("audit")
    assert empty.code == 0 and "nothing to audit" in empty.out
    filled(ledger, [vote("v0", excluded_reason="rehearsal"), vote("v00", winner="tie")])
    assert run("audit").out == empty.out and not run("audit", "--json").json["report"]["findings"]
    filled(ledger, some_votes())
    assert run("audit").code == 0
