"""What has happened in a study so far, folded from its events.

It does not know where events are kept, nor what happens next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import combinations
from typing import Any

from arena.core.study.design import Kind, Study


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. kind: opened, closed, consent, claim, touch, done, void, remark; of
    a model that judges, unread: it said nothing of the item that can be read. data: of a claim its
    kind and seats, of a consent what the rater came with, of a remark what was said."""

    kind: str
    at: datetime
    rater: str = ""
    battle: str = ""
    item: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """A battle that is a rater's to judge. seats: contenders in their order. at: when it was last
    asked for."""

    battle: str
    rater: str
    item: str
    kind: Kind
    seats: tuple[str, ...]
    at: datetime
    done: bool = False

    @property
    def event(self) -> Event:
        data = {"kind": self.kind.value, "seats": list(self.seats)}
        return Event("claim", self.at, self.rater, self.battle, self.item, data)


@dataclass(slots=True)
class Course:
    """open: raters may go on. raters: who agreed to take part, with what they came with. claims:
    by battle, in order, without those that ended without a result. remarks: the last for each
    battle."""

    open: bool = False
    raters: dict[str, Event] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    remarks: dict[str, Event] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event], judged: Collection[str] = ()) -> Course:
        """judged: battles that have their last vote, whether or not anybody said so since."""
        course = cls()
        for event in events:
            course._take(event)
        for battle in judged:
            if battle in course.claims:
                course.claims[battle] = replace(course.claims[battle], done=True)
        return course

    def _take(self, event: Event) -> None:
        match event.kind:
            case "opened" | "closed":
                self.open = event.kind == "opened"
            case "consent":
                self.raters.setdefault(event.rater, event)
            case "claim":
                seats, kind = tuple(event.data["seats"]), Kind(event.data["kind"])
                claim = Claim(event.battle, event.rater, event.item, kind, seats, event.at)
                self.claims[event.battle] = claim
            case "touch" | "done" if event.battle in self.claims:
                claim = self.claims[event.battle]
                done = claim.done or event.kind == "done"
                self.claims[event.battle] = replace(claim, at=event.at, done=done)
            case "void":
                self.claims.pop(event.battle, None)
            case "remark":
                self.remarks[event.battle] = event

    def of_rater(self, rater: str) -> list[Claim]:
        return [claim for claim in self.claims.values() if claim.rater == rater]

    def holding(self, study: Study, now: datetime) -> list[Claim]:
        """Real battles that are judged or being judged."""
        since = now - study.held
        real = (claim for claim in self.claims.values() if claim.kind is Kind.REAL)
        return [claim for claim in real if claim.done or claim.at > since]

    def judged(self) -> Counter[str]:
        """Prompt → raters who have judged it."""
        claims = self.claims.values()
        return Counter(c.item for c in claims if c.done and c.kind is Kind.REAL)

    def pairs(self) -> Counter[tuple[str, str]]:
        """Two contenders → battles that have judged them."""
        done = (c for c in self.claims.values() if c.done and c.kind is Kind.REAL)
        return Counter(pair for claim in done for pair in pairs_of(claim.seats))


def pairs_of(seats: Iterable[str]) -> list[tuple[str, str]]:
    return list(combinations(sorted(seats), 2))
