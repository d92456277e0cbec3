"""The bench of standings: its votes, what it puts into a ledger, and the figures it tells."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from arena.bench import simulated, standings
from arena.bench.standings import Plan, Row, StandingsBench
from arena.cli import main
from arena.compose import ledger_of
from arena.core.errors import BadInput
from arena.core.ports import Outcomes
from arena.core.standings.counts import Counts
from arena.core.standings.votes import OUTCOME_COLUMNS
from arena.settings import load
from tests.postgresql import Postgresql

PLAN = Plan(votes=(1000, 1300), contenders=6, repeat=1, seed=3)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """With few repeats."""
    monkeypatch.setattr(standings, "REFITS", 2)
    monkeypatch.setattr(standings, "TOLD", 2)


def benched(url: str, told: Callable[[str, float], None] = lambda what, part: None) -> list[Row]:
    opened = partial(ledger_of, load({"DATABASE_URL": url}, None), "made")
    return asyncio.run(StandingsBench(PLAN, {"here": opened}, told).run())


def outcomes(url: str) -> Outcomes:
    async def read() -> Outcomes:
        async with ledger_of(load({"DATABASE_URL": url}, None)) as ledger:
            return await ledger.outcomes()

    return asyncio.run(read())


def test_simulated_votes_are_as_many_and_as_uneven_as_is_said() -> None:
    votes = simulated.votes(5000, 7, seed=1)
    assert len(votes) == 5000 and votes["id"].is_unique
    assert not votes[["battle_id", "round", "seat_a", "seat_b"]].duplicated().any()
    assert votes["battle_id"].value_counts().between(1, 3).all()
    assert (votes["model_a"] != votes["model_b"]).all()
    by_battle = votes.groupby("battle_id")
    assert (by_battle["rater"].nunique().eq(1)).all()
    sides = [
        votes[["battle_id", f"seat_{s}", f"model_{s}"]].set_axis(list("bsm"), axis=1) for s in "ab"
    ]
    in_battle = pd.concat(sides).drop_duplicates()
    assert not in_battle.duplicated(["b", "s"]).any() and not in_battle.duplicated(["b", "m"]).any()
    assert votes["model_a"].nunique() == 7
    of_raters = np.sort(votes["rater"].value_counts())[::-1]
    assert of_raters[:100].sum() > 5 * of_raters[-100:].sum()
    pd.testing.assert_frame_equal(votes, simulated.votes(5000, 7, seed=1))


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_the_ledger_gets_the_simulated_votes_and_nothing_else_that_counts(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'arena.db'}"
    if kind == "postgresql":
        server: Postgresql = request.getfixturevalue("postgresql")
        url = server.new_url()
    said: list[tuple[str, float]] = []
    rows = benched(url, lambda what, part: said.append((what, part)))
    assert [row.votes for row in rows] == [1000, 1300]
    for row in rows:
        figures = row.figures
        assert all(seconds > 0 for seconds in figures.values())
        assert figures["of which reading here"] < figures["standings, from here"]
        assert figures["one more vote, fitted"] < figures["one more vote, in the table"]
    assert all(0 <= part <= 1 for _, part in said) and "here: writing 300 votes" in dict(said)
    written = Counts.of(outcomes(url).rows)
    drawn = Counts.of(simulated.votes(1300, PLAN.contenders, PLAN.seed)[list(OUTCOME_COLUMNS)])
    pd.testing.assert_frame_equal(written.tally(), drawn.tally(), check_like=True)
    np.testing.assert_allclose(written.fit().half_width, drawn.fit().half_width)


@pytest.mark.slow
def test_a_ledger_that_has_votes_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'arena.db'}"
    benched(url)
    before = outcomes(url).last
    with pytest.raises(BadInput, match=r"has votes.*Name an empty database"):
        benched(url)
    assert outcomes(url).last == before


@pytest.mark.slow
def test_the_command_tells_the_figures_of_both_ledgers_and_leaves_one_with_votes_alone(
    postgresql: Postgresql, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgresql.new_url()
    asked = ("bench", "standings", "--votes", "1000", "--contenders", "5", "--repeat", "1")
    assert main((*asked, "--database", url, "--json")) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["votes"] == 1000
    for name in ("text", "categories", "SQLite", "PostgreSQL"):
        assert row["figures"][f"standings, from {name}"] > 0
    assert outcomes(url).last > 1000
    assert main((*asked, "--database", url)) == 1
    assert "The ledger in PostgreSQL has votes" in capsys.readouterr().err


def test_the_command_draws_a_column_for_each_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("bench", "standings", "--votes", "1000,1200", "--repeat", "1")) == 0
    table = capsys.readouterr().out
    assert "30 contenders" in table and "1 000" in table and "1 200" in table
    assert "standings, from SQLite" in table and "standings, from PostgreSQL" not in table


@pytest.mark.parametrize(
    "wrong", [("--votes", "many"), ("--votes", "10"), ("--contenders", "2"), ("--repeat", "0")]
)
def test_a_wrong_size_is_refused_with_what_is_allowed(
    wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(("bench", "standings", *wrong))
    assert ended.value.code == 2
    assert "whole number from" in capsys.readouterr().err
