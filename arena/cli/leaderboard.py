"""`arena leaderboard`: the standings and how sure they are, as a table or for scripts.

It does not know how standings come about.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena import settings as config
from arena.checks.findings import called
from arena.cli.arguments import choice, one_of, slices
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
    slices(parser)
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
    from arena.core.standings.review import review_of

    query = Query.asked(**choice(options))
    if options.votes:
        with Bar() as bar:
            board = frames.board_of_file(
                Path(options.votes), query, lambda name, part: bar.show(f"Reading {name}", part)
            )
    else:
        board = frames.board(config.load(), query, unblind=options.unblind)
    review = None
    if options.review and board.votes:
        file = Path(options.votes) if options.votes else None
        with Bar() as bar:
            bar.show("Reviewing", None)
            rows = frames.rows_of(
                config.load(), query.slice, file, unblind=options.unblind
            )
            review = review_of(rows, query.method)
    PRINTS[options.format](board, review)
