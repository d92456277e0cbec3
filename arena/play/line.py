"""The line in which new battles wait until there is room: past so many at once, all would be slow,
and past so many replies that wait for hosts, none would come in time.

It does not know what a battle is, nor who is told of a place in it.
"""

import asyncio
import math
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Turn:
    """`came` is set once there is room; `queued` is how far back its replies then stand in the
    queue of the hosts, and `coming` how many are yet to be seen there."""

    coming: int
    came: asyncio.Event = field(default_factory=asyncio.Event)
    queued: int = 0


class Line:
    """Of one process. room: for so many at once; longest: there is none while so many replies wait
    for hosts."""

    def __init__(self, room: float, longest: float = math.inf) -> None:
        self._room = room
        self._longest = longest
        self._inside: set[Turn] = set()
        self._waiting: list[Turn] = []

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def stand(self, replies: int, *, at_once: bool) -> Turn:
        """At the end of the line, with so many replies to be written. at_once: for what goes on,
        which takes room and never waits."""
        turn = Turn(replies)
        if at_once:
            self._inside.add(turn)
        else:
            self._waiting.append(turn)
            self._serve()
        return turn

    def place(self, turn: Turn) -> int:
        """From 1, counted through the queue of the hosts, which comes after; 0 for one whose turn
        has come."""
        if turn in self._inside:
            return 0
        return self._queued + 1 + self._waiting.index(turn)

    def heard(self, turn: Turn, queued: int) -> None:
        """How far back its replies stand in the queue of the hosts now."""
        turn.coming, turn.queued = 0, queued
        self._serve()

    def leave(self, turn: Turn) -> None:
        """Before or after its turn."""
        self._inside.discard(turn)
        if turn in self._waiting:
            self._waiting.remove(turn)
        self._serve()

    @property
    def _queued(self) -> int:
        return max((inside.queued for inside in self._inside), default=0)

    def _roomy(self) -> bool:
        coming = sum(inside.coming for inside in self._inside)
        return len(self._inside) < self._room and self._queued + coming < self._longest

    def _serve(self) -> None:
        while self._waiting and self._roomy():
            turn = self._waiting.pop(0)
            self._inside.add(turn)
            turn.came.set()
