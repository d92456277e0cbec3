"""The ledger of votes in a SQL database, append-only: `core.ports.Ledger` over SQLAlchemy Core.

What differs between databases is behind `Database`. It does not know how a row comes about, nor
what is computed from it.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from json import JSONDecodeError
from time import monotonic
from typing import Self, TypeVar

import pandas as pd
from pyarrow import ArrowInvalid
from sqlalchemy import Connection, Engine, false, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from arena.adapters.ledger import (
    copies,
    exclusions,
    images,
    importing,
    links,
    migrations,
    outcomes,
    studies,
    verifying,
    votes,
)
from arena.adapters.ledger.database import database_of
from arena.adapters.ledger.faults import CROWDED, NEWER, OLDER, SLOW, TEXT, UNREADABLE, Reason
from arena.adapters.ledger.migrations import MIGRATIONS
from arena.adapters.ledger.schema import DTYPES, KEYS, VOTES, values_of
from arena.adapters.ledger.writer import Writer
from arena.core.battle.record import VoteRow
from arena.core.errors import ConfigError, LedgerFault, NoLedger, UnfitLedger
from arena.core.ports import Condition, Exclusion, Outcomes, Verified
from arena.core.standings.votes import Vote
from arena.core.study.course import Event
from arena.core.study.written import Written

log = logging.getLogger(__name__)

Result = TypeVar("Result")

PATIENCE_S, FRESH_S = 2.0, 1.0
"""How long a vote that only tries the ledger may take, and how long what it found holds."""

UNREAD = (UnicodeError, JSONDecodeError, ArrowInvalid)
"""What a value raises that the database takes and the ledger cannot, or the other way round."""


class SqlLedger:
    """Votes in the database of `url`: sqlite:////srv/arena/arena.db, or
    postgresql+psycopg://user:password@host/database. Raises `ConfigError` for another.

    Call `open` before anything else. All calls may run at once, and several processes may share
    a database; `busy_timeout_s` is how long one waits for another to finish writing. Whatever
    fails is a `LedgerFault`; the next call connects anew."""

    def __init__(self, url: str, *, busy_timeout_s: float = 10.0) -> None:
        self._database = database_of(url, busy_timeout_s)
        self.place = self._database.place
        """For the operator: where votes are kept, without a password."""
        self._engine = self._database.engine()
        self._patient = self._database.engine(patient=True)
        self._key, self._looking = b"", False
        self.generation = 0
        self._prober = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger-probe")
        self._probe: Future[None] | None = None
        self._probed = 0.0
        self._writer = Writer(self._engine.execution_options(writing=True), self._may_write)

    async def open(self, *, anew: bool = True, looking: bool = False) -> None:
        """Bring the database up to date, and make it where there is none. Raises `ConfigError`
        where the folder cannot be created, the database is of a newer arena or, unless it may be
        made `anew`, there is none; `LedgerFault` where it cannot be used or, `looking`, as nothing
        is to be written, is of an older arena."""
        self._looking = looking
        if anew:
            await asyncio.to_thread(self._database.prepare)
        elif not self._database.there() or await self._transact(self._version) == 0:
            raise NoLedger(self.place)
        await self._bring_up()

    async def _bring_up(self) -> None:
        """Bring what is at the place now to the schema of today."""
        if await self._transact(self._version) < len(MIGRATIONS):
            if self._looking:
                raise self._refusal(OLDER)
            await self._transact(self._migrate, self._patient, writing=True)
        self._database.settle()

    async def _look(self) -> None:
        """Go on with what is at the place, and with its key, if that is another one than before."""
        if self._database.moved():
            try:
                await self._bring_up()
            except ConfigError as error:
                raise LedgerFault(str(error)) from error
            self.generation, self._key = self.generation + 1, b""

    async def inspect(self) -> Condition:
        """What the database says of itself, opened or not; nothing is made or migrated."""
        with self._told():
            return await asyncio.to_thread(self._database.inspect)

    async def writable(self) -> None:
        """As `core.ports.Ledger.writable`. One finds out for all that ask within a second."""
        await self._look()
        if not self._probe or (self._probe.done() and monotonic() - self._probed > FRESH_S):
            self._probed, self._probe = monotonic(), self._prober.submit(self._try_to_write)
        try:
            with self._told():
                if not self._probe.done():
                    async with asyncio.timeout(PATIENCE_S):
                        await asyncio.shield(asyncio.wrap_future(self._probe))
                self._probe.result()
        except TimeoutError:
            raise self._refusal(SLOW) from None

    def _try_to_write(self) -> None:
        """As a vote does, to the disk, and leave nothing."""
        with self._engine.execution_options(writing=True).begin() as connection:
            self._may_write(connection)
            # Where the last one cannot be read, the next one cannot be written.
            connection.execute(select(VOTES.c.comment).order_by(VOTES.c.sequence.desc()).limit(1))
            nothing = select(*(VOTES.c[name] for name in DTYPES)).where(false())
            connection.execute(insert(VOTES).from_select(list(DTYPES), nothing))
            connection.execute(update(KEYS).values(key=KEYS.c.key))

    async def close(self) -> None:
        self._prober.shutdown(wait=False)
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._engine.dispose)

    async def append(self, rows: Sequence[VoteRow]) -> bool:
        """As `core.ports.Ledger.append`. rows: at least one, all of one ballot. False also
        where another ballot settled this round, or superseded the same one, before."""
        values = [values_of(row) for row in rows]
        try:
            await self._look()
            with self._told():
                await self._writer.write(values)
        except IntegrityError as error:
            ballot = rows[0]
            settled = select(VOTES.c.id).where(
                VOTES.c.battle_id == ballot.battle_id,
                VOTES.c.round == ballot.round,
                VOTES.c.supersedes == ballot.supersedes,
            )
            if await self._do(lambda db: db.scalar(settled.limit(1))):
                return False
            raise self._fault(error) from error
        return True

    async def add(self, rows: Iterable[VoteRow], *, dry: bool = False) -> int:
        """As `core.ports.Ledger.add`, a few rows at a time; votes cast meanwhile wait for its end."""
        kept = self._database
        if dry:
            return await self._do(lambda db: importing.add(db, kept, rows, dry=True), self._patient)
        await asyncio.to_thread(kept.tidy)
        try:
            return await self._do(lambda db: importing.add(db, kept, rows), self._patient)
        finally:
            await asyncio.to_thread(kept.tidy)

    async def votes(
        self, columns: Sequence[str] = (), *, after: int = 0, limit: int = 0
    ) -> pd.DataFrame:
        """As `core.ports.Ledger.votes`; dtypes are `DTYPES`, lists and dicts come decoded."""
        return await self._do(lambda db: votes.read(db, columns or [*DTYPES], after, limit))

    async def votes_on(self, battle: str) -> Sequence[Vote]:
        """As `core.ports.Ledger.votes_on`."""
        return await self._do(lambda db: votes.on(db, battle))

    async def outcomes(self, after: int = 0) -> Outcomes:
        """As `core.ports.Ledger.outcomes`. Texts are categories, `sequence` is int64."""
        return await self._do(lambda db: outcomes.read(db, self._database, after))

    async def verify(self, head: str = "") -> Verified:
        """Whether every vote, and every exclusion, is as it was written. head: one that was told
        before."""
        of_votes, _, of_exclusions = head.partition("+")

        def check(db: Connection) -> Verified:
            votes = verifying.verify(db, self._database, of_votes)
            decided, faults = exclusions.verify(db, of_exclusions)
            heads = "+".join(filter(None, (votes.head, decided)))
            return replace(votes, head=heads, faults=(*votes.faults, *faults))

        return await self._do(check, self._patient)

    async def take_over(self, other: Self) -> None:
        """All that the other holds at one moment, into this one, which holds nothing yet. Raises
        LedgerFault."""

        def write(new: Connection) -> None:
            with other._patient.connect() as old:
                copies.transcribe(other._database.one_moment(old), new)

        await self._transact(write, self._patient, writing=True)

    async def exclude(self, decisions: Sequence[Exclusion]) -> None:
        """As `core.ports.Ledger.exclude`."""
        await self._do(lambda db: exclusions.write(db, self._database, decisions), writing=True)

    async def exclusions(self) -> list[Exclusion]:
        """As `core.ports.Ledger.exclusions`."""
        return await self._do(exclusions.told)

    async def share(self, link: str, owner: str, told: str) -> None:
        """As `core.ports.Ledger.share`."""
        await self._do(lambda db: links.keep(db, link, owner, told), writing=True)

    async def shared(self, link: str) -> tuple[str, str] | None:
        """As `core.ports.Ledger.shared`."""
        return await self._do(lambda db: links.read(db, link))

    async def unshare(self, *gone: str) -> None:
        """As `core.ports.Ledger.unshare`."""
        await self._do(lambda db: links.let_go(db, gone), writing=True)

    async def openings(self) -> Mapping[str, Sequence[Event]]:
        """As `core.ports.StudyLedger.openings`."""
        return await self._do(studies.openings)

    async def happened(self, study: str) -> tuple[Sequence[Event], frozenset[str]]:
        """As `core.ports.StudyLedger.happened`."""
        return await self._do(lambda db: studies.happened(db, study))

    async def move(
        self,
        study: str,
        decide: Callable[[Sequence[Event], frozenset[str]], tuple[Result, Sequence[Event]]],
    ) -> Result:
        """As `core.ports.StudyLedger.move`."""
        return await self._do(
            lambda db: studies.move(db, self._database, study, decide), writing=True
        )

    async def keep(self, study: str, written: Iterable[Written]) -> int:
        """As `core.ports.StudyLedger.keep`."""
        return await self._do(lambda db: studies.keep(db, study, written), writing=True)

    async def written(self, study: str, prompt: str = "") -> Sequence[Written]:
        """As `core.ports.StudyLedger.written`."""
        return await self._do(lambda db: studies.written(db, study, prompt))

    async def battles_of(self, of: Collection[str]) -> frozenset[str]:
        """As `core.ports.StudyLedger.battles_of`."""
        return await self._do(lambda db: studies.battles(db, of))

    async def keep_images(self, kept: Mapping[str, bytes]) -> None:
        """As `core.ports.Ledger.keep_images`."""
        await self._do(lambda db: images.keep(db, kept), writing=True)

    async def hold_images(self, digests: Sequence[str]) -> None:
        """As `core.ports.Ledger.hold_images`."""
        await self._do(lambda db: images.hold(db, digests), writing=True)

    async def images(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        """As `core.ports.Ledger.images`."""
        return await self._do(lambda db: images.read(db, digests))

    async def key(self) -> bytes:
        """As `core.ports.Ledger.key`."""
        await self._look()
        if not self._key:
            found = await self._transact(lambda db: db.scalar(select(KEYS.c.key)))
            if not found:
                raise LedgerFault(
                    f"The ledger {self._database.name} has lost its key. Put a copy in its place."
                )
            self._key = found.encode()
        return self._key

    async def _do(
        self, work: Callable[[Connection], Result], engine: Engine | None = None, **how: bool
    ) -> Result:
        await self._look()
        return await self._transact(work, engine, **how)

    async def _transact(
        self,
        work: Callable[[Connection], Result],
        engine: Engine | None = None,
        *,
        writing: bool = False,
    ) -> Result:
        """Run `work` in a transaction, in a worker thread; committed when this returns."""
        connections = (engine or self._engine).execution_options(writing=writing)

        def transact() -> Result:
            with connections.begin() as connection:
                return work(connection)

        with self._told():
            return await asyncio.to_thread(transact)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What a database raises, in words; but not that a row is refused."""
        try:
            yield
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeout, *UNREAD, *self._database.failures) as error:
            raise self._fault(error) from error

    def _version(self, connection: Connection) -> int:
        """The schema of the database; 0 where it has none."""
        version = migrations.version(connection)
        if version > len(MIGRATIONS):
            raise ConfigError(
                f"DATABASE_URL: {self._database.place} was written by a newer arena (schema "
                f"{version}, this one knows {len(MIGRATIONS)}). Start that arena, or name "
                "another database."
            )
        return version

    def _may_write(self, connection: Connection) -> None:
        """Raises where there is no room, or a newer arena has brought it up since it was opened."""
        self._database.may_write(connection)
        if migrations.newest(connection) > len(MIGRATIONS):
            raise self._refusal(NEWER)

    def _migrate(self, connection: Connection) -> None:
        self._database.take_turns(connection)
        migrations.bring_up(connection, MIGRATIONS[self._version(connection) :])

    def _fault(self, error: Exception) -> LedgerFault:
        cause = error.orig if isinstance(error, DBAPIError) else error
        log.error("The ledger %s cannot be used: %s", self._database.place, cause)
        known = ((PoolTimeout, CROWDED), (UnicodeError, TEXT), (UNREAD, UNREADABLE))
        own = (reason for kinds, reason in known if isinstance(cause, kinds))
        return self._refusal(next(own, None) or self._database.reason(cause))

    def _refusal(self, reason: Reason) -> LedgerFault:
        return (UnfitLedger if reason.lasting else LedgerFault)(
            f"The ledger {self._database.name} cannot be used: {reason.happened}. "
            f"{reason.todo}, then try again."
        )
