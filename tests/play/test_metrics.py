"""What the metrics make of a battle's events: rounds, replies, time to the first text, viewers."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from arena.adapters.feed import MemoryFeed
from arena.core.battle.view import Pane, State
from arena.core.ports import Delta, Piece
from arena.play.metrics import MOST_BATTLES, Metrics

TEXT = Delta((Piece("A", 0, "text"),))


def state(phase: str, panes: str, *, round: int = 1, prompts: int = 1, battle: str = "b") -> State:
    """panes: one letter a pane: w for writing, c for complete, e for eliminated."""
    words = {"w": "writing", "c": "complete", "e": "eliminated"}
    return State(
        battle=battle,
        version=1,
        format="knockout",
        phase=phase,
        round=round,
        final=False,
        panes=tuple(Pane(s, words[p]) for s, p in zip("ABCD", panes, strict=False)),
        prompts=("Why?",) * prompts,
        to_come=0,
        follow_up=False,
    )


class Heard:
    """Metrics with a clock that stands still, and what they say."""

    def __init__(self) -> None:
        self.now = 0.0
        self.metrics = Metrics(clock=lambda: self.now)

    def after(self, seconds: float, *events: State | Delta) -> None:
        self.now += seconds
        for event in events:
            self.metrics.hear("b", event)

    def __getitem__(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"arena_{name}")


def test_the_first_text_is_timed_once_a_round() -> None:
    heard = Heard()
    heard.after(0, state("answering", "ww"))
    heard.after(1, state("answering", "ww"))
    heard.after(2, TEXT, state("answering", "ww"))
    heard.after(9, TEXT, state("voting", "cc"))
    assert (heard["first_text_seconds_count"], heard["first_text_seconds_sum"]) == (1, 3)
    heard.after(5, state("answering", "ecw", round=2))
    heard.after(4, TEXT)
    assert (heard["first_text_seconds_count"], heard["first_text_seconds_sum"]) == (2, 7)


def test_rounds_and_replies_are_counted_when_all_are_complete() -> None:
    heard = Heard()
    heard.after(0, state("answering", "ww"), TEXT, state("voting", "cc"))
    heard.after(0, state("answering", "ww", prompts=2), TEXT, state("voting", "cc", prompts=2))
    heard.after(0, state("answering", "ecw", round=2), state("voting", "ecc", round=2))
    heard.after(0, state("voting", "cc"), state("decided", "ce"))
    assert (heard["rounds_total"], heard["replies_total"]) == (3, 5)


def test_a_battle_that_another_replica_began_is_no_trouble() -> None:
    heard = Heard()
    heard.after(0, TEXT, state("voting", "cc"), state("decided", "ce"))
    assert (heard["first_text_seconds_count"], heard["rounds_total"]) == (0, 0)


def test_battles_that_nobody_ends_are_let_go_of() -> None:
    metrics = Metrics()
    for number in range(MOST_BATTLES + 1):
        metrics.hear(str(number), state("answering", "ww"))
    metrics.hear("0", TEXT)
    metrics.hear(str(MOST_BATTLES), TEXT)
    assert metrics.registry.get_sample_value("arena_first_text_seconds_count") == 1


def test_a_battle_that_leaves_memory_is_followed_no_more() -> None:
    heard = Heard()
    heard.after(0, state("answering", "ww"))
    heard.metrics.forget("b")
    heard.after(1, TEXT)
    assert heard["first_text_seconds_count"] == 0


def test_a_feed_that_is_listened_to_is_the_same_feed() -> None:
    async def scene() -> None:
        heard = Heard()
        feed = heard.metrics.of(inner := MemoryFeed())
        assert await feed.publish("b", state("answering", "ww")) == 1
        assert await feed.publish("b", TEXT) == 2
        async with aclosing(feed.follow("b", 1)) as batches:  # type: ignore[type-var]
            assert await anext(batches) == [(2, TEXT)]
            assert feed.viewers("b") == inner.viewers("b") == heard["viewers"] == 1
        assert feed.viewers("b") == heard["viewers"] == 0
        assert heard["first_text_seconds_count"] == 1
        feed.close()
        assert [batch async for batch in feed.follow("b")] == []

    asyncio.run(scene())
