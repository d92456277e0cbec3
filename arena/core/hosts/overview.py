"""All that operators are told at once: every host, and what a battle costs on it.

Costs come from the ledger's votes. It does not know how hosts are watched, nor who may see this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import pandas as pd

from arena.core.hosts.report import HostReport

COLUMNS = (
    *("battle_id", "round", "live", "seat_a", "seat_b", "host_a", "host_b"),
    *("total_ms_a", "total_ms_b", "conv_metadata"),
)
"""The ledger's columns that are read here."""

NEWEST = 10_000
"""What battles cost is read from so many of the newest votes."""

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class BattleCost:
    """What battles cost on a host: the median of `battles` of them, in the currency that the
    price is set in, if the host did nothing else meanwhile."""

    seconds: float
    cost: float
    battles: int


@dataclass(frozen=True, slots=True)
class Overview:
    """source: which hosts these are and why. costs: by the URL of the host. price: for an hour
    of one host. watched: somebody is in the middle of a blind battle."""

    source: str
    hosts: tuple[HostReport, ...]
    costs: Mapping[str, BattleCost]
    price: float
    notes: tuple[str, ...]
    watched: bool


def costs(votes: pd.DataFrame, price: float) -> dict[str, BattleCost]:
    """What a battle costs on each host that the votes name. votes: rows of the ledger with at
    least `COLUMNS`. price: for an hour of a host.

    A host is paid for from the first word to the last. Replies of the first round are written
    side by side, so the longest counts; those that joined later are written one by one."""
    busy: dict[str, list[float]] = {}
    for _, battle in votes.groupby("battle_id", sort=False):
        for host, seconds in _busy_seconds(battle).items():
            busy.setdefault(host, []).append(seconds)
    return {
        host: BattleCost(median(each), median(each) / HOUR_S * price, len(each))
        for host, each in busy.items()
    }


def _busy_seconds(battle: pd.DataFrame) -> Mapping[str, float]:
    first = set(battle["live"].iloc[0])
    together: dict[str, float] = {}
    later: dict[str, float] = {}
    for seat, (host, seconds) in _written(battle).items():
        if seat in first:
            together[host] = max(together.get(host, 0.0), seconds)
        else:
            later[host] = later.get(host, 0.0) + seconds
    return {h: together.get(h, 0.0) + later.get(h, 0.0) for h in together | later}


def _written(battle: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """Seat → its host, and the seconds that all of its replies took. A row has their mean."""
    found: dict[str, tuple[str, float]] = {}
    for row in battle.sort_values("round").to_dict("records"):
        for side in "ab":
            mean = row[f"total_ms_{side}"]
            if not pd.isna(mean):
                seconds = mean * row["conv_metadata"].get("turns", 1) / 1000
                found[row[f"seat_{side}"]] = (row[f"host_{side}"], seconds)
    return found
