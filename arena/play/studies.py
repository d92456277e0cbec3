"""The use cases of a study: opened, raters led through it from battle to battle, closed.

It does not know its file, pages, HTTP, or which adapter is behind a port.
"""

import random
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from arena.core.battle import view
from arena.core.battle.entities import LETTERS, LONGEST_LABEL, Battle, Phase
from arena.core.battle.view import State
from arena.core.codec import decode, encode
from arena.core.errors import BadInput, NotYet, StaleVote, UnknownBattle
from arena.core.ports import Battles, Hosts, Ledger, StudyLedger
from arena.core.study.assignment import kept, upcoming
from arena.core.study.course import Claim, Course, Event
from arena.core.study.design import Kind, Study
from arena.core.study.page import RaterPage, page, taking_part
from arena.core.study.staging import AHEAD, battle_of, check_of
from arena.core.study.written import of_check, owed, seeing
from arena.play.prepared import Prepared, Replies
from arena.play.rounds import Rounds

LONGEST_PASSED, LONGEST_COMMENT = 200, 2000
ENDS = {Phase.DECIDED: "done", Phase.VOID: "void"}

Judged = Collection[str]
Result = TypeVar("Result")


class UnknownStudy(BadInput):
    status = 404
    title = "No such study"


async def opened(ledger: StudyLedger) -> frozenset[str]:
    """The studies that were not closed yet, whether or not raters may still go on."""
    there = await ledger.openings()
    return frozenset(name for name, events in there.items() if events[-1].kind == "opened")


async def blinded(ledger: StudyLedger) -> frozenset[str]:
    """The battles that are nobody's to see as long as their studies are open."""
    there = await opened(ledger)
    return await ledger.battles_of(there) if there else frozenset()


async def study_of(ledger: StudyLedger, name: str) -> tuple[Study, Course]:
    """A study as it was opened, and what has happened since. Raises UnknownStudy."""
    events, judged = await ledger.happened(name)
    return _study(name, events), Course.of(events, judged)


async def named_alone(ledger: Ledger, name: str) -> None:
    """Raises BadInput where votes that no rater of it has cast are of a study of this name: they
    would count as this one's, and nothing could tell them apart later."""
    if name in await ledger.openings():
        return
    studies = (await ledger.votes(("study",)))["study"]
    if votes := int((studies == name).sum()):
        votes_are = (
            "1 vote in the ledger is" if votes == 1 else f"{votes:,} votes in the ledger are"
        )
        raise BadInput(
            f"{votes_are} of a study {name} already, by its link or an import, and would count as "
            "this one's. Give this one another name."
        )


async def open_study(ledger: Ledger, study: Study, now: datetime) -> None:
    """From now on raters may come. Raises BadInput where it is another one than was opened under
    this name before, other votes carry its name, replies are missing that were to be written
    ahead, or too few contenders see the images of its prompts."""
    if study.closes and study.closes <= now:
        raise BadInput(f"It closes at {study.closes.isoformat()}, which is over. Let it be later.")
    await named_alone(ledger, study.name)
    written = await ledger.written(study.name) if study.ahead else ()
    study = seeing(study, written) if study.ahead else study
    if any(len(study.able(item)) < study.size for item in study.items):
        raise BadInput(
            f"Fewer than {study.size} of its contenders have answered a prompt with an image. Let "
            "others see them, or leave these prompts out."
        )
    if study.ahead and (missing := len(owed(study, written))):
        raise BadInput(
            f"{missing:,} replies are not written yet. Let them be written with `arena study "
            "write`, then open it."
        )

    def decide(events: Sequence[Event], _: Judged) -> tuple[None, list[Event]]:
        before = [event for event in events if event.kind == "opened"]
        if before and _study(study.name, events) != study:
            raise BadInput(
                f"The study {study.name} was opened before with other prompts or rules, which "
                "raters have judged by. Give this one another name."
            )
        data = {} if before else {"study": encode(study, Study)}
        known = Course.of(events).open
        return None, [] if known else [Event("opened", now, data=data)]

    await ledger.move(study.name, decide)


