"""Who fights, and who sits where: fewest votes first, ties and seats at random.

Blind to outcomes, so it does not bend the standings. The generator of random numbers and the
vote counts are passed in.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from arena.core.battle import Contender
from arena.core.ports import BadInput


def draw(
    roster: Sequence[Contender], size: int, votes: Mapping[str, int], rng: random.Random
) -> tuple[Contender, ...]:
    """`size` contenders in the order of their seats, which is also their order of entry.

    votes: contender name → pairs judged so far. A roster smaller than `size` fights whole."""
    if len(roster) < 2:
        raise BadInput("A battle needs at least two contenders; the roster has fewer.")
    shuffled = rng.sample(list(roster), len(roster))
    chosen = sorted(shuffled, key=lambda c: votes.get(c.name, 0))[:size]
    rng.shuffle(chosen)
    return tuple(chosen)
