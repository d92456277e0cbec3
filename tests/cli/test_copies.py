"""verify, backup and restore as a person runs them, while an arena runs on the ledger."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from arena.adapters.ledger import SqlLedger
from tests.adapters.ledger_rows import ballot
from tests.cli.conftest import Run
from tests.exchange.rows import filled, some_votes


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
        finally:
            await running.close()

    asyncio.run(scene())
    assert run("verify").code == 0
    assert [file.name for file in tmp_path.glob("copy*")] == ["copy.db"]
    (aside,) = tmp_path.glob("arena.db.*Z")
    with closing(sqlite3.connect(aside)) as there:
        assert there.execute("SELECT count(*) FROM votes").fetchone() == (4,)


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
    copy.write_bytes(b"a diary")
    assert run("restore", copy).code == 1
    assert run("restore", tmp_path / "nowhere.db").code == 1
    assert ledger.read_bytes() == before and not list(tmp_path.glob("*.part"))


def test_a_postgresql_ledger_is_copied_by_its_own_tools(run: Run, tmp_path: Path) -> None:
    there = "postgresql+psycopg://arena@127.0.0.1/arena"
    refused = run("backup", tmp_path / "copy", DATABASE_URL=there)
    assert refused.code == 1 and "pg_dump" in refused.err
