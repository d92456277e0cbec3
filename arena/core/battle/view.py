"""What may be known of a battle, and when: the one place where a Battle becomes public.

`state` is safe at any time and carries no identity; `reveal` refuses before the battle is
decided. It does not know how either is drawn or sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from arena.core.battle.cost import Cost, cost
from arena.core.battle.entities import Battle, Card, Judgement, Phase, Seat
from arena.core.battle.outcome import altered, pairs, placings, unblinded
from arena.core.battle.rules import MAX_TURNS, ballot, can_undo
from arena.core.errors import NotYet, Untold


@dataclass(frozen=True, slots=True)
class Pane:
    """One seat as anybody may see it. `state` is one of waiting, queued, warming, writing,
    complete, eliminated, champion, void. flagged: a reply gave its identity away. cut: one
    was ended by its length. coin: it was dropped after a tie."""

    seat: str
    state: str
    flagged: bool = False
    cut: bool = False
    coin: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Everything that may be known of a battle before the reveal, but for the texts. `ballot`
    is the open round's, empty unless voting is open; `undo`: the last vote can be taken back."""

    battle: str
    version: int
    format: str
    phase: str
    round: int
    final: bool
    panes: tuple[Pane, ...]
    prompts: tuple[str, ...]
    to_come: int
    follow_up: bool
    notice: str = ""
    place: int = 0
    ballot: str = ""
    undo: bool = False
    system: str = ""
    temperature: float | None = None
    images: int = 0

    def goes_on(self, before: State | None) -> bool:
        """The same replies are waited for as in the state before."""
        return (
            before is not None
            and before.phase == self.phase == "answering"
            and (before.round, before.prompts) == (self.round, self.prompts)
        )


def state(battle: Battle, stage: str = "", place: int = 0, flagged: Collection[str] = ()) -> State:
    """The public state. `stage` says what panes do that still owe a reply: waiting, queued,
    warming or writing, the same for all of them, so that a cold model cannot be told.
    `flagged` are seats whose unfinished reply gave its identity away."""
    return State(
        battle=battle.id,
        version=battle.version,
        format=battle.format.value,
        phase=battle.phase.value,
        round=battle.round,
        final=battle.final,
        panes=tuple(
            Pane(
                seat=seat.letter,
                state=_pane_state(battle, seat, stage),
                flagged=seat.letter in flagged or any(r.names_itself for r in seat.replies),
                cut=any(r.facts.done_reason == "length" for r in seat.replies),
                coin=any(r.coin and seat.letter in r.dropped for r in battle.rounds),
            )
            for seat in battle.seats[: battle.entered]
        ),
        prompts=battle.prompts,
        to_come=len(battle.waiting),
        follow_up=battle.phase is Phase.VOTING
        and len(battle.prompts) < MAX_TURNS
        and not battle.origin.rater,
        notice=battle.void_reason,
        place=place,
        ballot=ballot(battle),
        undo=can_undo(battle),
        system=battle.origin.terms.system,
        temperature=battle.origin.terms.temperature,
        images=len(battle.origin.terms.images),
    )


def in_play(state: State) -> tuple[str, ...]:
    """The seats that are judged in the open round."""
    return tuple(pane.seat for pane in state.panes if pane.state != "eliminated")


@dataclass(frozen=True, slots=True)
class PastRound:
    """A round that was voted on: who was in play, what was judged, who was dropped."""

    number: int
    live: tuple[str, ...]
    judgement: str
    dropped: tuple[str, ...]
    coin: bool
    ballot: str


def history(battle: Battle) -> tuple[PastRound, ...]:
    return tuple(
        PastRound(r.number, r.live, r.verdict.judgement.value, r.dropped, r.coin, r.ballot)
        for r in battle.rounds
    )


def replies(battle: Battle) -> Mapping[str, tuple[str, ...]]:
    """Letter → its replies, of everyone who came into play. Raises NotYet while somebody in
    play still writes: before that, panes may differ in what they show."""
    if battle.phase is Phase.ANSWERING:
        raise NotYet("The replies are still being written.")
    entered = battle.seats[: battle.entered]
    return {seat.letter: tuple(r.text for r in seat.replies) for seat in entered}


