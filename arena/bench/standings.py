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
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from arena.bench import Told, simulated
from arena.core.errors import BadInput
from arena.core.ports import Ledger
from arena.core.standings.bradley_terry import Method
from arena.core.standings.counts import Counts
from arena.core.standings.leaderboard import standings
from arena.core.standings.votes import OUTCOME_COLUMNS, TEXT

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
Figures = dict[str, float]
"""What was measured → the median of its seconds, or how far apart in points, or how many times."""


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
class Row:
    """Of so many votes. Like for like are ratings and intervals as arena-rank makes them;
    standings are the whole table, clustered, with nothing kept of a ledger where they are from
    one, of which reading is the part before the counting."""

    votes: int
    figures: Figures


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
        size = f"{len(votes)} votes"
        self._tell(f"From memory, {size}", turn, 0.5)
        coded = text.astype("category")
        works: dict[str, Callable[[], object]] = {}
        for kind, rows in (("text", text), ("categories", coded)):
            works[f"like for like, from {kind}"] = partial(like_for_like, rows)
            works[f"standings, from {kind}"] = partial(_standings, rows)
        figures = self._timed(works)
        if self._plan.rival:
            self._tell(f"arena-rank, {size}", turn, 0.6)
            told = beside(self._plan.rival, text, self._plan.repeat)
            for kind, took in told["seconds"].items():
                figures[f"arena-rank {told['version']}, from {kind}"] = took
                own = figures[f"like for like, from {kind}"]
                figures[f"like for like, times faster from {kind}"] = took / own
            figures |= {f"difference in {what}": apart for what, apart in told["apart"].items()}
        for name, place in self._places.items():
            self._tell(f"{name}: reading {size}", turn, 0.7)
            figures |= await self._from_ledger(name, place)
        self._tell(f"One more vote, {size}", turn, 0.9)
        return Row(len(votes), figures | _refit(coded))

    def _timed(self, works: Mapping[str, Callable[[], object]]) -> Figures:
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

    async def _from_ledger(self, name: str, place: Place) -> Figures:
        whole, reading, news = [], [], []
        for _ in range(self._plan.repeat):
            started = time.perf_counter()
            async with place.opened() as ledger:
                rows = (await ledger.outcomes()).rows
                reading.append(time.perf_counter() - started)
                standings(Counts.of(rows))
                whole.append(time.perf_counter() - started)
            del rows
        async with place.opened() as ledger:
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


def beside(rival: str, votes: pd.DataFrame, repeat: int) -> dict[str, Any]:
    """The same votes rated by the rival's Python, warm: its version, seconds by kind of column,
    and how far apart a rating and the width of a 95 % interval are at most. Raises `BadInput`
    where it cannot."""
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
    theirs = pd.DataFrame.from_dict(told.pop("ranked"), orient="index")
    apart = (like_for_like(votes) - theirs).abs().max()
    return {**told, "apart": {"rating": apart[0], "width": apart[1]}}


def like_for_like(votes: pd.DataFrame) -> pd.DataFrame:
    """Ratings and widths of intervals, by contender, as arena-rank makes them."""
    fit = Counts.of(votes).fit(LIKE_FOR_LIKE)
    return pd.DataFrame({0: fit.rating, 1: 2 * fit.half_width}, list(fit.names))


def _standings(votes: pd.DataFrame) -> pd.DataFrame:
    return standings(Counts.of(votes))


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
