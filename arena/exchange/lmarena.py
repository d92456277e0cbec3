"""Votes in the names and shapes of LMArena's published human-preference data.

The release matched is lmarena-ai/arena-human-preference-140k (July 2025): 14 columns, a message's
content a list of parts, Markdown counted by kind, times in UTC without saying so. It does not
know files, nor where votes are kept.
https://huggingface.co/datasets/lmarena-ai/arena-human-preference-140k
"""

import ast
import json
import math
import re
import tokenize
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import StringIO
from itertools import accumulate, pairwise, zip_longest
from typing import Any

import orjson

from arena.core import markdown
from arena.core.battle.record import CHARACTERS_PER_TOKEN, KINDS

Record = Mapping[str, Any]
Messages = Sequence[Mapping[str, Any]]

COLUMNS = tuple(
    (
        "id model_a model_b winner evaluation_session_id evaluation_order conversation_a "
        "conversation_b full_conversation conv_metadata category_tag language is_code "
        "timestamp"
    ).split()
)
"""Of the release, in its order."""

FIELDS = tuple(KINDS)
"""Of the ledger, in its order: LMArena's first, then ours."""

LISTS = ("thinking_a", "thinking_b", "reasons", "marks_a", "marks_b", "images")
"""Of these, lists of texts."""

TOKENS = tuple(
    (
        "sum_user_tokens sum_assistant_a_tokens sum_assistant_b_tokens context_a_tokens "
        "context_b_tokens turns"
    ).split()
)

STYLE = tuple(f"{what}_count_{side}" for what in ("header", "list", "bold") for side in "ab")

MOST_COUNTED = 10**9
"""Tokens or marks in a conversation, which is more than any has; sums of them fit 32 bits."""

OUTCOMES = {
    "model_a": "model_a",
    "model_b": "model_b",
    "tie": "tie",
    "both_bad": "both_bad",
    "tie (bothbad)": "both_bad",
    "tie (both_bad)": "both_bad",
    "tie (both bad)": "both_bad",
    "bothbad": "both_bad",
    "both bad": "both_bad",
}
"""How releases spell an outcome, in small letters → what it is here."""

OLDER_NAMES = {
    "question_id": "prompt_id",
    "tstamp": "timestamp",
    "judge": "rater",
    "judge_hash": "rater",
}
"""Column of chatbot_arena_conversations and arena-human-preference-100k → its name here."""

TEXTS_SIDE_BY_SIDE = re.compile(r"""['"]\s+['"]""")
OBJECTS_SIDE_BY_SIDE = re.compile(r"\}\s+\{|array\(")
"""As arrays are printed: with nothing but space between what they hold."""

FLAGS = {"winner_model_a": "model_a", "winner_model_b": "model_b", "winner_tie": "tie"}
"""Column of arena-human-preference-55k → the outcome where it is 1."""


# Out -------------------------------------------------------------------------------------------


def full(row: Record) -> dict[str, Any]:
    """A row of the ledger with all its columns, LMArena's ones in the published shapes; only
    the time keeps its zone, and what is derived or not known here is left out."""
    a, b = row["conversation_a"], row["conversation_b"]
    shaped = {
        "conversation_a": _messages(a, row["images"]),
        "conversation_b": _messages(b, row["images"]),
        "conv_metadata": _metadata(row["conv_metadata"], a, b),
    }
    return {**{name: row[name] for name in FIELDS}, **shaped}


def strict(row: Record) -> dict[str, Any]:
    """A row of the ledger in exactly the published columns. category_tag is null: nobody has
    sorted these prompts."""
    a, b = row["conversation_a"], row["conversation_b"]
    derived = {
        "full_conversation": _turns(*(_messages(side, row["images"]) for side in (a, b))),
        "category_tag": None,
        "timestamp": row["timestamp"].replace(tzinfo=None),
    }
    made = {**full(row), **derived}
    return {name: made[name] for name in COLUMNS}


def _messages(conversation: Messages, images: Sequence[str]) -> list[dict[str, Any]]:
    """images: digests of those that came with the first message."""
    part = {"type": "text", "image": None, "mimeType": None}
    made = [{"role": m["role"], "content": [{**part, "text": m["content"]}]} for m in conversation]
    seen = {"type": "image", "text": None, "mimeType": "image/jpeg"}
    if made:
        made[0]["content"][:0] = [{**seen, "image": digest} for digest in images]
    return made


def _turns(a: Messages, b: Messages) -> list[dict[str, Any]]:
    """Question by question, with the replies of both sides."""
    asked = [m for m in a or b if m["role"] == "user"]
    sides = [[m for m in side if m["role"] == "assistant"] for side in (a, b)]
    return [
        {"user": question, "model_side_a": reply_a, "model_side_b": reply_b}
        for question, reply_a, reply_b in zip_longest(asked, *sides)
    ]


def _metadata(kept: Record, a: Messages, b: Messages) -> dict[str, Any]:
    made: dict[str, Any] = {name: kept.get(name) for name in TOKENS}
    for side, conversation in (("a", a), ("b", b)):
        formatted = markdown.counts(*_said("assistant", conversation))
        for what, by_kind in formatted.items():
            name = f"{what}_count_{side}"
            made[name] = _by_kind(kept.get(name), by_kind)
    return made


