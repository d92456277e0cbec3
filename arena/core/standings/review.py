"""All that a reviewer asks for beyond the standings, of the same votes, computed on demand.

It puts together what `fragility`, `simultaneous`, `stages`, `agreement` and `reliability` tell and
does not know where votes are kept, nor how any of it is drawn.
"""

from dataclasses import dataclass, fields, replace

import pandas as pd

from arena.core.standings import agreement, reliability
from arena.core.standings.bradley_terry import Method, Ties
from arena.core.standings.counts import Counts
from arena.core.standings.fragility import fragility
from arena.core.standings.simultaneous import whole_order
from arena.core.standings.slices import COLUMNS as SLICED
from arena.core.standings.stages import stages
from arena.core.standings.votes import TEXT

NEEDED = (
    *("id", "battle_id", "ballot_id", "supersedes", "excluded_reason"),
    *("model_a", "model_b", "winner", "round", "prompt_id", *SLICED),
)
"""The ledger's columns that are read here, and by slices."""

TIES = {
    "contender": TEXT,
    **dict.fromkeys(("rating_half", "rating_drop", "rating_davidson"), "float64"),
    **dict.fromkeys(("lower_davidson", "upper_davidson"), "float64"),
}
"""Columns of the ways to count ties, in order, with their dtypes."""


@dataclass(frozen=True, slots=True, eq=False)
class Scrutiny:
    """Tables of the votes alone, each in the columns that its module names.

    fragility: `fragility.FRAGILITY`. order: `simultaneous.ORDER`. ties: `TIES`, and with what
    chance equals tie as `tie_share`. few: contenders of whom the prior says more than their
    votes. votes: how many count."""

    fragility: pd.DataFrame
    order: pd.DataFrame
    ties: pd.DataFrame
    tie_share: float
    few: tuple[str, ...]
    votes: int


@dataclass(frozen=True, slots=True, eq=False)
class Review(Scrutiny):
    """All of it; tables are empty where votes tell nothing.

    stages: `stages.STAGES`. agreement, raters: `agreement.AGREEMENT`, `agreement.RATERS`.
    reliability, weighed, without_each: `reliability.RELIABILITY`, `reliability.WEIGHED`,
    `reliability.WITHOUT`."""

    stages: pd.DataFrame
    agreement: pd.DataFrame
    raters: pd.DataFrame
    reliability: pd.DataFrame
    weighed: pd.DataFrame
    without_each: pd.DataFrame

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by its name."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: of for name, of in found.items() if isinstance(of, pd.DataFrame)}


def scrutinised(votes: pd.DataFrame, method: Method = Method()) -> Scrutiny:
    """Of rows of the ledger, superseded ones marked as such. Raises BadInput for rows that cannot
    be counted."""
    counts = Counts.of(votes)
    fit = counts.fit(method)
    return Scrutiny(
        fragility(counts, votes, method),
        whole_order(fit),
        *_ties(counts, method),
        tuple(name for name, few in zip(fit.names, fit.few, strict=True) if few),
        counts.total,
    )


def review_of(votes: pd.DataFrame, method: Method = Method()) -> Review:
    """As `scrutinised`; columns of `NEEDED` that are missing are taken for empty."""
    missing = [name for name in NEEDED if name not in votes and name != "timestamp"]
    votes = votes.assign(**{name: 1 if name == "round" else "" for name in missing})
    for name in ("ballot_id", "id"):
        if name in missing:
            votes[name] = votes["battle_id"]
    own = scrutinised(votes, method)
    judged = agreement.with_repeats(votes)
    weighed, reliable = reliability.weighed(votes, method)
    return Review(
        **{one.name: getattr(own, one.name) for one in fields(own)},
        stages=stages(votes, method),
        agreement=agreement.agreement(judged),
        raters=agreement.raters(judged),
        reliability=reliable,
        weighed=weighed,
        without_each=reliability.without_each(votes, method),
    )


def _ties(counts: Counts, method: Method) -> tuple[pd.DataFrame, float]:
    """Each way to count ties, and how likely one is between equals by Davidson's model."""
    ways: tuple[Ties, ...] = ("half", "drop", "davidson")
    fits = {way: counts.fit(replace(method, ties=way)) for way in ways}
    davidson = fits["davidson"]
    table = pd.DataFrame({"contender": list(davidson.names), "rating_davidson": davidson.rating})
    for way in ways[:2]:
        known = pd.Series(fits[way].rating, index=list(fits[way].names), dtype=float)
        table[f"rating_{way}"] = table["contender"].map(known).astype(float)
    table["lower_davidson"] = davidson.rating - davidson.half_width
    table["upper_davidson"] = davidson.rating + davidson.half_width
    table = table[list(TIES)].astype(TIES).sort_values("rating_davidson", ascending=False)
    return table.reset_index(drop=True), davidson.tie / (2 + davidson.tie)
