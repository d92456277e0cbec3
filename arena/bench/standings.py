"""How long standings take: from rows in memory, from the ledger, and after one more vote.

It does not know which database the ledger is, nor how the figures are drawn.
"""

import gc
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from statistics import median

import pandas as pd

from arena.bench import Told, simulated
from arena.core.errors import BadInput
from arena.core.ports import Ledger
from arena.core.standings.counts import Counts
from arena.core.standings.leaderboard import standings
from arena.core.standings.votes import OUTCOME_COLUMNS, TEXT

ALIKE = "bench"
REFITS = 100
TOLD = 20

Opened = Callable[[], AbstractAsyncContextManager[Ledger]]
Figures = dict[str, float]
"""What was measured → the median of its seconds."""


@dataclass(frozen=True, slots=True)
class Plan:
    """votes: sizes of the ledger, rising. repeat: of each figure, whose median is told."""

    votes: tuple[int, ...]
    contenders: int
    repeat: int
    seed: int


@dataclass(frozen=True, slots=True)
class Row:
    """Of so many votes. Standings are the whole table, with nothing kept of a ledger where they
    are from one, of which reading is the part before the counting."""

    votes: int
    figures: Figures


class StandingsBench:
    """Measures on ledgers that have no votes yet, by name, and fills them."""

    def __init__(self, plan: Plan, ledgers: Mapping[str, Opened], told: Told) -> None:
        self._plan = plan
        self._ledgers = ledgers
        self._told = told
        self._asked = 0

    async def run(self) -> list[Row]:
        """A row for each size. Raises `BadInput` where a ledger has votes."""
        like = simulated.rehearsed(ALIKE)
        for name, opened in self._ledgers.items():
            async with opened() as ledger:
                if (await ledger.outcomes()).last:
                    raise BadInput(
                        f"The ledger in {name} has votes, and simulated ones could never be taken "
                        "out again. Name an empty database that is used for nothing else."
                    )
                await ledger.append([like])
        sizes = self._plan.votes
        self._tell("Drawing votes", 0, 0.0)
        votes = simulated.votes(sizes[-1], self._plan.contenders, self._plan.seed)
        rows = []
        for turn, size in enumerate(sizes):
            written = sizes[turn - 1] if turn else 0
            for number, (name, opened) in enumerate(self._ledgers.items()):
                what = f"{name}: writing {size - written} votes"
                self._tell(what, turn, number / len(self._ledgers) / 2)
                async with opened() as ledger:
                    await ledger.add(simulated.rows(votes[written:size], like))
            rows.append(await self._measure(votes[:size], turn))
        return rows

    def _tell(self, what: str, turn: int, part: float) -> None:
        """Each size takes about as much longer as it is larger."""
        sizes = self._plan.votes
        self._told(what, (sum(sizes[:turn]) + part * sizes[turn]) / sum(sizes))

    async def _measure(self, votes: pd.DataFrame, turn: int) -> Row:
        text = votes[list(OUTCOME_COLUMNS)]
        size = f"{len(votes)} votes"
        self._tell(f"From memory, {size}", turn, 0.5)
        coded = text.astype("category")
        figures = {}
        for kind, rows in (("text", text), ("categories", coded)):
            figures[f"standings, from {kind}"] = self._timed(rows)
        for name, opened in self._ledgers.items():
            self._tell(f"{name}: reading {size}", turn, 0.7)
            figures |= await self._from_ledger(name, opened)
        self._tell(f"One more vote, {size}", turn, 0.9)
        return Row(len(votes), figures | _refit(coded))

    def _timed(self, rows: pd.DataFrame) -> float:
        """Median seconds of standings, warm."""
        seconds = []
        gc.collect()
        for _ in range(self._plan.repeat + 1):
            started = time.perf_counter()
            standings(Counts.of(rows))
            seconds.append(time.perf_counter() - started)
        return median(seconds[1:])

    async def _from_ledger(self, name: str, opened: Opened) -> Figures:
        whole, reading, news = [], [], []
        for _ in range(self._plan.repeat):
            started = time.perf_counter()
            async with opened() as ledger:
                rows = (await ledger.outcomes()).rows
                reading.append(time.perf_counter() - started)
                standings(Counts.of(rows))
                whole.append(time.perf_counter() - started)
            del rows
        async with opened() as ledger:
            last = (await ledger.outcomes()).last
            for _ in range(TOLD):
                self._asked += 1
                await ledger.append([simulated.rehearsed(f"{ALIKE}-{self._asked}")])
                started = time.perf_counter()
                last = (await ledger.outcomes(last)).last
                news.append(time.perf_counter() - started)
        return {
            f"standings, from {name}": median(whole),
            f"of which reading {name}": median(reading),
            f"one more vote, until {name} tells": median(news),
        }


def _refit(votes: pd.DataFrame) -> Figures:
    """One vote folded in and everything fitted again; and until the table is made of that."""
    counts = Counts.of(votes)
    counts.fit()
    one = votes.iloc[[0]].astype(TEXT)
    fitting, whole = [], []
    for number in range(REFITS):
        vote = one.assign(battle_id=f"new-{number}", rater=votes["rater"].iloc[number])
        started = time.perf_counter()
        counts.fold(vote)
        fitted = counts.fit()
        fitting.append(time.perf_counter() - started)
        standings(counts, fitted=fitted)
        whole.append(time.perf_counter() - started)
    return {"one more vote, fitted": median(fitting), "one more vote, in the table": median(whole)}
