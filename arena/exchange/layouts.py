"""Votes as other tools write them, row by row, in the columns of LMArena's releases: the feedback
that Open WebUI exports, and the votes that compar:IA publishes.

It does not know files, nor what a vote needs.
https://docs.openwebui.com/features/evaluation
https://huggingface.co/datasets/ministere-culture/comparia-votes
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.exchange import lmarena
from arena.exchange.values import TALK

Record = Mapping[str, Any]


class Passed(ValueError):
    """Why a row compares no two contenders; it is passed over, and counted."""


@dataclass(frozen=True, slots=True)
class Layout:
    """known_by: the columns that tell a file of it. read: those that its votes are made of."""

    known_by: frozenset[str]
    read: frozenset[str]
    votes: Callable[[Record], list[dict[str, Any]]]


def layout_of(columns: Mapping[str, Any] | Sequence[str]) -> Layout | None:
    """None for votes that name model_a and model_b themselves."""
    return next((one for one in LAYOUTS if one.known_by <= set(columns)), None)


# Open WebUI --------------------------------------------------------------------------------------


def _open_webui(record: Record) -> list[dict[str, Any]]:
    """A vote for each reply that stood beside the one that was rated. Names are hidden in its
    arena alone. Raises Passed where nothing stood beside, and ValueError."""
    data, meta = _object(record, "data"), _object(record, "meta")
    rated, beside = data.get("model_id"), data.get("sibling_model_ids") or []
    if not isinstance(beside, list):
        raise ValueError("data.sibling_model_ids is no list")
    # It writes null for a reply whose model it does not know.
    named = [name for name in beside if name is not None]
    if not all(isinstance(name, str) for name in named):
        raise ValueError("data.sibling_model_ids holds what is no name")
    won = str(data.get("rating")) == "1"
    others = [name for name in dict.fromkeys(named) if name != rated]
    if str(data.get("rating")) not in ("1", "-1") or not others:
        raise Passed("feedback on one reply alone")
    chat = _object(_object(_object(_object(record, "snapshot"), "chat"), "chat"), "history")
    messages = _object(chat, "messages")
    own = messages.get(str(meta.get("message_id")))
    common = {
        "battle_id": record.get("id"),
        "ballot_id": record.get("id"),
        "rater": record.get("user_id"),
        "timestamp": record.get("created_at") or record.get("updated_at"),
        "anony": bool(meta.get("arena")),
    }
    made = []
    for number, name in enumerate(others):
        reply = _sibling(messages, own, name)
        id = f"{record.get('id')}-{number}" if number else record.get("id")
        told = {"id": id, "winner": "model_a" if won else "model_b"}
        sides = [("a", rated, own), ("b", name, reply)]
        if _stands_before(messages, reply, own, name < str(rated)):
            sides = [("b", rated, own), ("a", name, reply)]
            told["winner"] = "model_b" if won else "model_a"
        for side, model, last in sides:
            told |= {f"model_{side}": model, f"conversation_{side}": list(_talk(messages, last))}
        made.append(common | told)
    return made


def _object(record: Record, name: str) -> Record:
    """Empty where there is none. Raises ValueError for what is none."""
    try:
        value = lmarena.read_json(record.get(name)) or {}
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is no object")
    return value


def _sibling(messages: Record, own: Any, name: str) -> Any:
    """The reply of that model to the same question."""
    asked = own.get("parentId") if isinstance(own, Mapping) else None
    for message in messages.values():
        if message is not own and isinstance(message, Mapping):
            by = message.get("selectedModelId") or message.get("model")
            if by == name and asked and message.get("parentId") == asked:
                return message
    return None


def _stands_before(messages: Record, reply: Any, own: Any, by_name: bool) -> bool:
    """Which of the two the chat shows first; by name where it is not known, so that the order
    tells nothing of who won. Raises ValueError."""
    asked = messages.get(str(own.get("parentId"))) if reply and own else None
    shown = asked.get("childrenIds") if isinstance(asked, Mapping) else None
    if not isinstance(shown, list):
        return by_name
    if not all(isinstance(id, str) for id in shown):
        raise ValueError("childrenIds holds what is no id")
    if reply.get("id") not in shown or own.get("id") not in shown:
        return by_name
    return shown.index(reply["id"]) < shown.index(own["id"])


def _talk(messages: Record, last: Any) -> Iterator[dict[str, Any]]:
    """All that led to a message, from the first on."""
    led: list[Any] = []
    while isinstance(last, Mapping) and len(led) <= len(messages):
        led.append(last)
        last = messages.get(str(last.get("parentId")))
    return ({"role": m.get("role"), "content": m.get("content")} for m in reversed(led))


# compar:IA ---------------------------------------------------------------------------------------


def _comparia(record: Record) -> list[dict[str, Any]]:
    """Raises Passed where neither was chosen, nor both."""
    a, b = record.get("model_a_name"), record.get("model_b_name")
    chosen = record.get("chosen_model_name")
    if str(record.get("both_equal")).strip().lower() in ("true", "1", "1.0"):
        winner = "tie"
    elif chosen in (a, b) and a != b:
        winner = "model_a" if chosen == a else "model_b"
    else:
        raise Passed("nothing was chosen")
    made = {name: record.get(name) for name in ("id", "timestamp", *TALK)}
    made |= {"model_a": a, "model_b": b, "winner": winner}
    made["rater"] = record.get("visitor_id") or record.get("session_hash")
    made["evaluation_session_id"] = record.get("conversation_pair_id")
    languages = lmarena.read_json(record.get("languages"))
    if isinstance(languages, list) and len(languages) == 1:
        made["language"] = languages[0]
    return [made]


LAYOUTS = (
    Layout(
        frozenset({"data", "user_id"}),
        frozenset({"id", "user_id", "data", "meta", "snapshot", "created_at", "updated_at"}),
        _open_webui,
    ),
    Layout(
        frozenset({"model_a_name", "model_b_name"}),
        frozenset({"id", "timestamp", "model_a_name", "model_b_name", "chosen_model_name"})
        | frozenset({"both_equal", "visitor_id", "session_hash", "conversation_pair_id"})
        | frozenset({"languages", *TALK}),
        _comparia,
    ),
)
