"""audit as an operator runs it, and what excluding whom it finds does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from arena.bench.attackers import Attack, Crowd
from arena.core.battle.record import VoteRow
from arena.core.codec import records
from arena.core.study.course import Claim, Event
from arena.core.study.design import Kind
from tests.cli.conftest import Run
from tests.exchange.rows import NOW, filled, on_ledger, some_votes, vote


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


def test_what_raters_of_open_studies_judged_is_audited_when_asked_for(
    run: Run, ledger: Path
) -> None:
    left = Attack("left", 1, 60, how="left")
    votes = cast(Crowd(honest=30, ballots=10, seed=5, attacks=[left]))
    filled(ledger, votes)
    claims = [
        Claim(battle, "r", "p", Kind.REAL, ("x", "y"), NOW).event
        for battle in dict.fromkeys(row.battle_id for row in votes)
    ]
    course = [Event("opened", NOW), *claims]
    on_ledger(ledger, lambda kept: kept.move("led", lambda *_: (None, course)))
    blind = run("audit")
    assert blind.code == 0 and "nothing to audit" in blind.out and "left-0" not in blind.out
    unblind = run("audit", "--unblind")
    assert unblind.code == 1 and "left-0" in unblind.out


def test_a_small_ledger_or_an_empty_one_accuses_nobody(run: Run, ledger: Path) -> None:
    empty = run("audit")
    assert empty.code == 0 and "nothing to audit" in empty.out
    filled(ledger, [vote("v0", excluded_reason="rehearsal"), vote("v00", winner="tie")])
    assert run("audit").out == empty.out and not run("audit", "--json").json["report"]["findings"]
    filled(ledger, some_votes())
    assert run("audit").code == 0
