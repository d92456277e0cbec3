"""A real PostgreSQL server for the tests, on a socket in a folder of its own; each test gets a
schema of its own in it."""

from __future__ import annotations

import glob
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


class Postgresql:
    """The server. `fsync` is off, as no test pulls the plug of the machine."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self.folder = folder
        self.socket = folder / ".s.PGSQL.5432"
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        self._run("initdb", "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync")
        # Off here, so that a test sees whether the ledger turns it on.
        options = {"listen_addresses": "''", "fsync": "off", "synchronous_commit": "off",
                   "unix_socket_directories": f"'{folder}'", "shared_buffers": "'16MB'",
                   "wal_writer_delay": "'10s'", "max_connections": "60"}  # fmt: skip
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in options.items())
        self.start()
        with closing(psycopg.connect(self._address("postgres"), autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")

    def start(self) -> None:
        self._run("pg_ctl", "start", "-w", "-s", "-l", str(self.folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        """immediate: as if its processes had been killed."""
        self._run("pg_ctl", "stop", "-w", "-s", "-m", mode)

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
        address = self._address(DATABASE)
        return closing(psycopg.connect(address, autocommit=True, options=options))

    def _address(self, database: str) -> str:
        return f"host={self.folder} user={USER} dbname={database}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self.folder / "data"), *arguments]
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            command = [
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                *command,
            ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """One server for all tests; who stops it starts it again."""
    found = sorted(
        glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[4])
    )
    program = found[-1] if found else shutil.which("initdb")
    if not program:
        missing("PostgreSQL", "Install it: apt-get install postgresql")
    # Short, as the path of a socket may have some hundred characters only.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    server = None
    try:
        server = Postgresql(Path(str(program)).parent, folder)
        yield server
    finally:
        if server:
            server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
