"""What the public may download of the votes, and from when on.

Conversations with names train a program that tells tomorrow's contenders apart by their words, so
those of today are kept back where others than operators ask. It does not know who asks.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from arena.core.errors import ArenaError
from arena.core.standings.slices import Slice

LEVELS = ("nothing", "standings", "votes", "all")
NOTHING, _, VOTES, ALL = LEVELS


class Withheld(ArenaError):
    status = 403
    title = "Not for download"


@dataclass(frozen=True, slots=True)
class Release:
    """what: one of LEVELS; `votes` come without their texts. after_h: hours until a vote may be
    had; None: until its day (UTC) is over. least: votes that there have to be first."""

    what: str = ALL
    after_h: float | None = None
    least: int = 0

    @property
    def textless(self) -> bool:
        return self.what != ALL

    def gives(self, format: str) -> bool:
        """Whether such a file is to be had at all."""
        if format == "latex":
            return self.what != NOTHING
        return self.what == ALL or (self.what == VOTES and format != "dpo")

    def standings(self) -> None:
        """Raises Withheld where they are not to be had as a file."""
        if self.what == NOTHING:
            raise Withheld("This arena gives no files away.")

    def of(self, slice: Slice, format: str, votes: int, now: datetime) -> Slice:
        """Of the slice what may be had now, of so many votes in all. Raises Withheld."""
        self.standings()
        if not self.gives(format):
            raise Withheld("This arena gives its standings away, and not the texts of votes.")
        if votes < self.least:
            raise Withheld(f"The votes can be had once there are {self.least:,} of them.")
        day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        until = day if self.after_h is None else now - timedelta(hours=self.after_h)
        if slice.since and slice.since >= until:
            raise Withheld(f"Votes can be had that were cast before {until.isoformat()}.")
        return replace(slice, until=min(until, slice.until or until))
