"""The start gate and the common pace: what is shown never tells who writes faster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.battle.pace import Pace, Track

Tracks = dict[str, Track]


@dataclass(frozen=True)
class Instant:
    """One tick: what was written, and the pace after it."""

    tracks: Tracks
    pace: Pace

    def shown(self) -> dict[str, int]:
        return {seat: self.pace.shown(track) for seat, track in self.tracks.items()}

    def unfinished(self) -> list[int]:
        """Shown lengths of the replies that are not shown whole."""
        shown = self.shown()
        return [shown[s] for s, t in self.tracks.items() if not (t.ended and shown[s] == t.written)]


@st.composite
def writing(draw: st.DrawFn) -> tuple[int, list[Tracks]]:
    """A budget a tick, and the tracks tick by tick: 1 to 8 replies, each in its own rhythm,
    until all have ended; some stay empty."""
    bursts = st.lists(st.integers(0, 40), min_size=0, max_size=12)
    rhythms = draw(st.lists(bursts, min_size=1, max_size=8))
    steps = [
        {
            "ABCDEFGH"[i]: Track(sum(r[: tick + 1]), ended=tick + 1 >= len(r))
            for i, r in enumerate(rhythms)
        }
        for tick in range(max(1, *map(len, rhythms), 1))
    ]
    return draw(st.integers(1, 30)), steps


def _played(budget: int, steps: list[Tracks]) -> Iterator[Instant]:
    """Every tick of the writing, then as many as the longest reply needs."""
    pace = Pace()
    longest = max(t.written for t in steps[-1].values())
    for tracks in [*steps, *[steps[-1]] * (longest // budget + 1)]:
        pace = pace.tick(tracks, budget)
        yield Instant(tracks, pace)


@settings(max_examples=200, deadline=None)
@given(writing())
def test_nothing_is_shown_before_all_have_a_first_character_or_have_ended(
    case: tuple[int, list[Tracks]],
) -> None:
    for instant in _played(*case):
        begun = all(t.written or t.ended for t in instant.tracks.values())
        assert instant.pace.open is begun
        assert begun or set(instant.shown().values()) == {0}


@settings(max_examples=200, deadline=None)
@given(writing())
def test_at_no_instant_do_two_unfinished_replies_differ(case: tuple[int, list[Tracks]]) -> None:
    for instant in _played(*case):
        assert len(set(instant.unfinished())) <= 1


@settings(max_examples=200, deadline=None)
@given(writing())
def test_no_pane_gains_more_than_the_budget_or_ever_loses_text(
    case: tuple[int, list[Tracks]],
) -> None:
    budget, _ = case
    before = dict.fromkeys("ABCDEFGH", 0)
    for instant in _played(*case):
        shown = instant.shown()
        assert all(0 <= n - before[seat] <= budget for seat, n in shown.items())
        assert all(n <= instant.tracks[seat].written for seat, n in shown.items())
        before |= shown


@settings(max_examples=200, deadline=None)
@given(writing())
def test_in_the_end_every_text_is_shown_whole(case: tuple[int, list[Tracks]]) -> None:
    *_, last = _played(*case)
    assert last.shown() == {seat: t.written for seat, t in last.tracks.items()}
    assert last.pace.finished(last.tracks)


@settings(max_examples=200, deadline=None)
@given(writing())
def test_finished_means_that_all_have_ended_and_are_shown_whole(
    case: tuple[int, list[Tracks]],
) -> None:
    for instant in _played(*case):
        whole = all(t.ended and instant.pace.shown(t) == t.written for t in instant.tracks.values())
        assert instant.pace.finished(instant.tracks) is whole


@pytest.mark.parametrize(
    ("tracks", "shown"),
    [
        ({"A": Track(500, False), "B": Track(0, False)}, {"A": 0, "B": 0}),
        ({"A": Track(500, False), "B": Track(1, False)}, {"A": 1, "B": 1}),
        ({"A": Track(500, False), "B": Track(30, False)}, {"A": 10, "B": 10}),
        ({"A": Track(4, True), "B": Track(30, False)}, {"A": 4, "B": 10}),
        ({"A": Track(500, True), "B": Track(7, False)}, {"A": 7, "B": 7}),
        ({"A": Track(0, True), "B": Track(30, False)}, {"A": 0, "B": 10}),
    ],
)
def test_a_first_tick_of_ten_characters(tracks: Tracks, shown: dict[str, int]) -> None:
    pace = Pace().tick(tracks, 10)
    assert {seat: pace.shown(track) for seat, track in tracks.items()} == shown


def test_a_stalled_reply_holds_the_others_back_and_no_budget_is_saved_up() -> None:
    stalled = {"A": Track(500, False), "B": Track(5, False)}
    pace = Pace()
    for _ in range(20):
        pace = pace.tick(stalled, 10)
    assert pace.level == 5
    assert pace.tick({"A": Track(500, False), "B": Track(400, False)}, 10).level == 15
