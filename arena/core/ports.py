"""What the core needs from outside, as Protocols, with the typed events.

It does not know who stands behind a port: an Ollama, a server that speaks OpenAI's API or the
embedded engine, SQLite or PostgreSQL, memory or Redis.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from arena.core.battle.entities import Battle, Contender, Finished, Text, Thought
from arena.core.battle.record import VoteRow
from arena.core.battle.view import State
from arena.core.study.course import Event as StudyEvent
from arena.core.study.written import Written

if TYPE_CHECKING:
    import pandas as pd

    from arena.core.standings.votes import Vote

Answer = TypeVar("Answer")

# What a host tells while it writes one reply -------------------------------------------------


@dataclass(frozen=True, slots=True)
class Queued:
    """All slots are taken; `place` counts from 1."""

    place: int


@dataclass(frozen=True, slots=True)
class Warming:
    """The model is being loaded; the first token will take longer."""


HostEvent = Queued | Warming | Thought | Text | Finished


class Hosts(Protocol):
    """One or many hosts, of any kind."""

    def reply(
        self,
        contender: Contender,
        messages: Sequence[Mapping[str, Any]],
        *,
        seed: int,
        avoid: frozenset[str] = frozenset(),
    ) -> AsyncGenerator[HostEvent, None]:
        """Stream one reply; ends after `Finished`, or raises `HostFault`/`UnknownModel`.

        messages: [{"role": "system"|"user"|"assistant", "content": str}, …], with "images", each
        as base64, where it comes with some. `avoid` names
        hosts that failed this reply already; they are used only if there is no other.
        `seed` is the same for all contenders of a battle."""

    def contenders(self) -> tuple[Contender, ...]:
        """The roster as far as it can play now, with the models' exact names."""

    def roster(self) -> tuple[Contender, ...]:
        """All of it that hosts have, also what cannot play now."""

    def seeing(self) -> frozenset[str]:
        """Names of those contenders that take images."""

    def families(self) -> frozenset[str]:
        """Words by which a reply may give away a model here; see core.battle.names."""

    def refusal(self) -> str:
        """Why no battle can be had now, in words for the page; empty when one can."""


# What the page is told -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Piece:
    """Text to append to the reply of `seat` to prompt number `turn` (from 0)."""

    seat: str
    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class Delta:
    """What one tick adds to the panes."""

    pieces: tuple[Piece, ...]


Event = State | Delta


class Feed(Protocol):
    """The events of a battle, in order, kept from its first to its last."""

    async def publish(self, battle_id: str, event: Event, *, playing: bool = False) -> int:
        """Append the event; returns its number, from 1. After a StoreFault it is not there, so
        that it, or one that tells the same and more, can be published again. playing: it is
        about a round that this replica plays; raises StaleVote, and the event is not there,
        where another one has claimed the battle meanwhile."""

    def follow(
        self, battle_id: str, after: int = 0
    ) -> AsyncGenerator[list[tuple[int, Event]], None]:
        """All events numbered above `after`, then those to come, in batches; an empty one is a
        sign of life, each few seconds. Whoever follows is a viewer."""

    def viewers(self, battle_id: str) -> int:
        """How many follow the battle now, on all replicas."""

    def forget(self, battle_id: str) -> None:
        """The battle is no longer stored: let go of its events."""

    def close(self) -> None:
        """Let every follower's stream end."""


class Battles(Protocol):
    """The live battles. They survive a page reload and a restart."""

    async def load(self, battle_id: str) -> Battle:
        """Raises `UnknownBattle`."""

    async def save(self, battle: Battle) -> None:
        """Store version n only over version n − 1 (or nothing); else raise `StaleVote`. After a
        StoreFault it may be stored, or not."""

    async def under_way(self) -> frozenset[str]:
        """Ids of the battles that are neither decided nor void."""

    async def unrevealed(self) -> frozenset[str]:
        """Ids of the battles whose names nobody was told: those under way and, as long as they
        are kept, those that ended without a result."""

    async def claim(self, battle_id: str) -> bool:
        """Become, or stay, the one replica that lets this battle's contenders write. A claim
        holds for a few seconds. False if another replica holds it."""

    async def release(self, battle_id: str) -> None:
        """Let go of a claim; nothing happens to one that is not held."""

    async def orphans(self) -> tuple[str, ...]:
        """Battles in which replies are owed and that no living replica has claimed."""

    async def first(self, key: str, battle_id: str) -> str:
        """The battle that was named first under this key, which is this one if none was."""

    async def unkey(self, key: str, battle_id: str) -> None:
        """Let go of the key if it still names this battle and the battle is not stored: it could
        not be opened."""

    async def name(self, name: str, battle_id: str) -> None:
        """From now on the name is that of this battle, whatever it was of before."""

    async def named(self, name: str) -> str:
        """The battle of that name; empty where there is none."""


class RateLimits(Protocol):
    """How much one caller may do."""

    async def take(self, key: str, limit: int, window_s: float) -> float:
        """0.0 where it is allowed, and then it is counted; else the seconds until there is room
        again. At most `limit` are allowed in any window of so many seconds."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What standings are made from, as far as it is new. `rows` were written since: sequence,
    battle_id, rater, model_a, model_b, winner and excluded_reason, which is "superseded" for a
    ballot that was. `withdrawn` were told before, in the same columns, and superseded since.
    `last` is the sequence up to which this tells everything."""

    rows: pd.DataFrame
    withdrawn: pd.DataFrame
    last: int
    exclusions: int = 0
    """How many decisions on exclusions it heeds."""


