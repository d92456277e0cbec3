"""Preference pairs for DPO, in TRL's conversational format with an explicit prompt.

It does not know files, nor which votes count.
https://huggingface.co/docs/trl/dataset_formats#preference
"""

from collections.abc import Mapping, Sequence
from typing import Any

WINNERS = {"model_a": ("a", "b"), "model_b": ("b", "a")}
BLANK = "unanswered"
Messages = Sequence[Mapping[str, Any]]


def pair(row: Mapping[str, Any]) -> dict[str, Any] | str:
    """A decided vote as prompt, chosen and rejected, each a list of messages; or in words why it
    is none: a tie or both_bad, no turn that both answered, conversations that do not begin
    alike, or replies that do not differ.

    Both are cut back to the last turn that was asked of both and answered by both; turns_cut
    says how many turns of the longer one that left out. The prompt is what both begin with, up
    to a question. After a first turn each contender has a history of its own: the prompt is then
    the first question alone, and chosen and rejected go on from there through every turn, as all
    of it was judged. TRL, given whole conversations, splits them at the same place."""
    if row["winner"] not in WINNERS:
        return "undecided"
    won, lost = WINNERS[row["winner"]]
    whole = row[f"conversation_{won}"], row[f"conversation_{lost}"]
    end = _answered(*whole)
    chosen, rejected = (said[:end] for said in whole)
    same = [ours == theirs for ours, theirs in zip(chosen, rejected, strict=True)]
    if not end:
        return "begun differently" if _turns(whole[0]) and whole[0][:1] != whole[1][:1] else BLANK
    if all(same):
        return "answered alike"
    begun = same.index(False)
    if not begun or chosen[begun - 1]["role"] != "user":
        return "begun differently"
    told = [{"role": "system", "content": row["system"]}] if row["system"] else []
    return {
        "prompt": [*told, *chosen[:begun]],
        "chosen": chosen[begun:],
        "rejected": rejected[begun:],
        "id": row["id"],
        "battle_id": row["battle_id"],
        "round": row["round"],
        "chosen_model": row[f"model_{won}"],
        "rejected_model": row[f"model_{lost}"],
        "study": row["study"],
        "prompt_id": row["prompt_id"],
        "topic": row["topic"],
        "language": row["language"],
        "turns_cut": max(map(_turns, whole)) - _turns(chosen),
        "images": row["images"],
    }


def _answered(ours: Messages, theirs: Messages) -> int:
    """How many messages there are up to the last turn that was asked of both and answered by
    both; 0 for none."""
    end = 0
    for at, (one, other) in enumerate(zip(ours, theirs, strict=False), 1):
        if one["role"] == other["role"] == "assistant":
            if not (one["content"].strip() and other["content"].strip()):
                break
            end = at
        elif one != other:
            break
    return end


def _turns(said: Messages) -> int:
    return sum(message["role"] == "user" for message in said)
