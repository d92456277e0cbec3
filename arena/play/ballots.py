"""Whether a vote may be cast, by whom, and which one stands.

It does not know how votes are kept, nor how callers are told apart.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from arena.core.battle import record, rules
from arena.core.battle.entities import Battle, Judgement, Phase, Round, Verdict
from arena.core.errors import BadInput, NotYours, OtherVote, StaleVote
from arena.core.ports import Ledger
from arena.core.standings.votes import Vote
from arena.play.admission import Caller

LanguageOf = Callable[[str], Awaitable[str]]
"""A prompt's language, as `record.Ballot.language`."""


async def undetermined(_: str) -> str:
    """Where nobody is there who could tell."""
    return record.UNDETERMINED


def settled(battle: Battle, round: int, ballot: str) -> Round | None:
    """The round as it was voted on already, with this ballot if one is given. Raises StaleVote
    for a ballot that is neither a used one nor that of the open round."""
    for played in battle.rounds:
        if played.ballot == ballot or (not ballot and played.number == round):
            return played
    _valid(battle, ballot)
    return None


def asked(battle: Battle, prompt: str, ballot: str) -> bool:
    """Whether this was the follow-up just asked, where that ballot was the open round's. Raises
    StaleVote for a ballot that is no longer."""
    before = replace(battle, prompts=battle.prompts[:-1], phase=Phase.VOTING)
    if (prompt, ballot) == (battle.prompts[-1], rules.ballot(before)):
        return True
    _valid(battle, ballot)
    return False


def _valid(battle: Battle, ballot: str) -> None:
    if ballot and not rules.is_ballot(battle, ballot):
        raise StaleVote("This ballot is no longer valid: the battle has moved on.")


def own(battle: Battle, caller: Caller, ballot: str = "") -> None:
    """Raises NotYours where the caller may not move the battle: a link, which nobody signs, moves
    those of studies alone. One whose session began with it, as that of a program that keeps none,
    is judged by ballot from the same place as well."""
    origin = battle.origin
    if not origin.owner or origin.owner == (caller.link if origin.rater else caller.rater):
        return
    if origin.rater:
        raise NotYours(
            "This battle is one of a study: it is moved by its rater's link alone.",
            programs="Programs send that as the header Arena-Rater with each call.",
        )
    if not (ballot and origin.place and caller.place == origin.place):
        raise NotYours(
            "This battle belongs to the session that opened it. Start one of your own to vote.",
            programs="The session is a browser's cookie, or the header Arena-Session that the "
            "opening was answered with. Send it with each call.",
        )


def agree(played: Round, verdict: Verdict) -> None:
    """Raises OtherVote where the round was judged otherwise."""
    if played.verdict == verdict:
        return
    stands = {
        Judgement.DROP: f"Model {played.verdict.seat} was voted out",
        Judgement.TIE: "all were called equal",
        Judgement.BAD: "all were called bad",
    }[played.verdict.judgement]
    raise OtherVote(f"Another vote on round {played.number} stands: {stands}. Yours is not kept.")


def digest(*asked: object) -> str:
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def verdict(judgement: str, seat: str) -> Verdict:
    try:
        return Verdict(Judgement(judgement), seat)
    except ValueError:
        raise BadInput("A vote is one of: drop (with a seat), tie, bad.") from None


def stands(battle: Battle, cast: Round) -> bool:
    """The battle was moved by this vote, which the ledger has. Raises StaleVote where it was not, and
    cannot be now: that round is not open."""
    if any(played.ballot_id == cast.ballot_id for played in battle.rounds):
        return True
    here = battle.round, battle.superseding
    if battle.phase is not Phase.VOTING or here != (cast.number, cast.superseded):
        raise StaleVote(
            "Your vote is kept, though the battle had moved on elsewhere by then. The page shows "
            "where the battle is now."
        )
    return False


async def is_cast(battle: Battle, ledger: Ledger) -> bool:
    """The ledger has a ballot for the round that is open: it did not come to move the battle."""
    return bool(await _cast(battle, ledger))


async def as_recorded(battle: Battle, ledger: Ledger) -> Battle:
    """The battle after the ballot that the ledger has for this round: it was cast before, and
    whoever cast it could not move the battle any more."""
    here = await _cast(battle, ledger)
    verdict = record.verdict_of([(vote.seat_a, vote.seat_b, vote.winner) for vote in here])
    return rules.vote(battle, battle.round, verdict, here[0].ballot_id)


async def _cast(battle: Battle, ledger: Ledger) -> Sequence[Vote]:
    where = battle.round, battle.superseding
    cast = await ledger.votes_on(battle.id)
    return [vote for vote in cast if (vote.round, vote.supersedes) == where]
