"""Many numbers at once from one seeded source. It does not know what is simulated, nor of what
an interval is."""

from collections.abc import Callable
from random import Random

import numpy as np
from scipy.special import gammaincinv, ndtr, ndtri, stdtrit

from arena.core.arrays import Floats, Ints
from arena.core.standings.bradley_terry import LEVEL


def seeded(seed: int) -> Random:
    """The same numbers again from the same seed."""
    return Random(seed)  # noqa: S311 -- simulation keeps no secret


def uniform(rng: Random, *shape: int) -> Floats:
    """Between 0 and 1, neither of them."""
    bits = np.frombuffer(rng.randbytes(8 * int(np.prod(shape))), dtype=np.uint64)
    drawn: Floats = ((bits >> np.uint64(11)).astype(float) + 0.5) / 2**53
    return drawn.reshape(shape)


def normal(rng: Random, *shape: int) -> Floats:
    drawn: Floats = ndtri(uniform(rng, *shape))
    return drawn


def chi_squared(rng: Random, df: float, number: int) -> Floats:
    return (2 * gammaincinv(df / 2, uniform(rng, number))).astype(float, copy=False)


def below(rng: Random, number: int, *shape: int) -> Ints:
    """Whole numbers from 0 to number − 1."""
    drawn: Ints = (uniform(rng, *shape) * number).astype(np.int64)
    return drawn


def bootstrapped(
    rng: Random, items: int, times: int, measure: Callable[[Ints], float]
) -> tuple[float, float]:
    """The 95 % interval of what is measured of so many items: percentiles over samples of them,
    drawn with replacement (Efron 1979), as far out as Student's t is beside the normal, since few
    items vary too little (Hesterberg 2015, doi:10.1080/00031305.2015.1089789). NaN where none of
    them can be measured."""
    drawn = np.array([measure(below(rng, items, items)) for _ in range(times)])
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    wide = np.sqrt(items / (items - 1)) * stdtrit(items - 1, (1 + LEVEL) / 2) if items > 1 else 0
    lower, upper = np.quantile(drawn, [ndtr(-wide), ndtr(wide)])
    return float(lower), float(upper)
