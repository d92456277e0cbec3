"""A real PostgreSQL server for the tests, on a socket in a folder of its own; each test gets a
schema of its own in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from arena.bench.postgresql import DATABASE, USER, Server, programs, thrown_away
from tests.conftest import missing

NUMBERS = count(1)

# `fsync` is off, as no test pulls the plug of the machine; `synchronous_commit`, so that a test
# sees whether the ledger turns it on.
OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "shared_buffers": "'16MB'",
    "wal_writer_delay": "'10s'",
    "max_connections": "60",
}


class Postgresql:
    """The server, as tests use it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.folder = server.folder
        self.socket = server.folder / ".s.PGSQL.5432"
        self.start, self.stop = server.start, server.stop

    def new_schema(self) -> str:
        """One that nobody has used."""
        name = f"test_{next(NUMBERS)}"
        with self.connect() as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return name

    def new_url(self) -> str:
        """Of a schema that nobody has used."""
        return self.url(self.new_schema())

    def url(self, schema: str, host: str = "", options: str = "") -> str:
        """host: another way to the server than its socket, as host:port. options: for the
        session, as on the command line of the server."""
        set_ = quote(f"-c search_path={schema} {options}".strip())
        socket = "" if host else f"&host={self.folder}"
        return f"postgresql+psycopg://{USER}:secret@{host}/{DATABASE}?options={set_}{socket}"

    def connect(self, schema: str = "public") -> Any:
        """Another program at the same database; it commits each statement. Closed at the end of
        a `with` block."""
        options = f"-c search_path={schema}"
        return closing(psycopg.connect(self._server.address(), autocommit=True, options=options))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """One server for all tests; who stops it starts it again."""
    if not (found := programs()):
        missing("PostgreSQL", "Install it: apt-get install postgresql")
    with thrown_away(found, OPTIONS) as server:
        yield Postgresql(server)
