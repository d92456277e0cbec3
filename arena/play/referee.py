"""The use cases: open a battle, vote, take back, ask on, reveal, standings, export.

The referee moves battles by the rules of the core and makes votes durable before it acknowledges
them. It does not know Gradio, HTTP, or which adapter is behind a port.
"""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Container, Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import astuple, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from arena.core.battle import record, rules, view
from arena.core.battle.entities import Battle, Format, Origin, Phase, Terms
from arena.core.battle.view import State
from arena.core.errors import StaleVote
from arena.core.ports import Battles, Event, Feed, Hosts, Ledger, RateLimits, Readiness
from arena.core.standings.leaderboard import Movement
from arena.play import ballots
from arena.play.admission import Admission, Caller, RefereeRules
from arena.play.images import Images, Showing
from arena.play.links import Links
from arena.play.rounds import Rounds
from arena.play.scoreboard import Scoreboard
from arena.play.studies import Studies

ABANDONED = "The battle was ended before its last vote. The votes already cast are kept."
STOPPED = "You stopped before every reply had ended, so this battle has no result."


class Referee:
    """One for each process; all of its methods are for one event loop."""

    def __init__(
        self,
        *,
        hosts: Hosts,
        battles: Battles,
        feed: Feed,
        ledger: Ledger,
        limits: RateLimits,
        rules: RefereeRules = RefereeRules(),
        readiness: Callable[[], Readiness] = lambda: Readiness(True, "Ready"),
        language: ballots.LanguageOf = ballots.undetermined,
        cleaned: Callable[[bytes], bytes] = bytes,
        rng: random.Random | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.rules = rules
        self.readiness = readiness
        self.key, self.named = ledger.key, battles.named
        self.counted: Counter[str] = Counter()
        """What happened since the start: opened, decided, void, ballots, undone."""
        self._battles = battles
        self._feed = feed
        self._ledger = ledger
        self._language = language
        self._rng = rng or random.SystemRandom()
        self._now = now
        self._locks: dict[str, asyncio.Lock] = {}
        self.images = Images(ledger, cleaned)
        hosts = Showing(hosts, self.images)
        self.links = Links(battles, ledger, self.images, now)
        self.studies = Studies(ledger, battles, lambda: self.rounds, self._rng, now)
        self.scoreboard = Scoreboard(ledger, self.studies.unrevealed, hosts.roster)
        self.rounds = Rounds(
            hosts, battles, feed, rules.stage, self._rng, self._count_end, self.studies.hosts
        )
        self._admission = Admission(
            hosts,
            battles,
            limits,
            self.scoreboard,
            self.rounds.line,
            rules,
            lambda: self.readiness(),  # noqa: PLW0108 -- another may be set
            self._rng,
        )
        self.limited, self.close = self._admission.limited, self.rounds.close

    async def open(
        self,
        prompt: str,
        format: str = Format.ELIMINATION,
        *,
        size: int | None = None,
        topic: str = "",
        study: str = "",
        session: str = "",
        terms: Terms = Terms(),
        images: Sequence[bytes] = (),
        unattended: bool = False,
        key: str = "",
        alias: str = "",
        caller: Caller = Caller(),
    ) -> State:
        """Draw the contenders, seat them and let them answer. size: contenders, instead of the rule's.
        topic: only those for it take part. terms: for all alike. images: files. key: a second opening
        with the same key gets the first one's battle, if all else is the same too; otherwise it raises
        KeyTaken. alias: its name, until a later one gets it. caller: who is limited, and moves it from
        then on. Raises BadInput for what cannot be used, NoCapacity when none can be had, RateLimited."""
        prompt = self._admission.prompt(prompt)
        terms = self._admission.terms(terms, prompt)
        self._admission.labels(topic=topic, study=study)
        battle_id = str(uuid.uuid4())
        what = (topic, study, session, unattended)
        seen = [sha256(image).hexdigest() for image in images]
        asked = key and ballots.digest(prompt, format, size, *what, *astuple(terms), *seen)
        if key and (there := await self._admission.opened(key, battle_id, asked)):
            return view.state(there)
        try:
            await self._ledger.writable()
            await self.studies.free(study)
            await self._admission.admit(caller, len(terms.images or images))
            terms = replace(terms, images=terms.images or await self.images.taken(images))
            place = caller.place if caller.begun else ""
            origin = Origin(*what, asked=asked, key=key, alias=alias, size=size or 0)
            origin = replace(origin, owner=caller.rater, place=place, terms=terms)
            battle = await self._admission.battle(battle_id, format, prompt, size, origin)
            await self._battles.save(battle)
            # Whoever lost patience with this opening may have the key now.
            if key and (there := await self._admission.opened(key, battle_id, asked)):
                await self._battles.save(rules.void(battle, ABANDONED))
                return view.state(there)
            if alias:
                await self._battles.name(alias, battle_id)
        except BaseException:
            if key:
                await self._battles.unkey(key, battle_id)
            raise
        self.counted["opened"] += 1
        return await self.rounds.go_on(battle)

    async def again(self, battle_id: str, *, caller: Caller = Caller()) -> State:
        """The same first prompt, format, terms and purpose with a new draw."""
        old = await self._battles.load(battle_id)
        return await self.open(
            old.prompts[0],
            old.format,
            size=old.origin.size or None,
            topic=old.origin.topic,
            study=old.origin.study,
            session=old.origin.session,
            terms=old.origin.terms,
            caller=caller,
        )

    async def follow_up(
        self, battle_id: str, prompt: str, *, ballot: str = "", caller: Caller = Caller()
    ) -> State:
        """Another prompt to everyone in play, before the next vote. ballot: that of `State.ballot`, with
        which the same call again changes nothing, and one on an earlier state raises StaleVote."""
        prompt = self._admission.prompt(prompt)

        async def move(battle: Battle) -> State:
            ballots.own(battle, caller)
            if ballots.asked(battle, prompt, ballot):
                return view.state(battle)
            return await self._moved(rules.follow_up(battle, prompt))

        return await self._exclusively(battle_id, move)

    async def vote(
        self,
        battle_id: str,
        round: int,
        judgement: str,
        seat: str = "",
        *,
        rater: str = "",
        channel: str = "web",
        study: str = "",
        dwell_ms: int | None = None,
        ballot: str = "",
        caller: Caller = Caller(),
    ) -> State:
        """Cast a ballot on a round; it is durable when this returns. judgement: drop (with the seat's
        letter), tie or bad. ballot: that of `State.ballot`; it can be used once. The same vote again
        changes nothing and gets the first one's result, another one on the same round raises OtherVote;
        one on a round to come, or one taken back, StaleVote, and so does one that is kept though another
        replica moved the battle before. caller: raises NotYours where it is somebody else's. rater:
        what tells several of them apart, the battle's `session` unless told. study: instead of its."""
        verdict = ballots.verdict(judgement, seat)

        async def move(battle: Battle) -> State:
            ballots.own(battle, caller, ballot)
            if settled := ballots.settled(battle, round, ballot):
                ballots.agree(settled, verdict)
                return view.state(battle)
            await self.studies.may_vote(battle, study)
            moved = rules.vote(battle, round, verdict, str(uuid.uuid4()))  # Else it is no ballot.
            voter = replace(caller, rater=caller.rater or battle.origin.owner)
            named = filter(None, (voter.rater, rater or battle.origin.session))
            who = battle.origin.rater or "/".join(named)
            cast = record.Ballot(
                id=moved.rounds[-1].ballot_id,
                cast_at=self._now(),
                rater=who,
                channel=channel,
                study=study,
                dwell_ms=dwell_ms,
                language=await self._language(battle.prompts[0]),
                abuse=await self._admission.too_many(replace(voter, rater=voter.rater or who)),
            )
            return await self._vote(battle, moved, cast)

        return await self._exclusively(battle_id, move)

    async def undo(self, battle_id: str, *, caller: Caller = Caller()) -> State:
        """Take the last vote back: its round is open again, and the next vote on it supersedes that
        ballot, which stands until then. Raises StaleVote where another ballot is moved on from now."""

        async def move(battle: Battle) -> State:
            ballots.own(battle, caller)
            moved = rules.undo(battle)
            await self.rounds.stop(battle_id)  # Takes a while, in which another replica may vote.
            if await ballots.is_cast(battle, self._ledger):
                await self._voted(await ballots.as_recorded(battle, self._ledger))
                raise StaleVote("The battle has moved on. The page shows where it is now.")
            self.counted["undone"] += 1
            return await self._moved(moved)

        return await self._exclusively(battle_id, move)

    async def abandon(self, battle_id: str, *, caller: Caller = Caller()) -> State:
        """End the battle without a result; votes already cast stand."""
        return await self._end(battle_id, ABANDONED, tuple(Phase), caller)

    async def stop(self, battle_id: str, *, caller: Caller = Caller()) -> State:
        """Wait no longer: the battle ends without a result, unless it can be judged by now."""
        return await self._end(battle_id, STOPPED, (Phase.ANSWERING,), caller)

    async def _end(self, battle_id: str, why: str, at: Container[Phase], caller: Caller) -> State:
        async def move(battle: Battle) -> State:
            if battle.phase not in at:
                return view.state(battle)
            ballots.own(battle, caller)
            moved = rules.void(battle, why)
            await self.rounds.stop(battle_id)
            with suppress(StaleVote):
                return await self._moved(moved)
            return await move(await self._battles.load(battle_id))

        return await self._exclusively(battle_id, move)

    async def state(self, battle_id: str) -> State:
        return view.state(await self._battles.load(battle_id))

    async def under_way(self) -> int:
        return len(await self._battles.under_way())

    async def replies(self, battle_id: str) -> Mapping[str, tuple[str, ...]]:
        return view.replies(await self._battles.load(battle_id))

    async def history(self, battle_id: str) -> tuple[view.PastRound, ...]:
        return view.history(await self._battles.load(battle_id))

    async def reveal(self, battle_id: str) -> tuple[view.Reveal, tuple[Movement, ...]]:
        """The names, and how this battle moved the standings. Raises NotYet before the end."""
        revealed = view.reveal(await self._battles.load(battle_id))
        return revealed, await self.scoreboard.movement(battle_id)

    async def follow(
        self, battle_id: str, after: int = 0
    ) -> AsyncGenerator[list[tuple[int, Event]], None]:
        """The events of a battle; see core.ports.Feed.follow. Raises UnknownBattle."""
        await self._battles.load(battle_id)
        async with aclosing(self._feed.follow(battle_id, after)) as batches:
            async for batch in batches:
                yield batch

    async def health(self) -> None:
        """Raises ArenaError where votes or battles cannot be kept now."""
        await asyncio.gather(self._ledger.writable(), self._battles.named(""))  # Any question does.

    def forget(self, battle_id: str) -> None:
        """The battle is no longer stored: let go of what belongs to it."""
        self.rounds.forget(battle_id)
        self._locks.pop(battle_id, None)

    async def drain(self) -> None:
        """Open no more battles, and wait until every round that is being written is stored."""
        self._admission.closed = True
        await self.rounds.finished()

    async def _exclusively(
        self, battle_id: str, move: Callable[[Battle], Coroutine[Any, Any, State]]
    ) -> State:
        """Run the move under the battle's lock, to its end even if the caller goes away: a vote
        must not stay between the ledger and the battle. Between replicas the version decides."""
        await self._battles.load(battle_id)  # An unknown battle gets no lock.

        async def locked() -> State:
            async with self._locks.setdefault(battle_id, asyncio.Lock()):
                return await move(await self._battles.load(battle_id))

        return await asyncio.shield(asyncio.ensure_future(locked()))

    async def _vote(self, battle: Battle, moved: Battle, cast: record.Ballot) -> State:
        verdict = moved.rounds[-1].verdict
        if battle.origin.terms.images:
            await self._ledger.hold_images(battle.origin.terms.images)
        if await self._ledger.append(record.rows(moved, cast)):
            self.counted["ballots"] += 1
        else:
            moved = await ballots.as_recorded(battle, self._ledger)
        try:
            return await self._voted(moved)
        finally:
            ballots.agree(moved.rounds[-1], verdict)

    async def _voted(self, battle: Battle) -> State:
        """Go on from a vote that the ledger has, also if another replica moved the battle meanwhile."""
        try:
            return await self._moved(battle)
        except StaleVote:
            there = await self._battles.load(battle.id)
            if ballots.stands(there, battle.rounds[-1]):
                return view.state(there)
            return await self._voted(await ballots.as_recorded(there, self._ledger))

    async def _moved(self, battle: Battle) -> State:
        """Store the move and go on from it; or from where it led, if a replica made the same."""
        try:
            await self._battles.save(battle)
        except StaleVote:
            if rules.same_move(battle, there := await self._battles.load(battle.id)):
                return view.state(there)
            raise
        self._count_end(battle)
        return await self.rounds.go_on(battle)

    def _count_end(self, battle: Battle) -> None:
        if battle.phase in (Phase.DECIDED, Phase.VOID):
            self.counted[battle.phase] += 1
