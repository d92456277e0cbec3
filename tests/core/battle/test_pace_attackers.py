"""Attackers who see every frame of many battles, and its time, and name the slow seat.

They learn on one half of the battles and are judged on the other. On the pace that showed as much
as the slowest had written, they succeed; on the pace there is, they guess.
"""

from __future__ import annotations

import random
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from arena.adapters.hosts.ollama import MORE_RARELY, RARELY, SETTLED
from arena.core.battle.pace import Pace, Track

pytestmark = pytest.mark.untraced

TICK_S = 0.1
BATTLES = 300
Floats = npt.NDArray[np.float64]


class Levels(Protocol):
    level: int

    def tick(self, tracks: dict[str, Track], cap: float = ...) -> Any: ...


@dataclass(frozen=True)
class FormerPace:
    """As much as the slowest has written, up to 15 characters a tick."""

    level: int = 0

    def tick(self, tracks: dict[str, Track], cap: float = 15) -> FormerPace:
        if not all(t.written or t.ended for t in tracks.values()):
            return self
        open_ = [t.written for t in tracks.values() if not t.ended]
        bound = min(open_ or [max(t.written for t in tracks.values())])
        return replace(self, level=max(self.level, min(self.level + int(cap), bound)))


# Models -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Writing:
    """One reply: its text, and when how much of it was there."""

    text: str
    times: Sequence[float]
    reached: Sequence[int]

    def track(self, now: float) -> Track:
        tokens = bisect_right(self.times, now)
        return Track(self.reached[tokens - 1] if tokens else 0, tokens == len(self.times))


class Busy:
    """What a thread that has little time knows of a reply: it looks each second tick, later each
    fifth, from when the reply begins, and sees the end at the next one."""

    def __init__(self, writing: Writing) -> None:
        self.text = writing.text
        self._writing = writing
        self._known = Track(0, ended=False)
        self._looks = self._left = 0

    def track(self, now: float) -> Track:
        there = self._writing.track(now)
        if there.written and (there.ended or not self._left):
            self._known = there
            self._looks += 1
            self._left = RARELY if self._looks <= SETTLED else MORE_RARELY
        self._left -= self._left > 0
        return self._known


def gaps(rng: random.Random, kind: str, speed: float, tokens: int) -> list[float]:
    match kind:
        case "steady":
            return [1 / speed] * tokens
        case "jittery":
            return [rng.expovariate(speed) for _ in range(tokens)]
        case "bursty":
            return [0 if i % 8 else 8 / speed for i in range(tokens)]
        case _:  # stalling
            return [1 / speed + (rng.random() < 0.01) * rng.uniform(0.5, 3) for _ in range(tokens)]


def writing(rng: random.Random, kind: str, speed: float, characters: float) -> Writing:
    """Words as prose has them, in tokens of at most six characters that begin with the space."""
    text = ""
    while len(text) < characters:
        text += "".join(" " + "e" * max(1, round(rng.gauss(5, 2.5))) for _ in range(40))
    tokens = re.findall(" e{1,5}|e{1,6}", text)
    reached = [*accumulate(map(len, tokens))]
    reached = reached[: max(1, bisect_left(reached, characters))]
    times = rng.uniform(0.1, 0.8) + np.cumsum(gaps(rng, kind, speed, len(reached)))
    return Writing(text[: reached[-1]], times.tolist(), reached)


# What a viewer sees -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """The texts, and each frame's time and the level after it."""

    texts: Sequence[str]
    frames: Sequence[tuple[float, int]]


def seen(replies: Sequence[Writing | Busy], pace: Levels) -> Seen:
    seats = "ABCDEFGH"[: len(replies)]
    frames: list[tuple[float, int]] = []
    longest, now = max(len(r.text) for r in replies), 0.03
    while pace.level < longest:
        further = pace.tick({s: r.track(now) for s, r in zip(seats, replies, strict=True)})
        if further.level > pace.level:
            frames.append((now, further.level))
        pace, now = further, now + TICK_S
    return Seen([r.text for r in replies], frames)


def suspicions(battle: Seen) -> Floats:
    """What attackers look at, by seat: (seats, 8)."""
    frames = battle.frames[:-1]
    spans = [(b[0] - a[0], a[1], b[1]) for a, b in pairwise(frames)]
    last = frames[-1][1] if frames else 0
    rows = []
    for text in battle.texts:
        cuts = [level for _, level in frames if level < len(text)]
        within = [(s, text[a:b]) for s, a, b in spans if b <= len(text)]
        slowness = [s / len(part) for s, part in within]
        words = [part.count(" ") / len(part) for _, part in within]
        longest = max(within, key=lambda each: each[0], default=(0.0, "e"))[1]
        ended = [i for i, (_, level) in enumerate(frames) if level >= len(text)]
        rows.append(
            [
                np.mean([text[cut] == " " for cut in cuts] or [0]),
                np.mean([text[cut - 1] == " " for cut in cuts] or [0]),
                correlation(slowness, words),
                float(longest.startswith(" ")),
                float(longest.endswith(" ")),
                rise(frames, ended[0]) if ended else 1.0,
                max(0, len(text) - last),
                float(np.mean([len(part) for _, part in within] or [0])),
            ]
        )
    return np.array(rows)


