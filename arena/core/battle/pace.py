"""How much of each reply may be shown now: the start gate and the common pace.

Nothing is shown until every reply has a first character, or has ended without one; then all
panes show the same number of characters, never beyond the shortest reply that is still being
written, so that speed does not tell who is who. It does not know about time: the caller says
how many characters a tick is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Track:
    """One reply: characters written so far, and whether that is all of it."""

    written: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Pace:
    """The level (in characters) that every pane has reached; `open` once the gate is."""

    level: int = 0
    open: bool = False

    def tick(self, tracks: Mapping[str, Track], budget: int) -> Pace:
        """The pace after a tick that allows at most `budget` more characters a pane."""
        if not self.open and not all(t.written or t.ended for t in tracks.values()):
            return self
        being_written = [t.written for t in tracks.values() if not t.ended]
        bound = min(being_written or [max((t.written for t in tracks.values()), default=0)])
        return Pace(level=max(self.level, min(self.level + budget, bound)), open=True)

    def shown(self, track: Track) -> int:
        """How many characters of this reply may be seen."""
        return min(self.level, track.written)

    def finished(self, tracks: Mapping[str, Track]) -> bool:
        """Every reply has ended and is shown whole."""
        return all(t.ended and t.written <= self.level for t in tracks.values())
