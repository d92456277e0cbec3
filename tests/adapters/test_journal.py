"""Battles are found again after a process was killed, as they were after their last acknowledged
move; those of a process that lives are its own."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arena import settings as config
from arena.adapters.battles import CALM_S, KEEP_S
from arena.adapters.journal import Journal, living
from arena.adapters.parking import Parked, park
from arena.compose.stores import MemoryStores, arenas_on, stores_of
from arena.core.battle.entities import Battle, Format, Origin, Phase
from arena.core.battle.rules import answers, open_battle, void, vote
from arena.core.battle.view import State
from arena.core.battle.view import state as state_of
from arena.core.codec import line
from arena.core.ports import Battles, Delta, Event
from tests.adapters.ledgers import program
from tests.core.battle.play import contenders, drop, opened, reply, voted

SAVES = """
import asyncio, sys
from pathlib import Path
from arena.adapters.journal import Journal
from arena.core.battle.entities import Format
from tests.core.battle.play import opened
journal = Journal(Path(sys.argv[1]), lambda: [])
journal.keep(1.0, opened(3, Format.KNOCKOUT))
journal.keep(2.0, opened(3, Format.ELIMINATION))
print("kept", flush=True)
sys.stdin.read()
"""

FULL = """
import os, resource, sys
from dataclasses import replace
from pathlib import Path
from arena.adapters.journal import Journal
from arena.core.battle.entities import Battle, Format
from arena.core.codec import line
from tests.core.battle.play import opened

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def kept(*names):
    return [journal.keep(1.0, replace(battle, id=name)) for name in names]

place, battle = Path(sys.argv[1]), opened(3, Format.ELIMINATION)
goes_on = 1.0, line(replace(battle, id="goes on"), Battle)
journal = Journal(place, lambda: [goes_on])
before = len(os.listdir("/dev/fd"))
for room in (0, 100):
    limit(room)
    assert kept("never") * 20 == [False] * 20
assert len(os.listdir("/dev/fd")) == before
assert not list(place.parent.iterdir())
limit(resource.RLIM_INFINITY)
assert kept("before") == [True]
limit(journal._own.stat().st_size + 700)
assert kept("short", "none") == [False] * 2
limit(resource.RLIM_INFINITY)
assert kept("after", "last") == [True] * 2
"""

CROWDED = """
import asyncio, resource, sys
from dataclasses import replace
from pathlib import Path
import arena.adapters.journal
from arena import settings as config
from arena.adapters.battles import CALM_S
from arena.compose.stores import MemoryStores
from arena.core.battle.entities import Format
from arena.core.errors import StoreFault
from tests.core.battle.play import drop, opened, voted

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def save(battle, *names):
    for name in names:
        now[0] += CALM_S
        await battles.save(replace(battle, id=name, version=1, prompts=("?" * 9000,)))

async def main():
    names = [f"over {number}" for number in range(200)]
    await save(under_way, "calm")
    await save(over, *names[:100])
    limit(400_000)
    arena.adapters.journal.LARGEST = stores._journal._largest = 1000
    await save(over, *names[100:])
    limit(resource.RLIM_INFINITY)
    for name in names:
        assert (await battles.load(name)).id == name
    now[0] += CALM_S
    await save(under_way, "last")
    limit(400_000)
    await save(over, *(f"more {number}" for number in range(100)))
    try:
        await battles.load("calm")
    except StoreFault:
        print("no room")
    await stores.close()

