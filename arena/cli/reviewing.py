"""A review of the standings on the terminal: what `arena leaderboard --review` adds.

It does not know how any of it is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from arena.cli.terminal import console, figure, harmless, table
from arena.core.codec import records

if TYPE_CHECKING:
    from arena.core.standings.review import Review

Row = dict[str, Any]
MOST_ROWS, MOST_IDS = 20, 1
NAMES = {
    "alpha": "Krippendorff’s alpha",
    "fleiss_kappa": "Fleiss’ kappa",
    "cohen_kappa": "Cohen’s kappa, mean of two",
    "agreement": "the same, of all pairs",
}


def _percent(name: str) -> Callable[[Row], str]:
    return lambda row: figure(row[name], "{:.0%}")


def _points(name: str) -> Callable[[Row], str]:
    return lambda row: figure(row[name], "{:.0f}")


def _span(lower: str, upper: str, how: str = "{:.0f}") -> Callable[[Row], str]:
    return lambda row: f"{figure(row[lower], how)} to {figure(row[upper], how)}"


def _which(row: Row) -> str:
    more = (row["votes"] or 0) - MOST_IDS
    return ", ".join(row["which"][:MOST_IDS]) + (f" and {more} more" if more > 0 else "")


def _held(row: Row) -> str:
    return f"{row['upper']} over {row['lower']}" + (" (first place)" if row["first_place"] else "")


TABLES: Mapping[str, tuple[str, Mapping[str, Callable[[Row], str]], str]] = {
    "fragility": (
        "How few votes hold the order",
        {
            "Order": _held,
            "Gap": _points("gap"),
            "Votes": lambda row: figure(row["votes"], "{:.0f}", "no number"),
            "Share": lambda row: figure(row["share"], "{:.3%}"),
            "Gap without": lambda row: figure(row["gap_without"]),
            "Such as": _which,
        },
        "The fewest found whose removal turns two round; a refit without them confirms it.",
    ),
    "order": (
        "The whole order at once",
        {
            "Contender": lambda row: row["contender"],
            "Rating": _points("rating"),
            "All at once": _span("lower_all", "upper_all"),
            "Open": lambda row: f"{row['rank_best']}–{row['rank_worst']}",
            "Open, all at once": lambda row: f"{row['rank_best_all']}–{row['rank_worst_all']}",
        },
        "All at once: they hold for all contenders together with 95 %.",
    ),
    "ties": (
        "Ways to count ties",
        {
            "Contender": lambda row: row["contender"],
            "Half a win": _points("rating_half"),
            "Left out": _points("rating_drop"),
            "Davidson": _points("rating_davidson"),
            "95 %": _span("lower_davidson", "upper_davidson"),
        },
        "",
    ),
    "stages": (
        "Eliminations stage by stage, and by pairs",
        {
            "Contender": lambda row: row["contender"],
            "Stages": _points("rating"),
            "95 %": _span("lower", "upper"),
            "Pairs": _points("rating_pairs"),
            "Error ratio": lambda row: figure(row["error_ratio"], "{:.2f}"),
        },
        "Error ratio: of pairs by stages; above 1, stages make more of the same ballots.",
    ),
    "agreement": (
        "Agreement of raters",
        {
            "Measure": lambda row: NAMES[row["measure"]],
            "Value": lambda row: figure(row["value"], "{:.3f}"),
            "95 %": _span("lower", "upper", "{:.3f}"),
            "Items": lambda row: str(row["items"]),
            "Judgements": lambda row: str(row["judgements"]),
        },
        "Of items that two raters judged at least: the same prompt_id, round and contenders.",
    ),
    "raters": (
        "Raters, who agrees least first",
        {
            "Rater": lambda row: row["rater"],
            "Votes": lambda row: str(row["votes"]),
            "Agrees": _percent("agrees"),
            "95 %": _span("agrees_lower", "agrees_upper", "{:.0%}"),
            "Kappa": lambda row: figure(row["kappa"], "{:.2f}"),
            "With self": _percent("agrees_with_self"),
            "First seat": _percent("first_seat"),
        },
        "",
    ),
    "reliability": (
        "Raters by how reliable they are",
        {
            "Rater": lambda row: row["rater"] or "unknown",
            "Votes": lambda row: str(row["votes"]),
            "Reliability": lambda row: figure(row["reliability"], "{:.2f}"),
        },
        "The chance that a vote follows the strengths and not chance (noisy Bradley–Terry).",
    ),
    "weighed": (
        "Standings that weigh raters by reliability",
        {
            "Contender": lambda row: row["contender"],
            "Weighed": _points("rating_weighed"),
            "Plain": _points("rating"),
            "Move": lambda row: figure(row["move"], "{:+.0f}"),
        },
        "",
    ),
    "without_each": (
        "Without each rater",
        {
            "Without": lambda row: row["rater"],
            "Votes": lambda row: str(row["votes"]),
            "Moves most": lambda row: row["moved"],
            "By": lambda row: figure(row["by"], "{:+.0f}"),
            "First": lambda row: row["first_place"],
            "Order": lambda row: "changes" if row["order_changed"] else "stays",
        },
        "",
    ),
}
TEXTS = ("Order", "Contender", "Measure", "Rater", "Without", "Moves most", "First", "Such as")


def print_review(review: Review) -> None:
    tables = review.tables
    for name, (title, columns, note) in TABLES.items():
        found: pd.DataFrame = tables[name]
        if found.empty or (name == "agreement" and not found["items"].any()):
            continue
        console.print()
        console.print(table(title, columns, records(found.head(MOST_ROWS)), TEXTS))
        more = len(found) - MOST_ROWS
        for line in (note, f"And {more} more; --format json has all." if more > 0 else ""):
            if line:
                console.print(harmless(line))
    if review.tie_share:
        console.print(f"By Davidson's model equals tie in {review.tie_share:.0%} of votes.")
