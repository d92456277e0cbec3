"""How long standings take: from rows in memory, from the ledger, and after one more vote; beside
arena-rank, where another Python has it, with how far the results are apart.

It does not know which database the ledger is, nor how the figures are drawn.
"""

from __future__ import annotations

import gc
import json
import math
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import pandas as pd

from arena.bench import simulated
from arena.core.errors import BadInput
from arena.core.ports import Ledger
from arena.core.standings.bradley_terry import Method
from arena.core.standings.counts import Counts
from arena.core.standings.leaderboard import standings
from arena.core.standings.votes import OUTCOME_COLUMNS

LIKE_FOR_LIKE = Method(prior_sd=math.inf, lean=0, clusters="none")
"""What arena-rank does: no prior, and a sandwich of single votes."""

HAVE_IT = (
    "Name the Python of an environment that has arena-rank: python3 -m venv rank && "
    "rank/bin/pip install arena-rank, then --arena-rank rank/bin/python"
)
ALIKE = "bench"
REFITS = 100
TOLD = 20

Opened = Callable[[], AbstractAsyncContextManager[Ledger]]
Told = Callable[[str, float], None]
"""Called with what is measured now, and how much of the whole is done (0…1)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """votes: sizes of the ledger, rising. repeat: of each figure, whose median is told. rival:
    the Python of an environment that has arena-rank; empty where there is none."""

    votes: tuple[int, ...]
    contenders: int
    repeat: int
    seed: int
    rival: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """arena-rank on the same rows, warm. seconds: from columns of text and of categories.
    rating, width: the largest difference, in points, of a rating and of the width of a 95 %
    interval."""

    version: str
    seconds: tuple[float, float]
    rating: float
    width: float


@dataclass(frozen=True, slots=True)
class FromLedger:
    """Medians in seconds. standings: the whole table, clustered, with nothing kept of the ledger;
    reading is its part before the counting. news: until the ledger has told one new vote."""

    standings: float
    reading: float
    news: float


@dataclass(frozen=True, slots=True)
class Row:
    """Medians in seconds. like_for_like: ratings and intervals as arena-rank makes them, from
    columns of text and of categories. standings: the whole table, clustered, the same two ways.
    ledgers: the same from each of them, by name. refit: one vote more folded in and everything
    fitted again, clustered; table: until the whole table is there, too."""

    votes: int
    beside: Beside | None
    like_for_like: tuple[float, float]
    standings: tuple[float, float]
    ledgers: Mapping[str, FromLedger]
    refit: float
    table: float

    @property
    def faster(self) -> tuple[float, float] | None:
        """How many times faster than arena-rank, like for like, from text and categories."""
        if not self.beside:
            return None
        (text, coded), (own_text, own_coded) = self.beside.seconds, self.like_for_like
        return text / own_text, coded / own_coded


@dataclass(frozen=True, slots=True)
class Place:
    """A ledger that has no votes yet: where it is, and how it is opened."""

    url: str
    opened: Opened


class StandingsBench:
    """Measures on ledgers, by name, and fills them."""

    def __init__(self, plan: Plan, places: Mapping[str, Place], told: Told) -> None:
        self._plan = plan
        self._places = places
        self._told = told
        self._asked = 0

    async def run(self) -> list[Row]:
        """A row for each size. Raises `BadInput` where a ledger has votes, or the rival cannot
        be measured."""
        if self._plan.rival:
            # Told before anything is measured.
            beside(self._plan.rival, simulated.votes(1000, 4, 1), 1)
        for name, place in self._places.items():
            async with place.opened() as ledger:
                if (await ledger.outcomes()).last:
                    raise BadInput(
                        f"The ledger in {name} has votes, and simulated ones could never be taken "
                        "out again. Name an empty database that is used for nothing else."
                    )
                await ledger.append([simulated.rehearsed(ALIKE)])
        sizes = self._plan.votes
        self._tell("Drawing votes", 0, 0.0)
        votes = simulated.votes(sizes[-1], self._plan.contenders, self._plan.seed)
        rows = []
        for turn, size in enumerate(sizes):
            written = sizes[turn - 1] if turn else 0
            for number, (name, place) in enumerate(self._places.items()):
                what = f"{name}: writing {size - written} votes"
                for part in simulated.writing(place.url, votes[written:size], ALIKE):
                    self._tell(what, turn, (number + part) / len(self._places) / 2)
            rows.append(await self._measure(votes[:size], turn))
        return rows

    def _tell(self, what: str, turn: int, part: float) -> None:
        """Each size takes about as much longer as it is larger."""
        sizes = self._plan.votes
        self._told(what, (sum(sizes[:turn]) + part * sizes[turn]) / sum(sizes))

    async def _measure(self, votes: pd.DataFrame, turn: int) -> Row:
        text = votes[list(OUTCOME_COLUMNS)]
        coded = text.astype("category")
        size = f"{len(votes)} votes"
        ledgers = {}
        for name, place in self._places.items():
            self._tell(f"{name}: reading {size}", turn, 0.5)
            ledgers[name] = await self._from_ledger(place)
        self._tell(f"From memory, {size}", turn, 0.7)
        works: dict[str, Callable[[], object]] = {
            "plain text": lambda: _plain(text),
            "plain coded": lambda: _plain(coded),
            "table text": lambda: standings(Counts.of(text)),
            "table coded": lambda: standings(Counts.of(coded)),
        }
        took = self._timed(works)
        rival, repeat = self._plan.rival, self._plan.repeat
        if rival:
            self._tell(f"arena-rank, {size}", turn, 0.8)
        self._tell(f"One more vote, {size}", turn, 0.9)
        refit, table = _refit(coded)
        return Row(
            votes=len(votes),
            beside=beside(rival, text, repeat) if rival else None,
            like_for_like=(took["plain text"], took["plain coded"]),
            standings=(took["table text"], took["table coded"]),
            ledgers=ledgers,
            refit=refit,
            table=table,
        )

    def _timed(self, works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
        """Median seconds of each, warm. They take turns, so that whatever else the machine does
        meanwhile slows all of them down alike."""
        seconds: dict[str, list[float]] = {name: [] for name in works}
        gc.collect()
        for number in range(self._plan.repeat + 1):
            for name, work in works.items():
                started = time.perf_counter()
                work()
                # The first time warms up.
                if number:
                    seconds[name].append(time.perf_counter() - started)
        return {name: median(values) for name, values in seconds.items()}

    async def _from_ledger(self, place: Place) -> FromLedger:
        whole, reading = [], []
        for _ in range(self._plan.repeat):
            started = time.perf_counter()
            async with place.opened() as ledger:
                rows = (await ledger.outcomes()).rows
                reading.append(time.perf_counter() - started)
                standings(Counts.of(rows))
                whole.append(time.perf_counter() - started)
            del rows
        return FromLedger(median(whole), median(reading), await self._news(place))

    async def _news(self, place: Place) -> float:
        """Until the ledger has told one new vote."""
        seconds = []
        async with place.opened() as ledger:
            last = (await ledger.outcomes()).last
            for _ in range(TOLD):
                self._asked += 1
                await ledger.append([simulated.rehearsed(f"{ALIKE}-{self._asked}")])
                started = time.perf_counter()
                last = (await ledger.outcomes(last)).last
                seconds.append(time.perf_counter() - started)
        return median(seconds)


def beside(rival: str, votes: pd.DataFrame, repeat: int) -> Beside:
    """Have the rival's Python rate the votes. Raises `BadInput` where it cannot."""
    script = Path(__file__).with_name("beside.py").read_text(encoding="utf-8")
    with TemporaryDirectory(prefix="arena-bench-") as folder:
        file = Path(folder) / "votes.csv"
        votes[["model_a", "model_b", "winner"]].to_csv(file, index=False)
        # From its input, as beside a script it would find our modules in the place of others.
        command = [rival, "-", str(file), str(repeat)]
        try:
            done = subprocess.run(
                command, check=False, input=script, capture_output=True, text=True
            )
        except OSError as error:
            raise BadInput(f"--arena-rank {rival}: {error.strerror}. {HAVE_IT}") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise BadInput(f"--arena-rank {rival}: {said[0]}. {HAVE_IT}")
    told = json.loads(done.stdout)
    theirs = pd.DataFrame.from_dict(told["ranked"], orient="index", columns=["rating", "width"])
    apart = (_plain(votes) - theirs).abs().max()
    text, coded = told["seconds"]
    return Beside(told["version"], (text, coded), float(apart["rating"]), float(apart["width"]))


def _plain(votes: pd.DataFrame) -> pd.DataFrame:
    """Ratings and widths of intervals, by contender, as arena-rank makes them."""
    fit = Counts.of(votes).fit(LIKE_FOR_LIKE)
    return pd.DataFrame({"rating": fit.rating, "width": 2 * fit.half_width}, list(fit.names))


def _refit(votes: pd.DataFrame) -> tuple[float, float]:
    """One vote folded in and everything fitted again; and until the table is made of that."""
    counts = Counts.of(votes)
    counts.fit()
    one = votes.iloc[[0]].astype("str")
    fitting, whole = [], []
    for number in range(REFITS):
        vote = one.assign(battle_id=f"new-{number}", rater=votes["rater"].iloc[number])
        started = time.perf_counter()
        counts.fold(vote)
        fitted = counts.fit()
        fitting.append(time.perf_counter() - started)
        standings(counts, fitted=fitted)
        whole.append(time.perf_counter() - started)
    return median(fitting), median(whole)
