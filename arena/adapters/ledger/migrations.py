"""How a database of any schema so far is brought up to that of today.

It does not know connections, nor when that is done.
"""

from collections.abc import Callable

from sqlalchemy import Connection

from arena.adapters.ledger import chain
from arena.adapters.ledger.schema import CHAIN, EARLIER, EXCLUSIONS, SHARED, run_script


def _fifth(connection: Connection) -> None:
    """A link for each vote so far."""
    CHAIN.create(connection)
    chain.extend(connection)


def _sixth(connection: Connection) -> None:
    """What the links of finished battles show."""
    SHARED.create(connection)


def _excluding(connection: Connection) -> None:
    """What operators decided of votes."""
    EXCLUSIONS.create(connection)
    run_script(connection, "exclusions")


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (*EARLIER, _fifth, _sixth, _excluding)
"""Applied in order, number n makes schema version n. As the first creates the table as VoteRow
is today, a later one must pass over what a new database has already."""
