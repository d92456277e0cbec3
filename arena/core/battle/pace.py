"""How much of each reply may be shown now: the start gate and the common pace.

All panes show the same number of characters, the *level*, and the level is a function of common
facts alone:

- Nothing is shown before every reply has a first step of characters, or has ended.
- The level is a whole number of steps, so that no cut falls on the end of anybody's token.
- It moves at a steady rate, behind the reply that has the fewest characters. That one is met only
  where it stalls: then all panes stand until it is well ahead, and go on at a lower rate.
- The rate is a rung of a coarse ladder, below what was written and below what was shown on the
  whole since the gate, stalls included. So it never rises within a round, whoever ends or hurries.
- Once every reply is complete, all of it is shown: then nobody is waited for any more.

What is left to be told is what any pace leaves: how long the replies are, which of them have ended
below the level, and when the last one was complete. It does not know about time: the caller says
when a tick has passed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

STEP = 4
"""Characters."""
GRAIN = 16
"""Characters by which the slowest reply is seen to grow: in so many there are ends of tokens in
every text, so that where the level stands says nothing either."""
AHEAD = 2 * GRAIN
"""By so many characters the slowest reply is ahead when the level sets out."""
WAITS = frozenset(2**n for n in range(1, 20))
"""Ticks after which a level that stands may set out: so few that none tells of a token."""
MARGIN = 0.9
LADDER = math.sqrt(2)
"""From one rate to the next. The finer it is, the better lengths and times would tell who set it;
the coarser, the more is left to be shown at once at the end."""


class Track(NamedTuple):
    """One reply: characters written so far, and whether that is all of it."""

    written: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """Characters at a tick, counted from the gate."""

    tick: int
    characters: int


@dataclass(frozen=True, slots=True)
class Pace:
    """The level (in characters) that every pane has reached; `open` once the gate is. rate: in
    characters a tick, infinite before the first was measured; it counts from `start`. standing:
    since when the level waits, and how much the slowest had then; None while it moves."""

    level: int = 0
    open: bool = False
    rate: float = math.inf
    ticks: int = 0
    start: Mark = Mark(0, 0)
    standing: Mark | None = None

    def tick(self, tracks: Mapping[str, Track], cap: float = math.inf) -> Pace:
        """The pace one tick later. cap: the most characters a tick while somebody writes."""
        being_written = [t.written for t in tracks.values() if not t.ended]
        if not being_written:
            longest = max((t.written for t in tracks.values()), default=0)
            return replace(self, level=max(self.level, longest), open=True)
        slowest = min(being_written)
        if self.open:
            return self._moved(self.ticks + 1, slowest // GRAIN * GRAIN, cap)
        if slowest < STEP:
            return self
        return Pace(level=STEP, open=True, standing=Mark(0, slowest))

    def shown(self, track: Track) -> int:
        """How many characters of this reply may be seen."""
        return min(self.level, track.written)

    def finished(self, tracks: Mapping[str, Track]) -> bool:
        """Every reply has ended and is shown whole."""
        return all(t.ended and t.written <= self.level for t in tracks.values())

    def _moved(self, ticks: int, slowest: int, cap: float) -> Pace:
        pace = self._set_out(ticks, slowest, cap) if self.standing else self
        if pace.standing:
            return replace(pace, ticks=ticks)
        gone = pace.rate * (ticks - pace.start.tick)
        level = pace.start.characters + int(gone) // STEP * STEP
        if level > slowest:
            return replace(pace, ticks=ticks, standing=Mark(ticks, slowest))
        return replace(pace, ticks=ticks, level=level)

    def _set_out(self, ticks: int, slowest: int, cap: float) -> Pace:
        """With a rate, if it is time."""
        assert self.standing is not None
        stood, gained = ticks - self.standing.tick, slowest - self.standing.characters
        if slowest < self.level + AHEAD or gained <= 0 or stood not in WAITS:
            return self
        on_the_whole = (self.level - STEP) / ticks if self.rate < math.inf else math.inf
        limit = min(MARGIN * gained / stood, on_the_whole, self.rate / LADDER)
        rate = min(cap, LADDER ** math.floor(math.log(limit, LADDER)) if limit else 0)
        start = Mark(ticks - 1, self.level)
        return replace(self, rate=rate, start=start, standing=None)
