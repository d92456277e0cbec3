"""Battles and events as JSON and back: nothing changes on the way, and what cannot be read is
refused in words that say where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.battle.entities import Battle, Contender, Finished, Phase, Reply, Seat
from arena.core.battle.view import State
from arena.core.codec import Unreadable, decode, encode
from arena.core.hosts.placement import Breaker
from arena.core.ports import Delta, Event, Piece, Queued

texts = st.text(max_size=12)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
contenders = st.builds(Contender, options=st.dictionaries(texts, plain, max_size=3))
seats = st.builds(Seat, contender=contenders)
battles = st.builds(Battle, seats=st.lists(seats, max_size=3).map(tuple))


def there_and_back(value: Any, kind: Any, reader: Any = None) -> Any:
    """reader: the type as another version knows it."""
    return decode(json.loads(json.dumps(encode(value, kind))), reader or kind)


@settings(max_examples=60, deadline=None)
@given(battles)
def test_any_battle_comes_back_as_it_was(battle: Battle) -> None:
    # As text, since what is not a number is not equal to itself.
    assert repr(there_and_back(battle, Battle)) == repr(battle)


@settings(max_examples=60, deadline=None)
@given(st.builds(State) | st.builds(Delta))
def test_any_event_comes_back_as_it_was(event: Event) -> None:
    assert repr(there_and_back(event, Event)) == repr(event)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Old:
    """A record as an older arena knows it."""

    name: str
    colour: Colour = Colour.RED
    size: float | None = None


@dataclass(frozen=True, slots=True)
class New:
    """The same record as a newer arena knows it."""

    name: str
    colour: Colour = Colour.RED
    size: float | None = None
    pair: tuple[int, str] = (0, "")
    several: frozenset[int] = frozenset()
    inner: Old = Old("none")
    notes: Mapping[str, tuple[Old, ...]] = field(default_factory=dict)


@settings(max_examples=60, deadline=None)
@given(st.builds(New))
def test_a_record_of_every_kind_of_field_comes_back_as_it_was(record: New) -> None:
    assert repr(there_and_back(record, New)) == repr(record)


def test_half_a_character_as_models_write_it_comes_back_as_it_was() -> None:
    event = Delta((Piece("A", 0, "\ud83d"), Piece("A", 0, "\ude00\x00")))
    assert there_and_back(event, Event) == event


def test_what_is_at_its_default_is_not_written_and_read_as_the_default() -> None:
    assert encode(New("x"), New) == {"name": "x"}
    assert decode({"name": "x"}, New) == New("x")


def test_an_older_arena_reads_a_newer_record_as_long_as_it_uses_nothing_new() -> None:
    assert there_and_back(New("x", Colour.BLUE), New, Old) == Old("x", Colour.BLUE)
    with pytest.raises(Unreadable, match=r"extra fields found \(pair\) @ Old"):
        there_and_back(New("x", pair=(1, "one")), New, Old)


def test_a_newer_arena_reads_an_older_record() -> None:
    assert decode(encode(Old("x", size=2.0), Old), New) == New("x", size=2.0)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, r"missing @ Old\.name"),
        ([], "@ Old"),
        (None, "@ Old"),
        ({"name": 5}, r"expected str @ Old\.name"),
        ({"name": "x", "size": "2"}, r"@ Old\.size"),
        ({"name": "x", "size": True}, r"@ Old\.size"),
        ({"name": "x", "colour": "green"}, r"expected Colour @ Old\.colour"),
        ({"name": "x", "colour": []}, r"@ Old\.colour"),
    ],
)
def test_what_is_no_such_record_is_refused_and_it_is_said_where(data: Any, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        decode(data, Old)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"pieces": []}, "missing"),
        ({"is": "Battle"}, "missing"),
        ({"is": ["Delta"]}, "unhashable"),
        ({"is": "Delta", "pieces": [{"seat": "A", "turn": 0.5, "text": ""}]}, r"pieces\[0\].turn"),
        ({"is": "Delta", "pieces": {"seat": "A"}}, r"pieces\[0\]"),
    ],
)
def test_what_is_no_event_is_refused(data: Any, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        decode(data, Event)


def test_a_place_too_few_is_refused() -> None:
    with pytest.raises(Unreadable, match=r"@ New\.pair"):
        decode({"name": "x", "pair": [1]}, New)


def test_events_are_short() -> None:
    event = Delta((Piece("A", 0, "text"),))
    data = {"is": "Delta", "pieces": [{"seat": "A", "turn": 0, "text": "text"}]}
    assert json.loads(json.dumps(encode(event, Event))) == data


def test_replies_and_breakers_come_back_too() -> None:
    reply = Reply("said", Finished("h", "stop", 1.0, 2.5, tokens_per_s=30.25), 1, True)
    assert there_and_back(reply, Reply) == reply
    breaker = Breaker().failed(1.5).failed(2).failed(3)
    assert there_and_back(breaker, Breaker) == breaker
    assert there_and_back(Queued(3), Queued) == Queued(3)
    assert there_and_back(Phase.VOID, Phase) is Phase.VOID
