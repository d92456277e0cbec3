"""The line in which new battles wait until there is room: past so many at once, all would be slow.

It does not know what a battle is, nor who is told of a place in it.
"""

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Turn:
    """`came` is set once there is room; `queued` is how far back its replies then stand in the
    queue of the hosts."""

    came: asyncio.Event = field(default_factory=asyncio.Event)
    queued: int = 0


class Line:
    """Of one process. room: for so many at once."""

    def __init__(self, room: float) -> None:
        self._room = room
        self._inside: set[Turn] = set()
        self._waiting: list[Turn] = []

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def stand(self, *, at_once: bool) -> Turn:
        """At the end of the line. at_once: for what goes on, which takes room and never waits."""
        turn = Turn()
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
        ahead = max((inside.queued for inside in self._inside), default=0)
        return ahead + 1 + self._waiting.index(turn)

    def leave(self, turn: Turn) -> None:
        """Before or after its turn."""
        self._inside.discard(turn)
        if turn in self._waiting:
            self._waiting.remove(turn)
        self._serve()

    def _serve(self) -> None:
        while self._waiting and len(self._inside) < self._room:
            turn = self._waiting.pop(0)
            self._inside.add(turn)
            turn.came.set()
