"""Standings as a LaTeX table, for papers.

It does not know how the standings came about. The table needs the package booktabs
(https://ctan.org/pkg/booktabs); names beyond Latin letters need LuaLaTeX or XeLaTeX and a font.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from arena.core.standings.board import Board

_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "'": "{'}",
    "`": "{`}",
    "-": "{-}",
}
_ESCAPES = {ord(sign): written for sign, written in _SIGNS.items()}
UNKNOWN = "--"


def latex(board: Board) -> str:
    """The standings as a table with rank, rating and its 95 % interval, votes, wins, losses, ties
    and both bad. Whoever has no rating is left out. Groups that never met stand apart: their
    ratings cannot be compared. A comment says which votes they are of, and by which method."""
    rated = board.standings[board.standings["rating"].notna()]
    groups = [
        "".join(f"{_line(row)} \\\\\n" for row in group.to_dict("records"))
        for _, group in rated.groupby("group", sort=True)
    ]
    body = "\\midrule\n".join(groups)
    apart = "% Groups between the rules never met; ratings cannot be compared across them.\n"
    return (
        "% \\usepackage{booktabs}\n"
        "% Bradley--Terry ratings on the Elo scale around 1000, with 95 % intervals.\n"
        f"% {'; '.join(_choice(board))}.\n"
        f"{apart if len(groups) > 1 else ''}"
        "\\begin{tabular}{rlrlrrrrr}\n"
        "\\toprule\n"
        "Rank & Contender & Rating & 95\\,\\% interval "
        "& Votes & Won & Lost & Tied & Both bad \\\\\n"
        "\\midrule\n"
        f"{body}"
        "\\bottomrule\n"
        "\\end{tabular}\n"
    )


def _choice(board: Board) -> list[str]:
    """In words, each on one line: what follows a comment's line is no comment."""
    votes = "1 vote" if board.votes == 1 else f"{board.votes} votes"
    anchor = board.query.method.anchor
    words = [votes, *board.query.said(), *([f"{anchor} at 1000"] if anchor else [])]
    return [" ".join(each.split()) for each in words]


def _line(row: Mapping[Hashable, Any]) -> str:
    rank, best, worst = (_whole(row[name]) for name in ("rank", "rank_best", "rank_worst"))
    spread = rank if best == worst else f"{rank} ({best}--{worst})"
    interval = f"$-{row['rating'] - row['lower']:.0f}$ / $+{row['upper'] - row['rating']:.0f}$"
    counts = [_whole(row[name]) for name in ("votes", "wins", "losses", "ties", "both_bad")]
    cells = [spread, escaped(str(row["contender"])), f"{row['rating']:.0f}", interval, *counts]
    return " & ".join(cells)


def _whole(value: Any) -> str:
    return UNKNOWN if pd.isna(value) else f"{value:d}"


def escaped(name: str) -> str:
    """A name that LaTeX prints as it is. Signs that no LaTeX prints become spaces."""
    shown = "".join(sign if sign.isprintable() else " " for sign in name)
    return shown.translate(_ESCAPES)
