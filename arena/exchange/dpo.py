"""Preference pairs for DPO, in TRL's conversational format with an explicit prompt.

It does not know files, nor which votes count.
https://huggingface.co/docs/trl/dataset_formats#preference
"""

from collections.abc import Mapping
from typing import Any

WINNERS = {"model_a": ("a", "b"), "model_b": ("b", "a")}


def pair(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """A decided vote as prompt, chosen and rejected, each a list of messages; None for a tie,
    both_bad, replies that do not differ, or conversations that do not begin alike.

    The prompt is what both conversations begin with, up to a question. After a first turn each
    contender has a history of its own: the prompt is then the first question alone, and chosen
    and rejected go on from there through every turn, as all of it was judged. TRL, given whole
    conversations, splits them at the same place."""
    if row["winner"] not in WINNERS:
        return None
    won, lost = WINNERS[row["winner"]]
    chosen, rejected = row[f"conversation_{won}"], row[f"conversation_{lost}"]
    alike = 0
    for ours, theirs in zip(chosen, rejected, strict=False):
        if ours != theirs:
            break
        alike += 1
    rest = chosen[alike:], rejected[alike:]
    asked = bool(alike) and chosen[alike - 1]["role"] == "user"
    if not asked or not all(said and said[0]["role"] == "assistant" for said in rest):
        return None
    return {
        "prompt": chosen[:alike],
        "chosen": rest[0],
        "rejected": rest[1],
        "id": row["id"],
        "battle_id": row["battle_id"],
        "round": row["round"],
        "chosen_model": row[f"model_{won}"],
        "rejected_model": row[f"model_{lost}"],
        "study": row["study"],
        "prompt_id": row["prompt_id"],
        "topic": row["topic"],
        "language": row["language"],
    }
