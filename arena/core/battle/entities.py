"""What a battle is made of: contenders in their seats, replies, verdicts, rounds.

Plain frozen data. It does not know how a battle moves on; that is `rules`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from arena.core.errors import BadInput

LETTERS = "ABCDEFGH"
MIN_CONTENDERS, MAX_CONTENDERS = 2, len(LETTERS)
MOST_IMAGES = 3
LONGEST_LABEL = 64
"""Characters of a topic's or a study's name."""


class Format(StrEnum):
    ELIMINATION = "elimination"
    KNOCKOUT = "knockout"


PANES: Mapping[Format, int] = {Format.ELIMINATION: 3, Format.KNOCKOUT: 2}
"""How many contenders are live at once; a free pane takes the next one."""


class Phase(StrEnum):
    ANSWERING = "answering"
    VOTING = "voting"
    DECIDED = "decided"
    VOID = "void"


class Judgement(StrEnum):
    DROP = "drop"
    TIE = "tie"
    BAD = "bad"


THINK = ("off", "on", "low", "medium", "high", "max")
"""How a contender may think. An empty text: off where its model can, else its lowest."""


@dataclass(frozen=True, slots=True)
class Contender:
    """What is judged: a model, with the system prompt, the options and the way of thinking (one
    of THINK) that it plays with. sees: whether it takes images, None where its host tells."""

    name: str
    model: str
    system: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    topics: tuple[str, ...] = ()
    think: str = ""
    sees: bool | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What all contenders of a battle are given alike, beside its prompts and in place of what is
    their own: a system prompt, a temperature; empty and None leave each its own. images: digests
    of those that come with the first prompt."""

    system: str = ""
    temperature: float | None = None
    images: tuple[str, ...] = ()

    def given(self, contender: Contender) -> Contender:
        """The contender as it plays."""
        warmth = {} if self.temperature is None else {"temperature": self.temperature}
        return replace(
            contender,
            system=self.system or contender.system,
            options={**contender.options, **warmth},
        )

    def replaces(self, contender: Contender) -> bool:
        """It does not play as the roster has it."""
        warm = self.temperature is not None and "temperature" in contender.options
        return warm or bool(self.system and contender.system)


@dataclass(frozen=True, slots=True)
class Text:
    """The next piece of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """The next piece of what the model thinks: counted and timed, never shown before the
    reveal, no part of the reply. `earlier`: every Text of this reply so far was that as well."""

    text: str
    earlier: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """What a host tells of a model, for people; empty and 0 where it does not. size: of its
    parameters, or of its file."""

    size: str = ""
    family: str = ""
    license: str = ""
    context_length: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The reply is complete. Times in milliseconds, speed in tokens per second. `output_tokens`
    are the reply's, `thinking_tokens` those before it; `think` and `options` are what was sent.
    `watts`: what the host draws, where that was measured."""

    host: str
    done_reason: str
    ttft_ms: float | None
    total_ms: float | None
    load_ms: float | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    tokens_per_s: float | None = None
    digest: str = ""
    quantization: str = ""
    ollama_version: str = ""
    host_kind: str = ""
    think: str = ""
    thinking_tokens: int | None = None
    thinking_ms: float | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    card: Card = Card()
    watts: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete reply to one prompt. `names_itself` marks one that gave its identity away;
    `thinking` is what was thought before it, which is no part of it."""

    text: str
    facts: Finished
    retries: int = 0
    names_itself: bool = False
    thinking: str = ""


@dataclass(frozen=True, slots=True)
class Seat:
    """A contender behind a letter, with its replies, one for each prompt so far."""

    letter: str
    contender: Contender
    replies: tuple[Reply, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`seat` is the letter that is dropped; empty for a tie and for bad."""

    judgement: Judgement
    seat: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """A round that was voted on. `coin`: who was dropped was drawn after a tie. `ballot`
    is the token it was cast with; `superseded` the id of the ballot it replaced, if any."""

    number: int
    live: tuple[str, ...]
    verdict: Verdict
    dropped: tuple[str, ...]
    ballot_id: str
    turns: int
    coin: bool = False
    ballot: str = ""
    superseded: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """How a battle came about; no move changes it. `policy` drew this set of contenders with
    `probability`, and each seat's contender with `taking_part` (by letter). `unattended`: the
    models write on though nobody watches, as for a program that comes back for the replies.
    `asked`: a digest of all that was asked for, where it was asked for under a `key`. `alias`: what
    it was named then; a battle that was opened since may have that name. `owner`: the
    rater who opened it and alone moves it; empty where everybody in this process may. `place`:
    from where it was opened, if its session began with it. `rater`: whose it is in a study that
    leads its raters, `prompt_id` which of its prompts, `told` what that says to all contenders
    beside their own system prompts, `unranked` why it does not count. `secret`: nobody can find it
    out, so that what is made of it tells nothing else. `size`: the contenders that were asked for,
    0 for as many as the rule has; some may have been left out."""

    topic: str = ""
    study: str = ""
    session: str = ""
    unattended: bool = False
    policy: str = ""
    probability: float | None = None
    taking_part: Mapping[str, float] = field(default_factory=dict)
    asked: str = ""
    key: str = ""
    alias: str = ""
    owner: str = ""
    place: str = ""
    rater: str = ""
    prompt_id: str = ""
    told: str = ""
    unranked: str = ""
    terms: Terms = Terms()
    secret: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Battle:
    """One battle at one version. Seats stand in the order of entry; `live` are the letters
    in play, `entered` counts the seats that came into play so far. `superseding` is the ballot
    that was taken back in the round being played, if one was."""

    id: str
    format: Format
    seed: int
    seats: tuple[Seat, ...]
    prompts: tuple[str, ...]
    live: tuple[str, ...]
    entered: int
    phase: Phase = Phase.ANSWERING
    rounds: tuple[Round, ...] = ()
    champions: tuple[str, ...] = ()
    version: int = 1
    void_reason: str = ""
    superseding: str = ""
    origin: Origin = Origin()

    @property
    def round(self) -> int:
        """The number of the round being played or, at the end, of the last one."""
        over = self.phase is Phase.DECIDED
        return len(self.rounds) + (0 if over else 1)

    @property
    def waiting(self) -> tuple[str, ...]:
        return tuple(seat.letter for seat in self.seats[self.entered :])

    @property
    def said(self) -> tuple[str, ...]:
        """All that the person wrote."""
        return tuple(filter(None, (self.origin.terms.system, *self.prompts)))

    @property
    def final(self) -> bool:
        """Two are left and nobody waits: this round makes the champion."""
        return len(self.live) == 2 and not self.waiting

    def seat(self, letter: str) -> Seat:
        for seat in self.seats:
            if seat.letter == letter:
                return seat
        raise BadInput(f"There is no Model {letter!s:.8} in this battle.")

    def owed(self, letter: str) -> int:
        """How many replies the seat still owes; one that was voted out owes none."""
        seat = self.seat(letter)
        in_play = letter in self.live or letter in self.waiting
        return len(self.prompts) - len(seat.replies) if in_play else 0
