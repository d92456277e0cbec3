"""What the page may ask of the referee: open, vote, stop, follow up, draw again, reveal.

A payload comes from the browser, where anybody may forge it, so every field is checked here;
whatever goes wrong comes back as one kind sentence. It does not know how the page is drawn.
"""

import logging
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from arena.core.battle.entities import (
    LETTERS,
    LONGEST_LABEL,
    MAX_CONTENDERS,
    Format,
    Judgement,
    Terms,
)
from arena.core.errors import ArenaError, BadInput, HostFault
from arena.play.admission import Caller
from arena.web import unmasking
from arena.web.callers import Callers
from arena.web.words import Words, spoken

if TYPE_CHECKING:
    from arena.play.referee import Referee

log = logging.getLogger(__name__)

Answer = dict[str, Any]
LONGEST_DWELL_MS = 24 * 3600 * 1000
LONGEST_LINK = 2 * LONGEST_LABEL + 1


@dataclass(frozen=True, slots=True)
class Ask:
    """One payload, who sent it, and in which words they read the answer. Reading a field that
    is missing or wrong raises BadInput."""

    fields: Mapping[str, object]
    caller: Caller
    words: Words

    def text(self, name: str, longest: int | None = None) -> str:
        value = self.fields.get(name)
        if not isinstance(value, str) or (longest is not None and len(value) > longest):
            raise self._wrong(name)
        return value

    def one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in allowed:
            raise self._wrong(name)
        return value

    def whole(self, name: str, low: int, high: int) -> int:
        value = self.fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(name)
        return value

    def number(self, name: str) -> float | None:
        value = self.fields.get(name)
        if value is not None and (not isinstance(value, (int, float)) or isinstance(value, bool)):
            raise self._wrong(name)
        return value

    def images(self) -> list[bytes]:
        value = self.fields.get("images")
        if not isinstance(value, list) or not all(isinstance(image, str) for image in value):
            raise self._wrong("images")
        try:
            return [b64decode(image, validate=True) for image in value]
        except ValueError:
            raise self._wrong("images") from None

    @property
    def battle(self) -> str:
        return self.text("battle", longest=64)

    @staticmethod
    def _wrong(name: str) -> BadInput:
        return BadInput(f"The page sent a {name} that cannot be used. Please reload it.")


def _move(
    move: Callable[["Moves", Ask], Awaitable[Answer | None]],
) -> Callable[["Moves", object, gr.Request], Awaitable[Answer]]:
    """The move as the page asks for it: with a payload, and answered whatever happens. Gradio asks
    for the types at each call, where those that stand as texts would be compiled anew."""

    async def answered(self: Any, payload: object, request: gr.Request) -> Answer:
        number = payload.get("re") if isinstance(payload, Mapping) else None
        try:
            if not isinstance(payload, Mapping):
                raise BadInput("The page sent something unreadable. Please reload it.")
            words = spoken(request.headers)
            asked = Ask(payload, Caller(), words)
            link = asked.text("link", longest=LONGEST_LINK) if "link" in payload else ""
            caller = await self._callers.of(request, asked.text("session", longest=64), link)
            answer = await move(self, Ask(payload, caller, words)) or {}
        except ArenaError as refusal:
            if isinstance(refusal, HostFault):
                log.warning("a move failed on a host: %s", type(refusal).__name__)
            answer = {"error": refusal.on_page}
        except Exception:
            log.exception("a move failed")
            said = "Something went wrong on the server. Votes are kept; please try again."
            answer = {"error": said}
        return {**answer, "re": number}

    return answered


class Moves:
    """One method a move. Each takes a payload, with the `session` that the page was told or an
    empty text, and the `link` of a study's rater, if it is theirs, and returns the answer to it, a dict with `re`,
    the number of the payload, and either what was asked for or `error`, a sentence to show.
    channel: what votes are recorded with."""

    def __init__(self, referee: "Referee", channel: str = "web") -> None:
        self._referee = referee
        self._channel = channel
        self._callers = Callers(referee.key)

    @_move
    async def open(self, ask: Ask) -> Answer:
        """prompt, format, size (0 as usual), topic, study, system, temperature (null as usual),
        images (base64) → battle, and the session if it is to be brought again."""
        caller = await self._callers.with_session(ask.caller)
        state = await self._referee.open(
            ask.text("prompt"),
            ask.one_of("format", tuple(Format)),
            size=ask.whole("size", 0, MAX_CONTENDERS) or None,
            topic=ask.text("topic", longest=LONGEST_LABEL),
            study=ask.text("study", longest=LONGEST_LABEL),
            terms=Terms(ask.text("system"), ask.number("temperature")),
            images=ask.images(),
            caller=caller,
        )
        return {"battle": state.battle, **await self._begun(caller)}

    @_move
    async def again(self, ask: Ask) -> Answer:
        """battle → the new battle with the same prompt."""
        caller = await self._callers.with_session(ask.caller)
        state = await self._referee.again(ask.battle, caller=caller)
        return {"battle": state.battle, **await self._begun(caller)}

    @_move
    async def vote(self, ask: Ask) -> None:
        """battle, round, ballot, judgement, seat ("" unless one is dropped), dwell_ms."""
        await self._referee.vote(
            ask.battle,
            ask.whole("round", 1, 1000),
            ask.one_of("judgement", tuple(Judgement)),
            ask.one_of("seat", ("", *LETTERS)),
            caller=ask.caller,
            channel=self._channel,
            ballot=ask.text("ballot", longest=64),
            dwell_ms=ask.whole("dwell_ms", 0, LONGEST_DWELL_MS),
        )

    @_move
    async def undo(self, ask: Ask) -> None:
        """battle."""
        await self._referee.undo(ask.battle, caller=ask.caller)

    @_move
    async def abandon(self, ask: Ask) -> None:
        """battle."""
        await self._referee.abandon(ask.battle, caller=ask.caller)

    @_move
    async def stop(self, ask: Ask) -> None:
        """battle."""
        await self._referee.stop(ask.battle, caller=ask.caller)

    @_move
    async def follow_up(self, ask: Ask) -> None:
        """battle, ballot, prompt."""
        ballot = ask.text("ballot", longest=64)
        await self._referee.follow_up(
            ask.battle, ask.text("prompt"), ballot=ballot, caller=ask.caller
        )

    async def _begun(self, caller: Caller) -> Answer:
        """A session that just began, for a page whose browser keeps no cookie of ours, as in a
        frame of another site."""
        return {"session": await self._callers.session(caller.rater)} if caller.begun else {}

    @_move
    async def share(self, ask: Ask) -> Answer:
        """battle, prompts (whether they are shown) → the link, as what follows `/b/`."""
        prompts = ask.fields.get("prompts") is True
        links = self._referee.links
        link, _ = await links.share(ask.battle, with_prompts=prompts, caller=ask.caller)
        return {"link": link}

    @_move
    async def withdraw(self, ask: Ask) -> None:
        """battle."""
        await self._referee.links.withdraw(ask.battle, ask.caller)

    async def reveal(self, payload: object, request: gr.Request) -> tuple[Answer, str]:
        """battle → `names` by letter; beside the answer the reveal as HTML."""
        answer = await self._reveal(payload, request)
        return answer, answer.pop("drawn", "")

    @_move
    async def _reveal(self, ask: Ask) -> Answer:
        reveal, standings = await self._referee.reveal(ask.battle)
        names = {seat.letter: seat.name for seat in reveal.seats}
        return {"names": names, "drawn": unmasking.draw(reveal, standings, ask.words)}
