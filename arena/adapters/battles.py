"""Live battles, in the memory of this process.

Lost when it dies, but for what `parking` and `journal` put on the disk, which the next process
takes up. It does not know the rules of a battle, only its id, version and phase, and whether
somebody is still to enter.
"""

import logging
import math
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from arena.core.battle.entities import Battle, Phase
from arena.core.codec import line, read_line
from arena.core.errors import AWAY, StaleVote, StoreFault, UnknownBattle

T = TypeVar("T")

log = logging.getLogger(__name__)

KEEP_S = 24 * 3600
CALM_S = 15.0
"""So long after its last move a battle leaves memory, unless somebody follows it or writes in it.
To come back takes half a millisecond; what is still here is what memory grows by when many play."""
AHEAD_S = 600.0
"""So long it stays where somebody is still to enter, who may have written already."""
CACHE_KIB = 256
"""Of the file of calm battles that is kept in memory."""
_TABLE = """
CREATE TABLE battles (
    id TEXT PRIMARY KEY, at REAL NOT NULL, decided INT NOT NULL, battle TEXT NOT NULL,
    key TEXT NOT NULL, alias TEXT NOT NULL
)
"""


class _Shelf:
    """Battles in which nothing moves and that nobody looks at: in a file without a name, which ends
    with the process (https://www.sqlite.org/inmemorydb.html). Raises StoreFault while there is no
    room."""

    def __init__(self) -> None:
        self._undecided: set[str] = set()
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        # Nothing of it outlives the process, so nothing has to be waited for. But what was there is
        # noted, in memory: else one write for which there is no room would spoil the file.
        for setting in ("journal_mode = MEMORY", "synchronous = OFF", f"cache_size = -{CACHE_KIB}"):
            self._file.execute(f"PRAGMA {setting}")
        self._file.execute(_TABLE)
        self._file.execute("CREATE INDEX at ON battles (at)")

    def put(self, battle: Battle, at: float) -> None:
        decided = battle.phase is Phase.DECIDED
        names = battle.origin.key, battle.origin.alias
        row = (battle.id, at, decided, line(battle, Battle), *names)
        with _told():
            self._file.execute("REPLACE INTO battles VALUES (?, ?, ?, ?, ?, ?)", row)
        if not decided:
            self._undecided.add(battle.id)

    def take(self, battle_id: str) -> tuple[float, Battle] | None:
        """It is not there any more then."""
        there = "FROM battles WHERE id = ?"
        with _told():
            found = self._file.execute(f"SELECT at, battle {there}", (battle_id,)).fetchone()
        if not found:
            return None
        self._undecided.discard(battle_id)
        with suppress(StoreFault), _told():
            self._file.execute(f"DELETE {there}", (battle_id,))
        return found[0], read_line(found[1], Battle)

    def drop(self, until: float) -> set[str]:
        """Those whose last move is from before then. Returns the undecided ones among them."""
        dropped = "DELETE FROM battles WHERE at <= ? RETURNING id"
        gone: set[str] = set()
        with suppress(StoreFault), _told():
            rows = self._file.execute(dropped, (until,)).fetchall()
            gone = self._undecided.intersection(battle_id for (battle_id,) in rows)
            self._undecided -= gone
        return gone

    def lines(self) -> Iterator[tuple[float, str, tuple[str, str, str]]]:
        """Of those that were not decided, each with its id, key and name."""
        with _told():
            undecided = "SELECT at, battle, id, key, alias FROM battles WHERE NOT decided"
            for at, told, battle_id, key, alias in self._file.execute(undecided):
                # The row of one that was taken may still be there.
                if battle_id in self._undecided:
                    yield at, told, (battle_id, key, alias)

    def close(self) -> None:
        self._file.close()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        log.warning("battles that nobody follows cannot be put away or read: %s", error)
        raise StoreFault(AWAY) from error


