"""Pairs to train on: what is prompt, chosen and rejected, and what is no pair."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from arena.exchange.dpo import pair
from tests.exchange.rows import Messages, exported, filled, some_votes, talk, vote


def made(winner: str, a: Messages, b: Messages) -> dict[str, Any] | None:
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
