"""A PostgreSQL server that is thrown away: started from the machine's own programs, reached only
through a socket in a folder of its own.

It does not know what is kept in it, or for how long.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

from arena.core.errors import LedgerFault

USER, DATABASE = "voter", "ballots"


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, of the newest version there is; None without its
    driver, which only the extra `replicas` brings."""
    if not find_spec("psycopg"):
        return None
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, key=lambda path: int(path.parts[4]), default=shutil.which("initdb"))
    return Path(newest).parent if newest else None


@contextmanager
def thrown_away(programs: Path, options: Mapping[str, str] = {}) -> Iterator[Server]:
    """A running server that is gone afterwards. Raises `LedgerFault` where it does not start."""
    # Not beside other temporary files: the path of a socket may have some hundred characters.
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    server = Server(programs, folder, options)
    try:
        server.create()
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """options: of postgresql.conf, values as they are written there."""

    def __init__(self, programs: Path, folder: Path, options: Mapping[str, str]) -> None:
        self._programs = programs
        self._options = options
        self.folder = folder

    def create(self) -> None:
        """An empty database, and a server that has it."""
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync")
        options = {
            "listen_addresses": "''",
            "unix_socket_directories": f"'{self.folder}'",
            **self._options,
        }
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in options.items())
        self.start()
        import psycopg

        with closing(psycopg.connect(self.address("postgres"), autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")

    def start(self) -> None:
        self._run("pg_ctl", "start", "-w", "-s", "-l", str(self.folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        """immediate: as if its processes had been killed."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-s", "-m", mode)

    def url(self) -> str:
        """For DATABASE_URL."""
        return f"postgresql+psycopg://{USER}@/{DATABASE}?host={self.folder}"

    def address(self, database: str = DATABASE) -> str:
        """For psycopg."""
        return f"host={self.folder} user={USER} dbname={database}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self.folder / "data"), *arguments]
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            own = ("--reuid=postgres", "--regid=postgres", "--clear-groups")
            command = ["setpriv", *own, *command]
        done = subprocess.run(
            command,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            raise LedgerFault(f"A PostgreSQL server could not be run here ({program}: {said[0]}).")
