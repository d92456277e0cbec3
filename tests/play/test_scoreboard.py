"""The scoreboard: kept counts equal fresh ones, and nothing of a battle under way is told."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from arena.adapters.ledger import SqlLedger
from arena.core.battle.entities import Contender
from arena.core.battle.record import VoteRow
from arena.core.ports import Exclusion
from arena.core.standings import covariates as effects
from arena.core.standings.board import Board, Query, board_of
from arena.core.standings.bradley_terry import Method
from arena.core.standings.counts import Counts
from arena.core.standings.slices import Slice
from arena.core.standings.votes import Vote
from arena.play import reckoning, scoreboard
from arena.play.scoreboard import COLUMNS, Scoreboard
from arena.play.studies import blinded, close_study, open_study
from tests.adapters.ledger_rows import full_row
from tests.test_release import AT, STUDY, judged

OUTCOMES = ("model_a", "model_b", "tie", "model_a", "both_bad", "model_a")
NAMES = ("x", "y", "z")


METADATA = {
    "sum_user_tokens": 5,
    "turns": 1,
    "sum_assistant_a_tokens": 40,
    "sum_assistant_b_tokens": 60,
    **{f"{mark}_count_{side}": 1 for mark in ("header", "list", "bold") for side in "ab"},
}


def row(**fields: Any) -> VoteRow:
    """An ordinary vote of the first round."""
    ordinary = {
        "round": 1,
        "supersedes": "",
        "excluded_reason": "",
        "seat_a": "A",
        "seat_b": "B",
        "incumbent": "",
        "channel": "web",
        "topic": "",
        "study": "",
        "language": "en",
        "conv_metadata": METADATA,
        "conversation_a": [],
        "conversation_b": [],
    }
    return replace(full_row(), **{**ordinary, **fields})  # type: ignore[arg-type]


class Scene:
    """A ledger, a scoreboard on it, and which battles are under way."""

    def __init__(self, ledger: SqlLedger) -> None:
        self.ledger = ledger
        self.live: set[str] = set()
        self.roster: tuple[Contender, ...] = ()
        self.board = Scoreboard(ledger, self._under_way, lambda: self.roster)
        self._number = 0

    async def _under_way(self) -> frozenset[str]:
        return frozenset(self.live)

    async def cast(self, a: str, b: str, winner: str, **fields: Any) -> str:
        """A ballot of one pair, in a battle of its own unless told otherwise; its id."""
        self._number += 1
        ballot = f"ballot-{self._number}"
        known = {"battle_id": f"battle-{self._number}", "rater": f"rater-{self._number % 7}"}
        cast = row(
            id=ballot, ballot_id=ballot, model_a=a, model_b=b, winner=winner, **{**known, **fields}
        )
        assert await self.ledger.append([cast])
        return ballot

    async def fresh(self, query: Query = Query()) -> Board:
        """The board counted from all rows at once."""
        votes = await self.ledger.votes(COLUMNS)
        return board_of(votes, query)


def played(folder: Path, scene: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        ledger = SqlLedger(f"sqlite:///{folder / 'arena.db'}")
        await ledger.open()
        try:
            await scene(Scene(ledger))
        finally:
            await ledger.close()

    asyncio.run(run())


def ratings(board: Board) -> pd.DataFrame:
    columns = ["rating", "lower", "upper", "votes", "wins", "ties", "both_bad", "battles"]
    return board.standings.set_index("contender")[columns]


def test_counts_that_are_kept_equal_counts_that_are_made_afresh(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        for number in range(24):
            a, b = NAMES[number % 3], NAMES[(number + 1) % 3]
            await at.cast(a, b, OUTCOMES[number % len(OUTCOMES)])
            if number % 5 == 0:
                kept, fresh = await at.board.board(Query()), await at.fresh()
                pd.testing.assert_frame_equal(ratings(kept), ratings(fresh), rtol=1e-9)
                assert kept.votes == fresh.votes == number + 1

    played(tmp_path, scene)


def test_a_vote_with_an_outcome_that_is_none_stops_nothing(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        await at.cast("x", "y", "model_a")
        await at.board.board(Query())
        odd = await at.cast("x", "y", "tie (bothbad)", battle_id="odd")
        for board in (await at.board.board(Query()), await at.fresh()):
            assert (board.votes, board.excluded) == (1, {"outcome": 1})
        assert await at.board.votes() == {"x": 1, "y": 1}
        assert [moved.contender for moved in await at.board.movement("odd")] == ["x", "y"]
        assert (await at.board.statistics()).excluded == {"outcome": 1}
        await at.cast("x", "y", "tie", battle_id="odd", supersedes=odd)
        assert (await at.board.board(Query())).excluded == {"superseded": 1}

    played(tmp_path, scene)


def test_a_vote_on_two_contenders_of_one_name_stops_nothing(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        await at.cast("x", "y", "model_a")
        odd = await at.cast("x", "x", "model_a", battle_id="odd")
        await at.cast("x", "y", "tie", battle_id="odd", round=2)
        for board in (await at.board.board(Query()), await at.fresh()):
            assert (board.votes, board.excluded) == (2, {"itself": 1})
        assert await at.board.votes() == {"x": 2, "y": 2}
        assert [moved.contender for moved in await at.board.movement("odd")]
        await at.cast("x", "y", "tie", battle_id="odd", supersedes=odd)
        assert (await at.board.board(Query())).excluded == {"superseded": 1}

    played(tmp_path, scene)


def test_votes_of_a_battle_that_begins_during_a_read_are_held_back(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        await at.cast("x", "y", "model_a")
        read = at.ledger.outcomes

        async def meanwhile(after: int) -> Any:
            at.ledger.outcomes = read  # type: ignore[method-assign]
            at.live = {"secret"}
            await at.cast("z", "y", "model_a", battle_id="secret")
            return await read(after)

        at.ledger.outcomes = meanwhile  # type: ignore[method-assign]
        board = await at.board.board(Query())
        assert (board.votes, board.held_back) == (1, 1)

    played(tmp_path, scene)


def test_votes_of_a_battle_under_way_are_held_back_until_it_is_over(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        await at.cast("x", "y", "model_a")
        before = await at.board.board(Query())
        version = await at.board.version()
        at.live = {"secret"}
        assert await at.board.version() == version, "an opened battle changes nothing yet"
        await at.cast("z", "y", "model_a", battle_id="secret")
        during = await at.board.board(Query())
        assert "z" not in set(during.standings["contender"])
        assert (during.votes, during.held_back, before.held_back) == (1, 1, 0)
        sliced = await at.board.board(Query(Slice(channel="web")))
        assert "z" not in set(sliced.standings["contender"]) and sliced.held_back == 1
        assert (await at.board.statistics()).votes == 1
        assert "secret" in await at.board.held_back()
        held = await at.board.version()
        at.live = set()
        after = await at.board.board(Query())
        assert "z" in set(after.standings["contender"])
        assert (after.votes, after.held_back) == (2, 0)
        assert await at.board.version() != held
        pd.testing.assert_frame_equal(ratings(after), ratings(await at.fresh()), rtol=1e-9)

    played(tmp_path, scene)


def test_a_study_that_is_opened_again_is_held_back_again(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        await judged(at.ledger)
        board = Scoreboard(at.ledger, lambda: blinded(at.ledger))

        async def told() -> tuple[int, int, int]:
            found = await board.board()
            return found.votes, found.held_back, (await board.statistics()).votes

        hidden = await told()
        await close_study(at.ledger, STUDY.name, AT)
        assert hidden == (0, 15, 0) and await told() == (12, 0, 12)
        await open_study(at.ledger, STUDY, AT)
        assert await told() == hidden and not await board.votes()

    played(tmp_path, scene)


def test_a_superseded_ballot_leaves_the_counts_and_is_named(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        await at.cast("x", "y", "tie")
        first = await at.cast("x", "y", "model_a", battle_id="b", round=1)
        assert (await at.board.board(Query())).votes == 2
        await at.cast("x", "y", "model_b", battle_id="b", round=1, supersedes=first)
        board = await at.board.board(Query())
        assert board.votes == 2 and board.excluded == {"superseded": 1}
        assert ratings(board).loc["x", "wins"] == 0
        pd.testing.assert_frame_equal(ratings(board), ratings(await at.fresh()), rtol=1e-9)

    played(tmp_path, scene)


def test_a_ballot_that_is_superseded_while_it_is_held_back_never_counts(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        at.live = {"b"}
        first = await at.cast("x", "y", "model_a", battle_id="b", round=1)
        assert (await at.board.board(Query())).held_back == 1
        await at.cast("x", "y", "model_b", battle_id="b", round=1, supersedes=first)
        assert (await at.board.board(Query())).votes == 0
        at.live = set()
        board = await at.board.board(Query())
        assert board.votes == 1 and board.excluded == {"superseded": 1}
        assert ratings(board).loc["y", "wins"] == 1

    played(tmp_path, scene)


def test_exclusions_are_counted_by_their_reason(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        await at.cast("x", "y", "model_a")
        for reason in ("identity", "identity", "abuse"):
            await at.cast("x", "y", "model_b", excluded_reason=reason)
        board = await at.board.board(Query())
        assert board.votes == 1 and board.excluded == {"identity": 2, "abuse": 1}
        assert (await at.board.statistics()).excluded == {"identity": 2, "abuse": 1}
        await at.cast("x", "y", "model_a", excluded_reason="judge", channel="judge")
        told = await at.board.statistics()
        assert told.excluded["judge"] == 1 and told.battles == 4, "nobody fought it"

    played(tmp_path, scene)


def test_slices_and_methods_are_answered_from_the_same_votes(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        for number in range(12):
            topic = "law" if number % 2 else "code"
            when = datetime(2026, 5, 1 + number, 12, tzinfo=UTC)
            await at.cast("x", "y", OUTCOMES[number % 6], topic=topic, timestamp=when)
        for query in (
            Query(Slice(topic="law")),
            Query(Slice(since=datetime(2026, 5, 4, tzinfo=UTC))),
            Query(method=Method(ties="drop", bad="drop")),
            Query(covariates=("seat",)),
        ):
            kept, fresh = await at.board.board(query), await at.fresh(query)
            pd.testing.assert_frame_equal(ratings(kept), ratings(fresh), rtol=1e-9)
            assert kept.votes == fresh.votes > 0
        assert (await at.board.board(Query(Slice(topic="law")))).votes == 6
        assert not (await at.board.board(Query(covariates=("seat",)))).effects.empty

    played(tmp_path, scene)


def test_few_answers_are_kept_whatever_is_asked_those_that_were_asked_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may ask for the votes of raters who never were, as long as nobody votes."""
    monkeypatch.setattr(scoreboard, "ANSWERS", 8)

    async def scene(at: Scene) -> None:
        for winner in OUTCOMES:
            await at.cast("x", "y", winner)

        async def asked(rater: str) -> pd.DataFrame:
            return (await at.board.board(Query(Slice(rater=rater)))).standings

        often = await asked("rater-1")
        told = []
        for number in range(2 * scoreboard.ANSWERS):
            told.append(weakref.ref(await asked(f"nobody-{number}")))
            assert await asked("rater-1") is often, "what is asked often is not counted again"
        gc.collect()
        kept = [number for number, answer in enumerate(told) if answer() is not None]
        assert kept == list(range(len(told)))[-scoreboard.ANSWERS + 1 :]
        assert await asked(f"nobody-{kept[0]}") is told[kept[0]]()

    played(tmp_path, scene)


