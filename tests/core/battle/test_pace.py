"""The start gate and the common pace: what is shown never tells who writes faster."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.battle.pace import AHEAD, STEP, Pace, Track

Tracks = dict[str, Track]
Case = tuple[float, list[Tracks]]


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
def writing(draw: st.DrawFn) -> Case:
    """The most characters a tick, and the tracks tick by tick: 1 to 8 replies, each in its own
    rhythm, until all have ended; some stay empty."""
    bursts = st.lists(st.integers(0, 40), min_size=0, max_size=25)
    rhythms = draw(st.lists(bursts, min_size=1, max_size=8))
    steps = [
        {
            "ABCDEFGH"[i]: Track(sum(r[: tick + 1]), ended=tick + 1 >= len(r))
            for i, r in enumerate(rhythms)
        }
        for tick in range(max(1, *map(len, rhythms), 1))
    ]
    return draw(st.sampled_from([3.0, 20.0, math.inf])), steps


def _played(cap: float, steps: list[Tracks]) -> Iterator[Instant]:
    pace = Pace()
    for tracks in steps:
        pace = pace.tick(tracks, cap)
        yield Instant(tracks, pace)


many = settings(max_examples=100, deadline=None)


@many
@given(writing())
def test_nothing_is_shown_before_all_have_a_first_step_or_have_ended(case: Case) -> None:
    opened = False
    for instant in _played(*case):
        opened |= all(t.written >= STEP or t.ended for t in instant.tracks.values())
        assert instant.pace.open is opened
        assert opened or set(instant.shown().values()) == {0}


@many
@given(writing())
def test_at_no_instant_do_two_unfinished_replies_differ(case: Case) -> None:
    for instant in _played(*case):
        assert len(set(instant.unfinished())) <= 1


@many
@given(writing())
def test_cuts_fall_on_whole_steps_and_no_pane_ever_loses_text(case: Case) -> None:
    before = dict.fromkeys("ABCDEFGH", 0)
    for instant in _played(*case):
        shown = instant.shown()
        assert all(before[seat] <= n <= instant.tracks[seat].written for seat, n in shown.items())
        assert all(n % STEP == 0 for n in instant.unfinished())
        before |= shown


@many
@given(writing())
def test_the_rate_never_rises_whoever_ends_stalls_or_hurries(case: Case) -> None:
    """Neither the rate itself nor what it comes to since the gate, stalls included."""
    cap, steps = case
    writes = [tracks for tracks in steps if not all(t.ended for t in tracks.values())]
    paces = [instant.pace for instant in _played(cap, writes) if instant.pace.open]
    assert all(after.rate <= before.rate for before, after in pairwise(paces))
    levels = [pace.level - STEP for pace in paces]
    for i, pace in enumerate(paces):
        if pace.rate < math.inf:
            assert pace.rate <= cap
            assert all(
                now - levels[i] <= pace.rate * (j + 1) + STEP for j, now in enumerate(levels[i:])
            )
    set_out = [i for i, (a, b) in enumerate(pairwise(paces), 1) if a.standing and not b.standing]
    for i in set_out[1:]:
        assert paces[i].rate * i <= levels[i - 1] + 1e-9


@many
@given(writing())
def test_all_is_shown_as_soon_as_the_last_one_has_ended(case: Case) -> None:
    for instant in _played(*case):
        ended = all(t.ended for t in instant.tracks.values())
        assert instant.pace.finished(instant.tracks) is ended
        assert not ended or instant.shown() == {s: t.written for s, t in instant.tracks.items()}


@pytest.mark.parametrize(
    ("tracks", "shown"),
    [
        ({"A": Track(500, False), "B": Track(STEP - 1, False)}, {"A": 0, "B": 0}),
        ({"A": Track(500, False), "B": Track(STEP, False)}, {"A": STEP, "B": STEP}),
        ({"A": Track(500, False), "B": Track(499, False)}, {"A": STEP, "B": STEP}),
        ({"A": Track(4, True), "B": Track(30, False)}, {"A": 4, "B": STEP}),
        ({"A": Track(500, True), "B": Track(STEP - 1, False)}, {"A": 0, "B": 0}),
        ({"A": Track(0, True), "B": Track(30, False)}, {"A": 0, "B": STEP}),
        ({"A": Track(500, True), "B": Track(7, True)}, {"A": 500, "B": 7}),
    ],
)
def test_a_first_tick(tracks: Tracks, shown: dict[str, int]) -> None:
    pace = Pace().tick(tracks)
    assert {seat: pace.shown(track) for seat, track in tracks.items()} == shown


def test_it_sets_out_when_the_slowest_is_ahead_and_follows_a_little_below_its_speed() -> None:
    pace, levels = Pace(), []
    for tick in range(100):
        pace = pace.tick({"A": Track(5000, True), "B": Track(10 + 10 * tick, False)})
        levels.append(pace.level)
    first = next(i for i, level in enumerate(levels) if level > STEP)
    assert 10 + 10 * first >= STEP + AHEAD > 10 * (first - 1)
    assert 0.6 * 1000 < levels[-1] < 0.9 * 1000
    assert all(b - a <= 2 * STEP for a, b in pairwise(levels))


def test_a_stall_holds_all_back_and_is_never_made_up_for() -> None:
    def slowest(tick: int) -> int:
        return 10 * tick if tick < 50 else 500 if tick < 100 else 500 + 100 * (tick - 100)

    pace, levels = Pace(), []
    for tick in range(200):
        pace = pace.tick({"A": Track(5000, False), "B": Track(slowest(tick), False)})
        levels.append(pace.level)
    assert 300 < levels[80] == levels[99] <= 500
    assert levels[199] - levels[100] <= levels[99], "as slow as it was on the whole, stall included"
