"""Studies as a rater goes through them: the page, consent, battle after battle, what is said of one.

It knows the use cases of studies and HTTP, not how raters are led.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import Field

from arena.core.battle.entities import LETTERS, LONGEST_LABEL
from arena.core.battle.view import State
from arena.core.study.design import LONGEST_CHOICE, MOST_CHOICES
from arena.core.study.page import RaterPage
from arena.play.referee import Referee
from arena.play.studies import LONGEST_COMMENT
from arena.web.api.battles import WHOLE, Body, Label
from arena.web.api.problems import problems
from arena.web.callers import Callers

Name = Annotated[str, Path(max_length=LONGEST_LABEL, pattern="^[^\\x00-\\x1f\\x7f/]+$")]
Seat = Annotated[str, Field(pattern=f"^[{LETTERS}]$")]
Choices = Annotated[
    list[Annotated[str, Field(max_length=LONGEST_CHOICE)]], Field(max_length=MOST_CHOICES)
]

BY_SEAT: Any = Field(default_factory=dict, json_schema_extra={"additionalProperties": False})


class Consent(Body):
    """`passed`: what the rater's link brought, whatever that is; what the study does not ask for is
    not kept, nor more of a value than its first 200 characters."""

    passed: dict[str, str] = Field(default_factory=dict)


class Remark(Body):
    """What the rater says of a battle that they have judged: only what the study asks."""

    battle: Label
    reasons: Choices = Field(default_factory=list)
    grades: dict[Seat, Annotated[int, Field(ge=1, le=10), WHOLE]] = BY_SEAT
    marks: dict[Seat, Choices] = BY_SEAT
    comment: Annotated[str, Field(max_length=LONGEST_COMMENT)] = ""


def routes(referee: Referee) -> APIRouter:
    router = APIRouter(tags=["studies"], prefix="/studies/{study}/raters/{rater}")
    studies, callers = referee.studies, Callers(referee.key)

    async def limited(study: str, rater: str, request: Request) -> None:
        """As openings of any other battle are, by the name that the link gives and by place:
        names can be made up. Raises RateLimited."""
        caller = await callers.of(request)
        await referee.limited(replace(caller, rater=f"{study}/{rater}"))

    @router.get("", responses=problems(400, 404, 503))
    async def page(study: Name, rater: Name) -> RaterPage:
        """How far the rater is, and what comes next."""
        return await studies.page(study, rater)

    @router.post("/consent", responses=problems(400, 404, 429, 503, body=True))
    async def consent(study: Name, rater: Name, given: Consent, request: Request) -> RaterPage:
        """The rater takes part. Given again, it changes nothing."""
        await limited(study, rater, request)
        return await studies.consent(study, rater, given.passed)

    @router.post(
        "/battles", status_code=HTTPStatus.CREATED, responses=problems(400, 404, 409, 429, 502, 503)
    )
    async def battle(study: Name, rater: Name, request: Request) -> State:
        """The battle that the rater is at, or the next one. It is voted on as any other, with the
        header `Arena-Rater: study/rater`."""
        await limited(study, rater, request)
        return await studies.battle(study, rater)

    @router.post("/remarks", responses=problems(400, 404, 503, body=True))
    async def remark(study: Name, rater: Name, said: Remark) -> RaterPage:
        """Why, and how good each reply is, as the study asks."""
        return await studies.remark(study, rater, **said.model_dump())

    return router