async def close_study(ledger: StudyLedger, name: str, now: datetime) -> None:
    """Nobody judges any more, and everything may be seen. Raises UnknownStudy."""

    def decide(events: Sequence[Event], _: Judged) -> tuple[None, list[Event]]:
        _study(name, events)
        return None, [Event("closed", now)] if Course.of(events).open else []

    await ledger.move(name, decide)


def _study(name: str, events: Sequence[Event]) -> Study:
    for event in events:
        if event.data.get("study"):
            study: Study = decode(event.data["study"], Study)
            return study
    raise UnknownStudy(f"There is no study {name!r:.80} here. Check its name in the link.")


@dataclass(eq=False)
class Studies:
    """One for each process. rounds: where battles are played."""

    _ledger: StudyLedger
    _battles: Battles
    _rounds: Callable[[], Rounds]
    _rng: random.Random
    _now: Callable[[], datetime]
    _known: dict[str, Study] = field(default_factory=dict)

    async def unrevealed(self) -> frozenset[str]:
        """Battles whose names nobody was told; those of open studies among them."""
        return await self._battles.unrevealed() | await blinded(self._ledger)

    async def free(self, *names: str) -> None:
        """Raises BadInput where one is that of a study which leads its raters: votes are cast in
        it only as it says."""
        if any(names) and not (await self._ledger.openings()).keys().isdisjoint(names):
            raise BadInput(
                "This study leads its raters: it is played by a rater's link, and nothing else "
                "can be asked in it."
            )

    async def page(self, name: str, rater: str) -> RaterPage:
        """Raises UnknownStudy."""
        now = self._now()
        _named(rater)
        events, judged = await self._ledger.happened(name)
        ended = await self._ended(events, rater)
        return page(self._of(name, events), Course.of([*events, *ended], judged), rater, now)

    async def consent(self, name: str, rater: str, passed: Mapping[str, str]) -> RaterPage:
        """The rater takes part. passed: what they came with; only what the study asks for is
        kept."""
        now = self._now()

        def decide(study: Study, course: Course) -> tuple[RaterPage, list[Event]]:
            told = {
                key: str(passed[key])[:LONGEST_PASSED]
                for key in study.completion.passed
                if key in passed
            }
            new = page(study, course, rater, now).phase == "consent"
            event = Event("consent", now, rater, data=told)
            if new:
                course.raters[rater] = event
            return page(study, course, rater, now), [event] if new else []

        return await self._move(name, rater, decide)

    async def battle(self, name: str, rater: str) -> State:
        """The battle that the rater is at, or the next one. Raises NotYet where there is none."""
        now, new = self._now(), str(uuid.uuid4())

        def decide(study: Study, course: Course) -> tuple[tuple[Study, Claim], list[Event]]:
            if page(study, course, rater, now).phase != "ready":
                raise NotYet("There is no battle for you now. The study's page says why.")
            claim = upcoming(study, course, rater, now, new, self._rng)
            if not claim:
                raise NotYet("There is nothing left to judge for you now. Please look again later.")
            news = claim.event if claim.battle == new else Event("touch", now, rater, claim.battle)
            return (study, claim), [news]

        study, claim = await self._move(name, rater, decide)
        try:
            return view.state(await self._battles.load(claim.battle))
        except UnknownBattle:
            pass
        battle = battle_of(study, claim, self._rng.randbytes(16).hex())
        try:
            await self._battles.save(battle)
        except StaleVote:
            return view.state(await self._battles.load(claim.battle))
        return await self._rounds().go_on(battle)

    async def remark(
        self,
        name: str,
        rater: str,
        battle: str,
        *,
        reasons: Sequence[str] = (),
        grades: Mapping[str, int] | None = None,
        marks: Mapping[str, Sequence[str]] | None = None,
        comment: str = "",
    ) -> RaterPage:
        """What the rater says of a battle they have judged; said again, the new word holds.
        Raises BadInput for what the study does not ask."""
        now = self._now()
        grades, marks = grades or {}, marks or {}

        def decide(study: Study, course: Course) -> tuple[RaterPage, list[Event]]:
            claim, after = course.claims.get(battle), study.after
            if not claim or claim.rater != rater or not claim.done:
                raise BadInput("This is no battle that you have judged.")
            seats = LETTERS[: len(claim.seats)]
            if not (
                {*reasons} <= {*after.reasons}
                and {*grades, *marks} <= {*seats}
                and all(1 <= grade <= after.grades for grade in grades.values())
                and {mark for several in marks.values() for mark in several} <= {*after.marks}
                and len(comment) <= (LONGEST_COMMENT if after.comment else 0)
            ):
                raise BadInput("The study does not ask that. Please reload the page.")
            said: dict[str, Any] = {
                "reasons": list(dict.fromkeys(reasons)),
                "grades": dict(grades),
                "marks": {seat: list(several) for seat, several in marks.items()},
                "comment": comment.strip(),
            }
            news = Event("remark", now, rater, battle, claim.item, said)
            course.remarks[battle] = news
            return page(study, course, rater, now), [news]

        return await self._move(name, rater, decide)

    # What a battle asks of its study ----------------------------------------------------------

    async def may_vote(self, battle: Battle, study: str) -> None:
        """A battle of a study stays its rater's until the vote that is to come is in. Raises
        StaleVote where it was given to another meanwhile; BadInput where the vote is to be of a
        study that this battle is not of."""
        if not battle.origin.rater:
            await self.free(study or battle.origin.study)
            return
        now = self._now()
        rater, id = battle.origin.rater, battle.id

        def decide(events: Sequence[Event], judged: Judged) -> tuple[bool, list[Event]]:
            course = Course.of(events, judged)
            study = self._of(battle.origin.study, events)
            claim = kept(study, course, id, now) if taking_part(study, course, now) else None
            return bool(claim), [Event("touch", now, rater, id)] if claim else []

        if not await self._ledger.move(battle.origin.study, decide):
            raise StaleVote(
                "This one was given to somebody else meanwhile, or the study is closed. Please go "
                "on with the next."
            )

    def hosts(self, battle: Battle, hosts: Hosts) -> Hosts:
        """Who says the replies of this battle."""
        if battle.origin.policy != AHEAD:
            return hosts
        return Prepared(hosts, lambda: self._replies(battle))

    async def _replies(self, battle: Battle) -> Replies:
        name, item = battle.origin.study, battle.origin.prompt_id
        if name not in self._known:
            self._known[name], _ = await study_of(self._ledger, name)
        study = self._known[name]
        if check := check_of(study, Kind(battle.origin.unranked or Kind.REAL), item):
            return of_check(check)
        asked = study.by_id[item].asked
        written = await self._ledger.written(study.name, item)
        return {each.contender: each.replies for each in written if each.asked == asked}

    # One at a time for each study -------------------------------------------------------------

    async def _move(
        self, name: str, rater: str, decide: Callable[[Study, Course], tuple[Result, list[Event]]]
    ) -> Result:
        """Decide on what has happened, how the rater's battles ended among it."""
        _named(rater)
        so_far, _ = await self._ledger.happened(name)
        ended = await self._ended(so_far, rater)

        def move(events: Sequence[Event], judged: Judged) -> tuple[Result, list[Event]]:
            study = self._of(name, events)
            course = Course.of([*events, *ended], judged)
            answer, news = decide(study, course)
            return answer, [*ended, *news]

        return await self._ledger.move(name, move)

    async def _ended(self, events: Sequence[Event], rater: str) -> list[Event]:
        """How those of the rater's battles ended that nobody has told of yet."""
        own = Course.of(event for event in events if event.rater == rater)
        found = []
        for claim in own.claims.values():
            if claim.done:
                continue
            try:
                phase = (await self._battles.load(claim.battle)).phase
            except UnknownBattle:
                continue
            if phase in ENDS:
                found.append(Event(ENDS[phase], self._now(), rater, claim.battle))
        return found

    def _of(self, name: str, events: Sequence[Event]) -> Study:
        if name not in self._known:
            self._known[name] = _study(name, events)
        return self._known[name]


def _named(rater: str) -> None:
    """Raises BadInput for what is no name of a rater."""
    if not rater or len(rater) > LONGEST_LABEL or not rater.isprintable():
        raise BadInput(f"A rater's name has 1 to {LONGEST_LABEL} characters.")
