"""Battles from Python, in a notebook or a script: asked for, read blind, voted on, then revealed.

A battle is played on the event loop of its house; calls wait for it, or are awaited. It does not
know pages, nor how replies get onto them.
"""

from __future__ import annotations

import asyncio
import hashlib
import platform
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

import pandas as pd
from jinja2 import Environment, FileSystemLoader

from arena import settings as config
from arena.compose import House
from arena.core.battle.entities import Format, Judgement, Phase, Terms
from arena.core.battle.view import State, in_play
from arena.core.errors import BadInput, NoCapacity, NotYet, Over
from arena.core.ports import Readiness
from arena.exchange.pictures import File, contents
from arena.play.admission import Caller
from arena.play.referee import Referee

Move = Callable[[Referee], Awaitable[State]]
Told = TypeVar("Told")

_ONE_AT_A_TIME = Lock()

MOVED = {
    "contender": "str",
    **dict.fromkeys(("rating_before", "rating_after"), "float64"),
    **dict.fromkeys(("rank_before", "rank_after"), "Int64"),
}
UNMASKED = (
    *("seat", "contender", "model", "place", "champion", "fell_in", "by_coin"),
    *("ttft_ms", "tokens_per_s", "output_tokens", "thinking_tokens"),
    *(name for name in MOVED if name != "contender"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a battle is opened with. rater: what tells several who vote here apart."""

    prompt: str
    format: str = Format.ELIMINATION
    size: int | None = None
    topic: str = ""
    study: str = ""
    rater: str = ""
    system: str = ""
    temperature: float | None = None
    images: Sequence[File] = ()


@dataclass(frozen=True, slots=True)
class Playing:
    """A house, and the event loop that it lives on."""

    house: House
    loop: asyncio.AbstractEventLoop

    def begin(self, work: Coroutine[Any, Any, _Seen]) -> Future[_Seen]:
        if self.loop.is_closed():
            work.close()
            raise NoCapacity("This page was stopped. Start another one with arena.launch().")
        return asyncio.run_coroutine_threadsafe(work, self.loop)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What may be known of a battle while nobody writes."""

    state: State
    replies: Mapping[str, tuple[str, ...]]
    reveal: pd.DataFrame | None


class _Blind(ABC, Generic[Told]):
    """What both kinds of battles have; they differ in how a move is told of."""

    def __init__(self, playing: Playing) -> None:
        self._playing = playing
        self._caller = Caller()
        self._seen: _Seen | None = None

    # Looking ----------------------------------------------------------------------------------

    @property
    def prompts(self) -> tuple[str, ...]:
        return self._now.state.prompts

    @property
    def round(self) -> int:
        return self._now.state.round

    @property
    def over(self) -> bool:
        """The names are known."""
        return self._now.reveal is not None

    @property
    def in_play(self) -> tuple[str, ...]:
        """The letters of those that are judged now; at the end, of the champions."""
        state = self._now.state
        if not self.over:
            return in_play(state)
        return tuple(pane.seat for pane in state.panes if pane.state == "champion")

    @property
    def replies(self) -> dict[str, str]:
        """Letter → the latest reply, of everybody in play; at the end, of all."""
        told = self._now.replies
        return {seat: told[seat][-1] for seat in (told if self.over else self.in_play)}

    def reveal(self) -> pd.DataFrame:
        """Who was who, best place first, with speeds and moves of ratings. Raises NotYet."""
        if self._now.reveal is None:
            raise NotYet("The names come when the battle is decided. Vote first.")
        return self._now.reveal

    # Moving -----------------------------------------------------------------------------------

    def drop(self, seat: str) -> Told:
        """Vote this one out."""
        return self._vote(Judgement.DROP, _letter(seat))

    def pick(self, seat: str) -> Told:
        """Vote for this one; two are left."""
        letter, live = _letter(seat), self.in_play
        if len(live) != 2 or letter not in live:
            raise BadInput(
                f"In play are {_named(live)}. With two of them left pick() one of the two; until "
                "then drop() the weakest."
            )
        return self._vote(Judgement.DROP, live[1 - live.index(letter)])

    def tie(self) -> Told:
        """All in play are equal."""
        return self._vote(Judgement.TIE)

    def bad(self) -> Told:
        """Nobody in play is good enough."""
        return self._vote(Judgement.BAD)

    def follow_up(self, prompt: str) -> Told:
        """Ask everybody in play something else before you vote."""
        battle = self._now.state.battle
        return self._move(lambda referee: referee.follow_up(battle, prompt, caller=self._caller))

    def undo(self) -> Told:
        """Take the last vote back."""
        return self._move(lambda referee: referee.undo(self._now.state.battle, caller=self._caller))

    def _vote(self, judgement: Judgement, seat: str = "") -> Told:
        now = self._now.state
        return self._move(
            lambda referee: referee.vote(
                now.battle,
                now.round,
                judgement,
                seat,
                channel="notebook",
                ballot=now.ballot,
                caller=self._caller,
            )
        )

    @abstractmethod
    def _move(self, move: Move) -> Told: ...

    # Behind it --------------------------------------------------------------------------------

    @property
    def _now(self) -> _Seen:
        assert self._seen
        return self._seen

    def _begin(self, move: Move) -> Future[_Seen]:
        return self._playing.begin(self._made(move))

    def _begin_with(self, asked: Asked) -> Future[_Seen]:
        async def opened(referee: Referee) -> State:
            await self._playing.house.tried.wait()
            self._caller = Caller(rater=_here(await referee.key()))
            return await referee.open(
                asked.prompt,
                asked.format,
                size=asked.size,
                topic=asked.topic,
                study=asked.study,
                session=asked.rater,
                terms=Terms(asked.system, asked.temperature),
                images=await asyncio.to_thread(contents, asked.images),
                unattended=True,
                caller=self._caller,
            )

        return self._begin(opened)

    async def _made(self, move: Move) -> _Seen:
        """What can be seen after the move, once every reply is complete."""
        referee = self._playing.house.referee
        state = await move(referee)
        async with aclosing(referee.follow(state.battle)) as batches:
            async for _ in batches:
                state = await referee.state(state.battle)
                if state.phase != Phase.ANSWERING:
                    break
        if state.phase == Phase.VOID:
            raise Over(f"This battle has no result. {state.notice}")
        replies, reveal = await referee.replies(state.battle), None
        if state.phase == Phase.DECIDED:
            revealed, moved = await referee.reveal(state.battle)
            called = {"letter": "seat", "name": "contender"}
            rows = pd.DataFrame(revealed.seats).rename(columns=called).astype({"place": "Int64"})
            standings = pd.DataFrame(moved, columns=[*MOVED]).astype(MOVED)
            reveal = rows.merge(standings, on="contender", how="left")[[*UNMASKED]]
        return _Seen(state, replies, reveal)

    def __repr__(self) -> str:
        if self._seen is None:
            return "A battle that is still being opened; await it."
        texts = [f"Model {seat}{self._mark(seat)}\n{text}" for seat, text in self.replies.items()]
        return "\n\n".join([self._headline, *texts])

    def _repr_html_(self) -> str:
        panes = [(f"Model {s}{self._mark(s)}", text) for s, text in self.replies.items()]
        return _HTML.render(headline=self._headline, panes=panes)

    @property
    def _headline(self) -> str:
        if self.over:
            return f"{_named(self.in_play) or 'Nobody'} won. reveal() has more."
        vote = "pick() the better one" if self._now.state.final else "drop() the weakest"
        return f"Round {self.round}: {vote}, or tie(), bad(), follow_up(…)."

    def _mark(self, seat: str) -> str:
        """Its name, once it may be known."""
        reveal = self._now.reveal
        return "" if reveal is None else f": {reveal.set_index('seat')['contender'][seat]}"


class Battle(_Blind["Battle"]):
    """A battle whose moves return when every reply to them is complete."""

    def __init__(self, playing: Playing, asked: Asked) -> None:
        super().__init__(playing)
        self._seen = self._begin_with(asked).result()

    def _move(self, move: Move) -> Battle:
        self._seen = self._begin(move).result()
        return self


class AsyncBattle(_Blind[Coroutine[Any, Any, "AsyncBattle"]]):
    """A battle whose moves are awaited."""

    async def opened(self, asked: Asked) -> AsyncBattle:
        self._seen = await asyncio.wrap_future(self._begin_with(asked))
        return self

    async def _move(self, move: Move) -> AsyncBattle:
        self._seen = await asyncio.wrap_future(self._begin(move))
        return self


def battle(
    prompt: str,
    *,
    format: str = Format.ELIMINATION,
    size: int | None = None,
    topic: str = "",
    study: str = "",
    rater: str = "",
    system: str = "",
    temperature: float | None = None,
    images: Sequence[File] = (),
    **settings: Any,
) -> Battle:
    """Open a battle on the hosts that the settings name, without a page, and wait until its
    replies are complete. They go by letters until the battle is decided: `drop("B")`,
    `pick("A")`, `tie()`, `bad()`, `follow_up(…)` and `undo()` move it, `reveal()` has the names.
    size: contenders at most, instead of the usual number. rater: who votes, where several do here.
    system, temperature: for all contenders alike, in place of their own. images: files by
    their paths or as bytes, for models that see. settings: any key of the settings table.
    Raises ArenaError."""
    asked = Asked(prompt, format, size, topic, study, rater, system, temperature, images)
    return Battle(_settled(settings), asked)


async def abattle(prompt: str, **choices: Any) -> AsyncBattle:
    """`battle`, with the same choices and settings, for programs with an event loop of their own:
    this and every move is awaited."""
    own = {field.name: choices.pop(field.name) for field in fields(Asked) if field.name in choices}
    asked = Asked(prompt, **own)
    return await AsyncBattle(await asyncio.to_thread(_settled, choices)).opened(asked)


def _settled(overrides: Mapping[str, Any]) -> Playing:
    with _ONE_AT_A_TIME:
        # It is no replica of a page that may be running elsewhere.
        return _alone(replace(config.given(overrides), redis_url=""))


@cache
def _alone(settings: config.Settings) -> Playing:
    """A house without a page. It is kept until the process ends, since models take long to load."""
    said: set[str] = set()

    def told(readiness: Readiness, _: str) -> None:
        if readiness.progress is not None and readiness.headline not in said:
            said.add(readiness.headline)
            print(readiness.headline)

    house = House(settings, told)
    house.check()
    print(f"Votes are kept in {house.ledger.place}.")
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, name="progressive-arena-battles", daemon=True).start()
    asyncio.run_coroutine_threadsafe(house.look_out(), loop).result()
    return Playing(house, loop)


def _here(key: bytes) -> str:
    """The rater of this machine: the same in each of its notebooks, so that votes cluster."""
    return hashlib.blake2b(platform.node().encode(), key=key[:64], digest_size=12).hexdigest()


def _letter(seat: str) -> str:
    return seat.strip().upper().removeprefix("MODEL ")


def _named(letters: tuple[str, ...]) -> str:
    return ", ".join(f"Model {letter}" for letter in letters)


_HERE = FileSystemLoader(Path(__file__).parent)
_HTML = Environment(loader=_HERE, autoescape=True, trim_blocks=True).get_template("battle.html")
