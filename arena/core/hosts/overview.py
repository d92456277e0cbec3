"""All that operators are told at once: every host, and what a battle costs on it.

Costs come from the ledger's votes. It does not know how hosts are watched, nor who may see this.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from arena.core.hosts.report import HostReport

COLUMNS = (
    *("battle_id", "channel", "round", "live", "seat_a", "seat_b", "host_a", "host_b"),
    *("total_ms_a", "total_ms_b", "conv_metadata"),
)
"""The ledger's columns that are read here."""

IMPORTED = "import"

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
    least `COLUMNS`; those that were imported cost hosts elsewhere. price: for an hour of a host.

    A host is paid for from the first word to the last. Replies of the first round are written
    side by side, so the longest counts; those that joined later are written one by one."""
    votes = votes[votes["channel"] != IMPORTED]
    if votes.empty:
        return {}
    turns = votes["conv_metadata"].map(lambda metadata: metadata.get("turns", 1))
    known = votes.assign(first=votes.groupby("battle_id")["live"].transform("first"))
    columns = ["battle_id", "round", "first", "seat", "host", "seconds"]
    sides = [
        known.assign(seconds=known[f"total_ms_{side}"] * turns / 1000)
        .rename(columns={f"seat_{side}": "seat", f"host_{side}": "host"})[columns]
        .dropna(subset="seconds")
        for side in "ab"
    ]
    written = pd.concat(sides).sort_values("round", kind="stable")
    # A row has the mean of all replies so far, so the last one tells of all.
    written = written.drop_duplicates(["battle_id", "seat"], keep="last")
    seated = zip(written["seat"], written["first"], strict=True)
    together = np.array([seat in first for seat, first in seated], dtype=bool)
    by = ["battle_id", "host"]
    longest = written[together].groupby(by)["seconds"].max()
    later = written[~together].groupby(by)["seconds"].sum()
    busy = longest.add(later, fill_value=0.0).groupby("host")
    return {
        str(host): BattleCost(float(of.median()), float(of.median()) / HOUR_S * price, len(of))
        for host, of in busy
    }
