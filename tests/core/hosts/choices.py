"""Which host takes a reply: cases for every place that chooses one, which are `placement.choose`
and the script in Redis. The chosen host is called good; without one, nothing is given."""

from __future__ import annotations

import random
from typing import Any

from arena.core.hosts.placement import Candidate


def candidate(host: str, **known: Any) -> Candidate:
    given = {"resident": True, "on_gpu": True, "leases": 0, "slots": 2, "runner": "m", **known}
    return Candidate(host, **{"on_host": given["leases"], **given})


def candidates(**by_host: dict[str, Any]) -> list[Candidate]:
    return [candidate(host, **known) for host, known in by_host.items()]


COLD = {"resident": False, "on_gpu": False}
CHOICES: dict[str, list[Candidate]] = {
    "on the GPU before free slots": candidates(good={"leases": 1}, bad={"on_gpu": False}),
    "resident before free slots": candidates(good={"on_gpu": False, "leases": 1}, bad=COLD),
    "free slots before speed": candidates(good={"speed": 1.0}, bad={"leases": 1, "speed": 99.0}),
    "free slots, not slots": candidates(good={}, bad={"slots": 5, "leases": 4}),
    "the faster of two": candidates(good={"speed": 60.0}, bad={"speed": 50.0}),
    "one that was measured": candidates(good={"speed": 60.0}, bad={}),
    "the one that has a slot": candidates(
        good={"on_gpu": False, "leases": 1}, bad={"leases": 2, "speed": 99.0}
    ),
    "none without a free slot": candidates(bad={"leases": 2}, worse={"leases": 2}),
    "none on trial that has a request": candidates(bad={"on_trial": True, "on_host": 1}),
    "on trial while it has none": candidates(good={"on_trial": True}),
    "not on trial, whatever it has": candidates(good={"on_host": 1}),
    "another one than that on trial": candidates(
        bad={"on_trial": True, "on_host": 1}, good={"leases": 1}
    ),
    "none crowded, as it is resident elsewhere": candidates(
        bad={"leases": 2}, worse={**COLD, "crowded": True}
    ),
    "crowded where it is resident nowhere": candidates(good={**COLD, "crowded": True}),
    "roomy rather than crowded": candidates(
        bad={"leases": 2}, worse={**COLD, "crowded": True}, good=COLD
    ),
}


def by_chance(seed: int) -> list[Candidate]:
    """Four hosts of any kind."""
    chance = random.Random(seed)
    return [
        candidate(
            f"h{n}",
            resident=chance.random() < 0.6,
            on_gpu=chance.random() < 0.6,
            leases=chance.randrange(3),
            slots=chance.randrange(1, 4),
            speed=chance.choice([None, 10.0, 20.5]),
            crowded=chance.random() < 0.3,
        )
        for n in range(4)
    ]
