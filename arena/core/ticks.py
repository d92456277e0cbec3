"""When the arena looks at what has arrived: on one grid for all, so that what is read just before
a tick is shown by it. It does not know what time it is."""

TICK_S = 0.1
SHOWN_AFTER_S = 0.02
"""After what is read on the tick is shown."""


def until_tick(now: float, after: float = 0.0) -> float:
    """Seconds from now until the next tick, or until so long after it; never next to none."""
    rest = TICK_S - (now - after) % TICK_S
    return rest if rest > TICK_S / 10 else rest + TICK_S
