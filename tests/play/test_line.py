"""The line of new battles: begun in turn, with their places told, past nothing that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from arena.adapters.feed import MemoryFeed
from arena.core.battle.entities import Origin, Text
from arena.core.battle.view import State
from arena.core.errors import NoCapacity
from arena.core.ports import Delta, Queued
from arena.play.admission import RefereeRules
from arena.play.line import Line
from arena.play.stage import LEFT, TOO_LONG, Stage, StageRules
from arena.play.writer import Abandoned
from tests.fake_ollama import FakeOllama
from tests.play.test_stage import DONE, Scripted, Step, battle_of, now, played, writes
from tests.playing import MODELS, QUICK, Viewer, eventually, table

SECONDS: Mapping[str, Sequence[Sequence[Step]]] = {
    model: [[0.1, Text(model), 3.0, DONE]] for model in "xy"
}


class Watched:
    """A battle that somebody follows: what places it was told, and when it was written."""

    def __init__(self, name: str, line: Line, hosts: Scripted, version: int = 1) -> None:
        self.battle = replace(battle_of(hosts), id=name, version=version)
        self.feed = MemoryFeed()
        self.stage = Stage(hosts, self.feed, StageRules(), line, clock=now)
        self.places: list[int] = []
        self.written: list[float] = []
        self._told = asyncio.create_task(self._follow())
        self.playing = asyncio.create_task(self.stage.play(self.battle))

    async def _follow(self) -> None:
        async for batch in self.feed.follow(self.battle.id):
            for _, event in batch:
                if isinstance(event, State):
                    self.places.append(event.place)
                    assert event.place == 0 or {p.state for p in event.panes} == {"queued"}
                elif isinstance(event, Delta):
                    self.written.append(now())

    async def end(self) -> None:
        await asyncio.gather(self.playing, return_exceptions=True)
        await asyncio.sleep(0.01)
        self._told.cancel()
        await asyncio.gather(self._told, return_exceptions=True)


def test_past_what_there_is_room_for_battles_begin_in_turn_and_are_told_their_places() -> None:
    async def scene() -> list[Watched]:
        line, hosts = Line(1), Scripted(SECONDS)
        battles = [Watched(name, line, hosts) for name in ("first", "second", "third")]
        await asyncio.sleep(2.9)
        assert line.waiting == 2
        for battle in battles:
            await battle.end()
        assert line.waiting == 0
        return battles

    first, second, third = played(scene)
    assert set(first.places) == {0}
    assert [place for place in second.places if place] == [1]
    assert [place for place in third.places if place] == [2, 1]
    assert first.written[0] < second.written[0] < third.written[0]


def test_a_battle_that_goes_on_never_waits_and_takes_room() -> None:
    async def scene() -> tuple[Watched, Watched, Watched]:
        line, hosts = Line(1), Scripted(SECONDS)
        begun = Watched("begun", line, hosts)
        await asyncio.sleep(0.05)
        going_on = Watched("going on", line, hosts, version=4)
        new = Watched("new", line, hosts)
        for battle in (begun, going_on, new):
            await battle.end()
        return begun, going_on, new

    begun, going_on, new = played(scene)
    assert set(going_on.places) == {0}
    assert going_on.written[0] - begun.written[0] < 0.2
    assert new.written[0] >= going_on.written[-1]


def test_a_place_counts_those_who_wait_for_a_host() -> None:
    async def scene() -> Watched:
        line = Line(1)
        busy = Scripted({model: [[Queued(3), 4.0, *writes(model, 50)]] for model in "xy"})
        inside, new = Watched("inside", line, busy), Watched("new", line, busy)
        await asyncio.sleep(2)
        await inside.end()
        await new.end()
        return new

    assert max(played(scene).places) == 4


def test_new_battles_wait_while_many_replies_wait_for_a_host() -> None:
    """Those that came with it as well, before their replies can be seen in the queue of the hosts;
    what goes on never does."""

    async def scene() -> tuple[Watched, ...]:
        line = Line(9, longest=4)
        # As where hosts are shared through a Redis far away.
        busy = Scripted({model: [[0.15, Queued(4), 4.0, DONE]] for model in "xy"})
        hosts = Scripted(SECONDS)
        battles = (
            *(Watched(f"with it {n}", line, busy) for n in range(3)),
            Watched("new", line, hosts),
            Watched("going on", line, hosts, version=4),
        )
        await asyncio.sleep(1)
        assert line.waiting == 2
        for battle in battles:
            await battle.end()
        assert line.waiting == 0
        return battles

    *_, late, new, going_on = played(scene)
    assert set(going_on.places) == {0}
    assert max(late.places) == 5 and max(new.places) == 6
    assert going_on.written[0] < 4 < new.written[0] < 8, "as soon as there is room"


@pytest.mark.slow
def test_a_battle_that_has_begun_goes_on_however_many_wait(tmp_path: Path) -> None:
    async def scene() -> None:
        rules = RefereeRules(stage=replace(QUICK, queue=6, grace_s=60.0))
        async with FakeOllama(models=MODELS, warm=True, speed=20) as host:
            async with table(tmp_path, [host], rules=rules, slots=1) as at, at.battle() as begun:
                await begun.voting()
                host.fault("stall", frame=2, times=3)
                new = [await at.referee.open(f"{n}?") for n in range(12)]
                line = at.referee.rounds.line
                await eventually(lambda: line.waiting and at.pool.reports()[0].queue >= 6)
                await host.wait_for(lambda: host.stats.held == len(MODELS))
                await at.referee.follow_up(begun.battle, "And why?")
                await begun.until(lambda: begun.now.place > 6)
                host.release()
                await begun.voting()
                for battle in new:
                    async with Viewer(at.referee, battle.battle) as viewer:
                        await viewer.voting()

    asyncio.run(scene())


def test_whoever_leaves_the_line_makes_room_and_lets_nobody_write() -> None:
    async def scene() -> None:
        line, hosts = Line(1), Scripted(SECONDS)
        inside = Watched("inside", line, hosts)
        await asyncio.sleep(0.05)
        asked = len(hosts.asked)
        stage = Stage(hosts, MemoryFeed(), StageRules(grace_s=1.0), line, clock=now)
        with pytest.raises(Abandoned) as abandoned:
            await stage.play(battle_of(hosts))
        assert abandoned.value.reason == LEFT
        assert (len(hosts.asked), line.waiting) == (asked, 0)
        await inside.end()

    played(scene)


def test_a_battle_played_unattended_waits_in_line_for_longer_than_a_round_may_take() -> None:
    async def scene() -> None:
        line, hosts = Line(1), Scripted({model: [[Text(model), 20.0, DONE]] for model in "xy"})
        inside = Watched("inside", line, hosts)
        await asyncio.sleep(0.05)
        stage = Stage(hosts, MemoryFeed(), StageRules(total_s=6.0), line, clock=now)
        battle = replace(battle_of(hosts), origin=Origin(unattended=True))
        with pytest.raises(Abandoned) as abandoned:
            await stage.play(battle)
        assert (now() > 26, abandoned.value.reason) == (True, TOO_LONG), "that of its own round"
        await inside.end()

    played(scene)


@pytest.mark.slow
def test_a_battle_for_which_there_is_no_place_in_the_line_is_refused(tmp_path: Path) -> None:
    async def scene() -> None:
        rules = RefereeRules(longest_line=1, stage=StageRules(at_once=1))
        async with FakeOllama() as host, table(tmp_path, [host], rules=rules) as at:
            await at.referee.open("One?")
            await at.referee.open("Two?")
            await eventually(lambda: at.referee.rounds.line.waiting)
            with pytest.raises(NoCapacity, match="in line"):
                await at.referee.open("Three?")

    asyncio.run(scene())
