"""What the viewers of a round have been shown, and whether anybody still looks.

It does not know how replies are written, nor how much of them may be shown.
"""

from collections.abc import Callable, Mapping, Sequence

from arena.core.battle.entities import Battle
from arena.core.battle.identity import Telltale
from arena.core.battle.view import state
from arena.core.ports import Delta, Feed, Piece
from arena.play.writer import Writer


class Attendance:
    """Whether anybody still looks."""

    def __init__(
        self, feed: Feed, battle_id: str, grace_s: float, clock: Callable[[], float]
    ) -> None:
        self._feed = feed
        self._battle_id = battle_id
        self._grace_s = grace_s
        self._clock = clock
        self._last_seen = clock()

    def everyone_left(self) -> bool:
        """Nobody has followed the battle for longer than the grace period."""
        if self._feed.viewers(self._battle_id):
            self._last_seen = self._clock()
        return self._clock() - self._last_seen > self._grace_s


class Screen:
    """What the viewers of a round have been shown; it publishes only what is new."""

    def __init__(self, feed: Feed, battle: Battle, writers: Mapping[str, Writer]) -> None:
        self._feed = feed
        self._battle = battle
        self._writers = writers
        self._levels = dict.fromkeys(writers, 0)
        self._watched = dict(self._levels)
        self._flagged: frozenset[str] = frozenset()
        self._telltales: dict[tuple[str, int], Telltale] = {}
        self._told: tuple[object, ...] = ()

    async def show(self, stage: tuple[str, int]) -> None:
        """Of each reply as much as its level says. What a StoreFault kept from being published
        is published by the next call."""
        pieces: list[Piece] = []
        reached = dict(self._levels)
        for letter, writer in self._writers.items():
            reached[letter] = writer.level
            added = writer.between(self._levels[letter], reached[letter])
            pieces += added
            if self._watched[letter] != self._levels[letter]:
                added = writer.between(self._watched[letter], reached[letter])
            if self._give_away(writer, added) or writer.spoilt:
                self._flagged |= {letter}
            self._watched[letter] = reached[letter]
        if self._told != (told := (*stage, self._flagged)):
            name, place = stage
            public = state(self._battle, name, place=place, flagged=self._flagged)
            await self._feed.publish(self._battle.id, public, playing=True)
            self._told = told
        if pieces:
            await self._feed.publish(self._battle.id, Delta(tuple(pieces)), playing=True)
        self._levels = reached

    def _give_away(self, writer: Writer, added: Sequence[Piece]) -> bool:
        """What was not watched yet tells who wrote it; what could not be published comes twice."""
        told = False
        for piece in added:
            reply = piece.seat, piece.turn
            if reply not in self._telltales:
                self._telltales[reply] = Telltale(self._battle.said, writer.families)
            told = self._telltales[reply].feed(piece.text) or told
        return told
