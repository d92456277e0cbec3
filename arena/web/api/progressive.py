"""Battles for programs, under the names and in the shapes of the progressive arena before this
one: start, get the responses of a round, submit a choice, until the names come.

It knows the referee's use cases, not how battles go.
"""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import AliasChoices, Field

from arena.core.battle.entities import Format
from arena.core.battle.view import Reveal, State, in_play
from arena.core.errors import ArenaError, StaleVote, Untold
from arena.play.admission import Caller
from arena.play.referee import Referee
from arena.web.api.battles import Body, Key, Label, NoResult, Prompt, Size, give, scoped
from arena.web.api.comparisons import (
    STATUS,
    CompletedBattle,
    NextRound,
    Responses,
    completed,
    next_round,
    responses,
    total,
    verdict,
)
from arena.web.api.events import until_gone
from arena.web.api.problems import problems
from arena.web.callers import Callers

WAIT_S = 50.0
"""Less than the minute after which most proxies give up."""

Choice = Literal["left", "right", "tie", "both_bad"]
Spelling = Literal["left", "right", "tie", "both_bad", "model_a", "model_b"]
MEANT: Mapping[str, str] = {"model_a": "left", "model_b": "right"}

SAID: Mapping[str, str] = {
    "in_progress": "The models are answering; get_progressive_responses waits for their replies.",
    "completed": "This battle is completed; get_progressive_responses has its last round.",
    "void": "This battle ended without a result. Start another one, with another key.",
}
"""What an opening is answered with, by the battle's status: a key may be one of long ago."""

BATTLE_ID = (
    "`battle_id` of start_progressive, or the `session_id` that was given to it from the same "
    "address, which means the latest battle of that session."
)
BattleId = Annotated[str, Field(max_length=64, description=BATTLE_ID)]
Ballot = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="`ballot` of get_progressive_responses, for one use.",
    ),
]


class StillWriting(ArenaError):
    """The round was not complete in time; asking again is all there is to do."""

    status = 504
    title = "Not yet"
    retry_after_s = 1.0


class Start(Body):
    """The prompt, and how many models take part at most. `session_id` is yours and is kept with the
    votes; each call opens another battle, whatever it is."""

    message: Prompt
    num_models: Size = 3
    session_id: Label = ""
    format: Annotated[Format, Field(strict=False)] = Format.KNOCKOUT
    topic: Label = ""


class Asking(Body):
    battle_id: BattleId


class Choosing(Body):
    """`left` is model_a of get_progressive_responses, `right` is model_b."""

    battle_id: BattleId
    choice: Choice
    ballot: Ballot


class Voting(Body):
    """As for submit_progressive_choice, with the choice as `winner`; `choice` and `vote` are
    other names for it."""

    battle_id: BattleId
    ballot: Ballot
    winner: Annotated[Spelling, Field(validation_alias=AliasChoices("winner", "choice", "vote"))]


@dataclass(frozen=True, slots=True)
class Started:
    battle_id: str
    status: str
    total_models: int
    current_round: int
    message: str


