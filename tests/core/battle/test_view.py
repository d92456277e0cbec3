"""What may be known and when: no identity in the public state, everything in the reveal."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.battle.entities import Battle, Contender, Format, Phase
from arena.core.battle.rules import MAX_TURNS, answer, follow_up, open_battle, undo, void
from arena.core.battle.view import reveal, state
from arena.core.errors import NotYet
from tests.core.battle.play import BAD, TIE, answered, contenders, drop, opened, reply, voted

SECRET = "s3ntinel"


def secretive(count: int, format: Format, seed: int = 0) -> Battle:
    """A battle whose every trace of identity, and every measured fact, carries the sentinel."""
    roster = tuple(
        Contender(
            name=f"{SECRET}-name-{i}",
            model=f"{SECRET}-model-{i}",
            system=f"{SECRET}-system-{i}",
            options={f"{SECRET}-option": f"{SECRET}-{i}"},
            topics=(f"{SECRET}-topic",),
        )
        for i in range(count)
    )
    return open_battle("b", format, roster, "Why?", seed)


def secret_reply(names_itself: bool = False) -> object:
    facts = {
        name: f"{SECRET}-{name}" for name in ("host", "digest", "quantization", "ollama_version")
    }
    numbers = {
        "ttft_ms": 987654.0,
        "total_ms": 987654.0,
        "load_ms": 987654.0,
        "prompt_tokens": 987654,
        "output_tokens": 987654,
        "tokens_per_s": 987654.0,
    }
    said = reply(f"{SECRET} text", **facts, **numbers)
    return replace(said, names_itself=names_itself, thinking=f"{SECRET} thinking")


def assert_blind(battle: Battle) -> None:
    for stage in ("", "warming"):
        public = state(battle, stage)
        for told in (repr(public), json.dumps(asdict(public))):
            assert SECRET not in told
            assert "987654" not in told


@settings(max_examples=60, deadline=None)
@given(
    format=st.sampled_from(Format),
    count=st.integers(2, 8),
    seed=st.integers(0, 999),
    choices=st.lists(st.integers(0, 5), min_size=8, max_size=8),
)
def test_no_state_of_any_battle_carries_identity_or_speed(
    format: Format, count: int, seed: int, choices: list[int]
) -> None:
    battle = secretive(count, format, seed)
    assert_blind(battle)
    for choice in choices:
        if battle.phase is Phase.DECIDED:
            break
        for letter in battle.live:
            while battle.owed(letter):
                battle = answer(battle, letter, secret_reply(choice == 5))  # type: ignore[arg-type]
                assert_blind(battle)
        if choice == 4 and len(battle.prompts) < MAX_TURNS:
            battle = follow_up(battle, "And then?")
        else:
            verdict = {0: TIE, 1: BAD}.get(choice, drop(battle.live[choice % len(battle.live)]))
            battle = voted(battle, verdict)
        assert_blind(battle)
    if battle.phase is not Phase.DECIDED:
        assert_blind(void(battle, "neutral"))


def test_a_void_battle_gives_its_neutral_reason_as_the_notice() -> None:
    assert state(void(opened(2, Format.KNOCKOUT), "It was stopped.")).notice == "It was stopped."


@pytest.mark.parametrize("format", Format)
def test_the_reveal_waits_for_the_decision(format: Format) -> None:
    battle = open_battle("b", format, contenders(3), "Why?", 1)
    with pytest.raises(NotYet):
        reveal(battle)
    battle = answered(battle)
    with pytest.raises(NotYet):
        reveal(battle)
    battle = voted(battle, drop("A"))
    with pytest.raises(NotYet):
        reveal(battle)
    with pytest.raises(NotYet):
        reveal(void(battle, "fault"))
    assert reveal(voted(battle, drop("B"))).votes == (3 if format is Format.ELIMINATION else 2)


def test_everyone_is_unmasked_best_place_first() -> None:
    told = reveal(voted(opened(3, Format.ELIMINATION), drop("A"), drop("C")))
    assert [(s.letter, s.name, s.model) for s in told.seats] == [
        ("B", "name-1", "model-1"),
        ("C", "name-2", "model-2"),
        ("A", "name-0", "model-0"),
    ]
    assert [(s.place, s.champion, s.fell_in) for s in told.seats] == [
        (1, True, 0),
        (2, False, 2),
        (3, False, 1),
    ]
    assert told.outcome == "Model B is the champion."


def test_joint_champions_share_the_first_place() -> None:
    told = reveal(voted(opened(3, Format.ELIMINATION), drop("A"), TIE))
    assert [(s.letter, s.place, s.champion) for s in told.seats] == [
        ("B", 1, True),
        ("C", 1, True),
        ("A", 3, False),
    ]
    assert told.outcome == "Model B and Model C are joint champions."


def test_without_champion_those_in_play_come_before_those_never_called() -> None:
    told = reveal(voted(opened(5, Format.ELIMINATION), BAD))
    assert [(s.letter, s.place) for s in told.seats] == [
        ("A", None),
        ("B", None),
        ("C", None),
        ("D", 4),
        ("E", 4),
    ], "and nobody is first"
    assert told.outcome.startswith("No champion")
    assert (told.votes, told.both_bad, told.unopposed) == (3, 3, False)
    assert told.seats[-1].ttft_ms is None and told.seats[-1].output_tokens is None


def test_a_champion_that_nobody_met_is_called_unopposed() -> None:
    told = reveal(voted(opened(3, Format.KNOCKOUT), BAD))
    assert told.outcome == "Model C is the champion, unopposed."
    assert told.unopposed and told.both_bad == 1


def test_a_ballot_that_was_taken_back_is_not_counted() -> None:
    first = voted(opened(3, Format.ELIMINATION), BAD)
    assert reveal(first).votes == 3
    again = voted(undo(voted(opened(3, Format.ELIMINATION), drop("A"))), drop("B"), drop("C"))
    told = reveal(again)
    assert (told.votes, told.both_bad) == (3, 0)


def test_who_fell_by_the_coin_is_told() -> None:
    battle = voted(opened(3, Format.ELIMINATION, seed=3), TIE)
    (unlucky,) = battle.rounds[0].dropped
    assert [p.seat for p in state(battle).panes if p.coin] == [unlucky], "also before the names"
    told = reveal(voted(battle, drop(battle.live[0])))
    assert [s.letter for s in told.seats if s.by_coin] == [unlucky]


def test_measured_facts_are_gathered_over_the_replies() -> None:
    battle = open_battle("b", Format.ELIMINATION, contenders(2), "Why?", 1)
    battle = answer(battle, "A", reply(ttft_ms=5.0, tokens_per_s=10.0, output_tokens=100))
    battle = follow_up(answer(battle, "B", reply()), "And?")
    battle = answer(battle, "A", reply(ttft_ms=50.0, tokens_per_s=30.0, output_tokens=10))
    a, b = reveal(voted(battle, drop("B"))).seats
    assert (a.ttft_ms, a.tokens_per_s, a.output_tokens) == (5.0, 20.0, 110)
    assert (b.tokens_per_s, b.output_tokens) == (None, None)


def test_a_reply_that_names_itself_is_flagged_and_the_battle_not_counted() -> None:
    battle = open_battle("b", Format.ELIMINATION, contenders(2), "Why?", 1)
    battle = answer(battle, "A", replace(reply(), names_itself=True))
    assert [p.flagged for p in state(battle).panes] == [True, False]
    told = reveal(voted(battle, drop("B")))
    assert not told.counted
    assert [s.flagged for s in told.seats] == [True, False]
    assert reveal(voted(opened(2, Format.KNOCKOUT), TIE)).counted


# Panes -----------------------------------------------------------------------------------------


def panes(battle: Battle, stage: str = "") -> dict[str, str]:
    return {p.seat: p.state for p in state(battle, stage).panes}


def test_panes_tell_where_everyone_stands() -> None:
    battle = open_battle("b", Format.ELIMINATION, contenders(3), "Why?", 1)
    assert panes(battle) == dict.fromkeys("ABC", "waiting")
    assert panes(battle, "warming") == dict.fromkeys("ABC", "warming")
    battle = answered(battle)
    assert panes(battle, "writing") == dict.fromkeys("ABC", "complete")
    battle = voted(battle, drop("B"))
    assert panes(battle) == {"A": "complete", "B": "eliminated", "C": "complete"}
    assert panes(follow_up(battle, "?"), "writing") == {
        "A": "writing",
        "B": "eliminated",
        "C": "writing",
    }
    assert panes(void(battle, "x")) == {"A": "void", "B": "eliminated", "C": "void"}
    assert panes(voted(battle, drop("A"))) == {
        "A": "eliminated",
        "B": "eliminated",
        "C": "champion",
    }


def test_who_waits_for_a_pane_is_not_shown_even_with_a_reply_ready() -> None:
    ahead = answer(opened(4, Format.KNOCKOUT), "C", replace(reply(), names_itself=True))
    public = state(ahead)
    assert [p.seat for p in public.panes] == ["A", "B"]
    assert public.to_come == 2
    assert not any(p.flagged for p in public.panes)


def test_a_follow_up_is_offered_only_while_one_can_be_sent() -> None:
    battle = opened(2, Format.ELIMINATION)
    assert state(battle).follow_up
    assert not state(follow_up(battle, "?")).follow_up
    for _ in range(1, MAX_TURNS):
        battle = answered(follow_up(battle, "?"))
    assert not state(battle).follow_up
    assert not state(voted(battle, TIE)).follow_up


def test_a_reply_cut_at_its_limit_is_marked() -> None:
    battle = open_battle("b", Format.ELIMINATION, contenders(2), "Why?", 1)
    battle = answer(battle, "B", reply(done_reason="length"))
    assert [p.cut for p in state(battle).panes] == [False, True]
