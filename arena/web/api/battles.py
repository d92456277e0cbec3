"""Battles by their states: open, look, vote, take back, ask on, end, reveal.

It knows the referee's use cases and HTTP, not how battles are kept.
"""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from arena.core.battle.entities import (
    MAX_CONTENDERS,
    MIN_CONTENDERS,
    MOST_IMAGES,
    Format,
    Judgement,
    Terms,
)
from arena.core.battle.sharing import Shared
from arena.core.battle.view import Reveal, State
from arena.core.errors import ArenaError, BadInput, NotYet
from arena.core.standings.leaderboard import Movement
from arena.play.admission import HOTTEST, Caller
from arena.play.images import LARGEST
from arena.play.referee import Referee
from arena.web.api.events import BattleId
from arena.web.api.problems import problems
from arena.web.callers import Callers

LONGEST_PROMPT = 100_000
DAY_MS = 24 * 3600 * 1000

Prompt = Annotated[
    str,
    Field(
        max_length=LONGEST_PROMPT,
        pattern=r"^[^\x00]*[^\x00\s][^\x00]*$",
        examples=["Why is it dark at night?"],
    ),
]
System = Annotated[str, Field(max_length=LONGEST_PROMPT, pattern=r"^[^\x00]*$")]
Warmth = Annotated[float, Field(ge=0, le=HOTTEST)]
Base64 = Annotated[str, Field(max_length=LARGEST * 4 // 3 + 4, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
Images = Annotated[list[Base64], Field(max_length=MOST_IMAGES)]
Label = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _whole(value: object) -> object:
    """JSON has one kind of number: 3.0 is 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
Size = Annotated[
    int,
    Field(
        ge=MIN_CONTENDERS,
        le=MAX_CONTENDERS,
        description="Contenders at most: where fewer can take part, all of them do.",
    ),
    WHOLE,
]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        description="Anything new for each battle; a second call with it gets the first's battle.",
    ),
]


class NoResult(ArenaError):
    """The battle is void."""

    status = 410
    title = "The battle ended without a result"


class Body(BaseModel):
    """What a call takes: unknown fields are refused, and no type stands for another."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Opening(Body):
    """What a battle is opened with. `unattended`: the models write on though nobody follows the
    events. `size`: contenders at most, if not the arena's usual number. `system`, `temperature`: for all
    contenders alike, in place of their own. `images`: files as base64, for models that see; they
    are made anew, without what else the files hold."""

    prompt: Prompt
    format: Annotated[Format, Field(strict=False)] = Format.ELIMINATION
    size: Size | None = None
    topic: Label = ""
    study: Label = ""
    session: Label = ""
    system: System = ""
    temperature: Warmth | None = None
    images: Images = []
    unattended: bool = False


class Vote(Body):
    """A ballot on a round. `seat` is the letter that is dropped, empty for tie and bad. With
    `ballot`, which the state has while voting is open, it can be used for nothing else."""

    round: Annotated[int, Field(ge=1, le=1000), WHOLE]
    judgement: Annotated[Judgement, Field(strict=False)]
    seat: Annotated[str, Field(pattern="^[A-H]?$")] = ""
    ballot: Label = ""
    study: Label = ""
    rater: Label = ""
    dwell_ms: Annotated[int, Field(ge=0, le=DAY_MS), WHOLE] | None = None


class FollowUp(Body):
    """Another prompt to everyone in play. With `ballot`, which the state has while voting is open, it
    is asked once, however often it is sent."""

    prompt: Prompt
    ballot: Label = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A round that was voted on. `coin`: who was dropped was drawn after a tie."""

    round: int
    live: tuple[str, ...]
    judgement: str
    dropped: tuple[str, ...]
    coin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Known(State):
    """All that may be known of a battle now. `replies`: seat → its texts, one a prompt; empty
    while somebody writes."""

    replies: Mapping[str, tuple[str, ...]]
    history: tuple[Judged, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmasked(Reveal):
    """Who was who, best place first."""

    standings: tuple[Movement, ...]


@dataclass(frozen=True, slots=True)
class Session:
    session: str


def routes(referee: Referee) -> APIRouter:
    router = APIRouter(tags=["battles"])
    callers = Callers(referee.key)

    @router.post("/session", responses=problems(503))
    async def new_session(request: Request) -> Session:
        """The session that came with the call, or a new one: whoever brings it in the header
        `Arena-Session` opens battles that only they can move, and votes as one rater."""
        caller = await callers.with_session(await callers.of(request))
        return Session(await callers.session(caller.rater))

    @router.post(
        "/battles",
        status_code=HTTPStatus.CREATED,
        responses=problems(409, 429, 502, 503, body=True),
    )
    async def open_battle(
        opening: Opening, request: Request, response: Response, key: Key = ""
    ) -> State:
        """Open a battle. Whoever opens one must follow its events, unless it is `unattended`:
        without a viewer the models are stopped. Only the session that opened it moves it."""
        caller = await callers.with_session(await callers.of(request), opening.session, key)
        state = await referee.open(
            **opening.model_dump(exclude={"system", "temperature", "images"}),
            terms=Terms(opening.system, opening.temperature),
            images=decoded(opening.images),
            caller=caller,
            key=scoped(caller, key),
        )
        await give(callers, caller, state.battle, request, response)
        return state

    @router.get("/battles/{battle_id}", responses=problems(404, 503))
    async def battle(battle_id: BattleId) -> Known:
        """The state of a battle, with the replies and the rounds so far."""
        state = await referee.state(battle_id)
        try:
            replies = await referee.replies(battle_id)
        except NotYet:
            replies = {}
        history = tuple(
            Judged(r.number, r.live, r.judgement, r.dropped, r.coin)
            for r in await referee.history(battle_id)
        )
        return Known(**fields_of(state), replies=replies, history=history)

    @router.get(
        "/battles/{battle_id}/images/{number}",
        responses={**problems(404, 503), 200: {"content": {"image/jpeg": {}}}},
        response_class=Response,
    )
    async def image(
        battle_id: BattleId, number: Annotated[int, Path(ge=1, le=MOST_IMAGES)]
    ) -> Response:
        """An image that came with the first prompt, as the models get it."""
        headers = {"Cache-Control": "private, max-age=86400", "X-Content-Type-Options": "nosniff"}
        data = await referee.links.image(battle_id, number)
        return Response(data, media_type="image/jpeg", headers=headers)

    @router.delete("/battles/{battle_id}", responses=problems(403, 404, 409, 503))
    async def abandon(battle_id: BattleId, request: Request) -> State:
        """End a battle without a result. Votes already cast are kept."""
        return await referee.abandon(battle_id, caller=await callers.of(request))

    @router.post("/battles/{battle_id}/votes", responses=problems(403, 404, 409, 503, body=True))
    async def vote(battle_id: BattleId, vote: Vote, request: Request) -> State:
        """Cast a ballot; it is durable when the state comes back. The same round again, or the
        same ballot, changes nothing."""
        caller = await callers.of(request)
        return await referee.vote(battle_id, **vote.model_dump(), channel="api", caller=caller)

    @router.post("/battles/{battle_id}/undo", responses=problems(403, 404, 409, 503))
    async def undo(battle_id: BattleId, request: Request) -> State:
        """Take the last vote back: its round is open again, with a new ballot."""
        return await referee.undo(battle_id, caller=await callers.of(request))

    @router.post(
        "/battles/{battle_id}/follow_up", responses=problems(403, 404, 409, 503, body=True)
    )
    async def follow_up(battle_id: BattleId, asked: FollowUp, request: Request) -> State:
        """Another prompt to everyone in play, each with its own history."""
        caller = await callers.of(request)
        return await referee.follow_up(battle_id, **asked.model_dump(), caller=caller)

    @router.get("/battles/{battle_id}/reveal", responses=problems(404, 409, 410, 503))
    async def reveal(battle_id: BattleId) -> Unmasked:
        """The names and speeds, once the battle is decided."""
        state = await referee.state(battle_id)
        if state.phase == "void":
            raise NoResult(state.notice)
        revealed, moved = await referee.reveal(battle_id)
        return Unmasked(**fields_of(revealed), standings=moved)

    return router


def decoded(images: Sequence[str]) -> list[bytes]:
    """Raises BadInput."""
    try:
        return [b64decode(image, validate=True) for image in images]
    except ValueError:
        raise BadInput("An image is not written in base64.") from None


def scoped(caller: Caller, name: str) -> str:
    """A caller's own name for something: nobody gets a battle by a key of somebody else."""
    return f"{caller.rater}/{name}" if name else ""


async def give(
    callers: Callers, caller: Caller, battle: str, request: Request, response: Response
) -> None:
    """With the answer to an opening the session that began with it, if one did."""
    if caller.begun:
        path = f"{request.scope.get('root_path', '')}/api/arena/battles/{battle}"
        await callers.keep(response, caller.rater, path)


def fields_of(of: State | Reveal | Shared) -> dict[str, Any]:
    return {field.name: getattr(of, field.name) for field in fields(of)}
