"""Pairs to train on: what is prompt, chosen and rejected, and what is no pair."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from arena.exchange.dpo import pair
from tests.exchange.rows import Messages, exported, filled, some_votes, talk, vote


def made(winner: str, a: Messages, b: Messages) -> Any:
    """The pair, or None where there is none."""
    found = told(winner, a, b)
    return None if isinstance(found, str) else found


def told(winner: str, a: Messages, b: Messages) -> dict[str, Any] | str:
    return pair(asdict(vote(winner=winner, conversation_a=a, conversation_b=b)))


@pytest.mark.parametrize(
    ("winner", "chosen", "rejected"), [("model_a", "A", "B"), ("model_b", "B", "A")]
)
def test_a_decided_vote_is_a_prompt_and_two_replies(
    winner: str, chosen: str, rejected: str
) -> None:
    found = made(winner, talk("Why?", "A"), talk("Why?", "B"))
    assert found
    assert found["prompt"] == [{"role": "user", "content": "Why?"}]
    assert found["chosen"] == [{"role": "assistant", "content": chosen}]
    assert found["rejected"] == [{"role": "assistant", "content": rejected}]
    assert (found["id"], found["battle_id"]) == ("v1", "battle-v1")
    assert {found["chosen_model"], found["rejected_model"]} == {"x", "y"}


@pytest.mark.parametrize("winner", ["tie", "both_bad"])
def test_what_is_not_decided_is_no_pair(winner: str) -> None:
    assert made(winner, talk("Why?", "A"), talk("Why?", "B")) is None


def test_what_all_were_told_and_shown_alike_belongs_to_the_prompt() -> None:
    found = pair(asdict(vote(system="Be brief.", images=["0" * 64])))
    assert found and found["prompt"][0] == {"role": "system", "content": "Be brief."}
    assert found["images"] == ["0" * 64]


def test_with_histories_of_their_own_the_prompt_is_the_first_question() -> None:
    found = made("model_b", talk("q1", "a1", "q2", "a2"), talk("q1", "b1", "q2", "b2"))
    assert found and found["prompt"] == talk("q1")
    assert [m["content"] for m in found["chosen"]] == ["b1", "q2", "b2"]
    assert [m["content"] for m in found["rejected"]] == ["a1", "q2", "a2"]
    assert [m["role"] for m in found["chosen"]] == ["assistant", "user", "assistant"]


def test_a_history_that_both_share_belongs_to_the_prompt() -> None:
    found = made("model_a", talk("q1", "same", "q2", "a2"), talk("q1", "same", "q2", "b2"))
    assert found and found["prompt"] == talk("q1", "same", "q2")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (talk("q", "same"), talk("q", "same")),
        (talk("q", "A"), talk("another question", "B")),
        (talk("q"), talk("q")),
        ([], []),
        (talk("q", "A"), talk("q")),
        (talk("q", "A", "q2", "A2"), talk("q", "A")),
    ],
)
def test_what_teaches_nothing_is_no_pair(a: Messages, b: Messages) -> None:
    assert made("model_a", a, b) is None


def test_a_file_of_pairs_leaves_out_what_is_excluded_taken_back_or_held_back(
    tmp_path: Path,
) -> None:
    ledger = filled(tmp_path / "arena.db", some_votes())

    async def under_way() -> set[str]:
        return {"battle-v1"}

    data = exported(ledger, "dpo", hold_back=under_way)
    assert [json.loads(line)["id"] for line in data.splitlines()] == ["v2", "v5", "v6", "v9"]


def test_pairs_end_with_the_last_turn_that_both_were_asked_and_answered() -> None:
    cut = made("model_a", talk("q1", "a1", "q2", "a2", "q3"), talk("q1", "b1", "q2", "b2", "q3"))
    assert [m["content"] for m in cut["chosen"]] == ["a1", "q2", "a2"] and cut["turns_cut"] == 1
    other = made("model_b", talk("q1", "a1", "q2", "a2"), talk("q1", "b1", "another", "b2"))
    assert (other["chosen"], other["rejected"]) == (talk("", "b1")[1:], talk("", "a1")[1:])
    assert other["turns_cut"] == 1
    assert made("model_a", talk("q1", "a1"), talk("q1", "b1"))["turns_cut"] == 0


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        (talk("q", " \n"), talk("q", "B"), "unanswered"),
        (talk("q", "A"), talk("q", ""), "unanswered"),
        (talk("q", "A"), talk("q"), "unanswered"),
        ([], talk("q", "B"), "unanswered"),
        (talk("q", "A"), talk("p", "B"), "begun differently"),
        (talk("q", "A", "q2", "A2"), talk("q", "A"), "answered alike"),
    ],
)
def test_why_a_vote_is_no_pair_is_told(a: Messages, b: Messages, why: str) -> None:
    assert told("model_a", a, b) == why


def test_what_is_left_out_of_a_file_of_pairs_is_counted(tmp_path: Path) -> None:
    votes = [
        vote("v1", winner="tie"),
        vote("v2", conversation_a=talk("Why?", "")),
        vote("v3", conversation_a=talk("Why?", "So.", "And?")),
        vote("v4"),
    ]
    left_out: Counter[str] = Counter()
    data = exported(filled(tmp_path / "arena.db", votes), "dpo", left_out=left_out)
    assert [json.loads(line)["id"] for line in data.splitlines()] == ["v3", "v4"]
    assert left_out == {"undecided": 1, "unanswered": 1, "cut back": 1}