@dataclass(frozen=True, slots=True)
class RevealedSeat:
    """A contender unmasked. Times in ms, speeds in tokens/s, tokens and time of thought summed
    over its replies; None where it never answered, or did not think. `fell_in` is the round it
    was voted out in, 0 for none. `think`: how it was told to think; `thinking`: what it thought
    before each reply. `card`, `quantization`: of its model, as its host told them then. `place`:
    None for those last in play where nobody is champion."""

    letter: str
    name: str
    model: str
    place: int | None
    champion: bool
    fell_in: int
    by_coin: bool
    ttft_ms: float | None
    tokens_per_s: float | None
    output_tokens: int | None
    flagged: bool
    think: str = ""
    thinking_tokens: int | None = None
    thinking_ms: float | None = None
    thinking: tuple[str, ...] = ()
    quantization: str = ""
    card: Card = Card()


@dataclass(frozen=True, slots=True)
class Reveal:
    """The end of a battle, best place first. votes: the pairs that were judged, without those
    of ballots that were taken back; `both_bad` of them found nobody good enough. `counted` is
    False where a reply that was judged gave its identity away, so that the ballots of those rounds
    are kept but not ranked, or where the battle's terms `altered` a contender, so that none is
    ranked. unopposed: the champion never met anybody."""

    battle: str
    outcome: str
    seats: tuple[RevealedSeat, ...]
    votes: int
    counted: bool
    both_bad: int = 0
    unopposed: bool = False
    altered: bool = False
    cost: Cost = Cost()


def reveal(battle: Battle) -> Reveal:
    """Raises NotYet before the battle is decided, and Untold in a study that leads its raters."""
    if battle.origin.rater:
        raise Untold("Who is who in a study is told by its files, when it is closed.")
    if battle.phase is not Phase.DECIDED:
        raise NotYet("The names come when the battle is decided.")
    groups = placings(battle)
    places = {s: 1 + sum(map(len, groups[:i])) for i, group in enumerate(groups) for s in group}
    fell: Mapping[str, tuple[int, bool]] = {
        s: (r.number, r.coin) for r in battle.rounds for s in r.dropped
    }
    seats = sorted(battle.seats, key=lambda s: (places[s.letter], s.letter))
    judged = [winner for played in battle.rounds for _, _, winner in pairs(played)]
    changed = altered(battle)
    unopposed = bool(battle.champions) and battle.rounds[-1].verdict.judgement is Judgement.BAD
    return Reveal(
        battle=battle.id,
        outcome=_outcome(battle, unopposed),
        seats=tuple(
            _revealed(battle, s, places[s.letter], *fell.get(s.letter, (0, False))) for s in seats
        ),
        votes=len(judged),
        counted=not (changed or any(unblinded(battle, played) for played in battle.rounds)),
        both_bad=judged.count("both_bad"),
        unopposed=unopposed,
        altered=changed,
        cost=cost(battle),
    )


def _outcome(battle: Battle, unopposed: bool) -> str:
    names = [f"Model {s}" for s in battle.champions]
    if not names:
        return "No champion: none was good enough."
    if len(names) > 1:
        return f"{', '.join(names[:-1])} and {names[-1]} are joint champions."
    return f"{names[0]} is the champion{', unopposed' if unopposed else ''}."


def _revealed(battle: Battle, seat: Seat, place: int, fell_in: int, coin: bool) -> RevealedSeat:
    facts = [r.facts for r in seat.replies]
    speeds = [f.tokens_per_s for f in facts if f.tokens_per_s is not None]
    tokens = [f.output_tokens for f in facts if f.output_tokens is not None]
    thought = [f.thinking_tokens for f in facts if f.thinking_tokens is not None]
    pondered = [f.thinking_ms for f in facts if f.thinking_ms is not None]
    return RevealedSeat(
        letter=seat.letter,
        name=seat.contender.name,
        model=seat.contender.model,
        place=place if place > 1 or battle.champions else None,
        champion=seat.letter in battle.champions,
        fell_in=fell_in,
        by_coin=coin,
        ttft_ms=facts[0].ttft_ms if facts else None,
        tokens_per_s=sum(speeds) / len(speeds) if speeds else None,
        output_tokens=sum(tokens) if tokens else None,
        flagged=any(r.names_itself for r in seat.replies),
        think=facts[0].think if facts else "",
        thinking_tokens=sum(thought) if thought else None,
        thinking_ms=sum(pondered) if pondered else None,
        thinking=tuple(r.thinking for r in seat.replies if r.thinking),
        quantization=facts[-1].quantization if facts else "",
        card=facts[-1].card if facts else Card(),
    )


def _pane_state(battle: Battle, seat: Seat, stage: str) -> str:
    if seat.letter in battle.champions:
        return "champion"
    if any(seat.letter in r.dropped for r in battle.rounds):
        return "eliminated"
    if battle.phase is Phase.VOID:
        return "void"
    if battle.phase is Phase.ANSWERING and battle.owed(seat.letter):
        return stage or "waiting"
    return "complete"
