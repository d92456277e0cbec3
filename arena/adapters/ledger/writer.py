"""Ballots are written by one thread: all that wait go into one transaction, and so to the disk at
once. A commit takes milliseconds however much is in it.

It does not know which database that is, nor what a ballot means.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from arena.adapters.ledger import chain

MOST = 200
"""Ballots of one transaction: what it holds up, and what is written anew where one is refused."""

Rows = Sequence[Mapping[str, Any]]


class _Ballot(NamedTuple):
    rows: Rows
    written: Future[None]


class Writer:
    """`engine`: its transactions are begun for writing. check: raises where nothing may be written
    now. Any thread may write."""

    def __init__(self, engine: Engine, check: Callable[[Connection], None]) -> None:
        self._engine = engine
        self._check = check
        self._waiting: deque[_Ballot] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    async def write(self, rows: Rows) -> None:
        """Durable when it returns, all of them or none. Raises what the database says of these
        rows, or of the transaction that they were in."""
        ballot = _Ballot(rows, Future())
        self._waiting.append(ballot)
        self._thread.submit(self._write_waiting)
        await asyncio.wrap_future(ballot.written)

    def close(self) -> None:
        """What waits is written first."""
        self._thread.shutdown()

    def _write_waiting(self) -> None:
        ballots = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST))]
        ballots = [ballot for ballot in ballots if ballot.written.set_running_or_notify_cancel()]
        if not ballots:
            return
        try:
            refused = self._write(ballots)
        except Exception as error:  # noqa: BLE001 -- each that waits is told
            refused = dict.fromkeys(range(len(ballots)), error)
        for number, ballot in enumerate(ballots):
            if number in refused:
                ballot.written.set_exception(refused[number])
            else:
                ballot.written.set_result(None)

    def _write(self, ballots: Sequence[_Ballot]) -> dict[int, Exception]:
        """Returns those that were refused, by number."""
        try:
            with self._engine.begin() as connection:
                self._check(connection)
                _insert(connection, *ballots)
        except Exception as error:
            if len(ballots) == 1 or not _of_a_row(error):
                raise
        else:
            return {}
        with self._engine.begin() as connection:
            return _insert_each(connection, ballots)


def _insert(connection: Connection, *ballots: _Ballot) -> None:
    chain.write(connection, [row for ballot in ballots for row in ballot.rows])


def _insert_each(connection: Connection, ballots: Sequence[_Ballot]) -> dict[int, Exception]:
    """None that is refused takes others with it."""
    refused: dict[int, Exception] = {}
    for number, ballot in enumerate(ballots):
        try:
            with connection.begin_nested():
                _insert(connection, ballot)
        except Exception as error:
            if not _of_a_row(error):
                raise
            refused[number] = error
    return refused


def _of_a_row(error: Exception) -> bool:
    """Rather than of the database, which takes no other row either."""
    return isinstance(error, (IntegrityError, DataError)) or not isinstance(error, DBAPIError)