def routes(referee: Referee) -> APIRouter:
    router = APIRouter(tags=["progressive"])
    callers = Callers(referee.key)

    async def meant(request: Request, told: str) -> tuple[str, Caller]:
        """The id of the battle, where a session_id is told that of its latest one; and who asks."""
        caller = await callers.of(request)
        named = scoped(await callers.with_session(caller, told), told)
        return await referee.named(named) or told, caller

    @router.post("/start_progressive", responses=problems(409, 429, 502, 503, body=True))
    async def start_progressive(
        start: Start, request: Request, response: Response, key: Key = ""
    ) -> Started:
        """Open a battle. The models answer whether anybody looks or not."""
        caller = await callers.with_session(await callers.of(request), start.session_id, key)
        state = await referee.open(
            start.message,
            start.format,
            size=start.num_models,
            topic=start.topic,
            session=start.session_id,
            unattended=True,
            alias=scoped(caller, start.session_id),
            caller=caller,
            key=scoped(caller, key),
        )
        await give(callers, caller, state.battle, request, response)
        status = STATUS[state.phase]
        return Started(state.battle, status, total(state), state.round, SAID[status])

    @router.post(
        "/get_progressive_responses", responses=problems(404, 409, 410, 503, 504, body=True)
    )
    async def get_progressive_responses(asking: Asking, request: Request) -> Responses:
        """The replies of the open round, as soon as all are complete; waits for them for up to
        50 seconds. Of a completed battle those of the last round, with names unless it is one of a
        study that leads its raters."""
        battle_id, _ = await meant(request, asking.battle_id)
        await _wait(referee, battle_id, request)
        state = await referee.state(battle_id)
        if state.phase == "void":
            raise NoResult(state.notice)
        revealed = await _revealed(referee, battle_id) if state.phase == "decided" else None
        history = await referee.history(battle_id)
        return responses(state, await referee.replies(battle_id), history, revealed)

    @router.post("/submit_progressive_choice", responses=problems(403, 404, 409, 503, body=True))
    async def submit_progressive_choice(
        choosing: Choosing, request: Request
    ) -> NextRound | CompletedBattle:
        """Vote on the open round. The same ballot again gets the first answer again."""
        battle_id, caller = await meant(request, choosing.battle_id)
        return await _chosen(referee, battle_id, choosing.ballot, choosing.choice, caller)

    @router.post("/vote", responses=problems(403, 404, 409, 503, body=True))
    async def vote(voting: Voting, request: Request) -> NextRound | CompletedBattle:
        """Vote on the open round by naming the winner."""
        battle_id, caller = await meant(request, voting.battle_id)
        choice = MEANT.get(voting.winner, voting.winner)
        return await _chosen(referee, battle_id, voting.ballot, choice, caller)

    return router


async def _wait(referee: Referee, battle_id: str, request: Request) -> None:
    """Until nobody in play owes a reply, or the client is gone. Raises StillWriting."""
    try:
        async with asyncio.timeout(WAIT_S):
            await until_gone(_complete(referee, battle_id), request.receive)
    except TimeoutError:
        raise StillWriting(
            "The models are still writing. Ask for the same round again; nothing is lost."
        ) from None


async def _complete(referee: Referee, battle_id: str) -> None:
    state = await referee.state(battle_id)
    if state.phase != "answering":
        return
    async with aclosing(referee.follow(battle_id)) as batches:
        async for batch in batches:
            told = [event for _, event in batch if isinstance(event, State)]
            if batch and (not told or told[-1].phase == "answering"):
                continue
            if (await referee.state(battle_id)).phase != "answering":
                return


async def _chosen(
    referee: Referee, battle_id: str, ballot: str, choice: str, caller: Caller
) -> NextRound | CompletedBattle:
    """Cast the ballot unless it was cast before, and tell what it led to, each time the same.
    Raises OtherVote where it was cast before with another choice."""
    state = await referee.state(battle_id)
    history = await referee.history(battle_id)
    cast = next((played for played in history if played.ballot == ballot), None)
    if not cast and ballot != state.ballot:
        raise StaleVote("This ballot is no longer valid: the battle has moved on.")
    judgement, seat = verdict(cast.live if cast else in_play(state), choice)
    await referee.vote(
        battle_id, state.round, judgement, seat, channel="api", ballot=ballot, caller=caller
    )
    # In this order: the history is never behind a state that was read before it.
    state = await referee.state(battle_id)
    history = await referee.history(battle_id)
    at = next((i for i, played in enumerate(history) if played.ballot == ballot), None)
    if at is None:
        raise StaleVote("This vote was taken back. Ask for the responses of the round again.")
    if state.phase == "decided" and at == len(history) - 1:
        return completed(state, history, await _revealed(referee, battle_id))
    return next_round(state, history, at)


async def _revealed(referee: Referee, battle_id: str) -> Reveal | None:
    """None in a study that leads its raters, which learn no names."""
    try:
        return (await referee.reveal(battle_id))[0]
    except Untold:
        return None
