"""A review of the standings on the terminal: what `arena leaderboard --review` adds, in the tables
of `reviewing.toml`.

It does not know how any of it is computed.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.cli.terminal import console, figure, harmless, table
from arena.core.codec import records

if TYPE_CHECKING:
    from arena.core.standings.review import Review

TABLES = Path(__file__).with_suffix(".toml")
MOST_ROWS, MOST_IDS = 20, 1
NAMES = {
    "alpha": "Krippendorff’s alpha",
    "fleiss_kappa": "Fleiss’ kappa",
    "cohen_kappa": "Cohen’s kappa, mean of two",
    "agreement": "the same, of all pairs",
}
TEXTS = ("Order", "Contender", "Measure", "Rater", "Without", "Moves most", "First", "Such as")


@dataclass(frozen=True, slots=True)
class _Cell:
    """What may be a figure that is not known."""

    value: Any

    def __format__(self, how: str) -> str:
        return figure(self.value, f"{{:{how}}}") if how else str(self.value)


def print_review(review: Review) -> None:
    every = review.tables
    for name, drawn in tomllib.loads(TABLES.read_text("utf-8")).items():
        found = every[name]
        if found.empty or (name == "agreement" and not found["items"].any()):
            continue
        columns = {of: how.format_map for of, how in drawn["columns"].items()}
        rows = [_cells(name, row) for row in records(found.head(MOST_ROWS))]
        console.print()
        console.print(table(drawn["title"], columns, rows, TEXTS))
        more = len(found) - MOST_ROWS
        rest = f"And {more} more; --format json has all." if more > 0 else ""
        for line in filter(None, (drawn.get("note"), rest)):
            console.print(harmless(line))
    if review.tie_share:
        console.print(f"By Davidson's model equals tie in {review.tie_share:.0%} of votes.")


def _cells(table: str, row: dict[str, Any]) -> dict[str, _Cell]:
    return {name: _Cell(value) for name, value in (row | _in_words(table, row)).items()}


def _in_words(table: str, row: dict[str, Any]) -> dict[str, str]:
    """What is told of a row beside its own columns."""
    match table:
        case "fragility":
            more = (row["votes"] or 0) - MOST_IDS
            return {
                "place": " (first place)" if row["first_place"] else "",
                "number": figure(row["votes"], "{:.0f}", "no number"),
                "named": ", ".join(row["which"][:MOST_IDS])
                + (f" and {more} more" if more > 0 else ""),
            }
        case "agreement":
            return {"name": NAMES[row["measure"]]}
        case "reliability":
            return {"known": row["rater"] or "unknown"}
        case "without_each":
            return {"order": "changes" if row["order_changed"] else "stays"}
    return {}
