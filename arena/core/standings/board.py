"""What the leaderboard shows: which votes are asked for and how, and all that answers it.

It does not know where votes come from nor how a board is drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Literal, Self

import pandas as pd

from arena.core.errors import BadInput
from arena.core.standings import covariates as effects
from arena.core.standings import leaderboard
from arena.core.standings.bradley_terry import Method, Ties
from arena.core.standings.certainty import neighbours
from arena.core.standings.counts import Counts
from arena.core.standings.covariates import ORDER, STYLE
from arena.core.standings.slices import LABELS, Slice
from arena.core.when import When


@dataclass(frozen=True, slots=True)
class Query:
    """Which votes, by which method, and corrected for what: `covariates` are names of
    `covariates.STYLE` and `covariates.ORDER`."""

    slice: Slice = field(default_factory=Slice)
    method: Method = field(default_factory=Method)
    covariates: tuple[str, ...] = ()

    @classmethod
    def asked(
        cls,
        *,
        ties: Ties,
        bad: Literal["tie", "drop"],
        style: bool,
        order: bool,
        anchor: str = "",
        since: When | None,
        until: When | None,
        **labels: str,
    ) -> Self:
        """From what people choose. style, order: correct the ratings for all of that. Raises
        BadInput for a choice that there is not."""
        return cls(
            Slice.asked(since=since, until=until, **labels),
            Method(ties=ties, bad=bad, anchor=anchor),
            (*STYLE * style, *ORDER * order),
        )

    def said(self) -> list[str]:
        """What sets it apart from all votes by the usual method, in words."""
        part = self.slice
        labels = {label: getattr(part, label) for label in LABELS}
        rater = labels.pop("rater")
        told = [f"{label} “{value}”" for label, value in labels.items() if value]
        told += ["one rater’s votes only"] if rater else []
        told += [f"since {_moment(part.since)}"] if part.since else []
        told += [f"until {_moment(part.until, last=True)}"] if part.until else []
        told += ["ties left out"] if self.method.ties == "drop" else []
        told += ["ties by Davidson's model"] if self.method.ties == "davidson" else []
        told += ["both bad left out"] if self.method.bad == "drop" else []
        told += ["corrected for style"] if set(STYLE) <= set(self.covariates) else []
        told += ["corrected for order"] if set(ORDER) <= set(self.covariates) else []
        return told


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """The standings and how sure they are.

    standings: `leaderboard.STANDINGS`. neighbours: `certainty.neighbours`. head_to_head:
    `leaderboard.head_to_head`. effects: of the query's covariates, as `covariates.fit_with`
    gives them; empty without any. excluded: reason → votes that are kept but not ranked.
    held_back: votes of battles still under way, which would tell who is who. retired: those with
    votes that are no longer in the roster."""

    query: Query
    standings: pd.DataFrame
    neighbours: pd.DataFrame
    head_to_head: pd.DataFrame
    effects: pd.DataFrame
    excluded: Mapping[str, int]
    held_back: int
    votes: int
    retired: frozenset[str] = frozenset()

    def without_retired(self) -> Self:
        """Their votes count all the same; only they themselves are not shown."""
        of, by = self.standings, self.neighbours
        gone = list(self.retired)
        pairs = by[~by[["upper", "lower"]].isin(gone).any(axis=1)] if len(by) else by
        return replace(self, standings=of[~of["contender"].isin(gone)], neighbours=pairs)


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """What stands beside the standings, of the same votes.

    speeds: by contender the `leaderboard.MEASURES` (medians over replies). order:
    effects of seat and incumbency, in the columns of `Board.effects`. style: those of style.
    days: day (UTC), votes, in order, without gaps. choices: field of Slice → the values there
    are, most frequent first, of all votes."""

    speeds: pd.DataFrame
    order: pd.DataFrame
    style: pd.DataFrame
    days: pd.DataFrame
    choices: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Totals. `winner`, `channel` and `study` are of the votes that are ranked. What a judge was
    asked is none of the battles."""

    battles: int
    votes: int
    ballots: int
    raters: int
    winner: Mapping[str, int]
    channel: Mapping[str, int]
    study: Mapping[str, int]
    excluded: Mapping[str, int]
    held_back: int


def _moment(moment: datetime, *, last: bool = False) -> str:
    """The day alone where it begins then, or, as the last one, ends then."""
    before_all_days = last and moment.date() == date.min
    if moment.time() == time() and not before_all_days:
        return (moment - timedelta(last)).date().isoformat()
    return moment.isoformat().replace("+00:00", "Z")


def board_of(
    votes: pd.DataFrame, query: Query, roster: Sequence[str] = (), *, held_back: int = 0
) -> Board:
    """The board of these rows of a ledger. roster: contenders to be named also without votes.
    Raises BadInput for rows that cannot be counted, and for corrections without what they need."""
    chosen = query.slice.of(leaderboard.superseding(votes))
    chosen = effects.measurable(chosen, query.covariates)
    return board_of_counts(Counts.of(chosen), query, roster, votes=chosen, held_back=held_back)


def board_of_counts(
    counts: Counts,
    query: Query,
    roster: Sequence[str],
    *,
    votes: pd.DataFrame | None = None,
    speeds: pd.DataFrame | None = None,
    held_back: int = 0,
) -> Board:
    """The same of votes that were counted. votes: their rows, where a correction needs them; else
    speeds as `leaderboard.speeds` gives them."""
    found = pd.DataFrame()
    if query.covariates and votes is not None:
        fitted, found = effects.fit_with(votes, query.covariates, query.method)
    else:
        fitted = counts.fit(query.method)
    anchor = query.method.anchor
    if anchor and fitted.names and anchor not in fitted.names:
        known = ", ".join(sorted(fitted.names))
        raise BadInput(f"No votes rate {anchor!r:.60}. The anchor can be {known}.")
    if votes is not None:
        speeds = leaderboard.speeds(votes)
    return Board(
        query=query,
        standings=leaderboard.standings(
            counts, roster, method=query.method, speeds=speeds, fitted=fitted
        ),
        neighbours=neighbours(fitted),
        head_to_head=leaderboard.head_to_head(counts),
        effects=found,
        excluded=dict(counts.excluded),
        held_back=held_back,
        votes=counts.total,
    )
