"""The chain of votes: whatever is changed, taken out or put in is found, and where."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from arena.adapters.ledger import SqlLedger
from arena.core.ports import Verified
from tests.adapters.ledger_rows import ballot
from tests.adapters.ledgers import append, on
from tests.adapters.test_ledger_sqlite import write_old_row
from tests.postgresql import Postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'arena.db'}"
    server: Postgresql = request.getfixturevalue("postgresql")
    return server.new_url()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "arena.db"


@contextmanager
def forging(file: Path) -> Iterator[sqlite3.Connection]:
    """As somebody who may write the file and is not stopped by triggers."""
    with closing(sqlite3.connect(file)) as there, there:
        for (name,) in there.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            there.execute(f"DROP TRIGGER {name}")
        yield there


def verified(url: object, head: str = "") -> Verified:
    address = f"sqlite:///{url}" if isinstance(url, Path) else str(url)
    return on(address, lambda ledger: ledger.verify(head))


def voted(file: Path, *battles: str) -> None:
    for battle in battles:
        assert append(f"sqlite:///{file}", *ballot(battle))


def test_votes_as_they_were_written_have_no_fault_and_a_head_that_is_found_again(
    file: Path,
) -> None:
    voted(file, "one")
    before = verified(file)
    voted(file, "two", "three")
    after = verified(file, before.head)
    assert (before.votes, after.votes) == (2, 6) and before.head != after.head
    assert not before.faults and not after.faults
    assert verified(file, f"2:{'0' * 64}").faults


CHANGES = {
    "UPDATE votes SET winner = 'model_b' WHERE sequence = 3": "vote 3 was changed",
    "UPDATE votes SET conversation_a = '[]' WHERE sequence = 1": "vote 1 was changed",
    "UPDATE votes SET conversation_a = '[' WHERE sequence = 2": "vote 2 was changed",
    "UPDATE votes SET rater = CAST(x'ff' AS TEXT) WHERE sequence = 2": "vote 2 was changed",
    "UPDATE votes SET total_ms_a = total_ms_a + 1e-9 WHERE sequence = 5": "vote 5 was changed",
    "UPDATE votes SET timestamp = 'soon' WHERE sequence = 5": "vote 5 was changed",
    "UPDATE votes SET comment = CAST(comment AS BLOB) WHERE sequence = 2": "vote 2 was changed",
    "UPDATE votes SET images = CAST(images AS BLOB) WHERE sequence = 3": "vote 3 was changed",
    "UPDATE votes SET timestamp = timestamp || char(0) WHERE sequence = 4": "vote 4 was changed",
    "UPDATE votes SET is_code = 7 WHERE sequence = 3": "vote 3 was changed",
    "UPDATE votes SET sequence = -2 WHERE sequence = 2": "vote -2 was put in",
    "UPDATE vote_chain SET columns = columns + 1 WHERE sequence = 4": "vote 4 was changed",
    "UPDATE vote_chain SET columns = 'all' WHERE sequence = 4": "vote 4 was changed",
    "UPDATE vote_chain SET digest = CAST(digest AS BLOB) WHERE sequence = 6": "vote 6 was changed",
    "DELETE FROM votes WHERE sequence = 4": "vote 4 is missing",
    "DELETE FROM votes WHERE sequence = 6": "vote 6 is missing",
    "UPDATE votes SET sequence = 99 WHERE sequence = 6": "vote 6 is missing",
    "UPDATE vote_chain SET digest = 'x' WHERE sequence = 6": "vote 6 was changed",
    "DELETE FROM vote_chain WHERE sequence = 5": "vote 5 was put in",
}


def lose(file: Path, which: str) -> None:
    """Votes and their links."""
    with forging(file) as there:
        for table in ("votes", "vote_chain"):
            there.execute(f"DELETE FROM {table} WHERE {which}")


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_changed_is_found_where_it_is(file: Path, change: str) -> None:
    voted(file, "one", "two", "three")
    with forging(file) as there:
        there.execute(change)
    found = verified(file)
    assert CHANGES[change] in found.faults and len(found.faults) <= 2
    voted(file, "four")
    assert CHANGES[change] in verified(file).faults, "also when more was voted since"


def test_a_vote_and_its_link_that_are_both_gone_are_missed(file: Path) -> None:
    voted(file, "one", "two", "three")
    lose(file, "sequence = 4")
    assert verified(file).faults == ("vote 5 was changed, or one before it is missing",)
    head = verified(file).head
    lose(file, "sequence = 6")
    assert any("head" in fault for fault in verified(file, head).faults)


def test_what_is_cut_off_at_the_end_of_a_file_is_missed(file: Path) -> None:
    voted(file, "one", "two", "three")
    lose(file, "sequence > 4")
    assert verified(file).faults == ("votes 5 to 6 are missing",)


def test_a_vote_that_is_counted_as_it_was_not_written_is_found(file: Path) -> None:
    voted(file, "one", "two", "three")
    with forging(file) as there:
        there.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = file.read_bytes()
    file.write_bytes(content.replace(b',"name-A","name-B"', b',"name-C","name-B"', 1))
    assert file.read_bytes() != content
    told = "is counted as it was not written: an index is damaged"
    assert any(told in fault for fault in verified(file).faults)


def test_a_vote_that_was_put_in_is_found_also_when_more_was_voted_since(file: Path) -> None:
    voted(file, "one")
    with forging(file) as there:
        columns = [name for _, name, *_ in there.execute("PRAGMA table_info(votes)")][1:]
        copied = ", ".join({"id": "'x'", "round": "9"}.get(name, name) for name in columns)
        there.execute(
            f"INSERT INTO votes ({', '.join(columns)}) SELECT {copied} FROM votes LIMIT 1"
        )
    assert verified(file).faults == ("vote 3 was put in",)
    voted(file, "two")
    assert "vote 3 was put in" in verified(file).faults


@pytest.mark.parametrize("version", range(1, 5))
def test_the_chain_of_an_older_ledger_begins_with_what_it_has(file: Path, version: int) -> None:
    with closing(sqlite3.connect(file)) as old, old:
        old.executescript((Path(__file__).parent / f"ledger_v{version}.sql").read_text())
        write_old_row(old)
    assert verified(file) == verified(file) and verified(file).votes == 1
    voted(file, "new")
    with forging(file) as there:
        there.execute("UPDATE votes SET winner = 'tie' WHERE id = 'old'")
    assert verified(file).faults == ("vote 1 was changed",)


def test_in_both_databases_votes_of_every_kind_are_linked(url: str) -> None:
    async def scene(ledger: SqlLedger) -> Verified:
        assert await ledger.append(ballot("one"))
        assert not await ledger.append(ballot("one"))
        await ledger.add(ballot("imported"))
        assert await ledger.append(ballot("two"))
        return await ledger.verify()

    found = on(url, scene)
    assert found.votes == 6 and not found.faults
