"""The table for papers: what is in it, and that no name can break it."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from arena.core.standings.board import Board, Query
from arena.core.standings.bradley_terry import Method
from arena.core.standings.slices import Slice
from arena.exchange.latex import escaped, latex
from arena.frames import board_of_rows

NASTY = r"""a_b & 100% #1 $x$ {y} \input{z} ~^ <|> "q" 'r' `s` --- \\ é"""


def standings(*votes: tuple[str, str, str], query: Query = Query()) -> Board:
    return board_of_rows(pd.DataFrame(votes, columns=["model_a", "model_b", "winner"]), query)


def cells(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if re.match(r"\d", line)]
    return [line.removesuffix(r" \\").split(" & ") for line in lines]


def test_it_has_rank_rating_interval_and_counts() -> None:
    table = latex(standings(("x", "y", "model_a"), ("x", "y", "model_a"), ("y", "x", "both_bad")))
    first, second = cells(table)
    assert (first[1], second[1]) == ("x", "y")
    assert int(first[2]) > 1000 > int(second[2])
    assert re.fullmatch(r"\$-\d+\$ / \$\+\d+\$", first[3])
    assert first[4:] == ["3", "2", "0", "0", "1"] and second[4:] == ["3", "0", "2", "0", "1"]
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert table.count(rule) == 1


def test_a_comment_says_what_the_ratings_are_of() -> None:
    query = Query(method=Method(ties="drop", anchor="x"), covariates=("seat", "incumbent"))
    rows = pd.DataFrame(
        {
            "model_a": ["x"],
            "model_b": ["y"],
            "winner": ["model_a"],
            "seat_a": "A",
            "seat_b": "B",
            "incumbent": "",
        }
    )
    table = latex(board_of_rows(rows, query))
    assert "\n% 1 vote; ties left out; corrected for order; x at 1000.\n" in table
    table = latex(replace(standings(("x", "y", "tie")), query=Query(Slice(topic="a\n\\input"))))
    assert "topic “a \\input”.\n" in table


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-03-01", "2026-03-04", "since 2026-03-01; until 2026-03-04"),
        ("2026-03-01T00:00Z", "2026-03-05T00:00Z", "since 2026-03-01; until 2026-03-04"),
        (
            "2026-03-01T18:00Z",
            "2026-03-05T12:00Z",
            "since 2026-03-01T18:00:00Z; until 2026-03-05T12:00:00Z",
        ),
        (
            "2026-03-01T00:00+05:30",
            "2026-03-05T05:30:00.25+05:30",
            "since 2026-02-28T18:30:00Z; until 2026-03-05T00:00:00.250000Z",
        ),
    ],
)
def test_a_comment_says_from_when_to_when_the_votes_are(since: str, until: str, said: str) -> None:
    query = Query(Slice.asked(since=since, until=until))
    table = latex(replace(standings(("x", "y", "tie")), query=query))
    assert f"\n% 1 vote; {said}.\n" in table


def test_the_first_day_of_all_has_no_day_before() -> None:
    query = Query(Slice.asked(since=None, until="0001-01-01T00:00Z"))
    assert "until 0001-01-01T00:00:00Z.\n" in latex(replace(standings(), query=query))


def test_groups_that_never_met_stand_apart() -> None:
    table = latex(standings(("x", "y", "model_a"), ("p", "q", "model_a")))
    assert table.count(r"\midrule") == 2 and "never met" in table


def test_without_votes_it_is_an_empty_table() -> None:
    assert cells(latex(standings())) == []


def test_a_name_has_no_sign_that_latex_reads() -> None:
    written = escaped(NASTY)
    assert r"\input" not in written and "\n" not in escaped("a\nb")
    assert not re.search(r"(?<!\\)[&%#$_]", written)
    assert escaped("[exp] *") == r"{[}exp] {*}", "after \\ they would be its own"
    assert escaped("a_b") == r"a\_b" and escaped("\\") == r"\textbackslash{}"
