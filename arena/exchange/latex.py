"""Standings as a LaTeX table, for papers.

It does not know how the standings came about. The table needs the package booktabs
(https://ctan.org/pkg/booktabs); names beyond Latin letters need LuaLaTeX or XeLaTeX and a font.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import pandas as pd

from arena.core.standings.board import Board
from arena.core.standings.review import Review

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
    # After the end of a row these would be its own.
    "[": "{[}",
    "*": "{*}",
}
_ESCAPES = {ord(sign): written for sign, written in _SIGNS.items()}
UNKNOWN = "--"
FEW = (
    "\\multicolumn{9}{l}{\\footnotesize * Few votes: the prior says more of the strength than "
    "they do.} \\\\\n"
)


def latex(board: Board, review: Review | None = None) -> str:
    """The standings as a table with rank, rating and its 95 % interval, votes, wins, losses, ties
    and both bad. Whoever has no rating is left out. Groups that never met stand apart: their
    ratings cannot be compared. A comment says which votes they are of, and by which method. With a
    review, a second and a third table have the whole order at once and how few votes hold it."""
    rated = board.standings[board.standings["rating"].notna()]
    groups = [
        _lines(map(_cells, group.to_dict("records")))
        for _, group in rated.groupby("group", sort=True)
    ]
    apart = "% Groups between the rules never met; ratings cannot be compared across them.\n"
    heading = "Rank & Contender & Rating & 95\\,\\% interval & Votes & Won & Lost & Tied & Both bad"
    foot = FEW if rated["few"].any() else ""
    return (
        "% \\usepackage{booktabs}\n"
        "% Bradley--Terry ratings on the Elo scale around 1000, with 95 % intervals.\n"
        f"% {'; '.join(_choice(board))}.\n"
        f"{apart if len(groups) > 1 else ''}"
        + _table("rlrlrrrrr", heading, "\\midrule\n".join(groups), foot)
        + (_reviewed(review) if review else "")
    )


def _reviewed(review: Review) -> str:
    order = [
        [
            escaped(str(row["contender"])),
            f"{row['rating']:.0f}",
            f"{row['lower_all']:.0f}--{row['upper_all']:.0f}",
            _span(row["rank_best"], row["rank_worst"]),
            _span(row["rank_best_all"], row["rank_worst_all"]),
        ]
        for row in review.order.to_dict("records")
    ]
    fragile = [
        [
            f"{escaped(str(row['upper']))} over {escaped(str(row['lower']))}",
            f"{row['gap']:.0f}",
            _whole(row["votes"]),
            UNKNOWN if pd.isna(row["share"]) else f"{100 * row['share']:.2g}\\,\\%",
        ]
        for row in review.fragility.to_dict("records")
    ]
    return (
        "% Intervals and ranks that hold for all contenders together with 95 % (max-t,\n"
        "% step-down), beside ranks that hold for each by itself.\n"
        + _table(
            "lrlll", "Contender & Rating & All at once & Ranks & Ranks, all at once", _lines(order)
        )
        + "% The fewest votes found whose removal turns two contenders round, confirmed by a\n"
        "% refit; the first line is whoever takes the first place most easily.\n"
        + _table("lrrr", "Order & Gap & Votes & Share", _lines(fragile))
    )


def _table(columns: str, heading: str, body: str, foot: str = "") -> str:
    return (
        f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{heading} \\\\\n\\midrule\n"
        f"{body}\\bottomrule\n{foot}\\end{{tabular}}\n"
    )


def _lines(rows: Iterable[list[str]]) -> str:
    return "".join(f"{' & '.join(cells)} \\\\\n" for cells in rows)


def _span(best: int, worst: int) -> str:
    return str(best) if best == worst else f"{best}--{worst}"


def _choice(board: Board) -> list[str]:
    """In words, each on one line: what follows a comment's line is no comment."""
    votes = "1 vote" if board.votes == 1 else f"{board.votes} votes"
    anchor = board.query.method.anchor
    words = [votes, *board.query.said(), *([f"{anchor} at 1000"] if anchor else [])]
    return [" ".join(each.split()) for each in words]


def _cells(row: Mapping[Hashable, Any]) -> list[str]:
    rank, best, worst = (_whole(row[name]) for name in ("rank", "rank_best", "rank_worst"))
    return [
        rank if best == worst else f"{rank} ({best}--{worst})",
        escaped(str(row["contender"])),
        f"{row['rating']:.0f}{'*' * row['few']}",
        f"$-{row['rating'] - row['lower']:.0f}$ / $+{row['upper'] - row['rating']:.0f}$",
        *(_whole(row[name]) for name in ("votes", "wins", "losses", "ties", "both_bad")),
    ]


def _whole(value: Any) -> str:
    return UNKNOWN if pd.isna(value) else f"{value:d}"


def escaped(name: str) -> str:
    """A name that LaTeX prints as it is. Signs that no LaTeX prints become spaces."""
    shown = "".join(sign if sign.isprintable() else " " for sign in name)
    return shown.translate(_ESCAPES)
