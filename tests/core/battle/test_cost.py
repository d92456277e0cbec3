"""What a battle cost: tokens, seconds of its hosts, and energy where that was measured."""

from __future__ import annotations

from arena.core.battle.cost import Cost, cost
from arena.core.battle.entities import Battle, Format
from arena.core.battle.rules import answer, open_battle
from tests.core.battle.play import contenders, reply


def battle(count: int, *facts: dict[str, object]) -> Battle:
    """The first seats have answered, with these facts."""
    played = open_battle("b", Format.KNOCKOUT, contenders(count), "Why?", 0)
    for letter, known in zip("ABC", facts, strict=False):
        told = {"prompt_tokens": 10, "output_tokens": 20, "watts": 360.0, **known}
        played = answer(played, letter, reply(**told))
    return played


def test_replies_side_by_side_cost_the_longest_and_a_later_one_is_added() -> None:
    seconds = ({"total_ms": 4000.0}, {"total_ms": 10000.0}, {"total_ms": 5000.0})
    assert cost(battle(3, *seconds)) == Cost(tokens=90, seconds=15.0, watt_hours=1.5)


def test_hosts_that_write_at_once_both_draw() -> None:
    apart = ({"total_ms": 10000.0, "host": "one"}, {"total_ms": 10000.0, "host": "two"})
    assert cost(battle(2, *apart)) == Cost(tokens=60, seconds=20.0, watt_hours=2.0)


def test_what_one_host_does_not_tell_is_unknown_and_not_nothing() -> None:
    silent = battle(2, {"total_ms": 1000.0}, {"host": "two", "output_tokens": None, "watts": None})
    told = cost(silent)
    assert told.tokens is None and told.watt_hours is None and told.seconds > 1


def test_what_was_thought_is_paid_for_as_well() -> None:
    assert cost(battle(2, {"thinking_tokens": 100})).tokens == 130


def test_a_battle_without_a_reply_tells_of_no_cost() -> None:
    assert cost(battle(2)) == Cost(tokens=None, seconds=0)
