"""Who is drawn and who sits where: the least judged first, everything else by chance."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.matchup import draw
from arena.core.ports import BadInput
from tests.core.play import contenders


@pytest.mark.parametrize("count", [0, 1])
def test_a_roster_of_fewer_than_two_is_refused(count: int) -> None:
    with pytest.raises(BadInput, match="at least two"):
        draw(contenders(count), 3, {}, random.Random(1))


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(2, 12),
    size=st.integers(2, 8),
    votes=st.lists(st.integers(0, 5), min_size=12, max_size=12),
    seed=st.integers(),
)
def test_nobody_left_out_has_fewer_votes_than_anybody_drawn(
    count: int, size: int, votes: list[int], seed: int
) -> None:
    roster = contenders(count)
    judged = {c.name: n for c, n in zip(roster, votes, strict=False) if n}
    drawn = draw(roster, size, judged, random.Random(seed))
    names = {c.name for c in drawn}
    assert len(drawn) == len(names) == min(size, count)
    left_out = [judged.get(c.name, 0) for c in roster if c.name not in names]
    assert max(judged.get(name, 0) for name in names) <= min(left_out, default=99)


def test_the_same_generator_draws_the_same() -> None:
    one, two = (draw(contenders(8), 3, {}, random.Random(7)) for _ in range(2))
    assert one == two


def test_the_roster_itself_stays_in_order() -> None:
    roster = list(contenders(5))
    draw(roster, 3, {}, random.Random(7))
    assert roster == list(contenders(5))


def test_seats_and_draws_are_fair() -> None:
    rng = random.Random(1)
    seats: Counter[tuple[int, str]] = Counter()
    for _ in range(3000):
        seats.update((seat, c.name) for seat, c in enumerate(draw(contenders(5), 3, {}, rng)))
    assert len(seats) == 15
    chi_square = sum((n - 600) ** 2 / 600 for n in seats.values())
    # 99.9 % of the chi-square distribution with 14 degrees of freedom; the seed is fixed.
    assert chi_square < 36.1


def test_the_order_of_seats_does_not_tell_who_has_more_votes() -> None:
    rng = random.Random(2)
    judged = {"name-0": 100, "name-1": 50}
    first = Counter(draw(contenders(3), 3, judged, rng)[0].name for _ in range(3000))
    assert all(900 < n < 1100 for n in first.values())
