"""Raters who are honest and disagree, and some who are not, in an arena of known strengths.

It does not know how they are found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from arena.core.arrays import Floats, Ints
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Attack:
    """So many raters with so many ballots each, who move `target` up. how: random, left, unread,
    fan (keeps it), loyal (keeps it and drops the strongest beside it), or minority: honest raters
    whose order is the reverse of the others'. knows: how often they know it by its words. share: of
    the ballots with it that they give away. pause_s: between ballots.
    rival: who goes wherever it is seen."""

    name: str
    raters: int
    ballots: int
    how: str = "loyal"
    knows: float = 0.95
    share: float = 1.0
    pause_s: float = 300.0
    target: int = -1
    rival: int | None = None

    @property
    def moved(self) -> float:
        """The share of the ballots with the target that are its."""
        return self.share * self.knows


@dataclass(frozen=True, slots=True)
class Crowd:
    """honest: raters; the ballots of one are geometric around the mean. taste: how they differ, in
    logits. spread: of the strengths, in points."""

    contenders: int = 8
    honest: int = 200
    ballots: int = 40
    taste: float = 0.5
    spread: float = 120.0
    size: int = 3
    seed: int = 1
    attacks: Sequence[Attack] = field(default_factory=tuple)

    def names(self) -> list[str]:
        """Best first."""
        return [f"model-{n:02}" for n in range(self.contenders)]

    def strengths(self) -> Floats:
        chance = np.random.default_rng([self.seed, 0])
        return -np.sort(-chance.normal(scale=self.spread / POINTS_PER_LOGIT, size=self.contenders))

    def votes(self) -> pd.DataFrame:
        """Rows as in a ledger, in the order cast, with whose attack they are in `attack`."""
        honest = [
            self.cast(f"honest-{number}", Attack("", 1, 0, how="honest", pause_s=400), number)
            for number in range(self.honest)
        ]
        others = [
            self.cast(f"{attack.name}-{number}", attack, 1000 * place + number)
            for place, attack in enumerate(self.attacks, start=1)
            for number in range(attack.raters)
        ]
        rows = [row for rows in (*honest, *others) for row in rows]
        return pd.DataFrame(rows).sort_values("timestamp", kind="stable", ignore_index=True)

    def cast(self, rater: str, attack: Attack, number: int) -> list[dict[str, object]]:
        """What this one casts; number: another one for each."""
        chance = np.random.default_rng([self.seed, number + 1])
        usual = self.strengths() * (-1 if attack.how == "minority" else 1)
        strength = usual + chance.normal(scale=self.taste, size=self.contenders)
        count = attack.ballots or int(chance.geometric(1 / self.ballots))
        now = float(chance.uniform(0, 30 * DAY_S))
        target = attack.target % self.contenders
        rows: list[dict[str, object]] = []
        for ballot in range(count):
            drawn = chance.choice(self.contenders, size=self.size, replace=False)
            lots = np.exp(-strength[drawn])
            if attack.how == "fan" and chance.random() < attack.moved:
                lots[drawn == target] = 0
            out = int(chance.choice(self.size, p=lots / lots.sum()))
            here = np.flatnonzero(drawn == target)
            if attack.how == "random":
                out = int(chance.integers(self.size))
            elif attack.how == "left":
                out = self.size - 1
            elif attack.rival in drawn and chance.random() < attack.moved:
                out = int(np.flatnonzero(drawn == attack.rival)[0])
            elif attack.how == "loyal" and len(here) and chance.random() < attack.moved:
                # The strongest rival goes.
                out = int(np.argmax(np.where(drawn == target, -np.inf, strength[drawn])))
            now += float(chance.exponential(attack.pause_s))
            dwell = 0.2 if attack.how == "unread" else 20 * float(chance.lognormal(sigma=0.6))
            rows += _rows(f"{rater}/{ballot}", rater, drawn, out, now, dwell, self.names())
        for row in rows:
            row["attack"] = attack.name
        return rows


def _rows(
    ballot: str, rater: str, drawn: Ints, out: int, now: float, dwell_s: float, names: Sequence[str]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for stays in range(len(drawn)):
        if stays == out:
            continue
        a, b = sorted((stays, out))
        rows.append(
            {
                "battle_id": ballot,
                "ballot_id": ballot,
                "rater": rater,
                "model_a": names[drawn[a]],
                "model_b": names[drawn[b]],
                "seat_a": "ABCDEFGH"[a],
                "seat_b": "ABCDEFGH"[b],
                "winner": "model_a" if stays == a else "model_b",
                "excluded_reason": "",
                "supersedes": "",
                "timestamp": START + timedelta(seconds=now),
                "round": 1,
                "dwell_ms": round(1000 * dwell_s),
                **{f"output_tokens_{side}": 300 for side in "ab"},
                **{f"ttft_ms_{side}": 300.0 for side in "ab"},
                **{f"total_ms_{side}": 4300.0 for side in "ab"},
            }
        )
    return rows
