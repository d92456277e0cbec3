"""The grids on which replies are read and shown."""

from __future__ import annotations

from collections import Counter

import pytest

from arena.core.ticks import PHASES, TICK_S, TRIES, phase_of, until_tick


def test_battles_are_spread_evenly_over_the_phases_of_a_tick() -> None:
    spread = Counter(phase_of(seed * TRIES) for seed in range(100 * PHASES))
    assert sorted(spread) == pytest.approx([n * TICK_S / PHASES for n in range(PHASES)])
    assert set(spread.values()) == {100}


def test_a_reply_that_is_written_again_keeps_the_phase_of_its_battle() -> None:
    assert len({phase_of(TRIES + more) for more in range(TRIES)}) == 1


@pytest.mark.parametrize("now", [0.0, 3.14, 71.1, 1e6 / 3])
@pytest.mark.parametrize("after", [0.0, 0.02, 0.08])
def test_whoever_waits_for_a_tick_wakes_on_its_grid(now: float, after: float) -> None:
    rest = until_tick(now, after)
    assert TICK_S / 10 < rest <= 1.1 * TICK_S
    past = (now + rest - after) % TICK_S
    assert min(past, TICK_S - past) < 1e-6