OPERATOR = "operator"
"""The reason why a vote is not ranked that an operator excluded."""
RATER, BALLOT = "rater", "ballot"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What an operator decided of all votes of a rater, or of those of a ballot (`kind`): that they
    are excluded, or included again."""

    kind: str
    subject: str
    excluded: bool
    reason: str
    decided_at: datetime


def standing(decisions: Iterable[Exclusion]) -> list[Exclusion]:
    """Those that hold now: the last one on each that excludes it."""
    last = {(each.kind, each.subject): each for each in decisions}
    return [each for each in last.values() if each.excluded]


@dataclass(frozen=True, slots=True)
class Verified:
    """What is found of a ledger's chain. `head` stands for all votes so far; `faults` say what is
    wrong and where, and `more` how many others there are."""

    votes: int
    head: str
    faults: tuple[str, ...] = ()
    more: int = 0


class StudyLedger(Protocol):
    """What happens in studies, append-only beside the votes."""

    async def openings(self) -> Mapping[str, Sequence[StudyEvent]]:
        """Study → when it was opened and closed, in order, without data."""

    async def happened(self, study: str) -> tuple[Sequence[StudyEvent], frozenset[str]]:
        """All that has happened, and the battles that have their last vote though nobody said so
        since. Nobody waits for it."""

    async def move(
        self,
        study: str,
        decide: Callable[
            [Sequence[StudyEvent], frozenset[str]], tuple[Answer, Sequence[StudyEvent]]
        ],
    ) -> Answer:
        """Decide on what happens next while nobody else does, on what `happened` tells. Returns
        the answer once the new events are durable. `decide` runs in a thread, and asks nobody."""

    async def keep(self, study: str, written: Iterable[Written]) -> int:
        """Replies written ahead; those that are here already stay. Returns how many were new."""

    async def written(self, study: str, prompt: str = "") -> Sequence[Written]:
        """All replies, or those to one prompt."""

    async def battles_of(self, studies: Collection[str]) -> frozenset[str]:
        """Every battle that was a rater's in one of them."""


class Ledger(StudyLedger, Protocol):
    """Votes, append-only. `sequence` numbers the rows in the order in which they became
    readable: nothing ever appears below a number that was read."""

    async def append(self, rows: Sequence[VoteRow]) -> bool:
        """Durable when it returns. False when this ballot was recorded before: nothing is
        written then. Raises `LedgerFault`, and then nothing is known to be written; the same
        ballot can be cast again."""

    async def add(self, rows: Iterable[VoteRow], *, dry: bool = False) -> int:
        """Votes that were cast elsewhere, all or none; returns how many. `dry`: none is written,
        and whatever would be refused is. Raises `KnownVotes` where some are here already, and
        BadInput where some are of a study that was opened here."""

    async def votes(
        self, columns: Sequence[str] = (), *, after: int = 0, limit: int = 0
    ) -> pd.DataFrame:
        """One row a pair judged, in the order written; columns are those of `VoteRow`, or only
        the ones named, which spares reading every conversation; `sequence` may be one of them.
        `after`: only rows of a higher sequence; `limit`: at most so many, the first ones; 0 for
        all."""

    async def votes_on(self, battle: str) -> Sequence[Vote]:
        """In the order written."""

    async def outcomes(self, after: int = 0) -> Outcomes:
        """What was written and withdrawn after that sequence; quick at any size."""

    generation: int
    """Another number where another ledger has taken the place of the one that was read before;
    its votes are others under the same numbers."""

    async def exclude(self, decisions: Sequence[Exclusion]) -> None:
        """Durable when it returns; from then on votes and outcomes heed them."""

    async def exclusions(self) -> list[Exclusion]:
        """All decisions so far, in their order."""

    async def share(self, link: str, owner: str, told: str) -> None:
        """Keep what the link of a battle shows; what was kept before is replaced."""

    async def shared(self, link: str) -> tuple[str, str] | None:
        """Who shared it, and what is shown."""

    async def unshare(self, *links: str) -> None:
        """Forget them."""

    async def keep_images(self, kept: Mapping[str, bytes]) -> None:
        """Keep these images by their digests, for some days unless they are held on to. Raises
        NoCapacity."""

    async def hold_images(self, digests: Sequence[str]) -> None:
        """A vote names them: keep them as long as votes."""

    async def images(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        """Those that are kept, by digest."""

    async def writable(self) -> None:
        """Raises `LedgerFault` where a vote could not be made durable now."""

    async def key(self) -> bytes:
        """A secret that was made with the ledger, to sign with."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What keeps votes or battles, as it says of itself and the operator may read: `what` it is,
    and by what it can lose them: each danger with how to mend it."""

    what: str
    dangers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Readiness:
    """How far the house is: shown on the page and on the terminal. `progress` is 0…1, or
    None where it cannot be told. Names no model."""

    ready: bool
    headline: str
    detail: str = ""
    progress: float | None = None
    demo: bool = False
