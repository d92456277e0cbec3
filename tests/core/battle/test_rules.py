"""The verdict table, row by row, for 2 to 8 contenders in both formats; and illegal moves."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest

from arena.core.battle.entities import PANES, Battle, Format, Judgement, Phase, Verdict
from arena.core.battle.outcome import pairs, placings
from arena.core.battle.rules import (
    MAX_TURNS,
    answer,
    ballot,
    follow_up,
    is_ballot,
    open_battle,
    void,
    vote,
)
from arena.core.errors import BadInput, NotYet, StaleVote
from tests.core.battle.play import BAD, TIE, answered, contenders, drop, opened, reply, voted

SIZES = range(2, 9)
EVERY_BATTLE = pytest.mark.parametrize(
    ("count", "format"), [(count, format) for count in SIZES for format in Format]
)


# Opening ---------------------------------------------------------------------------------------


@EVERY_BATTLE
def test_as_many_are_live_as_there_are_panes_and_the_rest_wait(count: int, format: Format) -> None:
    battle = open_battle("b", format, contenders(count), "Why?", seed=1)
    panes = min(count, PANES[format])
    assert battle.live == tuple("ABCDEFGH"[:panes])
    assert battle.waiting == tuple("ABCDEFGH"[panes:count])
    assert (battle.phase, battle.round, battle.version) == (Phase.ANSWERING, 1, 1)


@pytest.mark.parametrize("count", [0, 1, 9])
def test_a_battle_of_too_few_or_too_many_is_refused(count: int) -> None:
    with pytest.raises(BadInput, match="2 to 8"):
        open_battle("b", Format.ELIMINATION, contenders(count), "Why?", seed=1)


def test_voting_opens_when_the_last_live_reply_is_complete() -> None:
    battle = open_battle("b", Format.ELIMINATION, contenders(3), "Why?", seed=1)
    for letter in "CA":
        battle = answer(battle, letter, reply())
        assert battle.phase is Phase.ANSWERING
    assert answer(battle, "B", reply()).phase is Phase.VOTING


# Drop ------------------------------------------------------------------------------------------


@EVERY_BATTLE
def test_a_drop_lets_everyone_else_go_on_and_fills_the_pane(count: int, format: Format) -> None:
    before = opened(count, format)
    for seat in before.live:
        after = voted(before, drop(seat))
        survivors = tuple(s for s in before.live if s != seat)
        if before.final:
            assert (after.phase, after.champions) == (Phase.DECIDED, survivors)
        else:
            assert after.live == survivors + before.waiting[:1]
            assert after.phase is (Phase.ANSWERING if before.waiting else Phase.VOTING)


@EVERY_BATTLE
def test_a_drop_is_a_win_of_each_survivor_over_the_dropped(count: int, format: Format) -> None:
    before = opened(count, format)
    for seat in before.live:
        (played,) = voted(before, drop(seat)).rounds
        wins = {(a, b) if won == "model_a" else (b, a) for a, b, won in pairs(played)}
        assert wins == {(other, seat) for other in before.live if other != seat}
        assert len(pairs(played)) == len(before.live) - 1
        assert not played.coin


@EVERY_BATTLE
def test_dropping_on_makes_the_last_one_champion(count: int, format: Format) -> None:
    battle = opened(count, format)
    order = []
    while battle.phase is not Phase.DECIDED:
        order.append(battle.live[0])
        battle = voted(battle, drop(battle.live[0]))
    assert len(battle.rounds) == count - 1
    assert placings(battle) == (battle.champions, *((s,) for s in reversed(order)))


# Tie -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "format"), [(count, format) for count in SIZES[1:] for format in Format]
)
def test_a_tie_with_rounds_left_drops_one_by_the_coin(count: int, format: Format) -> None:
    before = opened(count, format)
    after = voted(before, TIE)
    (played,) = after.rounds
    (dropped,) = played.dropped
    assert played.coin and dropped in before.live and dropped not in after.live
    assert pairs(played) == tuple((a, b, "tie") for a, b in combinations(before.live, 2))


@EVERY_BATTLE
def test_a_tie_in_the_last_round_makes_joint_champions(count: int, format: Format) -> None:
    battle = opened(count, format)
    while not battle.final:
        battle = voted(battle, drop(battle.live[0]))
    last_two = battle.live
    after = voted(battle, TIE)
    assert (after.phase, after.champions) == (Phase.DECIDED, last_two)
    assert placings(after)[0] == last_two
    assert not after.rounds[-1].coin and after.rounds[-1].dropped == ()
    assert [won for *_, won in pairs(after.rounds[-1])] == ["tie"]


def test_the_coin_falls_the_same_way_for_the_same_seed() -> None:
    for seed in range(20):
        one, two = (voted(opened(3, Format.ELIMINATION, seed), TIE) for _ in range(2))
        assert one == two


@pytest.mark.parametrize(("format", "live"), [(Format.ELIMINATION, 3), (Format.KNOCKOUT, 2)])
def test_the_coin_is_fair(format: Format, live: int) -> None:
    battle = opened(4, format)
    falls = Counter(
        voted(replace(battle, seed=seed), TIE).rounds[0].dropped for seed in range(3000)
    )
    expected = 3000 / live
    assert len(falls) == live
    chi_square = sum((n - expected) ** 2 / expected for n in falls.values())
    # 99.9 % of the chi-square distribution with 1 or 2 degrees of freedom; the seeds are fixed.
    assert chi_square < 13.8


def test_the_coin_of_each_round_is_thrown_anew() -> None:
    same_side = 0
    for seed in range(200):
        battle = voted(opened(8, Format.KNOCKOUT, seed), TIE, TIE)
        first, second = battle.rounds
        same_side += first.live.index(*first.dropped) == second.live.index(*second.dropped)
    assert 60 < same_side < 140


# Bad -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", SIZES)
def test_all_bad_ends_an_elimination_without_champion(count: int) -> None:
    before = opened(count, Format.ELIMINATION)
    after = voted(before, BAD)
    assert (after.phase, after.champions, after.live) == (Phase.DECIDED, (), ())
    assert placings(after) == tuple(g for g in (before.live, before.waiting) if g)
    assert {won for *_, won in pairs(after.rounds[-1])} == {"both_bad"}
    assert len(pairs(after.rounds[-1])) == len(before.live) * (len(before.live) - 1) // 2


@pytest.mark.parametrize("count", range(4, 9))
def test_both_bad_in_a_knockout_lets_the_next_two_meet(count: int) -> None:
    after = voted(opened(count, Format.KNOCKOUT), BAD)
    assert (after.live, after.phase) == (("C", "D"), Phase.ANSWERING)
    assert pairs(after.rounds[0]) == (("A", "B", "both_bad"),)


@pytest.mark.parametrize(("count", "rejections"), [(3, 1), (5, 2), (7, 3)])
def test_a_lone_challenger_is_champion_unopposed(count: int, rejections: int) -> None:
    after = voted(opened(count, Format.KNOCKOUT), *[BAD] * rejections)
    assert after.phase is Phase.DECIDED
    assert after.champions == ("ABCDEFGH"[count - 1],)
    assert after.waiting == ()


@pytest.mark.parametrize(("count", "rejections"), [(2, 1), (4, 2), (8, 4)])
def test_a_knockout_where_the_last_two_are_bad_has_no_champion(count: int, rejections: int) -> None:
    after = voted(opened(count, Format.KNOCKOUT), *[BAD] * rejections)
    assert (after.phase, after.champions) == (Phase.DECIDED, ())


# Follow-ups and replies ------------------------------------------------------------------------


def test_a_follow_up_is_answered_by_everyone_live_before_the_vote() -> None:
    battle = follow_up(voted(opened(3, Format.ELIMINATION), drop("B")), "And then?")
    assert battle.phase is Phase.ANSWERING
    assert [battle.owed(s) for s in "ABC"] == [1, 0, 1]
    battle = answered(battle)
    assert battle.phase is Phase.VOTING
    assert [len(s.replies) for s in battle.seats] == [2, 1, 2]


def test_a_newcomer_answers_every_prompt_so_far() -> None:
    battle = answered(follow_up(opened(3, Format.KNOCKOUT), "And then?"))
    battle = voted(battle, drop("A"))
    assert (battle.live, battle.owed("C")) == (("B", "C"), 2)


def test_a_waiting_seat_may_answer_ahead_and_is_then_judged_at_once() -> None:
    battle = opened(3, Format.KNOCKOUT)
    ahead = answer(battle, "C", reply())
    assert ahead.phase is Phase.VOTING
    assert voted(ahead, drop("A")).phase is Phase.VOTING


def test_prompts_come_to_an_end() -> None:
    battle = opened(2, Format.ELIMINATION)
    for turn in range(1, MAX_TURNS):
        battle = answered(follow_up(battle, f"Prompt {turn}"))
    with pytest.raises(NotYet, match="vote now"):
        follow_up(battle, "One more?")


# Illegal moves ---------------------------------------------------------------------------------


def _writing() -> Battle:
    return open_battle("b", Format.ELIMINATION, contenders(3), "Why?", seed=1)


ILLEGAL = {
    "a vote before the replies": (_writing(), lambda b: vote(b, 1, drop("A"), "x"), NotYet),
    "a follow-up before the replies": (_writing(), lambda b: follow_up(b, "?"), NotYet),
    "a second reply": (answer(_writing(), "A", reply()), lambda b: answer(b, "A", reply()), NotYet),
    "a reply of nobody": (_writing(), lambda b: answer(b, "Z", reply()), BadInput),
    "a reply of one voted out": (
        follow_up(voted(opened(3, Format.ELIMINATION), drop("A")), "?"),
        lambda b: answer(b, "A", reply()),
        NotYet,
    ),
    "a vote on a round that is over": (
        voted(opened(3, Format.ELIMINATION), drop("A")),
        lambda b: vote(b, 1, drop("B"), "x"),
        StaleVote,
    ),
    "a vote on a round to come": (
        opened(3, Format.ELIMINATION),
        lambda b: vote(b, 2, drop("B"), "x"),
        StaleVote,
    ),
    "a vote against one voted out": (
        voted(opened(3, Format.ELIMINATION), drop("A")),
        lambda b: vote(b, 2, drop("A"), "x"),
        BadInput,
    ),
    "a vote against one who waits": (
        opened(4, Format.ELIMINATION),
        lambda b: vote(b, 1, drop("D"), "x"),
        BadInput,
    ),
    "a vote against no seat": (
        opened(3, Format.ELIMINATION),
        lambda b: vote(b, 1, drop(""), "x"),
        BadInput,
    ),
    "a tie that names a seat": (
        opened(3, Format.ELIMINATION),
        lambda b: vote(b, 1, Verdict(Judgement.TIE, "A"), "x"),
        BadInput,
    ),
    "all bad that names no seat of the battle": (
        opened(3, Format.ELIMINATION),
        lambda b: vote(b, 1, Verdict(Judgement.BAD, "Z"), "x"),
        BadInput,
    ),
    "a vote after the end": (
        voted(opened(2, Format.ELIMINATION), drop("A")),
        lambda b: vote(b, 1, drop("B"), "x"),
        StaleVote,
    ),
    "a reply after the end": (
        voted(opened(2, Format.ELIMINATION), drop("A")),
        lambda b: answer(b, "B", reply()),
        NotYet,
    ),
    "a follow-up after the end": (
        voted(opened(2, Format.ELIMINATION), drop("A")),
        lambda b: follow_up(b, "?"),
        NotYet,
    ),
    "voiding what is decided": (
        voted(opened(2, Format.ELIMINATION), drop("A")),
        lambda b: void(b, "fault"),
        NotYet,
    ),
    "a vote on a void battle": (
        void(opened(2, Format.ELIMINATION), "fault"),
        lambda b: vote(b, 1, drop("A"), "x"),
        StaleVote,
    ),
    "a reply in a void battle": (
        void(_writing(), "fault"),
        lambda b: answer(b, "A", reply()),
        NotYet,
    ),
}


@pytest.mark.parametrize("move", ILLEGAL)
def test_an_illegal_move_raises(move: str) -> None:
    battle, attempt, error = ILLEGAL[move]
    with pytest.raises(error):
        attempt(battle)


def test_a_void_battle_keeps_the_rounds_that_were_voted_on() -> None:
    battle = void(voted(opened(3, Format.ELIMINATION), drop("A")), "a host failed")
    assert (battle.phase, battle.void_reason, len(battle.rounds)) == (
        Phase.VOID,
        "a host failed",
        1,
    )
    assert placings(battle) == (("B", "C"), ("A",))


def test_a_ballot_that_an_older_arena_has_told_still_is_one() -> None:
    battle = open_battle("b", Format.ELIMINATION, contenders(3), "Why?", seed=5)
    told = hashlib.sha256(b"b/5/1/").hexdigest()[:24]
    assert not is_ballot(battle, told) and not is_ballot(battle, "")
    battle = answered(battle)
    assert is_ballot(battle, told) and is_ballot(battle, ballot(battle)) and told != ballot(battle)
    assert not is_ballot(answered(voted(battle, drop("A"))), told)
