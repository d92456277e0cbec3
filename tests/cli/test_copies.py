"""verify, backup and restore as a person runs them, while an arena runs on the ledger."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena.adapters.ledger import SqlLedger, copies
from arena.core.errors import LedgerFault
from arena.core.ports import Exclusion
from tests.adapters.ledger_rows import ballot
from tests.cli.conftest import Run
from tests.exchange.rows import filled, some_votes
from tests.postgresql import Postgresql


def rights(folder: Path) -> list[int]:
    """On each ledger, each copy, and what SQLite keeps beside them."""
    return [file.stat().st_mode & 0o777 for file in folder.glob("*.db*")]


def test_verify_tells_the_head_and_finds_what_was_changed(run: Run, ledger: Path) -> None:
    filled(ledger, some_votes())
    found = run("verify", "--json")
    assert found.code == 0 and (found.json["votes"], found.json["faults"]) == (9, [])
    head = found.json["head"]
    assert run("verify", "--head", head).code == 0
    assert run("verify", "--head", "mine").code == 2
    with closing(sqlite3.connect(ledger)) as there, there:
        there.execute("DROP TRIGGER votes_are_never_updated")
        there.execute("UPDATE votes SET winner = 'tie' WHERE sequence = 2")
    found = run("verify")
    assert found.code == 1 and "vote 2 was changed" in found.err


def test_a_copy_is_made_and_put_back_under_an_arena_that_runs(
    run: Run, ledger: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"

    async def scene() -> None:
        running = SqlLedger(f"sqlite:///{ledger}")
        await running.open()
        try:
            assert await running.append(ballot("one"))
            made = await asyncio.to_thread(run, "backup", copy)
            assert made.code == 0 and "votes   2" in made.out
            assert await running.append(ballot("two"))
            put = await asyncio.to_thread(run, "restore", copy)
            assert put.code == 0 and "is kept as" in put.out
            assert await running.append(ballot("three"))
            assert set((await running.votes(("battle_id",)))["battle_id"]) == {"one", "three"}
            assert rights(tmp_path) == [0o600] * 7, "the key is in all of them"
        finally:
            await running.close()

    asyncio.run(scene())
    assert run("verify").code == 0
    assert [file.name for file in tmp_path.glob("copy*")] == ["copy.db"]
    (aside,) = tmp_path.glob("arena.db.*Z")
    with closing(sqlite3.connect(aside)) as there:
        assert there.execute("SELECT count(*) FROM votes").fetchone() == (4,)


def test_a_link_to_the_ledger_stays_one_and_the_copy_is_put_where_it_leads(
    run: Run, ledger: Path, tmp_path: Path
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    ledger.symlink_to(volume / "kept.db")
    filled(volume / "kept.db", some_votes())
    assert run("backup", tmp_path / "copy.db").code == 0
    assert run("restore", tmp_path / "copy.db").code == 0
    assert ledger.is_symlink() and ledger.samefile(volume / "kept.db")
    assert len(list(volume.glob("kept.db.*Z"))) == 1 and run("verify").code == 0


def test_a_copy_that_is_not_sound_is_not_put_in_place(
    run: Run, ledger: Path, tmp_path: Path
) -> None:
    filled(ledger, some_votes())
    copy = tmp_path / "copy.db"
    assert run("backup", copy).code == 0
    with closing(sqlite3.connect(copy)) as there, there:
        there.execute("DROP TRIGGER votes_are_never_deleted")
        there.execute("DELETE FROM votes WHERE sequence = 3")
    before = ledger.read_bytes()
    refused = run("restore", copy)
    assert refused.code == 1 and "vote 3 is missing" in refused.err
    for content in (b"a diary", b""):
        copy.write_bytes(content)
        assert run("restore", copy).code == 1
    for none in (tmp_path / "nowhere.db", tmp_path):
        assert f"There is no file {none}." in (told := run("restore", none)).err, told
    assert ledger.read_bytes() == before and not list(tmp_path.glob("arena-*"))


def test_of_a_ledger_that_is_not_there_no_copy_is_made(
    run: Run, ledger: Path, tmp_path: Path
) -> None:
    told = run("backup", tmp_path / "copy.db")
    assert told.code == 1 and f"There is no ledger at {ledger}." in told.err, told
    assert not list(tmp_path.iterdir())


LOOKS = {
    "verify": 1,
    "backup copy.db": 1,
    "export": 1,
    "exclude": 1,
    "exclude --rater r1 --because robot": 1,
    "withdraw link": 1,
    "study close mine": 1,
    "study status mine": 1,
    "judge --model judge --report": 1,
    "leaderboard": 0,
    "audit": 0,
}
"""The exit codes where there is no ledger: what asks for votes finds none."""


def test_only_who_writes_makes_a_ledger_in_the_place_of_one_that_is_lost(
    run: Run, ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    aside = tmp_path / "aside.db"

    def look(line: str) -> tuple[int, bool]:
        return run(*line.split()).code, ledger.exists()

    async def scene() -> None:
        running = SqlLedger(f"sqlite:///{ledger}")
        await running.open()
        try:
            assert await running.append(ballot("one"))
            await asyncio.to_thread(ledger.rename, aside)
            for line, code in LOOKS.items():
                assert await asyncio.to_thread(look, line) == (code, False), line
                with pytest.raises(LedgerFault, match="its file is gone"):
                    await running.append(ballot("two"))
            await asyncio.to_thread(aside.rename, ledger)
            assert await running.append(ballot("two"))
        finally:
            await running.close()

    asyncio.run(scene())
    assert run("verify").lines("  votes") == ["  votes   4"]
    ledger.rename(aside)
    assert f"There is no ledger at {ledger}" in run("verify").err
    ledger.touch()
    for _ in range(2):
        assert f"There is no ledger at {ledger}" in run("verify").err, "also where a file is empty"
    (tmp_path / "votes.csv").write_text("model_a,model_b,winner\nx,y,model_a\n")
    assert run("import", "votes.csv").code == 0 and run("verify").code == 0


def test_two_copies_that_are_made_into_one_file_at_once_are_both_whole(
    run: Run, ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(ledger, some_votes())
    target, alone = tmp_path / "copy.db", copies.copy

    def overtaken(source: Path, draft: Path) -> None:
        alone(source, draft)
        monkeypatch.setattr(copies, "copy", alone)
        assert run("backup", target).lines("  votes") == ["  votes   9"]

    monkeypatch.setattr(copies, "copy", overtaken)
    assert run("backup", target).lines("  votes") == ["  votes   9"]
    with closing(sqlite3.connect(target)) as there:
        assert there.execute("SELECT count(*) FROM votes").fetchone() == (9,)
    assert [file.name for file in tmp_path.glob("copy*")] == ["copy.db"]


@pytest.mark.parametrize("named", ["arena.db", "arena.db-wal", "link.db", "hard.db"])
@pytest.mark.parametrize("command", [("backup",), ("export", "--output")])
def test_nothing_is_written_in_the_place_of_the_ledger(
    run: Run, ledger: Path, tmp_path: Path, named: str, command: tuple[str, ...]
) -> None:
    filled(ledger, some_votes())
    (tmp_path / "link.db").symlink_to(ledger)
    (tmp_path / "hard.db").hardlink_to(ledger)
    refused = run(*command, tmp_path / named)
    assert refused.code == 1 and "is the ledger" in refused.err
    found = run("verify")
    assert found.code == 0 and found.lines("  votes") == ["  votes   9"]


@pytest.mark.parametrize("holds", ["BEGIN", "BEGIN IMMEDIATE"])
def test_a_copy_is_not_put_in_the_place_of_a_ledger_that_another_program_holds(
    run: Run, ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holds: str
) -> None:
    monkeypatch.setattr(copies, "PATIENCE_S", 0.1)
    copy = tmp_path / "copy.db"

    async def scene() -> None:
        running = SqlLedger(f"sqlite:///{ledger}")
        await running.open()
        try:
            assert await running.append(ballot("one"))
            assert (await asyncio.to_thread(run, "backup", copy)).code == 0
            with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
                other.execute("BEGIN")
                other.execute("SELECT count(*) FROM votes").fetchone()
                assert await running.append(ballot("two"))
                if holds != "BEGIN":
                    other.execute("ROLLBACK")
                    other.execute(holds)
                refused = await asyncio.to_thread(run, "restore", copy)
                assert refused.code == 1 and "Close what has it open" in refused.err
            assert await running.append(ballot("three"))
            kept = set((await running.votes(("battle_id",)))["battle_id"])
            assert kept == {"one", "two", "three"}
        finally:
            await running.close()

    asyncio.run(scene())
    assert run("verify").code == 0 and not list(tmp_path.glob("arena.db.*"))


@pytest.mark.parametrize("lost", ["moved", "damaged"])
def test_what_was_written_ahead_of_a_lost_ledger_is_kept_beside_the_copy_and_never_joins_it(
    run: Run, ledger: Path, tmp_path: Path, lost: str
) -> None:
    copy, running = tmp_path / "copy.db", tmp_path / "running.db"
    filled(running, some_votes()[:3])
    assert run("backup", copy, DATABASE_URL=f"sqlite:///{running}").code == 0

    async def vote() -> None:
        voting = SqlLedger(f"sqlite:///{running}")
        await voting.open()
        assert await voting.append(ballot("late"))
        await voting.close()

    with closing(sqlite3.connect(running)) as other:
        other.execute("SELECT count(*) FROM votes").fetchone()
        asyncio.run(vote())
        # As they are found after a crash.
        for end in ("", "-wal"):
            shutil.copy(f"{running}{end}", f"{ledger}{end}")
    if lost == "moved":
        ledger.rename(tmp_path / "moved.db")
    else:
        ledger.write_bytes(b"a diary" * 4096)
    ahead = ledger.with_name(f"{ledger.name}-wal").read_bytes()
    put = run("restore", copy)
    assert put.code == 0 and "is kept as" in put.out
    found = run("verify")
    assert found.code == 0 and found.lines("  votes") == ["  votes   3"]
    (beside,) = tmp_path.glob("arena.db.*Z-wal")
    assert ahead and beside.read_bytes() == ahead


def test_a_postgresql_ledger_is_copied_under_an_arena_that_runs_and_put_into_an_empty_one(
    run: Run, ledger: Path, tmp_path: Path, postgresql: Postgresql
) -> None:
    here, there = (postgresql.url(postgresql.new_schema()) for _ in range(2))
    copy, image = tmp_path / "copy.db", {"0" * 64: b"a picture"}

    async def scene() -> None:
        running = SqlLedger(here)
        await running.open()
        try:
            assert await running.append(ballot("one"))
            # A number that is drawn and not kept is no vote that is missing.
            assert not await running.append(ballot("one"))
            assert await running.append(ballot("two"))
            await running.keep_images(image)
            robot = Exclusion("rater", "r1", True, "a robot", datetime.now(UTC))
            await running.exclude([robot])
            made = await asyncio.to_thread(run, "backup", copy, DATABASE_URL=here)
            assert made.code == 0 and "votes   4" in made.out, made.err
            assert await running.append(ballot("three"))
        finally:
            await running.close()
        put = await asyncio.to_thread(run, "restore", copy, DATABASE_URL=there)
        assert put.code == 0 and "is kept as" not in put.out, put.err
        assert made.out.splitlines()[:2] == put.out.splitlines()[:2], "the same votes and head"
        restored = SqlLedger(there)
        await restored.open()
        try:
            assert await restored.append(ballot("four"))
            assert set((await restored.votes(("battle_id",)))["battle_id"]) == {
                "one",
                "two",
                "four",
            }
            assert await restored.images(list(image)) == image
            assert [told.reason for told in await restored.exclusions()] == ["a robot"]
            assert not (await restored.verify()).faults
        finally:
            await restored.close()

    asyncio.run(scene())
    again = run("restore", copy, DATABASE_URL=there)
    assert again.code == 1 and "Name an empty one" in again.err
    assert run("verify", DATABASE_URL=there).code == 0
    # What was copied from a database is a ledger in a file like any other.
    assert run("restore", copy).code == 0
    assert run("verify").out.splitlines()[:1] == ["  votes   4"]
    assert sorted(file.name for file in tmp_path.glob("*.db*")) == ["arena.db", "copy.db"]
