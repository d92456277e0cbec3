"""What the viewers of a round have been shown, and whether anybody still looks.

It does not know how replies are written, nor how much of them may be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from arena.core.battle.entities import Battle
from arena.core.battle.identity import names_itself
from arena.core.battle.view import state
from arena.core.ports import Delta, Feed, Piece
from arena.play.writer import Writer

TELLTALE_OVERLAP = 200
"""New text is searched for an identity together with so many characters before it."""


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
        self._flagged: frozenset[str] = frozenset()
        self._told: tuple[object, ...] = ()

    async def show(self, levels: Mapping[str, int], stage: tuple[str, int]) -> None:
        """levels: characters that may be seen now, by seat; a seat that is not named was
        complete before the round began and is shown whole. What a StoreFault kept from being
        published is published by the next call."""
        pieces: list[Piece] = []
        reached = dict(self._levels)
        for letter, writer in self._writers.items():
            reached[letter] = levels.get(letter, writer.track.written)
            added = writer.between(self._levels[letter], reached[letter])
            pieces += added
            away = added and self._gives_itself_away(writer, self._levels[letter], reached[letter])
            if away or writer.spoilt:
                self._flagged |= {letter}
        if self._told != (told := (*stage, self._flagged)):
            name, place = stage
            public = state(self._battle, name, place=place, flagged=self._flagged)
            await self._feed.publish(self._battle.id, public, playing=True)
            self._told = told
        if pieces:
            await self._feed.publish(self._battle.id, Delta(tuple(pieces)), playing=True)
        self._levels = reached

    def _gives_itself_away(self, writer: Writer, before: int, level: int) -> bool:
        start = max(0, before - TELLTALE_OVERLAP)
        text = "".join(piece.text for piece in writer.between(start, level))
        return names_itself(text, self._battle.prompts)
