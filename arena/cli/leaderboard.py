"""`python -m arena leaderboard`: the standings and how sure they are, as a table or for scripts.

It does not know how standings come about.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Hashable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from arena import exchange, frames
from arena import settings as config
from arena.cli.terminal import Bar, add_row, called, console, figure, harmless, print_json, table
from arena.cli.voting import choice
from arena.core.codec import records
from arena.core.standings.board import Board, Query

NUMBERS = ("Rank", "Open", "Rating", "95 %", "Votes", "Sure", "Won", "Lost", "Tied", "Bad")
WIDE, MIDDLE = 92, 60
"""Columns of the terminal from which the table has all of `NUMBERS`, or the first five."""

MOST_BATTLES = 1e6
"""More than these are as good as never."""

MEANINGS = {
    "Open": "the ranks that the votes leave open, at 95 %.",
    "Sure": "how likely the contender is stronger than the next one below.",
}


def leaderboard(options: argparse.Namespace) -> int:
    query = Query.asked(**choice(options))
    board = _of_file(Path(options.votes), query) if options.votes else _of_ledger(query)
    {"table": _print_table, "csv": _print_csv, "json": _print_as_json, "latex": _print_latex}[
        options.format
    ](board)
    return 0


def _of_ledger(query: Query) -> Board:
    return frames.board(config.load(), query)


def _of_file(path: Path, query: Query) -> Board:
    with Bar() as bar:
        return frames.board_of_file(
            path, query, lambda name, part: bar.show(f"Reading {name}", part)
        )


# For scripts -----------------------------------------------------------------------------------


def _print_csv(board: Board) -> None:
    plain = [
        [exchange.guarded(cell) if isinstance(cell, str) else cell for cell in row.values()]
        for row in records(board.standings)
    ]
    csv.writer(sys.stdout).writerows([list(board.standings), *plain])


def _print_latex(board: Board) -> None:
    print(exchange.latex(board), end="")


def _print_as_json(board: Board) -> None:
    query = board.query
    told = {
        "slice": asdict(query.slice),
        "method": asdict(query.method),
        "covariates": query.covariates,
        "votes": board.votes,
        "excluded": dict(board.excluded),
        "standings": records(board.standings),
        "neighbours": records(board.neighbours),
        "effects": records(board.effects),
    }
    print_json(_json_safe(told))


def _json_safe(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json_safe(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_safe(held) for held in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return None if value in (float("inf"), float("-inf")) else value


# For people ------------------------------------------------------------------------------------


def _print_table(board: Board) -> None:
    rated = board.standings[board.standings["rating"].notna()]
    if rated.empty:
        console.print(_nothing(board))
        return
    columns = _columns(console.width)
    drawn = table("Standings", *columns, numbers=NUMBERS)
    sure = dict(zip(board.neighbours["upper"], board.neighbours["p_right"], strict=True))
    group = rated["group"].iloc[0]
    for row in rated.to_dict("records"):
        if row["group"] != group:
            group = row["group"]
            drawn.add_section()
        cells = _cells(row, sure.get(row["contender"]))
        add_row(drawn, *(cells[column] for column in columns))
    console.print(drawn, soft_wrap=False)
    read = [f"{name}: {meaning}" for name, meaning in MEANINGS.items() if name in columns]
    for line in (*_notes(board, rated), *_to_settle(board), *read):
        console.print(harmless(line), markup=False, soft_wrap=False)


def _columns(width: int) -> list[str]:
    """Of the table, as far as a terminal of that width has room."""
    if width < MIDDLE:
        return ["Contender", "Rating", "95 %"]
    rank, *rest = NUMBERS if width >= WIDE else NUMBERS[:5]
    return [rank, "Contender", *rest]


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


def _cells(row: Mapping[Hashable, Any], sure: float | None) -> dict[str, str]:
    best, worst = row["rank_best"], row["rank_worst"]
    return {
        "Rank": str(row["rank"]),
        "Contender": str(row["contender"]),
        "Open": str(best) if best == worst else f"{best}–{worst}",
        "Rating": f"{row['rating']:.0f}",
        "95 %": f"−{row['rating'] - row['lower']:.0f} +{row['upper'] - row['rating']:.0f}",
        "Votes": str(row["votes"]),
        "Sure": figure(sure, "{:.0%}"),
        "Won": str(row["wins"]),
        "Lost": str(row["losses"]),
        "Tied": str(row["ties"]),
        "Bad": str(row["both_bad"]),
    }


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
