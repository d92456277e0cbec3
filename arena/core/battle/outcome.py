"""What a battle's rounds say: which pairs were judged and how, and in which order all finished.

It does not know how a battle moves on, nor how votes are kept.
"""

from itertools import combinations

from arena.core.battle.entities import Battle, Judgement, Phase, Round


def pairs(played: Round) -> tuple[tuple[str, str, str], ...]:
    """The votes of a round: (seat_a, seat_b, winner), a before b in the alphabet, winner one of
    model_a, model_b, tie, both_bad. Only pairs that were judged."""
    if played.verdict.judgement is Judgement.DROP:
        (loser,) = played.dropped
        return tuple(
            (loser, other, "model_b") if loser < other else (other, loser, "model_a")
            for other in played.live
            if other != loser
        )
    outcome = "tie" if played.verdict.judgement is Judgement.TIE else "both_bad"
    return tuple((a, b, outcome) for a, b in combinations(sorted(played.live), 2))


def unblinded(battle: Battle, played: Round) -> bool:
    """A reply that was judged in the round gave away who wrote it."""
    judged = [battle.seat(letter).replies[: played.turns] for letter in played.live]
    return any(reply.names_itself for replies in judged for reply in replies)


def altered(battle: Battle) -> bool:
    """Its terms took the place of what is a contender's own, so that its votes say nothing of the
    roster as it is."""
    return any(battle.origin.terms.replaces(seat.contender) for seat in battle.seats)


def placings(battle: Battle) -> tuple[tuple[str, ...], ...]:
    """Every contender exactly once, best first; those in one group share the place.

    Champions, then the eliminated from the last to the first, then those never called on."""
    groups = [battle.champions] + [r.dropped for r in reversed(battle.rounds)]
    if battle.phase is not Phase.DECIDED:
        groups.insert(0, battle.live)
    groups.append(battle.waiting)
    return tuple(group for group in groups if group)
