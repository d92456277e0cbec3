"""Battles that somebody shared, by the names of their links, as they are told there.

It does not know what is told, nor who may share.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from arena.adapters.ledger.schema import INSERTS, SHARED

_C = SHARED.c


def keep(connection: sa.Connection, link: str, owner: str, told: str) -> None:
    row = {"battle_id": link, "owner": owner, "shared_at": datetime.now(UTC), "told": told}
    into = INSERTS[connection.dialect.name](SHARED).values(row)
    connection.execute(into.on_conflict_do_update(index_elements=["battle_id"], set_=row))


def read(connection: sa.Connection, link: str) -> tuple[str, str] | None:
    """Whose it is, and what is told."""
    wanted = sa.select(_C.owner, _C.told).where(_C.battle_id == link)
    row = connection.execute(wanted).first()
    return (row.owner, row.told) if row else None


def let_go(connection: sa.Connection, links: Sequence[str]) -> None:
    connection.execute(sa.delete(SHARED).where(_C.battle_id.in_(links)))
