"""Links of finished battles: make one, take it back, read what it shows.

It knows the referee's use cases and HTTP, not how a shared battle looks in a browser.
"""

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter, Request

from arena.core.battle.sharing import Shared
from arena.play.referee import Referee
from arena.web.api.battles import Body, NoResult, fields_of
from arena.web.api.events import BattleId
from arena.web.api.problems import problems
from arena.web.callers import Callers


class Sharing(Body):
    """prompts: whether they are shown. Replies may quote them all the same."""

    prompts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked(Shared):
    """link: what follows `/b/` in the address."""

    link: str


def routes(referee: Referee) -> APIRouter:
    router = APIRouter(tags=["links"])
    callers = Callers(referee.key)
    path = "/battles/{battle_id}/link"

    @router.put(path, responses=problems(400, 403, 404, 409, 410, 503, body=True))
    async def share(battle_id: BattleId, sharing: Sharing, request: Request) -> Linked:
        """Let anybody who has the address `/b/{link}` see this battle, and nothing beyond. Only the
        session that opened it may, once it is decided."""
        caller = await callers.of(request)
        state = await referee.state(battle_id)
        if state.phase == "void":
            raise NoResult(state.notice)
        return _linked(
            *await referee.links.share(battle_id, with_prompts=sharing.prompts, caller=caller)
        )

    @router.get(path, responses=problems(404, 503))
    async def shown(battle_id: BattleId) -> Linked:
        """What the link of a battle shows, also by the link in the place of the battle's id."""
        return _linked(*await referee.links.of(battle_id))

    @router.delete(path, status_code=HTTPStatus.NO_CONTENT, responses=problems(403, 404, 503))
    async def withdraw(battle_id: BattleId, request: Request) -> None:
        """The link leads nowhere any more."""
        await referee.links.withdraw(battle_id, await callers.of(request))

    return router


def _linked(link: str, told: Shared) -> Linked:
    return Linked(**fields_of(told), link=link)
