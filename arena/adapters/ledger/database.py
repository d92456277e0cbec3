"""What the ledger needs of a database that SQLAlchemy alone does not give, and which one an address
names.

It does not know how any of them does it.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from sqlalchemy import Connection, Engine

from arena.adapters.ledger.faults import Reason
from arena.adapters.ledger.sqlite import PREFIX as SQLITE
from arena.adapters.ledger.sqlite import SqliteDatabase
from arena.core.errors import ConfigError, NotInstalled
from arena.core.ports import Condition

POSTGRESQL = "postgresql+psycopg://"


class Database(Protocol):
    """One place where votes are kept."""

    name: str
    """As anybody may read it: no folder, no user, no password."""
    place: str
    """For the operator: where it is, still without a password."""
    failures: tuple[type[Exception], ...]
    """What its driver raises where SQLAlchemy is not in between."""

    def engine(self, *, patient: bool = False) -> Engine:
        """New connections. A patient one waits minutes for others to finish writing, and lets
        a statement take any time. Transactions begin with the execution option `writing`."""

    def prepare(self) -> None:
        """Make what has to be there before a connection. Raises `NotThere`."""

    def there(self) -> bool:
        """Whether there is anything to connect to, as far as that is seen without trying."""

    def settle(self) -> None:
        """What is at the place now is open and up to date."""

    def moved(self) -> bool:
        """Since then something else is at the place, or nothing."""

    def may_write(self, connection: Connection) -> None:
        """Raises one of `failures` where there is no room for a vote, or what there is is damaged."""

    def may_add(self, connection: Connection) -> None:
        """The same, before all that is in temporary tables is added to what it keeps."""

    def tidy(self) -> None:
        """Give back the room that a large transaction took for a while, whatever came of it."""

    def inspect(self) -> Condition:
        """What it says of itself. Nothing is made, changed or migrated. Raises `failures`, or
        SQLAlchemy's own."""

    def doubts(self, connection: Connection) -> list[str]:
        """What is wrong with what it keeps beside the rows, as far as it can tell."""

    def take_turns(self, connection: Connection) -> None:
        """From here to the end of the transaction no other does what comes after this."""

    def one_moment(self, connection: Connection) -> Connection:
        """All that is read from it is as it was when the first was."""

    def outcomes(self, connection: Connection, after: int, until: int) -> Iterator[bytes]:
        """sequence and `schema.OUTCOME` of the rows above `after` up to `until`, in any order,
        as pieces of CSV (RFC 4180) without a heading, each of whole lines."""

    def outcomes_of(self, connection: Connection, sequences: Sequence[int]) -> Iterator[bytes]:
        """The same of these rows."""

    def reason(self, error: BaseException | None) -> Reason:
        """Why the driver raised this error."""


def database_of(url: str, busy_timeout_s: float) -> Database:
    """Raises `ConfigError`, which never repeats what may hold a password."""
    if url.startswith(SQLITE):
        return SqliteDatabase(url, busy_timeout_s)
    if url.startswith(POSTGRESQL):
        try:
            from arena.adapters.ledger.postgresql import PostgresqlDatabase
        except ImportError as error:
            raise NotInstalled("DATABASE_URL", error) from error
        return PostgresqlDatabase(url, busy_timeout_s)
    raise ConfigError(
        "DATABASE_URL has a wrong value. Allowed is sqlite:///folder/arena.db, or "
        "sqlite:////absolute/folder/arena.db with four slashes, or "
        "postgresql+psycopg://user:password@host/database."
    )
