"""What the votes say: standings, totals, and the votes themselves as a file.

Votes of battles under way are in none of them. It does not know how standings are made.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from arena import exchange
from arena.core.codec import records
from arena.core.errors import BadInput
from arena.core.standings import board
from arena.core.standings.bradley_terry import Ties
from arena.exchange.values import language
from arena.play.referee import Referee
from arena.web.api.problems import problems
from arena.web.operators import is_operator

Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Spoken = Annotated[Text, AfterValidator(language), Field(examples=["en", "English"])]
Time = Annotated[str, Field(max_length=40, examples=["2026-03-01", "2026-03-01T12:30:00Z"])]
CSV, TEX = exchange.FORMATS["csv"], exchange.FORMATS["latex"]


class Choice(BaseModel):
    """Which votes and by which method; a day as `until` counts with all of it."""

    model_config = ConfigDict(extra="forbid")

    topic: Text = ""
    study: Text = ""
    language: Spoken = ""
    channel: Text = ""
    rater: Text = ""
    since: Time = ""
    until: Time = ""
    ties: Annotated[
        Ties, Field(description="Half a win for each, left out, or as Davidson models them.")
    ] = "half"
    bad: Annotated[Literal["tie", "drop"], Field(description="As a tie, or left out.")] = "tie"
    style: Annotated[bool, Field(description="Correct for length and markup.")] = False
    order: Annotated[bool, Field(description="Correct for the seat and who stayed on.")] = False
    anchor: Annotated[Text, Field(description="The contender whose rating is 1000.")] = ""

    def query(self) -> board.Query:
        """Raises BadInput."""
        return board.Query.asked(**self.model_dump(include=set(Choice.model_fields)))


class Standings(Choice):
    format: Literal["json", "csv", "latex"] = "json"


class Export(Choice):
    """The method is for `latex`, which is the standings. `strict`: only the columns of LMArena's
    published data and only votes that are ranked."""

    format: Literal["csv", "parquet", "jsonl", "dpo", "latex"] = "csv"
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """A contender with its rating, the 95 % interval, and the ranks that fit to it. Null where
    there is no vote on it. Ratings of different groups cannot be compared: they never met. Where
    there are `few` votes, the prior says more of its strength than they do."""

    contender: str
    rating: float | None
    lower: float | None
    upper: float | None
    rank: int | None
    rank_best: int | None
    rank_worst: int | None
    battles: int
    votes: int
    wins: int
    losses: int
    ties: int
    both_bad: int
    group: int | None
    few: bool


SHOWN = [field.name for field in fields(Standing)]
"""Columns of the standings."""


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """`votes` are ranked; `excluded` says of how many others why they are not; `held_back` are
    votes of battles that are not over. `effects` is what the ratings were corrected for."""

    standings: tuple[Standing, ...]
    effects: tuple[dict[str, Any], ...]
    votes: int
    excluded: Mapping[str, int]
    held_back: int


def _once(request: Request) -> None:
    """Raises BadInput for a parameter that is given twice, of which one would be passed over."""
    for name in request.query_params:
        if len(request.query_params.getlist(name)) > 1:
            raise BadInput(f"{name!r:.40} is given twice. Give one.")


def routes(referee: Referee) -> APIRouter:
    router = APIRouter(tags=["standings"], dependencies=[Depends(_once)])
    release = referee.rules.release

    @router.get(
        "/leaderboard",
        response_model=Leaderboard,
        responses={
            200: {"content": {_plain(CSV): _text(), _plain(TEX): _text()}},
            **problems(400, 403, 503),
        },
    )
    async def leaderboard(chosen: Annotated[Standings, Query()], request: Request) -> Any:
        """The standings, as the page computes them."""
        if chosen.format != "json" and not is_operator(request):
            release.standings()
        found = await referee.scoreboard.board(chosen.query())
        if chosen.format == "latex":
            return _latex(found)
        if chosen.format == "csv":
            text = exchange.csv_of(found.standings[SHOWN])
            return Response(text, media_type=CSV.media_type, headers=_saved_as("standings.csv"))
        return JSONResponse(
            {
                "standings": records(found.standings[SHOWN]),
                "effects": records(found.effects),
                "votes": found.votes,
                "excluded": dict(found.excluded),
                "held_back": found.held_back,
            }
        )

    @router.get("/leaderboard/version", responses=problems(503))
    async def version() -> dict[str, int]:
        """`version` is another number whenever the standings may have changed; quick to answer,
        so that a page can ask often."""
        return {"version": await referee.scoreboard.version()}

    @router.get("/statistics", responses=problems(503))
    async def statistics() -> board.Statistics:
        """Totals of all votes."""
        return await referee.scoreboard.statistics()

    @router.get(
        "/export",
        response_class=StreamingResponse,
        responses={
            200: {"content": {_plain(f): _text() for f in exchange.FORMATS.values()}},
            **problems(400, 403, 503),
        },
    )
    async def export(chosen: Annotated[Export, Query()], request: Request) -> Response:
        """The votes as a file: CSV, Parquet or JSON lines with conversations, pairs to train on
        (dpo), or the standings as a LaTeX table. What others than operators get, and when, is the
        arena's to set; by default none of today's votes."""
        query = chosen.query()
        slice, whole = query.slice, is_operator(request)
        if chosen.format == "latex":
            if not whole:
                release.standings()
            return _latex(await referee.scoreboard.board(query))
        if not whole:
            votes = await referee.scoreboard.last()
            slice = release.of(slice, chosen.format, votes, datetime.now(UTC))
        made = exchange.FORMATS[chosen.format]
        textless = release.textless and not whole
        pieces = referee.scoreboard.export(
            chosen.format, slice, strict=chosen.strict, textless=textless
        )
        # What cannot be read at all is still told as a problem.
        first = await anext(pieces, b"")
        return StreamingResponse(
            _all(first, pieces),
            media_type=made.media_type,
            headers=_saved_as(f"votes{made.suffix}"),
        )

    return router


async def _all(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(rest) as pieces:
        yield first
        async for piece in pieces:
            yield piece


def _latex(found: board.Board) -> Response:
    text = exchange.latex(found)
    return Response(text, media_type=TEX.media_type, headers=_saved_as("standings.tex"))


def _saved_as(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="arena-{name}"'}


def _plain(format: exchange.FileFormat) -> str:
    return format.media_type.partition(";")[0]


def _text() -> dict[str, Any]:
    return {"schema": {"type": "string"}}