def _by_kind(total: int | None, counted: dict[str, int]) -> dict[str, int] | None:
    """The total that was kept, by kind. Where somebody else counted otherwise, their total
    holds and stands under the first kind: tools add the kinds up."""
    if total is None:
        return None
    if sum(counted.values()) == total:
        return counted
    return {**dict.fromkeys(counted, 0), next(iter(counted)): total}


def _said(role: str, conversation: Messages) -> list[str]:
    return [m["content"] for m in conversation if m["role"] == role]


# In --------------------------------------------------------------------------------------------


def modern(record: Record) -> dict[str, Any]:
    """A row of any release with the column names of this one. Raises ValueError."""
    made = {OLDER_NAMES.get(name, name): value for name, value in record.items()}
    flagged = "winner" not in made and made.keys() >= FLAGS.keys()
    if flagged:
        true = [outcome for flag, outcome in FLAGS.items() if str(made[flag]) in ("1", "1.0")]
        made["winner"] = true[0] if len(true) == 1 else ""
    for letter, number in zip("ab", "12", strict=True):
        # PPE numbers the replies, to one prompt; arena-human-preference-55k has lists of both.
        if flagged:
            said = [_texts(made.get(name)) for name in ("prompt", f"response_{letter}")]
        elif f"response_{number}" in made:
            said = [[made.get(name)] for name in ("prompt", f"response_{number}")]
        else:
            continue
        made[f"conversation_{letter}"] = [
            {"role": role, "content": text}
            for turn in zip(*said, strict=False)
            for role, text in zip(("user", "assistant"), turn, strict=True)
        ]
    return made


def _texts(value: Any) -> list[Any]:
    """Raises ValueError."""
    texts = read_json(value) or []
    if not isinstance(texts, list):
        raise ValueError("is no list of texts")
    return texts


def until(conversation: Messages, turn: int) -> list[Mapping[str, Any]]:
    """As much as had been said after so many questions and the replies to them."""
    asked = accumulate(message["role"] == "user" for message in conversation)
    return [message for message, number in zip(conversation, asked, strict=True) if number <= turn]


def conversation(value: Any) -> list[dict[str, str]]:
    """Messages of plain text from any release's. Raises ValueError."""
    messages = read_json(value) or []
    if not isinstance(messages, list):
        raise ValueError("is no list of messages")
    made = []
    for message in messages:
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise ValueError("has a message without a role")
        made.append({"role": message["role"], "content": _text(message.get("content"))})
    return made


def _text(content: Any) -> str:
    """Pictures and the like are passed over."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, Mapping):
        return _text(content.get("text"))
    if isinstance(content, list):
        return "\n".join(filter(None, map(_text, content)))
    raise ValueError("has a message whose content is no text")


def metadata(value: Any, a: Messages, b: Messages) -> dict[str, int]:
    """Counts as the ledger keeps them, of all kinds together. Where a file has none but
    conversations, they are counted as for a battle. Raises ValueError."""
    found = read_json(value) or {}
    if not isinstance(found, Mapping):
        raise ValueError("is no object")
    made = {}
    for name in (*TOKENS, *STYLE) if found else ():
        count = found.get(name)
        kinds = list(count.values()) if isinstance(count, Mapping) else [count]
        known = [kind for kind in kinds if kind is not None and kind == kind]  # noqa: PLR0124 -- NaN
        if known:
            made[name] = sum(_count(kind, name) for kind in known)
    if made or not (a or b):
        return made
    tokens = {"sum_user_tokens": _tokens(_said("user", a))}
    for side, messages in (("a", a), ("b", b)):
        texts = _said("assistant", messages)
        tokens[f"sum_assistant_{side}_tokens"] = _tokens(texts)
        for what, kinds_of in markdown.counts(*texts).items():
            tokens[f"{what}_count_{side}"] = sum(kinds_of.values())
    return tokens | {"turns": sum(m["role"] == "user" for m in a)}


def _tokens(texts: Sequence[str]) -> int:
    """About so many."""
    return len("\n".join(texts)) // CHARACTERS_PER_TOKEN


def _count(value: Any, name: str) -> int:
    """Raises ValueError for what nobody could have counted."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (number.is_integer() and 0 <= number <= MOST_COUNTED):
        raise ValueError(f"says {value!r:.40} for {name}, which is no count")
    return int(number)


def read_json(value: Any) -> Any:
    """What a text holds, where it is one, in JSON or as Python writes lists; None for an empty
    one, and for NaN. Raises ValueError."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    for read in (orjson.loads, json.loads):  # The first is faster, and refuses half characters.
        with suppress(ValueError, RecursionError):
            return read(value)
    # As Python's, texts that stand side by side would be taken for one.
    printed = TEXTS_SIDE_BY_SIDE.search(value) and _printed(value)
    if not printed:
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return ast.literal_eval(value)
    if printed or OBJECTS_SIDE_BY_SIDE.search(value):
        raise ValueError(
            "is text of arrays as pandas writes them into CSV; save the file as Parquet or as "
            "JSON lines instead"
        )
    raise ValueError("is no JSON")


def _printed(value: str) -> bool:
    """Two texts follow each other with no comma between."""
    with suppress(tokenize.TokenError, SyntaxError):
        kinds = [
            token.type
            for token in tokenize.generate_tokens(StringIO(value).readline)
            if token.type != tokenize.NL
        ]
        return (tokenize.STRING, tokenize.STRING) in pairwise(kinds)
    return False
