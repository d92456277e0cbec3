"""Images that battles were opened with, by their digests, beside the votes that name them.

What no vote holds on to is let go of after a while. It does not know what an image shows.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from arena.adapters.ledger.schema import IMAGES, INSERTS
from arena.core.errors import NoCapacity

UNVOTED = timedelta(days=2)
"""Longer than a battle is kept without a move."""

ROOM = 512 * 1024**2
"""Bytes of images of which no vote was cast yet."""

_C = IMAGES.c


def keep(connection: sa.Connection, images: Mapping[str, bytes]) -> None:
    """Raises NoCapacity where there are too many that nobody voted on."""
    now = datetime.now(UTC)
    connection.execute(sa.delete(IMAGES).where(~_C.voted, _C.kept_at < now - UNVOTED))
    held = connection.scalar(sa.select(sa.func.sum(_C.size)).where(~_C.voted)) or 0
    if held + sum(map(len, images.values())) > ROOM:
        raise NoCapacity("Too many images are waiting for a vote. Please ask without one.")
    into = INSERTS[connection.dialect.name](IMAGES)
    kept = into.on_conflict_do_update(index_elements=[_C.digest], set_={"kept_at": now})
    # In one order, as two that keep the same would wait for each other in different ones.
    for digest, data in sorted(images.items()):
        row = {"digest": digest, "kept_at": now, "voted": False, "size": len(data), "data": data}
        connection.execute(kept, row)


def hold(connection: sa.Connection, digests: Sequence[str]) -> None:
    """A vote names them from now on."""
    connection.execute(sa.update(IMAGES).where(_C.digest.in_(digests)).values(voted=True))


def read(connection: sa.Connection, digests: Sequence[str]) -> dict[str, bytes]:
    wanted = sa.select(_C.digest, _C.data).where(_C.digest.in_(digests))
    return {row.digest: row.data for row in connection.execute(wanted)}
