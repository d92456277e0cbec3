"""Votes as counts: folded in one by one or a million at once, taken out again, never recounted.

It does not know where rows are kept, which of them were asked for, or how standings are drawn.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.core.arrays import Floats, Ints
from arena.core.standings import fitting
from arena.core.standings.bradley_terry import Fit, Method, line_up
from arena.core.standings.clusters import OUTCOMES, Clustering, Worth, pair_of, sides
from arena.core.standings.fitting import Design, Entries
from arena.core.standings.sums import summed
from arena.core.standings.votes import TEXT, WINNERS, CodedVotes, Vote, coded, read, side_by_side

NOTHING = np.zeros(0, dtype=np.int64)
LATEST = 1024
"""So many new identifiers are kept as they are found, before they are put in order."""
MANY = 5000
"""More rows than these, when the first, wait until somebody asks by battle or by rater."""


class _Ids:
    """Numbers for identifiers, from 0 in the order of their first appearance.

    Kept are hashes of 64 bits, and most of them in arrays: 16 bytes each, where the identifiers
    themselves take 250. That any two of a million share one has a chance of 3 in 10⁸."""

    def __init__(self) -> None:
        self._hashes, self._numbers = NOTHING, NOTHING
        self._latest: dict[int, int] = {}
        self._unlisted: pd.Index | NDArray[np.object_] = pd.Index([])

    def codes(self, column: pd.Series) -> Ints:
        """(N,) a number for each row; −1 where there is no identifier or an empty one."""
        codes, labels = coded(column)
        if not len(self._hashes) and not len(self._unlisted):
            # The first ones' numbers are as they come; they are listed when more come.
            self._unlisted = labels
            numbers: Ints = np.arange(len(labels))
        else:
            self._list()
            numbers = self._numbered(labels)
        numbers[np.flatnonzero(labels == "")] = -1
        numbered: Ints = np.append(numbers, -1)[codes]
        return numbered

    def _list(self) -> None:
        if len(self._unlisted):
            labels, self._unlisted = self._unlisted, self._unlisted[:0]
            self._merge(_hashes(labels), np.arange(len(labels)))

    def _numbered(self, labels: pd.Index | NDArray[np.object_]) -> Ints:
        hashes = _hashes(labels)
        at = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        numbers = np.where(self._hashes[at] == hashes, self._numbers[at], -1)
        latest, before = self._latest, len(self._hashes)
        for n in np.flatnonzero(numbers < 0).tolist():
            numbers[n] = latest.setdefault(int(hashes[n]), before + len(latest))
        if len(latest) > LATEST:
            self._merge(np.array([*latest], np.int64), np.array([*latest.values()], np.int64))
            self._latest = {}
        return numbers

    def _merge(self, hashes: Ints, numbers: Ints) -> None:
        order = np.argsort(hashes)
        at = np.searchsorted(self._hashes, hashes[order])
        self._hashes = np.insert(self._hashes, at, hashes[order])
        self._numbers = np.insert(self._numbers, at, numbers[order])


def _hashes(labels: pd.Index | NDArray[np.object_]) -> Ints:
    """(N,) those of Python, which nobody can foresee who writes an identifier."""
    return np.fromiter(map(hash, labels.tolist()), np.int64, len(labels))


class Counts:
    """What standings need of votes. For one thread at a time.

    Rows with an excluded_reason are only counted, by reason: `excluded`. Where votes are
    clustered by rater, one whose rater is unknown stands with those of its battle: taken for
    one person, all unknown raters would pass for a single prolific one."""

    def __init__(self) -> None:
        self.excluded: dict[str, int] = {}
        self._names: list[str] = []
        self._codes: dict[str, int] = {}
        self._times = np.zeros((0, OUTCOMES))
        self._battle_ids, self._rater_ids = _Ids(), _Ids()
        self._waiting: tuple[CodedVotes, Ints] | None = None
        self._clustered: tuple[Clustering, Clustering] | None = None

    @classmethod
    def of(cls, votes: pd.DataFrame) -> Self:
        """Of rows with `votes.OUTCOME_COLUMNS`; see `fold`."""
        counts = cls()
        counts.fold(votes)
        return counts

    def fold(self, votes: pd.DataFrame, sign: int = 1) -> None:
        """Votes come (sign 1), or go again (−1) with the values they came with.

        Raises `BadInput` for an unknown outcome, a row that counts without two different
        contenders or a column that is missing, and ValueError where a vote goes that never came; nothing is
        changed then."""
        if votes.empty:
            return
        new = read(votes)
        if sign < 0 and not self._holds(new):
            raise ValueError("Votes can be taken out only as they were folded in.")
        kinds = self._kinds(new)
        if len(new.cell) > MANY and self._clustered is None and not self._waiting:
            self._waiting = new, kinds
        elif len(new.cell):
            self._fold_clusters(new.each(kinds), new, sign)
        np.add.at(self._times.reshape(-1), kinds, sign * new.times)
        for reason, rows in new.excluded.items():
            self.excluded[reason] = self.excluded.get(reason, 0) + sign * rows
            if not self.excluded[reason]:
                del self.excluded[reason]

    @property
    def total(self) -> int:
        """Votes that count."""
        return int(self._times.sum())

    @property
    def votes(self) -> dict[str, int]:
        """How many count of each contender that has any."""
        first, second = sides(len(self._names))
        met = self._times.sum(axis=1)
        of = summed(first, met, len(self._names)) + summed(second, met, len(self._names))
        return {name: int(n) for name, n in zip(self._names, of, strict=True) if n}

    def fit(self, method: Method = Method()) -> Fit:
        return fitting.fit(*self._designed(self._times, method), method)[0]

    def moved(self, counted: Sequence[Vote], votes: Sequence[Vote]) -> tuple[Fit, Fit]:
        """Strengths without these few votes, and with them. counted: those of them that were
        folded in. Raises ValueError as `without` does."""
        gone, come = (self._kinds_of(each) for each in (counted, votes))
        without = self._times.copy()
        np.subtract.at(without.reshape(-1), gone, 1)
        having = without.copy()
        np.add.at(having.reshape(-1), come, 1)
        return self._strengths(without, Method()), self._strengths(having, Method())

    def without(self, votes: pd.DataFrame, method: Method) -> Fit:
        """Strengths without these votes, which were folded in; how sure they are is not said.
        Raises ValueError for votes that never came."""
        its = read(votes)
        kinds, times = self._kinds(its), self._times.copy()
        np.subtract.at(times.reshape(-1), kinds, its.times)
        return self._strengths(times, method)

    def cells(self) -> tuple[tuple[str, ...], Ints, Ints, Ints, Ints]:
        """The contenders, and of every kind of vote that there is (C,): the numbers of its two
        contenders, its outcome as `clusters.OUTCOMES` numbers them, and how many there are."""
        kind = np.flatnonzero(self._times)
        first, second = (side[kind // OUTCOMES] for side in sides(len(self._names)))
        times = self._times.reshape(-1)[kind].astype(np.int64)
        return tuple(self._names), first, second, kind % OUTCOMES, times

    def strengths(self, times: Ints, method: Method) -> Fit:
        """As if there were only so many votes of each of `cells`; how sure is not said."""
        fewer = np.zeros_like(self._times)
        fewer.reshape(-1)[np.flatnonzero(self._times)] = times
        return self._strengths(fewer, method)

    def _strengths(self, times: Floats, method: Method) -> Fit:
        if (times < 0).any():
            raise ValueError("Only votes that were folded in can be left out.")
        return fitting.strengths(*self._designed(times, method), method)

    def _designed(self, all_times: Floats, method: Method) -> tuple[tuple[str, ...], Design]:
        """all_times: as `_times`."""
        worth = Worth.of(*method.weights)
        kind = np.flatnonzero(all_times)
        outcome, times = kind % OUTCOMES, all_times.reshape(-1)[kind]
        votes, score, squares = (
            times * of[outcome] for of in (worth.votes, worth.score, worth.squares)
        )
        first, second = (side[kind // OUTCOMES] for side in sides(len(self._names)))
        names, place, group = line_up(self._names, first, second, votes)
        unit = np.zeros(all_times.size, dtype=np.int64)
        unit[kind] = np.arange(len(kind))

        def entries(by_rater: bool) -> Entries:
            cluster, kind, times = self._clusterings()[by_rater].entries()
            votes, score = (times * of[kind % OUTCOMES] for of in (worth.votes, worth.score))
            return Entries(cluster, unit[kind], votes, score)

        none = np.zeros((0, len(kind)))
        tied = votes * (outcome > 1)
        design = Design(
            group, place[first], place[second], none, votes, score, squares, tied, entries
        )
        return names, design

    def outcomes(self) -> pd.DataFrame:
        """One row for each pair of contenders that met: contender, opponent, and how many votes
        the contender won (wins), lost (losses), and were a tie or both_bad."""
        first, second = sides(len(self._names))
        met = np.flatnonzero(self._times.any(axis=1))
        names = np.array(self._names, dtype=object)
        columns = ("wins", "losses", "ties", "both_bad")
        times = dict(zip(columns, self._times[met].astype(int).T, strict=True))
        both = {"contender": names[first[met]], "opponent": names[second[met]]}
        return pd.DataFrame(both | times).astype({"contender": TEXT, "opponent": TEXT})

    def tally(self) -> pd.DataFrame:
        """By contender who has votes: battles, votes, wins, ties, both_bad, losses."""
        size = len(self._names)
        first, second = sides(size)
        won, lost, ties, bad = self._times.T
        won, lost, ties, bad = (
            summed(first, here, size) + summed(second, there, size)
            for here, there in ((won, lost), (lost, won), (ties, ties), (bad, bad))
        )
        columns = {"battles": self._clusterings()[0].spread(size), "votes": won + lost + ties + bad}
        columns |= {"wins": won, "ties": ties, "both_bad": bad, "losses": lost}
        table = pd.DataFrame(columns, pd.Index(self._names, dtype=TEXT)).astype("int64")
        return table[table["votes"] > 0]

    # Who met whom ------------------------------------------------------------------------------

    def _kinds(self, new: CodedVotes) -> Ints:
        """(C,) what kind of vote each combination is."""
        code = self._coded(new.names)
        return _kind(code[new.model_a], code[new.model_b], new.outcome)

    def _kinds_of(self, votes: Sequence[Vote]) -> Ints:
        """(N,) the same of each of a few votes."""
        a, b = (self._coded([getattr(v, side) for v in votes]) for side in ("model_a", "model_b"))
        return _kind(a, b, np.array([WINNERS.index(v.winner) for v in votes], dtype=np.int64))

    def _coded(self, names: Sequence[str]) -> Ints:
        """(N,) the numbers of contenders; those unheard of get one."""
        for name in names:
            if name not in self._codes:
                self._codes[name] = len(self._names)
                self._names.append(name)
        size = len(self._names)
        more = size * (size - 1) // 2 - len(self._times)
        if more:
            self._times = np.pad(self._times, ((0, more), (0, 0)))
        return np.array([self._codes[name] for name in names], dtype=np.int64)

    def _holds(self, old: CodedVotes) -> bool:
        """All of this was folded in."""
        if any(self.excluded.get(reason, 0) < n for reason, n in old.excluded.items()):
            return False
        if not all(name in self._codes for name in old.names):
            return False
        (battles, raters), kind = self._clusterings(), old.each(self._kinds(old))
        battle, rater = self._numbers(old.battle_id, old.rater)
        return battles.holds(battle, kind) and raters.holds(rater, kind)

    # Whose votes they are ----------------------------------------------------------------------

    def _clusterings(self) -> tuple[Clustering, Clustering]:
        """All votes by battle and by rater."""
        if self._clustered is None:
            battle = rater = kind = NOTHING
            if self._waiting:
                new, kinds = self._waiting
                kind = new.each(kinds)
                battle, rater = self._numbers(new.battle_id, new.rater)
                self._waiting = None
            self._clustered = tuple(
                side_by_side(
                    len(kind), lambda: Clustering(battle, kind), lambda: Clustering(rater, kind)
                )
            )
        return self._clustered

    def _fold_clusters(self, kind: Ints, new: CodedVotes, sign: int) -> None:
        battles, raters = self._clusterings()
        battle, rater = self._numbers(new.battle_id, new.rater)
        battles.fold(battle, kind, sign, len(self._names))
        raters.fold(rater, kind, sign, len(self._names))

    def _numbers(self, battle_id: pd.Series, rater: pd.Series) -> tuple[Ints, Ints]:
        """(N,) of the battle and of the rater, which is negative where unknown: that of the
        battle then."""
        battle, known = side_by_side(
            len(rater),
            lambda: self._battle_ids.codes(battle_id) + 1,
            lambda: self._rater_ids.codes(rater),
        )
        return battle, _or_battle(known, battle)


def _kind(a: Ints, b: Ints, outcome: Ints) -> Ints:
    """(N,) what kind of vote it is that these two met and it ended so."""
    first, second = np.minimum(a, b), np.maximum(a, b)
    turned = (a > b) & (outcome < 2)
    return pair_of(first, second) * OUTCOMES + np.where(turned, 1 - outcome, outcome)


def cluster_numbers(battle_id: pd.Series, rater: pd.Series | None) -> Ints:
    """(N,) a number for each vote's battle, or for its rater where those are given; a vote
    without one stands with its battle."""
    if rater is None:
        return _Ids().codes(battle_id)
    known = _Ids().codes(rater)
    return _or_battle(known, _Ids().codes(battle_id) + 1) if (known < 0).any() else known


def _or_battle(rater: Ints, battle: Ints) -> Ints:
    """Numbers of raters, and negative ones, by battle, for those who are unknown."""
    return np.where(rater < 0, -1 - battle, rater) if (rater < 0).any() else rater