def test_votes_whose_style_nobody_knows_are_left_out_of_what_is_corrected_for_it(
    tmp_path: Path,
) -> None:
    async def scene(at: Scene) -> None:
        for winner in OUTCOMES:
            await at.cast("x", "y", winner)
        style = Query(covariates=("length", "bold"))
        before = await at.board.board(style)
        await at.cast("x", "z", "model_b", conv_metadata={})
        after = await at.board.board(style)
        assert after.excluded == {"unmeasured": 1} and after.votes == before.votes == len(OUTCOMES)
        pd.testing.assert_frame_equal(ratings(after), ratings(before))
        assert len((await at.board.panels(Query())).style) == 4
        plain = await at.board.board(Query())
        assert plain.votes == len(OUTCOMES) + 1 and not plain.excluded

    played(tmp_path, scene)


def test_panels_tell_days_without_gaps_and_what_can_be_chosen(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        assert (await at.board.panels(Query())).days.empty
        for day in (1, 1, 4):
            await at.cast(
                "x",
                "y",
                "model_a",
                study=f"study-{day}",
                timestamp=datetime(2026, 5, day, 9, tzinfo=UTC),
            )
        panels = await at.board.panels(Query())
        assert panels.days["votes"].tolist() == [2, 0, 0, 1]
        assert panels.choices["study"] == ("study-1", "study-4")
        assert set(panels.speeds.index) == {"x", "y"}
        assert set(panels.order["covariate"]) == {"seat", "incumbent"}

    played(tmp_path, scene)


def test_nothing_new_is_the_same_version(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        start = await at.board.version()
        assert await at.board.version() == start
        await at.cast("x", "y", "model_a")
        once = await at.board.version()
        assert once != start
        assert await at.board.version() == once

    played(tmp_path, scene)


def test_a_battle_has_moved_its_contenders(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        await at.cast("x", "y", "model_a")
        await at.cast("z", "y", "model_a", battle_id="new")
        z, y = moved = await at.board.movement("new")
        assert (z.contender, y.contender) == ("z", "y")
        assert z.rating_before is None and z.rating_after and z.rating_after > 1000
        assert await at.board.movement("new") == moved
        assert (await at.board.board(Query())).votes == 2

    played(tmp_path, scene)


def test_how_a_battle_moved_is_told_of_the_votes_that_were_read_of_it(tmp_path: Path) -> None:
    """One is taken back after the battle's rows were read, before the counts were touched."""

    async def scene(at: Scene) -> None:
        await at.cast("x", "y", "tie")
        first = await at.cast("z", "y", "model_a", battle_id="new", round=1)
        await at.board.board(Query())
        read = at.ledger.votes_on

        async def meanwhile(battle: str) -> Sequence[Vote]:
            votes = await read(battle)
            at.ledger.votes_on = read  # type: ignore[method-assign]
            await at.cast("z", "y", "model_b", battle_id="new", round=1, supersedes=first)
            return votes

        at.ledger.votes_on = meanwhile  # type: ignore[method-assign]
        z, y = await at.board.movement("new")
        assert (z.contender, y.contender) == ("z", "y"), "by the first vote"
        y, z = moved = await at.board.movement("new")
        assert (y.contender, z.contender) == ("y", "z")
        assert y.rating_after and z.rating_after and z.rating_after < 1000 < y.rating_after
        assert z.rating_before is None
        assert await at.board.movement("new") == moved

    played(tmp_path, scene)


@pytest.mark.parametrize("known", ["nothing", "the others", "one vote of it", "it is held back"])
def test_how_a_battle_moved_is_the_same_however_much_of_it_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    monkeypatch.setattr(scoreboard, "STALE_S", 1e9)
    monkeypatch.setattr(scoreboard, "FRESH_S", 1e9)

    async def scene(at: Scene) -> None:
        for winner in OUTCOMES:
            await at.cast("x", "y", winner)
        if known != "nothing":
            await at.board.board(Query())
        if known == "it is held back":
            at.live.add("new")
        first = await at.cast("z", "y", "model_a", battle_id="new", round=1)
        if known in ("one vote of it", "it is held back"):
            await at.board.board(Query())
        await at.cast("z", "x", "model_a", battle_id="new", round=2)
        await at.cast("z", "y", "tie", battle_id="new", round=1, supersedes=first)
        at.live.clear()
        moved = await at.board.movement("new")
        await at.board.board(Query())
        assert [each.contender for each in moved] == ["z", "x", "y"]
        assert moved[0].rating_before is None and moved[1].rating_before
        for here, after in zip(moved, await at.board.movement("new"), strict=True):
            assert here.contender == after.contender and here.rank_after == after.rank_after
            assert here.rating_after == pytest.approx(after.rating_after)
            assert here.rating_before == pytest.approx(after.rating_before)

    played(tmp_path, scene)


def test_a_reveal_does_not_fail_where_its_votes_were_just_included_again(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        await at.cast("x", "y", "model_a", battle_id="new", rater="ann")
        await at.cast("x", "y", "model_b", rater="bob")
        for excluded in (True, False):
            await at.board.board(Query())
            await at.ledger.exclude([Exclusion("rater", "ann", excluded, "", datetime.now(UTC))])
        assert {moved.contender for moved in await at.board.movement("new")} == {"x", "y"}
        assert (await at.board.board(Query())).votes == 2

    played(tmp_path, scene)


def test_the_counts_are_free_while_the_rows_of_a_battle_are_read(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        await at.cast("x", "y", "model_a", battle_id="new")
        read, asked, go_on = at.ledger.votes_on, asyncio.Event(), asyncio.Event()

        async def slowly(battle: str) -> Sequence[Vote]:
            asked.set()
            await go_on.wait()
            return await read(battle)

        at.ledger.votes_on = slowly  # type: ignore[method-assign]
        moving = asyncio.create_task(at.board.movement("new"))
        await asked.wait()
        async with asyncio.timeout(10):
            assert await at.board.votes() == {"x": 1, "y": 1}
        go_on.set()
        assert {each.contender for each in await moving} == {"x", "y"}

    played(tmp_path, scene)


def test_who_draws_does_not_wait_for_what_is_being_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting, go_on = threading.Event(), threading.Event()
    fold = Counts.fold

    def slowly(counts: Counts, votes: pd.DataFrame, sign: int = 1) -> None:
        fold(counts, votes, sign)
        counting.set()
        assert go_on.wait(10)

    async def scene(at: Scene) -> None:
        await at.cast("x", "y", "model_a")
        assert await at.board.votes() == {"x": 1, "y": 1}
        await at.cast("x", "z", "model_a", battle_id="new")
        monkeypatch.setattr(reckoning, "ROWS", 0)
        monkeypatch.setattr(scoreboard, "FRESH_S", 1e9)
        monkeypatch.setattr(Counts, "fold", slowly)
        asked = asyncio.create_task(at.board.version())
        assert await asyncio.to_thread(counting.wait, 10)
        assert await at.board.votes() == {"x": 1, "y": 1}
        go_on.set()
        await asked
        assert await at.board.votes() == {"x": 2, "y": 1, "z": 1}

    played(tmp_path, scene)


def test_what_a_failing_or_broken_off_read_has_not_kept_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def slowly(chunk: pd.DataFrame) -> pd.DataFrame:
        reading.set()
        assert go_on.wait(10)
        raise ValueError("unreadable")

    async def scene(at: Scene) -> None:
        await at.cast("x", "y", "model_a")
        with monkeypatch.context() as patch:
            patch.setattr(effects, "style_columns", slowly)
            asking = asyncio.create_task(at.board.statistics())
            await asyncio.to_thread(reading.wait, 10)
            asking.cancel()
            waiting = asyncio.create_task(at.board.version())
            await asyncio.sleep(0)
            assert not waiting.done(), "nobody begins before what was begun has ended"
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await waiting
            with pytest.raises(ValueError, match="unreadable"):
                await at.board.statistics()
        assert (await at.board.statistics()).votes == 1

    played(tmp_path, scene)


def test_whoever_left_the_roster_is_not_shown_and_their_votes_count(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        for _ in range(3):
            await at.cast("x", "y", "model_a")
            await at.cast("y", "z", "model_a")
        assert (await at.board.board(Query())).retired == frozenset(), "no hosts are known yet"
        at.roster = tuple(Contender(name, name) for name in "xz")
        whole = await at.board.board(Query())
        assert whole.retired == {"y"} and whole.votes == 6
        seen = whole.without_retired()
        assert list(seen.standings["contender"]) == ["x", "z"]
        assert not set(seen.neighbours["upper"]) & {"y"} | set(seen.neighbours["lower"]) & {"y"}
        gap = seen.standings.set_index("contender")["rating"]
        assert gap["x"] > gap["z"], "they are compared by way of y"
        at.roster = (Contender("new", "new"),)
        assert (await at.board.board(Query())).retired == frozenset(), "else nobody would be seen"

    played(tmp_path, scene)


def test_whoever_plays_does_not_wait_for_what_a_reviewer_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, goes_on, scrutinised = threading.Event(), threading.Event(), scoreboard.scrutinised

    def long(*given: Any) -> Any:
        begun.set()
        assert goes_on.wait(10)
        return scrutinised(*given)

    monkeypatch.setattr(scoreboard, "scrutinised", long)

    async def scene(at: Scene) -> None:
        await at.cast("x", "y", "model_a", battle_id="first")
        asked = asyncio.create_task(at.board.scrutiny(Query()))
        await asyncio.to_thread(begun.wait, 10)
        await at.cast("x", "z", "model_b", battle_id="second")
        async with asyncio.timeout(5):
            assert (await at.board.board(Query())).votes == 2
            assert len(await at.board.movement("second")) == 2
            assert await at.board.last() == 2
        goes_on.set()
        assert (await asked).votes == 1, "what was asked of"
        assert (await at.board.scrutiny(Query())).votes == 2

    played(tmp_path, scene)


def test_a_reviewer_is_told_no_id_that_opens_a_battle(tmp_path: Path) -> None:
    """But the name that a public file has for it."""

    async def scene(at: Scene) -> None:
        for number in range(3):
            await at.cast("x", "y", "model_a", battle_id=f"secret-{number}")
        await at.cast("x", "y", "model_b", battle_id="secret-3")
        told = await at.board.scrutiny(Query())
        pieces = [piece async for piece in at.board.export("csv")]
        file = pd.read_csv(BytesIO(b"".join(pieces)))
        named = {name for names in told.fragility["which"] for name in names}
        assert named and named <= set(file["battle_id"])

    played(tmp_path, scene)
