"""A round becomes rows: one a pair, with all that was measured on the right side."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from arena.core.battle.entities import Battle, Contender, Format, Judgement, Origin
from arena.core.battle.record import Ballot, VoteRow, rows
from arena.core.battle.rules import answer, follow_up, open_battle, undo, void, vote
from arena.core.errors import BadInput
from tests.core.battle.play import BAD, TIE, answered, contenders, drop, opened, reply, voted

WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ballot(battle: Battle, **known: object) -> Ballot:
    return Ballot(id=f"ballot-{battle.rounds[-1].number}", cast_at=WHEN, **known)  # type: ignore[arg-type]


def recorded(battle: Battle, **known: object) -> tuple[VoteRow, ...]:
    return rows(battle, ballot(battle, **known))


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (drop("A"), {("A", "B", "model_b"), ("A", "C", "model_b")}),
        (drop("B"), {("A", "B", "model_a"), ("B", "C", "model_b")}),
        (drop("C"), {("A", "C", "model_a"), ("B", "C", "model_a")}),
        (TIE, {("A", "B", "tie"), ("A", "C", "tie"), ("B", "C", "tie")}),
        (BAD, {("A", "B", "both_bad"), ("A", "C", "both_bad"), ("B", "C", "both_bad")}),
    ],
)
def test_one_row_a_judged_pair(verdict: object, expected: set[tuple[str, str, str]]) -> None:
    written = recorded(voted(opened(3, Format.ELIMINATION), verdict))  # type: ignore[arg-type]
    assert {(r.seat_a, r.seat_b, r.winner) for r in written} == expected
    assert {r.ballot_id for r in written} == {"ballot-1"}
    assert len({r.id for r in written}) == len(written)


def test_no_vote_is_kept_between_two_contenders_of_one_name() -> None:
    named = (Contender("one", "m:1"), Contender("two", "m:2"), Contender("one", "m:3"))
    battle = answered(open_battle("b", Format.ELIMINATION, named, "Why?", 1))
    for verdict in (drop("A"), TIE, BAD):
        with pytest.raises(BadInput, match="of this battle have one name"):
            recorded(voted(battle, verdict))
    assert len(recorded(voted(battle, drop("B")))) == 2


def test_what_was_measured_stands_on_the_side_it_belongs_to() -> None:
    fast = reply(
        "Short.",
        ttft_ms=1.0,
        total_ms=2.0,
        load_ms=3.0,
        prompt_tokens=4,
        output_tokens=5,
        tokens_per_s=6.0,
        digest="d-a",
        quantization="Q4",
        host="h-a",
        done_reason="stop",
        ollama_version="0.9",
    )
    slow = reply(
        "Long.",
        ttft_ms=10.0,
        total_ms=20.0,
        load_ms=30.0,
        prompt_tokens=40,
        output_tokens=50,
        tokens_per_s=60.0,
        digest="d-b",
        quantization="Q8",
        host="h-b",
        done_reason="length",
    )
    one = Contender("one", "m:1", system="Be brief.", options={"temperature": 0, "seed": 7})
    battle = open_battle("b", Format.KNOCKOUT, (one, Contender("two", "m:2")), "Why?", 1)
    battle = answer(battle, "B", replace(slow, retries=2))
    battle = answer(battle, "A", fast)
    (row,) = recorded(voted(battle, drop("B")))
    assert (row.model_a, row.model_b, row.winner, row.champion) == ("one", "two", "model_a", "A")
    sides = {
        "ttft_ms": (1.0, 10.0),
        "total_ms": (2.0, 20.0),
        "load_ms": (3.0, 30.0),
        "prompt_tokens": (4, 40),
        "output_tokens": (5, 50),
        "tokens_per_s": (6.0, 60.0),
        "digest": ("d-a", "d-b"),
        "quantization": ("Q4", "Q8"),
        "host": ("h-a", "h-b"),
        "done_reason": ("stop", "length"),
        "retries": (0, 2),
        "system_sha256": (sha256(b"Be brief.").hexdigest(), sha256(b"").hexdigest()),
    }
    for name, (a, b) in sides.items():
        assert (getattr(row, f"{name}_a"), getattr(row, f"{name}_b")) == (a, b), name
    assert json.loads(row.options_a) == {"temperature": 0, "seed": 7}
    assert row.ollama_version == "0.9"


def test_what_the_ballot_knows_is_in_every_row() -> None:
    known = {"rater": "r", "channel": "api", "dwell_ms": 900, "study": "s", "language": "en"}
    for row in recorded(voted(opened(3, Format.ELIMINATION), TIE), **known):
        assert {name: getattr(row, name) for name in known} == known
        assert (row.timestamp, row.battle_id, row.evaluation_session_id) == (
            WHEN,
            "battle",
            "battle",
        )


def test_how_the_battle_came_about_is_in_every_row() -> None:
    origin = Origin(
        topic="law",
        study="pilot",
        policy="best",
        probability=0.25,
        taking_part={"A": 0.5, "B": 0.6},
    )
    battle = answered(open_battle("b", Format.KNOCKOUT, contenders(2), "Why?", 1, origin))
    (row,) = recorded(voted(battle, drop("B")))
    assert (row.topic, row.study) == ("law", "pilot")
    drawn = (row.draw_policy, row.draw_probability, row.draw_probability_a, row.draw_probability_b)
    assert drawn == ("best", 0.25, 0.5, 0.6)
    (own,) = recorded(voted(battle, drop("B")), study="another")
    assert own.study == "another"


def test_a_ballot_after_an_undo_supersedes_the_one_that_was_taken_back() -> None:
    battle = undo(voted(opened(3, Format.ELIMINATION), drop("A")))
    again = vote(battle, 1, drop("B"), "the second")
    written = rows(again, Ballot("the second", WHEN))
    assert {r.supersedes for r in written} == {"ballot-1"}
    assert {(r.model_a, r.model_b, r.winner) for r in written} == {
        ("name-0", "name-1", "model_a"),
        ("name-1", "name-2", "model_b"),
    }


def test_abuse_is_kept_and_named() -> None:
    written = recorded(voted(opened(3, Format.ELIMINATION), TIE), abuse=True)
    assert {r.excluded_reason for r in written} == {"abuse"}


def test_a_later_round_counts_all_turns_of_the_conversation() -> None:
    battle = voted(opened(3, Format.ELIMINATION), drop("A"))
    battle = answered(follow_up(battle, "And then?"))
    (row,) = recorded(voted(battle, drop("C")))
    assert [m["content"] for m in row.conversation_a] == [
        "Why?",
        "B says 1.",
        "And then?",
        "B says 2.",
    ]
    assert [m["role"] for m in row.conversation_b] == ["user", "assistant"] * 2
    assert (row.round, row.evaluation_order, row.live) == (2, 2, "BC")
    assert (row.conv_metadata["turns"], row.incumbent) == (2, "")


def test_means_and_sums_are_taken_over_turns_and_unknown_stays_unknown() -> None:
    battle = open_battle("b", Format.ELIMINATION, contenders(2), "Why?", 1)
    battle = answer(battle, "A", reply(ttft_ms=10.0, output_tokens=5))
    battle = follow_up(answer(battle, "B", reply()), "And?")
    battle = answer(battle, "A", reply(ttft_ms=30.0, output_tokens=6))
    (row,) = recorded(voted(battle, drop("B")))
    assert (row.ttft_ms_a, row.output_tokens_a) == (20.0, 11)
    assert (row.tokens_per_s_a, row.output_tokens_b) == (None, None)


def test_markdown_is_counted_outside_of_code() -> None:
    text = "# Head\n\n**bold** and __bold__\n- one\n2. two\n```py\n# no head\n- no item\n```\n"
    battle = open_battle("b", Format.ELIMINATION, contenders(2), "Why?", 1)
    battle = answer(answer(battle, "A", reply(text)), "B", reply("Plain."))
    (row,) = recorded(voted(battle, TIE))
    counts = row.conv_metadata
    assert (counts["header_count_a"], counts["list_count_a"], counts["bold_count_a"]) == (1, 2, 2)
    assert (counts["header_count_b"], counts["list_count_b"], counts["bold_count_b"]) == (0, 0, 0)
    assert row.is_code


@pytest.mark.parametrize("leaking", ["A", "B", "C"])
def test_a_reply_that_names_itself_takes_the_whole_ballot_out_of_the_ranking(leaking: str) -> None:
    battle = open_battle("b", Format.ELIMINATION, contenders(3), "Why?", 1)
    for letter in "ABC":
        battle = answer(battle, letter, replace(reply(), names_itself=letter == leaking))
    written = recorded(voted(battle, drop("A")))
    assert {r.excluded_reason for r in written} == {"identity"}
    for row in written:
        assert row.leaked_identity_a == (row.seat_a == leaking)
        assert row.leaked_identity_b == (row.seat_b == leaking)


def test_a_round_without_the_leaking_seat_is_ranked() -> None:
    battle = open_battle("b", Format.ELIMINATION, contenders(3), "Why?", 1)
    for letter in "ABC":
        battle = answer(battle, letter, replace(reply(), names_itself=letter == "A"))
    written = recorded(voted(battle, drop("A"), drop("B")))
    assert {r.excluded_reason for r in written} == {""}


def test_how_the_round_advanced_and_who_stayed_are_told() -> None:
    battle = voted(opened(4, Format.KNOCKOUT, seed=1), TIE)
    (row,) = recorded(battle)
    assert (row.advance_rule, row.incumbent, row.champion) == ("coin", "", "")
    stayed, newcomer = battle.live
    (row,) = recorded(voted(battle, drop(stayed)))
    assert (row.advance_rule, row.incumbent) == ("vote", stayed)
    assert newcomer == "C"


def test_joint_champions_are_both_named() -> None:
    (row,) = recorded(voted(opened(2, Format.KNOCKOUT), TIE))
    assert (row.champion, row.advance_rule) == ("AB", "vote")


def test_a_ballot_of_another_round_is_refused() -> None:
    battle = voted(opened(3, Format.ELIMINATION), drop("A"))
    with pytest.raises(ValueError, match="last round"):
        rows(battle, Ballot(id="another", cast_at=WHEN))


def test_a_void_battle_keeps_rows_of_the_rounds_before() -> None:
    battle = voted(opened(3, Format.ELIMINATION), drop("A"))
    assert recorded(void(battle, "fault")) == recorded(battle)
    assert battle.rounds[-1].verdict.judgement is Judgement.DROP