settings = config.load({}, None, DATABASE_URL=f"sqlite:///{sys.argv[1]}")
stores, now = MemoryStores(settings, lambda battle_id: None), [0.0]
battles = stores.battles
battles._clock = lambda: now[0]
under_way = opened(3, Format.ELIMINATION)
over = voted(under_way, drop("A"), drop("B"))
asyncio.run(main())
"""

OPENED = open_battle("battle", Format.ELIMINATION, contenders(3), "Why?", 0)
ANSWERED = opened(3, Format.ELIMINATION)


def killed(place: Path) -> subprocess.Popen[str]:
    """A process that kept two moves of a battle."""
    there = program(SAVES, place)
    assert there.stdout and there.stdout.readline() == "kept\n"
    return there


@pytest.mark.parametrize("name", ["arena.db.moves", "study-[pilot]*?.db.moves"])
def test_what_a_killed_process_kept_is_found_once_and_what_a_living_one_keeps_is_left(
    tmp_path: Path, name: str
) -> None:
    place = tmp_path / name
    journal = Journal(place, list)
    there = killed(place)
    try:
        assert journal.take_up() == [] and living(place) == 1
    finally:
        there.kill()
        there.communicate()
    ((moved, found),) = journal.take_up()
    assert (moved, found.id, found.phase) == (2.0, OPENED.id, Phase.VOTING)
    assert journal.take_up() == []
    journal.close()
    assert not list(tmp_path.iterdir())


def test_what_was_found_is_found_again_by_the_next_if_nothing_more_was_done(tmp_path: Path) -> None:
    """Also if the process is killed in the moment that it has found it."""
    journal = Journal(tmp_path / "moves", list)
    there = killed(tmp_path / "moves")
    there.kill()
    there.communicate()
    found = journal.take_up()
    (file,) = tmp_path.iterdir()
    (tmp_path / "moves.1-dead").write_bytes(file.read_bytes())
    assert Journal(tmp_path / "moves", list).take_up() == found != []
    journal.close()


def test_a_battle_that_was_decided_is_found_too_as_its_reveal_may_still_be_asked_for(
    tmp_path: Path,
) -> None:
    dead = Journal(tmp_path / "moves", list)
    decided = voted(ANSWERED, drop("A"), drop("B"))
    dead.keep(1.5, decided)
    (file,) = tmp_path.iterdir()
    (tmp_path / "moves.1-dead").write_bytes(file.read_bytes())
    dead.close()
    assert decided.phase is Phase.DECIDED
    assert Journal(tmp_path / "moves", list).take_up() == [(1.5, decided)]


def test_what_an_older_arena_kept_without_the_time_of_its_move_is_taken_for_new(
    tmp_path: Path,
) -> None:
    (tmp_path / "moves.1-dead").write_text(line(ANSWERED, Battle) + "\n")
    before = time.time()
    ((moved, found),) = Journal(tmp_path / "moves", list).take_up()
    assert found == ANSWERED and before <= moved <= time.time()


def test_a_line_that_was_cut_off_costs_only_that_move(tmp_path: Path) -> None:
    place = tmp_path / "moves"
    dead = Journal(place, list)
    dead.keep(1.5, OPENED)
    (file,) = tmp_path.iterdir()
    left = tmp_path / "moves.1-dead"
    left.write_bytes(file.read_bytes() + file.read_bytes()[:40])
    dead.close()
    assert Journal(place, list).take_up() == [(1.5, OPENED)]


def test_a_disk_that_is_full_costs_no_move_that_was_kept_before_or_after_and_no_file(
    tmp_path: Path,
) -> None:
    with program(FULL, tmp_path / "moves") as full:
        full.communicate()
    assert full.returncode == 0
    found = Journal(tmp_path / "moves", list).take_up()
    assert [battle.id for _, battle in found] == ["goes on", "before", "after", "last"]


@pytest.mark.slow
def test_while_there_is_no_room_for_calm_battles_others_go_on_and_none_is_lost(
    tmp_path: Path,
) -> None:
    place = tmp_path / "arena"
    with program(CROWDED, place) as crowded:
        assert crowded.communicate()[0] == "no room\n"
    assert crowded.returncode == 0
    settings = config.load({}, None, DATABASE_URL=f"sqlite:///{place}")
    after = MemoryStores(settings, lambda _: None)
    after.take_up()
    assert set(after.battles._battles) == {"calm", "last"}


def test_the_file_is_written_anew_with_what_goes_on_and_only_its_owner_may_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.adapters.journal.LARGEST", 5000)
    kept = [(1.0, line(OPENED, Battle))]
    journal = Journal(tmp_path / "moves", lambda: kept)
    for _ in range(50):
        journal.keep(1.0, OPENED)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size < 20_000 and file.stat().st_mode & 0o077 == 0
    journal.close()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_lets_battles_go_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    Journal(tmp_path / "file" / "moves", list).keep(1.0, OPENED)


def left_by(stores: MemoryStores) -> None:
    """As if its process had been killed: its lock is gone, and nothing was put in order."""
    journal = stores._journal
    place = journal._own.with_name("arena.db.moves.1-dead")
    place.write_bytes(journal._own.read_bytes())
    journal.close()


@pytest.mark.parametrize(
    ("battle", "phase"),
    [(OPENED, Phase.VOID), (ANSWERED, Phase.VOTING), (voted(ANSWERED, drop("A")), Phase.VOTING)],
    ids=["being answered", "to be judged", "judged once"],
)
def test_after_a_crash_a_battle_goes_on_or_is_void_and_its_pages_are_told(
    tmp_path: Path, battle: Battle, phase: Phase
) -> None:
    settings = config.load({}, None, DATABASE_URL=f"sqlite:///{tmp_path / 'arena.db'}")

    async def told(stores: MemoryStores, after: int) -> list[Event]:
        async for batch in stores.feed.follow(battle.id, after):
            return [event for _, event in batch]
        return []

    async def scene() -> None:
        before, after = (stores_of(settings, lambda _: None) for _ in range(2))
        assert isinstance(before, MemoryStores) and isinstance(after, MemoryStores)
        before.battles.take_up(battle)
        before._keep(time.time(), battle)
        left_by(before)
        after.take_up()
        found = await after.battles.load(battle.id)
        assert found.phase is phase
        assert battle.id in await after.battles.unrevealed(), "no vote of it is given away"
        everything = await told(after, 0)
        assert any(isinstance(event, Delta) for event in everything) == bool(
            battle.seats[0].replies
        )
        assert await told(after, 57) == everything, "nobody knows how much of it a page had"
        state = everything[-1]
        assert isinstance(state, State) and state.phase == phase.value
        await after.close()
        another = stores_of(settings, lambda _: None)
        another.take_up()
        assert battle.id in await another.battles.unrevealed(), "also after an ordinary restart"
        await another.close()

    asyncio.run(scene())


@pytest.mark.parametrize("ends", [left_by, MemoryStores.close], ids=["killed", "stopped"])
def test_what_was_taken_up_is_found_again_after_a_kill_however_much_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ends: Callable[[MemoryStores], Coroutine[Any, Any, None] | None],
) -> None:
    monkeypatch.setattr("arena.adapters.journal.LARGEST", 10_000)
    settings = config.load({}, None, DATABASE_URL=f"sqlite:///{tmp_path / 'arena.db'}")
    many = {f"battle {number}" for number in range(30)}

    async def scene() -> None:
        for starts in range(3):
            stores = stores_of(settings, lambda _: None)
            assert isinstance(stores, MemoryStores)
            stores.take_up()
            for id in () if starts else many:
                battle = replace(ANSWERED, id=id)
                stores.battles.take_up(battle)
                stores._keep(time.time(), battle)
            assert await stores.battles.unrevealed() == many
            if ended := (left_by if starts else ends)(stores):
                await ended
        there = stores_of(settings, lambda _: None)
        assert isinstance(there, MemoryStores)
        there.take_up()
        small = there._journal._own.stat().st_size
        for _ in range(200):
            there._keep(time.time(), ANSWERED)
        assert there._journal._own.stat().st_size < 3 * small, "and is written anew as before"
        await there.close()

    asyncio.run(scene())


def test_what_cannot_be_put_aside_at_an_orderly_end_is_found_as_after_a_crash(
    tmp_path: Path,
) -> None:
    settings = config.load({}, None, DATABASE_URL=f"sqlite:///{tmp_path / 'arena.db'}")
    in_the_way = tmp_path / "arena.db.parked.new"

    async def scene() -> None:
        stores = stores_of(settings, lambda _: None)
        await stores.battles.save(OPENED)
        in_the_way.mkdir()
        await stores.close()
        in_the_way.rmdir()
        for _ in range(2):
            stores = stores_of(settings, lambda _: None)
            stores.take_up()
            assert await stores.battles.unrevealed() == {OPENED.id}
            await stores.close()

    asyncio.run(scene())
    assert [file.name for file in tmp_path.iterdir()] == ["arena.db.parked"]


@pytest.mark.parametrize("decided", [False, True], ids=["under way", "decided"])
@pytest.mark.parametrize("ends", [left_by, MemoryStores.close], ids=["killed", "stopped"])
def test_a_battle_is_found_by_its_key_and_by_the_name_that_no_later_one_has(
    tmp_path: Path, ends: Callable[[MemoryStores], Coroutine[Any, Any, None] | None], decided: bool
) -> None:
    """decided: the later one, by when the file of moves is written anew. Then it is not found."""
    settings = config.load({}, None, DATABASE_URL=f"sqlite:///{tmp_path / 'arena.db'}")

    async def open_(battles: Battles, id: str, key: str) -> Battle:
        await battles.first(key, id)
        battle = replace(OPENED, id=id, origin=Origin(key=key, alias="mine"))
        await battles.save(battle)
        return battle

    async def scene() -> None:
        for starts in range(3):
            stores = stores_of(settings, lambda _: None)
            assert isinstance(stores, MemoryStores)
            stores.take_up()
            battles = stores.battles
            if not starts:
                opened_ = []
                for id in ("calm", "first", "last"):
                    opened_.append(await open_(battles, id, f"{id}'s"))
                    await battles.name("mine", id)
                calm, first, last = (answers(b, {s: [reply()] for s in b.live}) for b in opened_)
                await battles.save(calm)
                stores.battles._clock = lambda: time.monotonic() + CALM_S
                await battles.save(last)
                if decided:
                    for letter in ("A", "B"):
                        last = vote(last, last.round, drop(letter), f"ballot-{letter}")
                        await battles.save(last)
                # Others are moved last: an earlier one, and one whose opening took too long.
                await battles.save(first)
                await battles.save(void(await open_(battles, "late", "last's"), "Too late."))
                stores._journal._begin()
                assert "calm" not in stores.battles._battles
            kept = not (decided and starts)
            assert await battles.named("mine") == ("last" if kept else "")
            assert await battles.first("last's", "another") == ("last" if kept else "another")
            assert await battles.first("first's", "another") == "first"
            assert await battles.first("calm's", "another") == "calm"
            if ended := ends(stores):
                await ended

    asyncio.run(scene())


def test_a_battle_that_nobody_moves_is_forgotten_however_often_the_arena_is_killed(
    tmp_path: Path,
) -> None:
    settings = config.load({}, None, DATABASE_URL=f"sqlite:///{tmp_path / 'arena.db'}")

    async def scene() -> None:
        held = []
        for starts in range(5):
            stores = stores_of(settings, lambda _: None)
            assert isinstance(stores, MemoryStores)
            stores.take_up()
            if not starts:
                almost = time.time() - KEEP_S + 60
                stores.battles.take_up(ANSWERED, almost)
                stores._keep(almost, ANSWERED)
            if starts == 4:
                stores.battles._clock = lambda: time.monotonic() + 61
            held.append({*await stores.battles.unrevealed()})
            left_by(stores)
        assert held == [{ANSWERED.id}] * 4 + [set()]

    asyncio.run(scene())


def test_an_arena_is_told_of_another_on_its_ledger_before_either_has_a_battle(
    tmp_path: Path,
) -> None:
    settings = config.load({}, None, DATABASE_URL=f"sqlite:///{tmp_path / 'arena.db'}")

    async def scene() -> None:
        first, second, third = (stores_of(settings, lambda _: None) for _ in range(3))
        first.take_up()
        assert not first.apart and await arenas_on(settings) == 1
        second.take_up()
        assert first.apart and second.apart and await arenas_on(settings) == 2
        # Whoever looks takes nothing away from whoever is there.
        assert await arenas_on(settings) == 2
        await first.close()
        assert not second.apart
        await second.close()
        third.take_up()
        assert not third.apart
        await third.close()

    asyncio.run(scene())
    assert asyncio.run(arenas_on(settings)) == 0 and not list(tmp_path.iterdir())


POSTGRESQL = "postgresql+psycopg://arena:{password}@localhost/{database}"


def test_arenas_on_different_databases_leave_each_other_what_they_put_aside(tmp_path: Path) -> None:
    """Both of one user, so that they share the folder; that of one database finds its own also
    under a new password."""

    def started(database: str, secret: str) -> MemoryStores:
        url = POSTGRESQL.format(password=secret, database=database)
        stores = stores_of(
            config.load({}, None, DATABASE_URL=url, ARENA_CACHE=str(tmp_path)), lambda _: None
        )
        assert isinstance(stores, MemoryStores)
        stores.take_up()
        return stores

    async def scene() -> None:
        first, second = started("first", "old"), started("second", "old")
        await first.battles.save(replace(OPENED, id="first"))
        await second.battles.save(replace(OPENED, id="second"))
        await first.close()
        crashed = second._journal._own
        left = crashed.read_bytes()
        second._journal.close()
        crashed.with_name(crashed.name.rsplit("-", 1)[0] + "-dead").write_bytes(left)
        for database in ("first", "second"):
            stores = started(database, "new")
            assert await stores.battles.unrevealed() == {database}
            await stores.close()

    asyncio.run(scene())


def test_battles_of_a_database_are_found_however_it_is_reached_but_not_those_of_its_copy(
    tmp_path: Path,
) -> None:
    reached = "arena@127.0.0.1/first", "other:secret@localhost/first?sslmode=prefer"

    def stores_at(place: str) -> MemoryStores:
        url = f"postgresql+psycopg://{place}"
        settings = config.load({}, None, DATABASE_URL=url, ARENA_CACHE=str(tmp_path))
        return stores_of(settings, lambda _: None)

    async def started(place: str, key: bytes = b"first") -> MemoryStores:
        stores = stores_at(place)
        await stores.check(key)
        stores.take_up()
        return stores

    async def scene() -> None:
        older = stores_at(reached[0])
        older.take_up()
        await older.battles.save(OPENED)
        await older.close()
        for place in reached:
            stores = await started(place)
            assert not stores.apart
            for others in (("arena@127.0.0.1/copy",), (place, b"another's")):
                apart = await started(*others)
                assert not await apart.battles.unrevealed() and not apart.apart
                await apart.close()
            second = await started(reached[0])
            assert stores.apart and second.apart
            await second.close()
            assert await stores.battles.unrevealed() == {OPENED.id}
            await stores.close()

    asyncio.run(scene())


def test_by_a_link_a_ledger_is_the_same_and_so_are_its_battles(tmp_path: Path) -> None:
    (tmp_path / "arena.db").symlink_to(tmp_path / "volume" / "arena.db")
    places = tmp_path / "arena.db", tmp_path / "volume" / "arena.db"
    by_link, real = (config.load({}, None, DATABASE_URL=f"sqlite:///{p}") for p in places)
    park(tmp_path / "arena.db.parked", [Parked(replace(OPENED, id="parked"), ())])

    async def scene() -> None:
        first, second = (stores_of(settings, lambda _: None) for settings in (by_link, real))
        first.take_up()
        assert await first.battles.unrevealed() == {"parked"}, "an older arena left it by the link"
        second.take_up()
        assert first.apart and second.apart and await arenas_on(by_link) == 2
        await first.close()
        await second.close()
        third = stores_of(real, lambda _: None)
        third.take_up()
        assert await third.battles.unrevealed() == {"parked"}
        await third.close()

    asyncio.run(scene())


def test_what_an_older_arena_left_in_the_one_place_for_all_databases_is_found_by_the_first(
    tmp_path: Path,
) -> None:
    url = POSTGRESQL.format(password="old", database="first")
    settings = config.load({}, None, DATABASE_URL=url, ARENA_CACHE=str(tmp_path))
    park(tmp_path / "battles.parked", [Parked(replace(OPENED, id="parked"), ())])
    (tmp_path / "battles.moves.1-dead").write_text(line(OPENED, Battle) + "\n")

    async def scene() -> None:
        for found in ({"parked", OPENED.id}, set()):
            stores = stores_of(settings, lambda _: None)
            stores.take_up()
            assert await stores.battles.unrevealed() == found
            for battle in found:
                await stores.battles.save(decided(await stores.battles.load(battle)))
            await stores.close()

    def decided(battle: Battle) -> Battle:
        return replace(battle, phase=Phase.DECIDED, version=battle.version + 1)

    asyncio.run(scene())
    assert not list(tmp_path.iterdir())


def test_a_page_is_told_how_things_are_after_each_of_several_crashes_and_restarts(
    tmp_path: Path,
) -> None:
    settings = config.load({}, None, DATABASE_URL=f"sqlite:///{tmp_path / 'arena.db'}")

    async def last(stores: MemoryStores) -> int:
        async for batch in stores.feed.follow(ANSWERED.id):
            return batch[-1][0]
        return 0

    async def scene() -> None:
        numbers = [0]
        for crashes in (True, True, False, True):
            stores = stores_of(settings, lambda _: None)
            assert isinstance(stores, MemoryStores)
            stores.take_up()
            if len(numbers) == 1:
                stores.battles.take_up(ANSWERED)
                stores._keep(time.time(), ANSWERED)
            await stores.feed.publish(ANSWERED.id, state_of(ANSWERED))
            numbers.append(await last(stores))
            assert numbers[-1] > numbers[-2]
            await asyncio.sleep(0.002)
            if crashes:
                left_by(stores)
            else:
                await stores.close()

    asyncio.run(scene())
