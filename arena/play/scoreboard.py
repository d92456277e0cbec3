"""The scoreboard: the ledger's votes counted once and kept counted, and every question about them.

Votes of battles whose names nobody was told are held back, since the one who plays could read
from them who is who. It does not know where votes are kept, how a battle goes, or how a
board is drawn.
"""

import asyncio
import math
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pandas as pd

from arena import exchange
from arena.core.battle.entities import Contender
from arena.core.ports import Ledger
from arena.core.standings import covariates as effects
from arena.core.standings import leaderboard
from arena.core.standings.board import Board, Panels, Query, Statistics, board_of, board_of_counts
from arena.core.standings.bradley_terry import Fit, Method
from arena.core.standings.counts import Counts
from arena.core.standings.leaderboard import Movement
from arena.core.standings.review import Scrutiny, scrutinised
from arena.core.standings.slices import BATTLES, Slice, without
from arena.core.standings.votes import SUPERSEDED, Vote
from arena.play import audits, reckoning
from arena.play.panels import panels, statistics
from arena.play.withheld import Withheld

Answer = TypeVar("Answer")

CHUNK = 20_000
"""Rows read at once where their metadata have to be taken apart."""

COLUMNS = (
    *("sequence", *BATTLES, "ballot_id", "supersedes", "excluded_reason", "rater"),
    *("model_a", "model_b", "winner", "timestamp", "topic", "study", "language", "channel"),
    *("seat_a", "seat_b", "incumbent", "ttft_ms_a", "ttft_ms_b"),
    *("tokens_per_s_a", "tokens_per_s_b", "output_tokens_a", "output_tokens_b", "conv_metadata"),
    *("thinking_tokens_a", "thinking_tokens_b", "thinking_ms_a", "thinking_ms_b"),
)
"""What slices, effects and panels need of a vote."""

AUDITED = tuple(dict.fromkeys((*COLUMNS, *audits.COLUMNS)))

ANSWERS = 64
"""At most so many are kept, those that were asked for last."""

FEW = 20_000
"""Up to so many votes are read row by row without being asked for what needs it."""

FRESH_S, STALE_S = 1.0, 3.0
"""What is older than the first is read anew meanwhile; than the second, before it is used."""

Unrevealed = Callable[[], Awaitable[Collection[str]]]


