"""Exclusions: what an operator takes out of the ranking, and puts back; both stay written down."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena.adapters.ledger import SqlLedger
from arena.core.ports import BALLOT, OPERATOR, RATER, Exclusion, standing
from arena.play.scoreboard import Scoreboard
from tests.adapters.ledger_rows import ballot
from tests.adapters.ledgers import on
from tests.adapters.test_chain import file, forging, url, verified

__all__ = ["file", "url"]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def out(kind: str, subject: str, *, excluded: bool = True) -> Exclusion:
    return Exclusion(kind, subject, excluded, "seen twice", NOW)


async def cast(ledger: SqlLedger) -> None:
    for battle, rater in (("one", "ann"), ("two", "bob"), ("three", "ann")):
        rows = [replace(row, rater=rater, winner="model_a") for row in ballot(battle)]
        assert await ledger.append(rows)


async def nobody() -> frozenset[str]:
    return frozenset()


@pytest.mark.parametrize(
    ("kind", "subject", "battles"), [(RATER, "ann", {"one", "three"}), (BALLOT, "two-1", {"two"})]
)
def test_what_is_excluded_is_not_ranked_until_it_is_included_again(
    url: str, kind: str, subject: str, battles: set[str]
) -> None:
    async def scene(ledger: SqlLedger) -> None:
        await cast(ledger)
        board = Scoreboard(ledger, nobody)
        versions = [await board.version()]
        assert (await board.board()).votes == 6
        await ledger.exclude([out(kind, subject)])
        rows = await ledger.votes(("battle_id", "excluded_reason"))
        gone = rows[rows["excluded_reason"] == OPERATOR]
        assert set(gone["battle_id"]) == battles
        told = (await ledger.outcomes()).rows
        assert set(told[told["excluded_reason"] == OPERATOR]["battle_id"]) == battles
        assert (await board.board()).excluded == {OPERATOR: 2 * len(battles)}
        versions.append(await board.version())
        # What comes later is excluded with its rater, and counted once.
        late = [replace(row, rater="ann", winner="model_a") for row in ballot("four")]
        assert await ledger.append(late)
        expected = 2 * len(battles) + 2 * (kind == RATER)
        assert (await board.board()).excluded == {OPERATOR: expected}
        versions.append(await board.version())
        await ledger.exclude([out(kind, subject, excluded=False)])
        again = await board.board()
        assert (again.votes, again.excluded) == (8, {})
        versions.append(await board.version())
        assert len(set(versions)) == 4
        decided = await ledger.exclusions()
        assert [each.excluded for each in decided] == [True, False] and not standing(decided)
        assert not (await ledger.verify()).faults

    on(url, scene)


def test_what_was_not_ranked_already_keeps_its_reason(url: str) -> None:
    async def scene(ledger: SqlLedger) -> None:
        rows = [replace(row, rater="ann", excluded_reason="identity") for row in ballot("one")]
        assert await ledger.append(rows)
        await ledger.exclude([out(RATER, "ann")])
        assert set((await ledger.votes(("excluded_reason",)))["excluded_reason"]) == {"identity"}
        assert set((await ledger.outcomes()).rows["excluded_reason"]) == {"identity"}

    on(url, scene)


FORGED = {
    "UPDATE vote_exclusions SET subject = 'bob' WHERE number = 1": "exclusion 1, or a vote",
    "DELETE FROM vote_exclusions WHERE number = 1": "exclusion 1 is missing",
    "UPDATE vote_exclusions SET reason = '' WHERE number = 2": "exclusion 2, or a vote",
    "DELETE FROM vote_exclusions WHERE number = 2": "of exclusions is not in it",
    "UPDATE vote_chain SET digest = 'x' WHERE sequence = 6": "exclusion 1, or a vote",
}


@pytest.mark.parametrize("change", FORGED)
def test_an_exclusion_that_is_changed_or_gone_is_found(file: Path, change: str) -> None:
    async def scene(ledger: SqlLedger) -> str:
        await cast(ledger)
        before = (await ledger.verify()).head
        await ledger.exclude([out(RATER, "ann"), out(RATER, "bob")])
        assert not (await ledger.verify(before)).faults, "a head from before is still in it"
        return (await ledger.verify()).head

    head = on(f"sqlite:///{file}", scene)
    assert "+2:" in head and not verified(file, head).faults
    with forging(file) as there:
        there.execute(change)
    assert any(FORGED[change] in fault for fault in verified(file, head).faults)