class MemoryBattles:
    """`core.ports.Battles` in a dict; a battle is forgotten a day after its last move, and so are
    keys and names, and neither who looks at it nor a restart prolongs that: what leaves this process
    carries the time of its last move, in seconds since 1970. forgotten: called with the id of each
    battle then, and of one that leaves memory; found: with each that comes back. kept: called with
    that time and each battle before its move, or its name, is acknowledged. viewers: of a battle,
    now."""

    def __init__(
        self,
        *,
        keep_s: float = KEEP_S,
        clock: Callable[[], float] = time.monotonic,
        forgotten: Callable[[str], None] = lambda battle_id: None,
        kept: Callable[[float, Battle], None] = lambda moved, battle: None,
        found: Callable[[Battle], None] = lambda battle: None,
        viewers: Callable[[str], int] = lambda battle_id: 0,
    ) -> None:
        self._battles: dict[str, tuple[float, Battle]] = {}
        self._keys: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._names: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._calm: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._shelf = _Shelf()
        # All there are, here and on the shelf: whoever asks for them does not look at each.
        self._under_way: set[str] = set()
        self._void: set[str] = set()
        self._swept = -math.inf
        self._left: set[str] = set()
        self._keep_s = keep_s
        self._clock = clock
        self._forgotten = forgotten
        self._kept = kept
        self._found = found
        self._viewers = viewers

    async def load(self, battle_id: str) -> Battle:
        self._forget_old()
        if battle := self._found_of(battle_id):
            return battle
        raise UnknownBattle(
            "This battle is no longer on the server: it was restarted, or the battle is "
            "older than a day. The votes already cast are kept. Start a new battle."
        )

    async def save(self, battle: Battle) -> None:
        held = self._found_of(battle.id, new=battle.version == 1)
        if (held.version if held else 0) != battle.version - 1:
            raise StaleVote("The battle has moved on. The page shows where it is now.")
        self._hold(self._clock(), battle)
        self._kept(time.time(), self._as_left(battle))
        self._forget_old()

    async def under_way(self) -> frozenset[str]:
        self._forget_old()
        return frozenset(self._under_way)

    async def unrevealed(self) -> frozenset[str]:
        self._forget_old()
        return frozenset(self._under_way | self._void)

    def undecided(self) -> Iterator[tuple[float, Battle]]:
        """Those under way, and those that ended without a result, with when they were moved."""
        yield from self._undecided_here()
        for at, told, _ in self._shelf.lines():
            yield self._moved(at), self._as_left(read_line(told, Battle))

    def lines(self) -> Iterator[tuple[float, str]]:
        """As `undecided`, each as it is written."""
        yield from ((moved, line(battle, Battle)) for moved, battle in self._undecided_here())
        for at, told, names in self._shelf.lines():
            whole = self._has(*names) == names[1:]
            left = told if whole else line(self._as_left(read_line(told, Battle)), Battle)
            yield self._moved(at), left

    def _undecided_here(self) -> list[tuple[float, Battle]]:
        self._forget_old()
        here = self._battles.values()
        left = [(at, each) for at, each in here if each.phase is not Phase.DECIDED]
        return [(self._moved(at), self._as_left(each)) for at, each in left]

    def _as_left(self, battle: Battle) -> Battle:
        """The battle as another process is to find it: without a key or a name that a later one
        has, as that one may not be found, or have been moved before it."""
        key, alias = self._has(battle.id, battle.origin.key, battle.origin.alias)
        if (key, alias) == (battle.origin.key, battle.origin.alias):
            return battle
        return replace(battle, origin=replace(battle.origin, key=key, alias=alias))

    def _has(self, battle_id: str, key: str, alias: str) -> tuple[str, str]:
        """Its key and its name, each empty where it is not, or no longer, this battle's."""
        return (
            key if self._named(self._keys, key) == battle_id else "",
            alias if self._named(self._names, alias) == battle_id else "",
        )

    def take_up(self, battle: Battle, moved: float = math.inf) -> None:
        """Keep a battle that another process left, moved now unless told, with its key and its name;
        of several of one name the one moved last has it. Where replies are owed, it is an orphan."""
        at = self._clock() - max(0.0, time.time() - moved)
        self._hold(at, battle)
        for known, name in ((self._keys, battle.origin.key), (self._names, battle.origin.alias)):
            if name and known.get(name, (-math.inf, ""))[0] <= at:
                known[name] = at, battle.id
        if battle.phase is Phase.ANSWERING:
            self._left.add(battle.id)

    async def claim(self, battle_id: str) -> bool:
        self._left.discard(battle_id)
        return True

    async def release(self, battle_id: str) -> None:
        """There is no other replica that could have it."""

    async def orphans(self) -> tuple[str, ...]:
        self._forget_old()
        return tuple(self._left)

    async def first(self, key: str, battle_id: str) -> str:
        if there := self._named(self._keys, key):
            return there
        self._keys[key] = (self._clock(), battle_id)
        return battle_id

    async def unkey(self, key: str, battle_id: str) -> None:
        named = self._keys.get(key, (0.0, ""))[1]
        if named == battle_id and battle_id not in self._battles:
            del self._keys[key]

    async def name(self, name: str, battle_id: str) -> None:
        self._names[name] = (self._clock(), battle_id)
        self._names.move_to_end(name)
        # It was kept without, as it had no name yet.
        if battle_id in self._battles:
            at, battle = self._battles[battle_id]
            self._kept(self._moved(at), self._as_left(battle))

    async def named(self, name: str) -> str:
        return self._named(self._names, name)

    def close(self) -> None:
        self._shelf.close()

    def _named(self, known: OrderedDict[str, tuple[float, str]], name: str) -> str:
        oldest = self._clock() - self._keep_s
        _drop_old(known, oldest)
        # What was taken up may stand behind what is younger.
        if known.get(name, (math.inf, ""))[0] <= oldest:
            del known[name]
        return known.get(name, (0.0, ""))[1]

    def _hold(self, at: float, battle: Battle) -> None:
        """at: of its last move."""
        self._battles[battle.id] = (at, battle)
        self._note(battle.id, battle.phase)
        self._calm.pop(battle.id, None)
        if battle.phase is not Phase.ANSWERING:
            self._calm[battle.id] = (self._clock(), battle.id)

    def _note(self, battle_id: str, phase: Phase = Phase.DECIDED) -> None:
        """phase: decided is as good as forgotten."""
        self._under_way.discard(battle_id)
        self._void.discard(battle_id)
        if phase is not Phase.DECIDED:
            (self._void if phase is Phase.VOID else self._under_way).add(battle_id)

    def _moved(self, at: float) -> float:
        """The same time for another process, whose clock began at another time."""
        return time.time() - self._clock() + at

    def _found_of(self, battle_id: str, *, new: bool = False) -> Battle | None:
        """new: it was never put away, so it may be opened also while that cannot be looked up."""
        if battle_id not in self._battles and not new and (taken := self._shelf.take(battle_id)):
            self._hold(*taken)
            self._found(taken[1])
        if battle_id not in self._battles:
            return None
        at, battle = self._battles[battle_id]
        if at <= self._clock() - self._keep_s:
            self._forget(battle_id)
            return None
        return battle

    def _forget_old(self) -> None:
        now = self._clock()
        for battle_id in _drop_old(self._calm, now - CALM_S):
            self._put_away(battle_id, now)
        if now - self._swept > min(CALM_S, self._keep_s):
            self._swept = now
            oldest = now - self._keep_s
            gone = [i for i, (at, _) in self._battles.items() if at <= oldest]
            for battle_id in self._shelf.drop(oldest):
                self._note(battle_id)
            for battle_id in gone:
                self._forget(battle_id)

    def _forget(self, battle_id: str) -> None:
        self._note(battle_id)
        self._let_go(battle_id)

    def _let_go(self, battle_id: str) -> None:
        del self._battles[battle_id]
        self._left.discard(battle_id)
        self._forgotten(battle_id)

    def _put_away(self, battle_id: str, now: float) -> None:
        if battle_id not in self._battles:
            return
        at, battle = self._battles[battle_id]
        ahead = battle.phase is Phase.VOTING and battle.waiting and now - at < AHEAD_S
        if ahead or self._viewers(battle_id):
            self._calm[battle_id] = (now, battle_id)
            return
        try:
            self._shelf.put(battle, at)
        except StoreFault:
            return
        self._let_go(battle_id)


def _drop_old(entries: OrderedDict[str, tuple[float, T]], limit: float) -> list[str]:
    """Drop the entries from before that time; they stand first. Returns their keys."""
    dropped = []
    while entries and next(iter(entries.values()))[0] <= limit:
        dropped.append(entries.popitem(last=False)[0])
    return dropped