class Scoreboard:
    """One for each process. unrevealed: ids of the battles to hold back. roster: those who
    stand on the board also without votes."""

    def __init__(
        self,
        ledger: Ledger,
        unrevealed: Unrevealed,
        roster: Callable[[], Iterable[Contender]] = lambda: (),
    ) -> None:
        self._ledger = ledger
        self.held_back = unrevealed
        self.exclusions = ledger.exclusions
        self._roster = roster
        self._read_at = -math.inf
        self._lock, self._rounds, self._asking = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
        self._coming: asyncio.Future[None] | None = None
        # Which ledger, how many exclusions it has, and how often a study was opened again.
        self._known = ledger.generation, 0, 0
        self._changes = 0
        self._forget()

    def _forget(self) -> None:
        """As if nothing had been read."""
        self._counts = Counts.of(pd.DataFrame())
        self._votes_of: Mapping[str, int] = {}
        self._last = 0
        self._held = Withheld()
        self._live: frozenset[str] = frozenset()
        self._rows: list[pd.DataFrame] = []
        self._read = 0
        self._answers: dict[tuple[str, Query], tuple[int, Any]] = {}

    # Questions --------------------------------------------------------------------------------

    async def version(self) -> int:
        """Another number whenever the standings may have changed; on all replicas the same."""
        async with self._caught_up():
            return self._version

    async def last(self) -> int:
        """The sequence of the newest vote in the ledger, held back or not."""
        async with self._caught_up():
            return self._last

    async def votes(self) -> Mapping[str, int]:
        """Contender → votes, of all that may be known; what came in the last seconds may be
        missing. Who draws by them does not know how battles under way will be voted on either."""
        await self._keep_up()
        return self._votes_of

    async def fit(self) -> Fit:
        """Strengths, from all that may be known: what `best` draws from. Battles under way are
        left out; their draw is done."""
        async with self._caught_up():
            return await reckoning.to_the_end(asyncio.to_thread(self._counts.fit, Method()))

    async def board(self, query: Query = Query()) -> Board:
        """Raises BadInput as `board_of` does. All votes without corrections are answered from
        what is kept counted, whatever their number; anything else reads the rows once."""
        roster = [contender.name for contender in self._roster()]
        board = await self._asked(query, roster)
        of = board.standings
        voted = set(of.loc[of["votes"] > 0, "contender"]) if board.votes else set()
        # Where hosts are not known yet, or the ledger is another arena's, nobody is retired.
        known = not voted.isdisjoint(roster)
        return replace(board, retired=frozenset(voted.difference(roster) if known else ()))

    async def _asked(self, query: Query, roster: Sequence[str]) -> Board:
        if query.slice.everything and not query.covariates:
            async with self._caught_up():
                speeds = await self._speeds()
                counts, held = self._counts, len(self._held)
                fitted = asyncio.to_thread(
                    board_of_counts, counts, query, roster, speeds=speeds, held_back=held
                )
                return await reckoning.to_the_end(fitted)
        return await self._answered(
            "board", query, lambda votes, held: board_of(votes, query, roster, held_back=held)
        )

    async def panels(self, query: Query) -> Panels:
        """May take seconds for the first time, when a large ledger is read row by row."""
        return await self._answered("panels", query, lambda votes, _: panels(votes, query))

    async def scrutiny(self, query: Query) -> Scrutiny:
        """What a reviewer asks for; corrections are left aside. Votes are named by what their
        battles are called in public files. Takes seconds where votes are many."""
        key = await self._ledger.key()

        def scrutinise(votes: pd.DataFrame, _: int) -> Scrutiny:
            found = scrutinised(query.slice.of(leaderboard.superseding(votes)), query.method)
            which = found.fragility["which"].map(
                lambda ids: [exchange.public_name(key, i) for i in ids]
            )
            return replace(found, fragility=found.fragility.assign(which=which))

        return await self._answered("scrutiny", query, scrutinise)

    async def movement(self, battle_id: str, *, anew: bool = False) -> tuple[Movement, ...]:
        """How the battle moved its contenders: see `leaderboard.movement`. Of other battles, what
        came in the last seconds may be missing, unless it is read anew."""
        await (self._read_on() if anew else self._keep_up())
        changes = self._changes
        votes = await self._ledger.votes_on(battle_id)
        async with self._lock:
            if changes == self._changes:
                try:
                    return await self._moved(votes)
                except ValueError:
                    # An operator has decided on them since the others were read.
                    if anew:
                        raise
        return await self.movement(battle_id, anew=True)

    async def _moved(self, votes: Sequence[Vote]) -> tuple[Movement, ...]:
        """Some may have been counted, others be held back or not read yet."""
        last, held = self._last, self._held
        counted = [v for v in votes if v.sequence <= last and v.sequence not in held]
        return await reckoning.reckoned(
            lambda: leaderboard.movement(self._counts, counted, votes),
            brief=len(self._votes_of) <= reckoning.CONTENDERS,
        )

    async def statistics(self) -> Statistics:
        """Totals of all votes, and what is held back."""
        return await self._answered("statistics", Query(), statistics)

    async def audit(self) -> audits.Audit:
        """Of all votes that may be seen; copies of prompts are not looked for."""
        return await self._answered("audit", Query(), lambda votes, _: audits.audited(votes))

    def export(
        self, format: str, slice: Slice = Slice(), **how: Any
    ) -> AsyncGenerator[bytes, None]:
        """The votes as a file, without those whose names nobody was told. how: see exchange."""
        return exchange.export(
            self._ledger, format, slice, hold_back=self.held_back, public=True, **how
        )

    # Keeping up -------------------------------------------------------------------------------

    @asynccontextmanager
    async def _caught_up(self) -> AsyncIterator[None]:
        """Meanwhile nobody else touches the counts, in which is all that the ledger had when this
        was asked for."""
        await self._read_on()
        async with self._lock:
            yield

    async def _keep_up(self) -> None:
        """Whoever asks often waits for nothing."""
        age = time.monotonic() - self._read_at
        if age > STALE_S:
            await self._read_on()
        elif age > FRESH_S and not self._rounds.locked():
            # Whoever waits for the next round is told if it fails.
            self._begin().add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _read_on(self) -> None:
        """All that ask before the next round of reading begins share it."""
        await asyncio.shield(self._begin())

    def _begin(self) -> asyncio.Future[None]:
        if self._coming is None:
            self._coming = asyncio.ensure_future(self._round())
        return self._coming

    async def _round(self) -> None:
        async with self._rounds:
            # Whoever asks from here on may ask for what is not read by this round.
            self._coming = None
            await self._fold_news()

    async def _fold_news(self) -> None:
        """What the ledger has got since, and what is no longer held back."""
        at = time.monotonic()
        # In this order, so that no vote of a battle begun, or of a study opened again, slips through.
        openings = (await self._ledger.openings()).values()
        again = sum(event.kind == "opened" for events in openings for event in events[1:])
        news = await self._ledger.outcomes(self._last)
        before, now = self._known, (self._ledger.generation, news.exclusions, again)
        if before != now:
            news = await self._ledger.outcomes()
        live = frozenset(await self.held_back())
        async with self._lock:
            if before != now:
                self._known, self._changes = now, self._changes + 1
                self._forget()
            # Of votes that were counted, not by more of them.
            self._changes += bool(len(news.withdrawn))
            if len(news.rows) or len(news.withdrawn) or (len(self._held) and live != self._live):
                rows = len(news.rows) + len(news.withdrawn) + len(self._held)
                await reckoning.reckoned(
                    lambda: self._fold(news.rows, news.withdrawn, live),
                    brief=rows <= reckoning.ROWS,
                )
            self._last, self._live, self._read_at = news.last, live, at
            # Told also while a thread counts what comes next.
            self._votes_of = self._counts.votes

    @property
    def _version(self) -> int:
        """Rows and exclusions are only added, so what was read and how much of it is held back
        tell it all."""
        return ((self._last + self._known[1]) << 20) + len(self._held)

    def _fold(self, rows: pd.DataFrame, withdrawn: pd.DataFrame, live: frozenset[str]) -> None:
        counted = self._held.superseded(withdrawn)
        if len(counted):
            self._counts.fold(counted, -1)
            self._counts.fold(counted.assign(excluded_reason=SUPERSEDED))
        free = self._held.free(live)
        self._counts.fold(free)
        self._held.forget(free)
        self._counts.fold(self._held.taken(rows, live))

    async def _votes(self) -> pd.DataFrame:
        """Every row that may be seen, with its metadata as columns of numbers."""
        while True:
            chunk = await self._ledger.votes(AUDITED, after=self._read, limit=CHUNK)
            if chunk.empty:
                break
            numbers = await reckoning.to_the_end(asyncio.to_thread(effects.style_columns, chunk))
            # Only what is kept was read, whatever fails before.
            self._rows.append(chunk.drop(columns="conv_metadata").join(numbers))
            self._read = int(chunk["sequence"].iloc[-1])
        if len(self._rows) > 1:
            self._rows = [await asyncio.to_thread(pd.concat, self._rows, ignore_index=True)]
        if not self._rows:
            return pd.DataFrame()
        votes = self._rows[0]
        votes = votes[votes["sequence"] <= self._last]
        return without(votes, self._live)

    async def _speeds(self) -> pd.DataFrame | None:
        """By contender; None as long as they would have to be read from a large ledger."""
        if self._last > FEW and not self._read:
            return None
        votes = await self._votes()
        if votes.empty:
            return None
        return await self._kept("speeds", Query(), lambda: leaderboard.speeds(votes))

    async def _answered(
        self, what: str, query: Query, ask: Callable[[pd.DataFrame, int], Answer]
    ) -> Answer:
        """What is made of the rows that may be seen, and of how many votes are held back. It may
        take seconds, and whoever plays meanwhile does not wait for it."""
        async with self._asking:
            async with self._caught_up():
                votes, held, version = await self._votes(), len(self._held), self._version
            return await self._kept(what, query, lambda: ask(votes, held), version)

    async def _kept(
        self, what: str, query: Query, ask: Callable[[], Answer], version: int | None = None
    ) -> Answer:
        """The answer as long as nothing has changed, else a new one. version: that which it is
        for; by default that of now."""
        asked = what, query
        version = self._version if version is None else version
        known = self._answers.pop(asked, None)
        if not known or known[0] != version:
            known = version, await asyncio.to_thread(ask)
        kept = [(k, v) for k, v in self._answers.items() if v[0] == self._version]
        self._answers = dict([*kept[1 - ANSWERS :], (asked, known)])
        answer: Answer = known[1]
        return answer
