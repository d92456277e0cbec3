"""What a study is made of, as plain frozen data.

It does not know the file it came from, nor what raters have done so far.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from arena.core.battle.entities import Contender


class Kind(StrEnum):
    """What a battle is in a study; only `real` ones are ranked."""

    REAL = "real"
    PRACTICE = "practice"
    ATTENTION = "attention"
    REPEAT = "repeat"


GOOD, BAD = "good reply", "bad reply"
"""Contenders of practice and attention checks."""

MOST_CHOICES, LONGEST_CHOICE = 30, 80
"""How many reasons or marks a study may offer, and how many characters one has."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to judge: what is asked, turn by turn. system: goes to every contender. images:
    digests of those that come with the first turn."""

    id: str
    turns: tuple[str, ...]
    topic: str = ""
    system: str = ""
    images: tuple[str, ...] = ()

    @property
    def asked(self) -> str:
        """A digest of what is asked: replies to another text are no replies to this one."""
        said = "\0".join((self.system, *self.turns, *self.images))
        return hashlib.sha256(said.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Check:
    """A battle whose replies stand in the study's file: for practice, or to see who reads."""

    prompt: str
    good: str
    bad: str


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked after a vote. grades: the best one, from 1; 0 for none."""

    reasons: tuple[str, ...] = ()
    grades: int = 0
    marks: tuple[str, ...] = ()
    comment: bool = False

    @property
    def any(self) -> bool:
        return bool(self.reasons or self.grades or self.marks or self.comment)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a rater gets at the end: a code, a link back. passed: what of the link they came with
    goes into the files."""

    code: str = ""
    link: str = ""
    passed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Texts:
    """What raters read, as Markdown-free text."""

    instructions: str = ""
    consent: str = ""
    end: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """raters: how many judge each prompt. alike: so many of them the same replies, so that it can be
    told how far they agree. per_rater: prompts that one rater judges at most, 0 for
    all. repeats: prompts that each rater judges again at the end, seats swapped. hold: minutes
    that a battle stays a rater's. ahead: replies are written before, else while raters wait.
    minutes: what a battle takes, as far as it is known before."""

    name: str
    items: tuple[Item, ...]
    contenders: tuple[Contender, ...]
    format: str = "elimination"
    size: int = 2
    raters: int = 3
    alike: int = 2
    per_rater: int = 0
    repeats: int = 0
    hold: int = 30
    ahead: bool = True
    minutes: float = 2.0
    closes: datetime | None = None
    texts: Texts = Texts()
    after: Questions = Questions()
    completion: Completion = Completion()
    practice: Check | None = None
    attention: tuple[Check, ...] = ()
    by_id: Mapping[str, Item] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {item.id: item for item in self.items})

    @property
    def held(self) -> timedelta:
        return timedelta(minutes=self.hold)

    @property
    def quota(self) -> int:
        """Prompts that one rater judges at most."""
        return min(self.per_rater or len(self.items), len(self.items))

    @property
    def battles(self) -> int:
        """That are ranked, all told."""
        return len(self.items) * self.raters

    @property
    def needed(self) -> int:
        """Raters without whom it cannot be completed."""
        return max(self.raters, -(-self.battles // self.quota))

    @property
    def hours(self) -> float:
        """Of raters, all told: what is not ranked too."""
        others = self.needed * (len(self.attention) + self.repeats + bool(self.practice))
        return (self.battles + others) * self.minutes / 60

    @property
    def images(self) -> tuple[str, ...]:
        """Digests of all that its prompts come with."""
        return tuple(dict.fromkeys(image for item in self.items for image in item.images))

    def able(self, item: Item) -> tuple[Contender, ...]:
        """The contenders that can be asked this."""
        return tuple(c for c in self.contenders if not item.images or c.sees is not False)

    def seen_by(self, names: Collection[str]) -> Study:
        """With whom of the contenders images go; the others are drawn for no prompt with one."""
        if not self.images:
            return self
        told = (replace(c, sees=c.name in names) for c in self.contenders)
        return replace(self, contenders=tuple(told))

    def contender(self, name: str) -> Contender:
        """One of the checks' among them."""
        return next((c for c in self.contenders if c.name == name), Contender(name, name))
