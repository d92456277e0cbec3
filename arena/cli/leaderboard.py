"""`arena leaderboard`: the standings and how sure they are, as a table or for scripts.

It does not know how standings come about.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena import settings as config
from arena.checks.findings import called
from arena.cli.arguments import BLIND, blindable_slices, choice, one_of
from arena.cli.terminal import Bar, console, figure, harmless, print_json, table

if TYPE_CHECKING:
    import pandas as pd

    from arena.core.standings.board import Board
    from arena.core.standings.review import Review

Row = dict[str, Any]

WIDE, MIDDLE = 92, 60
"""Columns of the terminal from which the table has all of `CELLS`, or the first six."""

MOST_BATTLES = 1e6
"""More than these are as good as never."""

MEANINGS = {
    "Open": "the ranks that the votes leave open, at 95 %.",
    "Sure": "how likely the contender is stronger than the next one below.",
}


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Exit code 0, also where there are no votes yet."
    one_of(parser, "--format", *PRINTS)
    file = "rank the votes of a file, in any format that can be imported, without importing it"
    parser.add_argument("--votes", default="", metavar="FILE", help=file)
    blindable_slices(parser)
    ties = "a tie is half a win each, left out, or an outcome of its own by Davidson's model"
    one_of(parser, "--ties", "half", "drop", "davidson", help=ties)
    one_of(parser, "--bad", "tie", "drop", help="both bad is taken for a tie, or left out")
    style = "correct the ratings for length and formatting of the replies"
    parser.add_argument("--style", action="store_true", help=style)
    order = "correct them for seat and for having stayed"
    parser.add_argument("--order", action="store_true", help=order)
    review = (
        "also what a reviewer asks for: how few votes hold the order, the whole order at once, ties "
        "by a model, stages, agreement and reliability of raters"
    )
    parser.add_argument("--review", action="store_true", help=review)
    anchor = "the contender whose rating is to be 1000"
    parser.add_argument("--anchor", default="", metavar="NAME", help=anchor)


def run(options: Namespace) -> int:
    from arena import frames
    from arena.core.standings.board import Query

    query, settings, review = Query.asked(**choice(options)), config.load(), None
    file = Path(options.votes) if options.votes else None
    with Bar() as bar:
        source = frames.Source(settings, file, bar.reading, options.unblind)
        if options.review:
            bar.show("Reviewing", None)
            board, review = frames.reviewed_board(source, query)
        else:
            board = frames.board(source, query)
    PRINTS[options.format](board, review)
    if options.format == "table" and not board.votes and source.blind(options.study):
        console.print(BLIND)
    return 0


# For scripts -----------------------------------------------------------------------------------


def _print_csv(board: Board, _: Review | None) -> None:
    from arena.exchange import csv_of

    print(csv_of(board.standings), end="")


def _print_latex(board: Board, review: Review | None) -> None:
    from arena.exchange import latex

    print(latex(board, review), end="")


def _print_as_json(board: Board, review: Review | None) -> None:
    from arena.core.codec import records

    query = board.query
    told = {
        "slice": query.slice,
        "method": query.method,
        "covariates": query.covariates,
        "votes": board.votes,
        "excluded": dict(board.excluded),
        "standings": records(board.standings),
        "neighbours": records(board.neighbours),
        "effects": records(board.effects),
    }
    if review:
        tables = {name: records(table) for name, table in review.tables.items()}
        told["review"] = tables | {"tie_share": review.tie_share, "few": review.few}
    print_json(told)


# For people ------------------------------------------------------------------------------------


def _print_table(board: Board, review: Review | None) -> None:
    from arena.core.codec import records

    rated = board.standings[board.standings["rating"].notna()]
    if rated.empty:
        console.print(_nothing(board))
        return
    sure = board.neighbours.set_index("upper")["p_right"]
    rows = records(rated.assign(sure=rated["contender"].map(sure)))
    columns = _columns(console.width)
    drawn = table("Standings", {name: CELLS[name] for name in columns}, rows, ("Contender",))
    for place, (row, below) in enumerate(pairwise(rows)):
        drawn.rows[place].end_section = row["group"] != below["group"]
    console.print(drawn, soft_wrap=False)
    read = [f"{name}: {meaning}" for name, meaning in MEANINGS.items() if name in columns]
    for line in (*_notes(board, rated), *_to_settle(board), *read):
        console.print(harmless(line), soft_wrap=False)
    if review:
        from arena.cli.reviewing import print_review

        print_review(review)
        if board.query.covariates:
            console.print("The review is of ratings that are not corrected.")


def _columns(width: int) -> list[str]:
    """Of the table, as far as a terminal of that width has room."""
    if width < MIDDLE:
        return ["Contender", "Rating", "95 %"]
    return list(CELLS) if width >= WIDE else list(CELLS)[:6]


def _open(row: Row) -> str:
    best, worst = row["rank_best"], row["rank_worst"]
    return str(best) if best == worst else f"{best}–{worst}"


CELLS: Mapping[str, Callable[[Row], str]] = {
    "Rank": lambda row: str(row["rank"]),
    "Contender": lambda row: str(row["contender"]),
    "Open": _open,
    "Rating": lambda row: f"{row['rating']:.0f}{'*' if row['few'] else ''}",
    "95 %": lambda row: f"−{row['rating'] - row['lower']:.0f} +{row['upper'] - row['rating']:.0f}",
    "Votes": lambda row: str(row["votes"]),
    "Sure": lambda row: figure(row["sure"], "{:.0%}"),
    "Won": lambda row: str(row["wins"]),
    "Lost": lambda row: str(row["losses"]),
    "Tied": lambda row: str(row["ties"]),
    "Bad": lambda row: str(row["both_bad"]),
}
PRINTS: Mapping[str, Callable[[Board, Review | None], None]] = {
    "table": _print_table,
    "csv": _print_csv,
    "json": _print_as_json,
    "latex": _print_latex,
}


def _nothing(board: Board) -> str:
    if board.votes:
        return (
            f"None of {board.votes} votes tells who is better: all are ties or both bad, which "
            "are left out here. Ask without --ties drop and --bad drop."
        )
    if board.excluded:
        return f"No vote counts here yet. {_left_out(board)}"
    if not board.query.slice.everything:
        return f"No vote is in this slice. Ask for less, or look at all: {called()} leaderboard"
    return (
        f"There are no votes yet. Play a battle ({called()}), or import votes "
        f"({called()} import FILE)."
    )


def _notes(board: Board, rated: pd.DataFrame) -> list[str]:
    """What a reader of the table has to know: how many votes, how sure, what is left out."""
    votes = "1 vote" if board.votes == 1 else f"{board.votes} votes"
    notes = [f"{votes}."] + ([_left_out(board)] if board.excluded else [])
    groups = [", ".join(group["contender"]) for _, group in rated.groupby("group", sort=True)]
    if len(groups) > 1:
        notes.append(
            f"{len(groups)} groups never met, not even through others; their ratings and ranks "
            f"cannot be compared: {'; '.join(groups)}."
        )
    if rated["few"].any():
        notes.append(
            "* Few votes: the prior says more of its strength than they do, and pulls it to 1000."
        )
    worth = [
        f"{effect['covariate']} {effect['points']:+.0f} "
        f"({effect['lower']:+.0f} to {effect['upper']:+.0f})"
        for effect in board.effects.to_dict("records")
    ]
    if worth:
        notes.append(f"Corrected for what is worth, in points: {', '.join(worth)}.")
    return notes


def _to_settle(board: Board) -> list[str]:
    """How far it is to knowing the first two apart."""
    if board.neighbours.empty:
        return []
    first = board.neighbours.iloc[0]
    more = first["battles_to_settle"]
    if not 0 < more < MOST_BATTLES:
        return []
    between = f"{first['upper']} and {first['lower']}"
    return [f"About {more:.0f} more battles between {between} would settle who is first."]


def _left_out(board: Board) -> str:
    reasons = ", ".join(f"{n} {why}" for why, n in sorted(board.excluded.items()))
    return f"Kept but not ranked: {reasons}."