def correlation(a: Sequence[float], b: Sequence[float]) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 3 and np.std(a) and np.std(b) else 0.0


def rise(frames: Sequence[tuple[float, int]], end: int) -> float:
    """The rate after a pane has ended, against before."""
    if not 2 < end < len(frames) - 2:
        return 1.0

    def rate(part: Sequence[tuple[float, int]]) -> float:
        return (part[-1][1] - part[0][1]) / (part[-1][0] - part[0][0])

    return rate(frames[end:]) / rate(frames[: end + 1])


# Attackers --------------------------------------------------------------------------------------


def named(signs: Floats, slow: npt.NDArray[np.int64]) -> list[int]:
    """How many of the second half of the battles each attacker names rightly: one for each sign,
    and one that weighs all of them."""
    signs = signs + 1e-9 * np.random.default_rng(0).random(signs.shape)
    half = len(slow) // 2
    hits = []
    for sign in np.moveaxis(signs, 2, 0):
        guesses = [np.argmax(sign, 1), np.argmin(sign, 1)]
        guess = max(guesses, key=lambda g: int(np.sum(g[:half] == slow[:half])))
        hits.append(int(np.sum(guess[half:] == slow[half:])))
    z = (signs - signs.mean((0, 1))) / signs.std((0, 1))
    z = np.concatenate([z, z - z.mean(1, keepdims=True)], 2)
    weights, truth = np.zeros(z.shape[2]), np.eye(z.shape[1])[slow[:half]]
    for _ in range(300):
        odds = np.exp(z[:half] @ weights)
        error = truth - odds / odds.sum(1, keepdims=True)
        weights += 0.3 * np.einsum("bs,bsf->f", error, z[:half]) / half - 0.001 * weights
    return [*hits, int(np.sum(np.argmax(z[half:] @ weights, 1) == slow[half:]))]


def battles(
    kinds: Sequence[str],
    speeds: Sequence[float],
    pace: Callable[[], Levels],
    spread: float,
    look: Callable[[Writing], Writing | Busy] = lambda writing: writing,
) -> list[int]:
    """spread: the longest reply may be so many times as long as the shortest. look: how what was
    written is seen."""
    rng = random.Random(7)
    signs, slow = [], []
    for _ in range(BATTLES):
        shuffled = rng.sample(speeds, len(speeds))
        mean = rng.uniform(500, 1500)
        lengths = [mean * spread ** rng.uniform(-0.5, 0.5) for _ in speeds]
        replies = [
            writing(rng, rng.choice(kinds), speed, n)
            for speed, n in zip(shuffled, lengths, strict=True)
        ]
        signs.append(suspicions(seen([look(reply) for reply in replies], pace())))
        slow.append(int(np.argmin(shuffled)))
    return named(np.array(signs), np.array(slow))


KINDS = ["steady", "jittery", "bursty", "stalling"]
ALIKE, APART = (20, 24, 28), (10, 45, 80)


@pytest.mark.parametrize(
    ("kinds", "speeds"),
    [
        (KINDS, APART),
        *(pytest.param([kind], ALIKE, marks=pytest.mark.slow) for kind in KINDS),
        pytest.param(KINDS, (15, 30), marks=pytest.mark.slow),
        pytest.param(KINDS, (20, 25, 30, 35, 40, 50, 60, 70), marks=pytest.mark.slow),
    ],
)
def test_attackers_name_the_slow_seat_no_better_than_chance(
    kinds: Sequence[str], speeds: Sequence[float]
) -> None:
    hits = battles(kinds, speeds, Pace, spread=1.2)
    assert max(hits) <= by_chance(hits, speeds)


def by_chance(hits: Sequence[int], speeds: Sequence[float]) -> float:
    """So many attackers, of whom none may be beyond what chance gives to one in a hundred runs."""
    return float(binom.ppf(1 - 0.01 / len(hits), BATTLES // 2, 1 / len(speeds)))


@pytest.mark.slow
@pytest.mark.parametrize(("kinds", "speeds"), [(["steady"], ALIKE), (KINDS, APART)])
def test_nor_where_the_arena_is_so_busy_that_it_looks_rarely(
    kinds: Sequence[str], speeds: Sequence[float]
) -> None:
    hits = battles(kinds, speeds, Pace, spread=1.2, look=Busy)
    assert max(hits) <= by_chance(hits, speeds)


@pytest.mark.parametrize("look", [lambda writing: writing, Busy])
@pytest.mark.parametrize("speeds", [pytest.param(ALIKE, marks=pytest.mark.slow), APART])
def test_the_same_attackers_succeed_on_the_former_pace(
    speeds: Sequence[float], look: Callable[[Writing], Writing | Busy]
) -> None:
    hits = battles(["steady"], speeds, FormerPace, spread=1.2, look=look)
    assert max(hits) > 0.8 * BATTLES / 2


@pytest.mark.slow
def test_shorter_and_longer_replies_of_like_speed_tell_nothing_either() -> None:
    hits = battles(KINDS, ALIKE, Pace, spread=6)
    assert max(hits) <= by_chance(hits, ALIKE)
