"""The rules: who is live, who may vote on what, who is eliminated, who is champion.

Every move takes a Battle and returns a new one with the next version; an illegal move raises.
It does not know how replies are made, shown or stored, nor what time it is.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from arena.core.battle.entities import (
    LETTERS,
    MAX_CONTENDERS,
    MIN_CONTENDERS,
    PANES,
    Battle,
    Contender,
    Format,
    Judgement,
    Origin,
    Phase,
    Reply,
    Round,
    Seat,
    Verdict,
)
from arena.core.errors import BadInput, NotYet, Over, StaleVote

MAX_TURNS = 8
REDRAWN = "redrawn"
"""The policy of a draw in which a contender that could not answer was replaced."""


def open_battle(
    id: str,
    format: Format,
    contenders: tuple[Contender, ...],
    prompt: str,
    seed: int,
    origin: Origin = Origin(),
) -> Battle:
    """A new battle, in the answering phase. Contenders are seated in the order given."""
    if not MIN_CONTENDERS <= len(contenders) <= MAX_CONTENDERS:
        raise BadInput(
            f"A battle takes {MIN_CONTENDERS} to {MAX_CONTENDERS} contenders, "
            f"this one has {len(contenders)}."
        )
    seats = tuple(Seat(letter, c) for letter, c in zip(LETTERS, contenders, strict=False))
    entered = min(PANES[format], len(seats))
    live = tuple(seat.letter for seat in seats[:entered])
    return Battle(id, format, seed, seats, (prompt,), live, entered, origin=origin)


def answer(battle: Battle, letter: str, reply: Reply) -> Battle:
    """The seat's next owed reply. When nobody live owes one any more, voting opens.

    A waiting seat may answer ahead of its entry: that is how its reply is there at once."""
    if battle.phase not in (Phase.ANSWERING, Phase.VOTING):
        raise Over("This battle is over.")
    if not battle.owed(letter):
        raise NotYet(f"Model {letter} owes no reply.")
    seats = tuple(
        replace(s, replies=(*s.replies, reply)) if s.letter == letter else s for s in battle.seats
    )
    return _settle(replace(battle, seats=seats, version=battle.version + 1))


def answers(battle: Battle, replies: Mapping[str, Sequence[Reply]]) -> Battle:
    """What several seats owed, as one move."""
    answered = battle
    for letter, owed in replies.items():
        for reply in owed:
            answered = answer(answered, letter, reply)
    return replace(answered, version=battle.version + 1)


def redraw(battle: Battle, letter: str, contender: Contender | None) -> Battle:
    """Seat another contender where one cannot answer, before anybody's first reply is known;
    None: nobody, and those behind it move up. How likely this draw was is not known then."""
    known = any(seat.replies for seat in battle.seats)
    if known or battle.rounds or battle.phase is not Phase.ANSWERING:
        raise NotYet("Contenders are drawn before the first reply.")
    drawn = [contender if s.letter == letter else s.contender for s in battle.seats]
    there = tuple(c for c in drawn if c is not None)
    origin = replace(battle.origin, policy=REDRAWN, probability=None, taking_part={})
    again = open_battle(battle.id, battle.format, there, battle.prompts[0], battle.seed, origin)
    return replace(again, version=battle.version + 1)


def follow_up(battle: Battle, prompt: str) -> Battle:
    """Another prompt to everyone live, each with its own history."""
    if battle.origin.rater:
        raise NotYet("A study asks each prompt as it stands. Please vote now.")
    if battle.phase is not Phase.VOTING:
        raise NotYet("A follow-up can be sent once every reply is complete.")
    if len(battle.prompts) >= MAX_TURNS:
        raise NotYet(f"A battle takes {MAX_TURNS} prompts. Please vote now.")
    prompts = (*battle.prompts, prompt)
    return _settle(replace(battle, prompts=prompts, version=battle.version + 1))


def vote(battle: Battle, round_number: int, verdict: Verdict, ballot_id: str) -> Battle:
    """Apply a verdict to the round that is open; the rules are the verdict table of the design.

    A vote for a round that is not the open one raises StaleVote."""
    if round_number != battle.round or battle.phase in (Phase.DECIDED, Phase.VOID):
        raise StaleVote("This round is closed: the battle has moved on.")
    if battle.phase is not Phase.VOTING:
        raise NotYet("Voting opens when every reply is complete.")
    seats = battle.live if verdict.judgement is Judgement.DROP else ("",)
    if verdict.seat not in seats:
        raise BadInput("A vote drops one of the models in play, or calls them equal or all bad.")
    dropped = _dropped(battle, verdict)
    number = battle.round
    played = Round(
        number=number,
        live=battle.live,
        verdict=verdict,
        dropped=dropped,
        ballot_id=ballot_id,
        turns=len(battle.prompts),
        coin=verdict.judgement is Judgement.TIE and bool(dropped),
        ballot=ballot(battle),
        superseded=battle.superseding,
    )
    survivors = tuple(letter for letter in battle.live if letter not in dropped)
    voted = replace(battle, rounds=(*battle.rounds, played), superseding="")
    return _advance(voted, survivors)


def ballot(battle: Battle) -> str:
    """The single-use ballot of the open round: whoever holds it may vote, once. It cannot be
    guessed, nor tried for the seed, with which the same models would say the same; after an undo, a
    follow-up, or another vote before it, it is another one. Empty unless voting is open."""
    before = battle.rounds[-1].ballot_id if battle.rounds else ""
    return _ballot(battle, f"/{before}/{len(battle.prompts)}")


def is_ballot(battle: Battle, said: str) -> bool:
    """Of the open round; also as an older arena, or a replica of one, has told the page."""
    return bool(said) and said in (ballot(battle), _ballot(battle, ""))


def _ballot(battle: Battle, more: str) -> str:
    if battle.phase is not Phase.VOTING:
        return ""
    # Battles of an older arena that are still under way have no secret.
    secret = battle.origin.secret or battle.seed
    said = f"{battle.id}/{secret}/{battle.round}/{battle.superseding}{more}"
    return hashlib.sha256(said.encode()).hexdigest()[:24]


def can_undo(battle: Battle) -> bool:
    """The last vote can be taken back: until the names are known or the survivors have been
    asked something else, and not while somebody writes, as what is half shown cannot be
    taken back with it. One at a time: the next vote is to supersede that ballot."""
    open_again = battle.phase is Phase.VOTING and bool(battle.rounds) and not battle.superseding
    return open_again and len(battle.prompts) == battle.rounds[-1].turns


def undo(battle: Battle) -> Battle:
    """Take the last vote back: its round is open again, and the next vote on it supersedes that
    ballot."""
    if not can_undo(battle):
        raise NotYet(
            "No vote can be taken back now: none was cast since, a reply is still being written, "
            "a follow-up was sent, or the battle is over."
        )
    last = battle.rounds[-1]
    letters = [seat.letter for seat in battle.seats]
    seen = {letter for r in battle.rounds for letter in r.live}
    return replace(
        battle,
        live=last.live,
        entered=1 + max(letters.index(letter) for letter in seen),
        rounds=battle.rounds[:-1],
        phase=Phase.VOTING,
        superseding=last.ballot_id,
        version=battle.version + 1,
    )


def void(battle: Battle, reason: str) -> Battle:
    """End the battle without a result: a fault, or everybody left. Earlier votes stand."""
    if battle.phase in (Phase.DECIDED, Phase.VOID):
        raise Over("This battle is over.")
    return replace(battle, phase=Phase.VOID, void_reason=reason, version=battle.version + 1)


def same_move(moved: Battle, there: Battle) -> bool:
    """The same move was made there, and since then nothing but what contenders do: they answer,
    or fail."""
    if moved.phase is Phase.VOID and there.phase is not Phase.VOID:
        return False
    here, so_far = ((b.rounds, b.prompts, b.superseding) for b in (moved, there))
    return here == so_far


def _dropped(battle: Battle, verdict: Verdict) -> tuple[str, ...]:
    if verdict.judgement is Judgement.DROP:
        return (verdict.seat,)
    if verdict.judgement is Judgement.BAD:
        return battle.live
    if battle.final:
        return ()
    coin = random.Random(f"{battle.seed}/{battle.round}")  # noqa: S311 -- can be tossed again
    return (coin.choice(battle.live),)


def _advance(battle: Battle, survivors: tuple[str, ...]) -> Battle:
    """Seat the next ones in the free panes, or end the battle."""
    last = battle.rounds[-1]
    rejected = last.verdict.judgement is Judgement.BAD and battle.format is Format.ELIMINATION
    joining = () if rejected else battle.waiting[: PANES[battle.format] - len(survivors)]
    live = survivors + joining
    entered, version = battle.entered + len(joining), battle.version + 1
    moved = replace(battle, live=live, entered=entered, version=version)
    if len(live) > 1 and last.dropped:
        return _settle(moved)
    return replace(moved, live=(), champions=live, phase=Phase.DECIDED)


def _settle(battle: Battle) -> Battle:
    owing = any(battle.owed(letter) for letter in battle.live)
    return replace(battle, phase=Phase.ANSWERING if owing else Phase.VOTING)
