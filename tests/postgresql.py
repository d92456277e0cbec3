"""A real PostgreSQL server for the tests, on a socket in a folder of its own; each test gets a
schema of its own in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from tests.conftest import missing

USER, DATABASE = "voter", "ballots"
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
    """A server that is thrown away: of the machine's own programs, which are in this folder, and
    reached only through a socket in another."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # Not beside other temporary files: the path of a socket may have some hundred characters.
        self.folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        self.socket = self.folder / ".s.PGSQL.5432"

    def create(self) -> None:
        """An empty database, and a running server that has it."""
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync")
        here = {"listen_addresses": "''", "unix_socket_directories": f"'{self.folder}'"}
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in (OPTIONS | here).items())
        self.start()
        with self.connect(database="postgres") as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")

    def start(self) -> None:
        self._run("pg_ctl", "start", "-w", "-s", "-l", str(self.folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        """immediate: as if its processes had been killed."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-s", "-m", mode)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self.folder / "data"), *arguments]
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            own = ("--reuid=postgres", "--regid=postgres", "--clear-groups")
            command = ["setpriv", *own, *command]
        # What the server itself writes goes on after the command.
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        done = subprocess.run(command, check=False, cwd="/", **quiet)
        assert done.returncode == 0, f"{program} ended with {done.returncode}"

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

    def connect(self, schema: str = "public", database: str = DATABASE) -> Any:
        """Another program at the same database; it commits each statement. Closed at the end of
        a `with` block."""
        address = f"host={self.folder} user={USER} dbname={database}"
        options = f"-c search_path={schema}"
        return closing(psycopg.connect(address, autocommit=True, options=options))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """One server for all tests; who stops it starts it again."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, key=lambda path: int(path.parts[4]), default=shutil.which("initdb"))
    if not newest:
        missing("PostgreSQL", "Install it: apt-get install postgresql")
    assert newest
    server = Postgresql(Path(newest).parent)
    try:
        server.create()
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(server.folder, ignore_errors=True)
