"""Eliminations by their own likelihood, held against closed forms and Bradley and Terry."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from arena.core.standings.bradley_terry import POINTS_PER_LOGIT, Method
from arena.core.standings.counts import Counts
from arena.core.standings.stages import stages
from tests.core.tables import ledger

NO_PRIOR = Method(prior_sd=math.inf)


def ballots(*dropped: str, names: str = "abc") -> pd.DataFrame:
    """Each drops one of all; "-" is a tie of all."""
    rows = []
    for number, out in enumerate(dropped):
        live = names if out == "-" or out in names else out
        pairs = [(x, y) for n, x in enumerate(live) for y in live[n + 1 :]]
        for x, y in pairs if out == "-" else [p for p in pairs if out in p]:
            winner = "tie" if out == "-" else "model_b" if x == out else "model_a"
            rows.append((x, y, winner, str(number)))
    frame = ledger([row[:3] for row in rows])
    ids = [row[3] for row in rows]
    return frame.assign(ballot_id=ids, battle_id=ids, excluded_reason="")


def gaps(table: pd.DataFrame, column: str = "rating") -> dict[str, float]:
    logits = table.set_index("contender")[column] / POINTS_PER_LOGIT
    return {name: value - logits["a"] for name, value in logits.items()}


def test_of_stages_of_all_the_chances_to_be_dropped_are_the_shares() -> None:
    found = gaps(stages(ballots(*"aabbbccccc"), NO_PRIOR))
    assert found["b"] == pytest.approx(math.log(2 / 3), abs=1e-8)
    assert found["c"] == pytest.approx(math.log(2 / 5), abs=1e-8)


def test_a_tie_is_shared_equally_or_left_out() -> None:
    votes = ballots(*"aabbbccccc---")
    shared = gaps(stages(votes, NO_PRIOR))
    assert shared["c"] == pytest.approx(math.log(3 / 6), abs=1e-8)
    dropped = gaps(stages(votes, Method(ties="drop", prior_sd=math.inf)))
    assert dropped["c"] == pytest.approx(math.log(2 / 5), abs=1e-8)


def test_ties_that_are_all_left_out_leave_nothing() -> None:
    assert stages(ballots(*"---"), Method(ties="drop")).empty
    assert len(stages(ballots(*"---"))) == 3


def test_of_two_in_play_alone_there_is_nothing_beside_the_pairs() -> None:
    two = ledger([("a", "b", "model_a")] * 5 + [("b", "c", "model_a")] * 4)
    assert stages(two.assign(excluded_reason="")).empty


def test_what_is_gained_over_pairs_is_told_and_true() -> None:
    """Simulated: both find the strengths; the stages' error is what the estimates scatter by."""
    truth = {"a": 0.8, "b": 0.0, "c": -0.8}
    chance = np.exp([-truth[name] for name in "abc"])
    chance /= chance.sum()
    rng = np.random.default_rng(2)
    seen = []
    for _ in range(30):
        table = stages(ballots(*rng.choice(list("abc"), 200, p=chance)), NO_PRIOR)
        table = table.set_index("contender")
        seen.append([*table.loc[list("abc"), "rating"], *table.loc[list("abc"), "rating_pairs"]])
        assert table["error_ratio"].between(0.7, 1.6).all()
    mean = (np.mean(seen, axis=0) - 1000) / POINTS_PER_LOGIT
    assert mean[:3] == pytest.approx(list(truth.values()), abs=0.08)
    half = (table["upper"] - table["lower"]).mean() / 2
    assert half == pytest.approx(1.97 * np.std(seen, axis=0)[:3].mean(), rel=0.35)


def test_nothing_and_what_is_excluded_count_for_nothing() -> None:
    assert stages(ballots()[:0]).empty
    votes = ballots(*"aabbc")
    out = votes.assign(excluded_reason="identity")
    again = pd.concat([votes, out.assign(ballot_id="x" + out["ballot_id"])])
    assert stages(again)["rating"].tolist() == stages(votes)["rating"].tolist()
    assert Counts.of(votes).total == 10
