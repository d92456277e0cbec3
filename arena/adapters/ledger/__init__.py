"""The ledger of votes in a SQL database, append-only: SQLite or PostgreSQL behind one port.

`SqlLedger` is the port, `schema` the table, `outcomes` the quick path to standings; what differs
between the databases is in `sqlite` and `postgresql`. They do not know how a row comes about.
"""

from arena.adapters.ledger.migrations import MIGRATIONS
from arena.adapters.ledger.schema import DTYPES
from arena.adapters.ledger.sql import SqlLedger

__all__ = ["DTYPES", "MIGRATIONS", "SqlLedger"]
