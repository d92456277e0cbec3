"""Who judges what next, and who sits where: each prompt its number of raters, each pair its
share, each contender as often left as right for one rater.

All chance and time are passed in. It does not know how a battle is opened, nor what is stored.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations, islice, permutations

from arena.core.study.course import Claim, Course, pairs_of
from arena.core.study.design import BAD, GOOD, Kind, Study

MOST_SETS = 5000
"""Sets of contenders that are compared."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one rater: battles that are judged, of how many. waiting: others hold what is left."""

    done: int
    total: int
    practised: bool
    waiting: bool = False

    @property
    def finished(self) -> bool:
        return 0 < self.total <= self.done and self.practised and not self.waiting

    @property
    def in_vain(self) -> bool:
        """They have judged nothing, and nothing is left for them."""
        return not self.total and not self.waiting


def progress(study: Study, course: Course, rater: str, now: datetime) -> Progress:
    own = [claim for claim in course.of_rater(rater) if claim.done]
    done = Counter(claim.kind for claim in own)
    count = sum(n for kind, n in done.items() if kind is not Kind.PRACTICE)
    practised = bool(done[Kind.PRACTICE]) or not study.practice
    left, waiting = _left(study, course, rater, now)
    real = min(study.quota, done[Kind.REAL] + left)
    checks = sum(at <= real for at in _attention(study, rater)[0])
    repeats = min(study.repeats, real)
    # Nothing is judged again before it is known what else there is.
    later = max(repeats - sum(claim.kind is Kind.REPEAT for claim in course.of_rater(rater)), 0)
    total = real + checks + repeats
    return Progress(count, max(count, total), practised, waiting and count >= total - later)


def upcoming(
    study: Study, course: Course, rater: str, now: datetime, battle: str, rng: random.Random
) -> Claim | None:
    """The battle that the rater is to judge now: the one they were at, else a new one under this
    id; None where nothing is left for them now."""
    own = course.of_rater(rater)
    holding = course.holding(study, now)
    filled = Counter(claim.item for claim in holding)
    for claim in own:
        if not claim.done and _still_theirs(study, claim, claim in holding, filled):
            return replace(claim, at=now)

    def new(item: str, kind: Kind, seats: Sequence[str]) -> Claim:
        return Claim(battle, rater, item, kind, tuple(seats), now)

    done = Counter(claim.kind for claim in own if claim.done)
    if study.practice and not done[Kind.PRACTICE]:
        return new(Kind.PRACTICE.value, Kind.PRACTICE, rng.sample((GOOD, BAD), 2))
    due, order = _attention(study, rater)
    checked = done[Kind.ATTENTION]
    if checked < sum(at <= done[Kind.REAL] for at in due):
        item = f"{Kind.ATTENTION.value}-{order[checked] + 1}"
        return new(item, Kind.ATTENTION, rng.sample((GOOD, BAD), 2))
    seen = {claim.item for claim in own if claim.kind is Kind.REAL}
    open_to = [
        item.id for item in study.items if item.id not in seen and filled[item.id] < study.raters
    ]
    if done[Kind.REAL] < study.quota and open_to:
        item = min(open_to, key=lambda id: (filled[id], rng.random()))
        return new(item, Kind.REAL, _seated(_matched(study, holding, item, rng), own, holding, rng))
    judged = [claim for claim in own if claim.kind is Kind.REAL and claim.done]
    due_again = done[Kind.REPEAT] < min(study.repeats, len(judged))
    # Not while a prompt may yet come to the rater.
    if due_again and not _left(study, course, rater, now)[1]:
        again = judged[done[Kind.REPEAT]]
        return new(again.item, Kind.REPEAT, again.seats[::-1])
    return None


def kept(study: Study, course: Course, battle: str, now: datetime) -> Claim | None:
    """The rater's claim on the battle, from now on for as long as any; None where it was given to
    somebody else meanwhile, or the study is closed."""
    claim = course.claims.get(battle)
    if not claim or not course.open:
        return None
    holding = course.holding(study, now)
    filled = Counter(held.item for held in holding)
    still = claim.done or _still_theirs(study, claim, claim in holding, filled)
    return replace(claim, at=now) if still else None


def _still_theirs(study: Study, claim: Claim, held: bool, filled: Counter[str]) -> bool:
    return held or claim.kind is not Kind.REAL or filled[claim.item] < study.raters


def _left(study: Study, course: Course, rater: str, now: datetime) -> tuple[int, bool]:
    """Prompts that are open to the rater now; and whether the last of them are held by others who
    may leave them."""
    done = Counter[str]()
    held = Counter[str]()
    own = {c.item: c.done for c in course.of_rater(rater) if c.kind is Kind.REAL}
    holding = course.holding(study, now)
    theirs = {claim.item for claim in holding if claim.rater == rater}
    for claim in holding:
        (done if claim.done else held)[claim.item] += 1
    left = waiting = 0
    for item in (item.id for item in study.items if not own.get(item.id)):
        if item in theirs or done[item] + held[item] < study.raters:
            left += 1
        elif done[item] < study.raters:
            waiting += 1
    judged = sum(own.values())
    return left, bool(waiting) and not left and judged < study.quota


def _attention(study: Study, rater: str) -> tuple[list[int], list[int]]:
    """After how many prompts each check comes, and which; the same whenever it is asked."""
    rng = random.Random(f"{study.name}/{rater}")  # noqa: S311 -- to be had again
    number = min(len(study.attention), study.quota)
    due = sorted(rng.sample(range(1, study.quota + 1), number))
    return due, rng.sample(range(len(study.attention)), number)


def _matched(
    study: Study, holding: Sequence[Claim], item: str, rng: random.Random
) -> tuple[str, ...]:
    """The contenders that this prompt's raters are at, as long as fewer judge them than are to;
    else those whose pairs have met least."""
    sets = Counter((claim.item, frozenset(claim.seats)) for claim in holding)
    begun = [
        (number, sorted(meeting))
        for (at, meeting), number in sets.items()
        if at == item and number < study.alike
    ]
    if begun:
        return tuple(max(begun)[1])
    met = Counter[tuple[str, str]]()
    for (_, meeting), number in sets.items():
        for pair in pairs_of(meeting):
            # As often as they are going to meet here.
            met[pair] += max(number, min(study.alike, study.raters))
    here = {pair for at, meeting in sets if at == item for pair in pairs_of(meeting)}
    names = [contender.name for contender in study.able(study.by_id[item])]
    rng.shuffle(names)

    def weight(chosen: tuple[str, ...]) -> tuple[int, int, int]:
        pairs = pairs_of(chosen)
        times = [met[pair] for pair in pairs]
        return sum(times), max(times), len(here.intersection(pairs))

    return min(islice(combinations(names, study.size), MOST_SETS), key=weight)


def _seated(
    names: Sequence[str], own: Sequence[Claim], holding: Sequence[Claim], rng: random.Random
) -> tuple[str, ...]:
    """In the order in which each has sat least: for this rater, as far as one sat there twice, then
    for all, since raters of few prompts would each begin with a seat of their own."""
    mine = _sat([claim for claim in own if claim.kind is Kind.REAL])
    everyone = _sat(holding)

    def weight(order: tuple[str, ...]) -> tuple[int, int, float]:
        places = list(enumerate(order))
        return (
            sum(2 ** min(max(mine[p] - 1, 0), 30) for p in places),
            sum(everyone[p] for p in places),
            rng.random(),
        )

    return min(permutations(names), key=weight)


def _sat(claims: Sequence[Claim]) -> Counter[tuple[int, str]]:
    return Counter(place for claim in claims for place in enumerate(claim.seats))
