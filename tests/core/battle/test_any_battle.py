"""What holds for every battle, whatever legal moves it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.battle.entities import Battle, Format, Judgement, Phase, Verdict
from arena.core.battle.outcome import pairs, placings
from arena.core.battle.rules import (
    MAX_TURNS,
    answer,
    ballot,
    can_undo,
    follow_up,
    open_battle,
    undo,
    vote,
)
from arena.core.errors import ArenaError
from tests.core.battle.play import BAD, TIE, contenders, drop, reply


@dataclass(frozen=True)
class Cast:
    """A verdict as it was cast, with who was live then."""

    verdict: Verdict
    live: tuple[str, ...]


Move = Callable[[Battle, list[Cast]], Battle]


@st.composite
def played(draw: st.DrawFn) -> tuple[Battle, list[Cast]]:
    """A battle played to its end by any legal moves, and every verdict that was cast."""
    format = draw(st.sampled_from(Format))
    count = draw(st.integers(2, 8))
    battle = open_battle("b", format, contenders(count), "Why?", draw(st.integers(0, 2**32)))
    cast: list[Cast] = []
    versions = [battle.version]
    while battle.phase is not Phase.DECIDED:
        before = repr(battle)
        move = draw(st.sampled_from(_moves(battle)))
        moved = move(battle, cast)
        assert repr(battle) == before, "a move changed the battle that it was made on"
        _check_that_a_vote_can_be_taken_back(battle, moved)
        battle = moved
        versions.append(battle.version)
        _check_that_illegal_moves_raise(battle)
    assert versions == list(range(1, len(versions) + 1))
    return battle, cast


def _check_that_a_vote_can_be_taken_back(before: Battle, after: Battle) -> None:
    if len(after.rounds) == len(before.rounds) or after.phase is Phase.DECIDED:
        return
    assert can_undo(after) == (after.phase is Phase.VOTING)
    if not can_undo(after):
        return
    again = undo(after)
    assert not can_undo(again), "one at a time"
    superseded = after.rounds[-1].ballot_id
    assert again == replace(before, version=after.version + 1, superseding=superseded)
    assert ballot(again) not in ("", ballot(before), ballot(after))


def _moves(battle: Battle) -> list[Move]:
    owing = [s for s in (*battle.live, *battle.waiting) if battle.owed(s)]
    moves: list[Move] = [
        lambda b, _, letter=letter: answer(b, letter, reply(letter)) for letter in owing
    ]
    if battle.phase is Phase.VOTING:
        moves += [_cast(v) for v in (*map(drop, battle.live), TIE, BAD)]
        if len(battle.prompts) < MAX_TURNS:
            moves.append(lambda b, _: follow_up(b, "And then?"))
    return moves


def _cast(verdict: Verdict) -> Move:
    def move(battle: Battle, cast: list[Cast]) -> Battle:
        cast.append(Cast(verdict, battle.live))
        return vote(battle, battle.round, verdict, f"ballot-{battle.round}")

    return move


def _check_that_illegal_moves_raise(battle: Battle) -> None:
    out = [s.letter for s in battle.seats if s.letter not in battle.live]
    attempts = [lambda s=s: vote(battle, battle.round, drop(s), "x") for s in (*out, "Z", "")]
    attempts += [lambda n=n: vote(battle, battle.round + n, TIE, "x") for n in (-1, 1)]
    attempts += [
        lambda s=s.letter: answer(battle, s, reply())
        for s in battle.seats
        if not battle.owed(s.letter)
    ]
    if not can_undo(battle):
        attempts.append(lambda: undo(battle))
    if battle.phase is not Phase.VOTING:
        attempts += [lambda: vote(battle, battle.round, BAD, "x"), lambda: follow_up(battle, "?")]
    for attempt in attempts:
        with pytest.raises(ArenaError):
            attempt()


@settings(max_examples=120, deadline=None)
@given(played())
def test_any_legal_battle_ends_and_ranks_every_contender_exactly_once(
    end: tuple[Battle, list[Cast]],
) -> None:
    battle, _ = end
    assert battle.phase is Phase.DECIDED
    ranked = [letter for group in placings(battle) for letter in group]
    assert sorted(ranked) == [seat.letter for seat in battle.seats]
    assert battle.live == ()


@settings(max_examples=120, deadline=None)
@given(played())
def test_any_legal_battle_yields_only_votes_that_were_cast(end: tuple[Battle, list[Cast]]) -> None:
    battle, cast = end
    assert [Cast(r.verdict, r.live) for r in battle.rounds] == cast
    assert [r.number for r in battle.rounds] == list(range(1, len(cast) + 1))
    for played_round, given_ in zip(battle.rounds, cast, strict=True):
        judged = pairs(played_round)
        assert len({(a, b) for a, b, _ in judged}) == len(judged)
        for a, b, winner in judged:
            assert a < b and {a, b} <= set(given_.live)
            match given_.verdict.judgement:
                case Judgement.DROP:
                    assert given_.verdict.seat == (b if winner == "model_a" else a)
                case Judgement.TIE:
                    assert winner == "tie"
                case Judgement.BAD:
                    assert winner == "both_bad"


@settings(max_examples=120, deadline=None)
@given(played())
def test_nobody_is_judged_alone_or_without_having_answered_every_prompt(
    end: tuple[Battle, list[Cast]],
) -> None:
    battle, _ = end
    for played_round in battle.rounds:
        assert len(played_round.live) >= 2
        for letter in played_round.live:
            assert len(battle.seat(letter).replies) >= played_round.turns
    assert set(battle.champions).isdisjoint(s for r in battle.rounds for s in r.dropped)
