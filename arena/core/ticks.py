"""When the arena looks at what has arrived: on one grid for all of a battle, so that what is read
just before a tick is shown by it. It does not know what time it is."""

TICK_S = 0.1
SHOWN_AFTER_S = 0.02
"""After what is read on the tick is shown."""
PHASES = 5
"""So many grids lie beside each other: with one for all battles, each of a hundred would wait at
its tick until the other ninety-nine are read and shown."""
TRIES = 16
"""Seeds of battles are drawn so far apart: a reply that is written again has one of those between."""


def phase_of(seed: int) -> float:
    """Seconds by which the grid of a battle lies after the first one: of its seed, which all its
    contenders share, as they do those that follow before the next one of a battle."""
    return seed // TRIES % PHASES * TICK_S / PHASES


def until_tick(now: float, after: float = 0.0) -> float:
    """Seconds from now until the next tick, or until so long after it; never next to none."""
    rest = TICK_S - (now - after) % TICK_S
    return rest if rest > TICK_S / 10 else rest + TICK_S
