"""Battles put aside at the end of a process are there for the next one, once and unharmed."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from arena.adapters.battles import MemoryBattles
from arena.adapters.feed import MemoryFeed
from arena.adapters.parking import Parked, park, unpark
from arena.core.battle.entities import Battle, Format
from arena.core.battle.view import state
from arena.core.ports import Delta, Piece
from tests.core.battle.play import drop, opened, voted


def parked() -> Parked:
    battle = voted(opened(3, Format.KNOCKOUT), drop("A"))
    events = (state(battle), Delta((Piece("B", 0, "half a “word\n🙂"),)))
    return Parked(battle, events, moved=1.5)


def test_what_is_put_aside_comes_back_the_same_and_once(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "battles.parked"
    park(file, [parked(), parked()])
    assert unpark(file) == [parked(), parked()]
    assert unpark(file) == []


def test_what_an_older_arena_put_aside_without_the_time_of_its_move_is_taken_for_new(
    tmp_path: Path,
) -> None:
    file = tmp_path / "battles.parked"
    park(file, [parked()])
    file.write_text(file.read_text().replace(', "moved": 1.5', ""))
    before = time.time()
    (found,) = unpark(file)
    assert before <= found.moved <= time.time()
    assert replace(found, moved=1.5) == parked()


def test_what_several_processes_put_aside_at_once_is_all_there(tmp_path: Path) -> None:
    file = tmp_path / "battles.parked"
    with ThreadPoolExecutor(8) as processes:
        list(processes.map(lambda _: park(file, [parked(), parked()]), range(8)))
        taken = list(processes.map(unpark, [file] * 8))
    assert sorted(map(len, taken)) == [0] * 7 + [16]


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "battles.parked"
    park(file, [parked()])
    assert file.stat().st_mode & 0o077 == 0


def test_nothing_under_way_leaves_no_file(tmp_path: Path) -> None:
    park(tmp_path / "battles.parked", [])
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_set_aside_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "battles.parked"
    for damaged in ("{", '{"battle": 1}', ""):
        file.write_text(damaged)
        assert unpark(file) == []
        assert not file.exists() and Path(f"{file}.unreadable").read_text() == damaged
    assert "name-0" not in caplog.text and "cannot be read" in caplog.text


def test_one_that_cannot_be_read_costs_none_of_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, aside = tmp_path / "battles.parked", tmp_path / "battles.parked.unreadable"
    newer, binary = b'{"battle": "of a newer arena"}', b"\xff\x00\xfe"
    park(file, [parked()])
    file.write_bytes(b"\n".join((newer, file.read_bytes(), binary)))
    park(file, [parked()])
    assert unpark(file) == [parked(), parked()]
    assert aside.read_bytes() == newer + b"\n" + binary
    assert aside.stat().st_mode & 0o077 == 0 and not file.exists()
    assert "2 battles put aside cannot be read" in caplog.text


def test_what_there_is_room_for_only_without_the_file_is_kept_once_that_is_gone(
    tmp_path: Path,
) -> None:
    file, tried = tmp_path / "battles.parked", []

    def kept(moved: float, battle: Battle) -> bool:
        tried.append((moved, battle.id, not file.exists()))
        return not file.exists()

    park(file, [parked()])
    assert unpark(file, kept) == [parked()]
    assert tried == [(1.5, parked().battle.id, gone) for gone in (False, True)]


def test_a_folder_that_cannot_be_written_is_told_and_not_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    park(Path("/proc/nowhere/battles.parked"), [parked()])
    assert "1 battles under way could not be put aside" in caplog.text


def test_what_is_taken_up_goes_on_and_is_an_orphan_where_replies_are_owed() -> None:
    async def scene() -> None:
        battles, feed, battle = MemoryBattles(), MemoryFeed(), parked().battle
        battles.take_up(battle)
        feed.take_up(battle.id, parked().events)
        assert await battles.load(battle.id) == battle
        assert await battles.under_way() == {battle.id}
        assert await battles.orphans() == (battle.id,), "replies are owed"
        assert await battles.claim(battle.id) and not await battles.orphans()
        assert await feed.publish(battle.id, parked().events[0]) == 3, "numbers go on"

    asyncio.run(scene())
