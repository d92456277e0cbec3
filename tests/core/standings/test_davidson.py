"""Ties as an outcome of their own, held against closed forms and the likelihood written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from arena.core.errors import BadInput
from arena.core.standings.bradley_terry import Fit, Method
from arena.core.standings.counts import Counts
from tests.core.tables import chance_votes, ledger

ALONE = {"prior_sd": math.inf, "lean": 0.0}


def fitted(rows: list[tuple[str, str, str]], **how: object) -> Fit:
    return Counts.of(ledger(rows)).fit(Method(ties="davidson", **how))  # type: ignore[arg-type]


def test_two_contenders_have_the_closed_form() -> None:
    """Saturated: π_a / π_b = wins / losses, and ν = ties / √(wins · losses)."""
    votes = [("a", "b", w) for w in ["model_a"] * 18 + ["model_b"] * 8 + ["tie"] * 6]
    fit = fitted(votes, **ALONE)
    assert fit.theta[0] - fit.theta[1] == pytest.approx(math.log(18 / 8), abs=1e-8)
    assert fit.tie == pytest.approx(6 / math.sqrt(18 * 8), abs=1e-8)


def test_the_mode_is_that_of_the_likelihood_written_out() -> None:
    votes = chance_votes(800, 5, 40, seed=3)
    fit = Counts.of(votes).fit(Method(ties="davidson"))
    at = {name: n for n, name in enumerate(fit.names)}
    a, b = (votes[side].map(at).to_numpy() for side in ("model_a", "model_b"))
    outcome = votes["winner"].map({"model_a": 0, "model_b": 1}).fillna(2).astype(int).to_numpy()

    def loss(x: np.ndarray) -> float:
        worth = np.exp(x[:-1])
        weights = np.array([worth[a], worth[b], np.exp(x[-1]) * np.sqrt(worth[a] * worth[b])])
        chance = weights[outcome, np.arange(len(a))] / weights.sum(axis=0)
        return float(-np.log(chance).sum() + x[:-1] @ x[:-1] / 2 / 1.5**2)

    best = minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-6})
    assert fit.theta == pytest.approx(best.x[:-1], abs=1e-4)
    assert math.log(fit.tie) == pytest.approx(best.x[-1], abs=1e-4)


def test_without_ties_it_is_bradley_terry() -> None:
    votes = [("a", "b", "model_a")] * 7 + [("b", "c", "model_a")] * 3 + [("a", "c", "model_b")]
    fit, plain = fitted(votes), Counts.of(ledger(votes)).fit()
    assert fit.tie == 0 and fit.theta == pytest.approx(plain.theta, abs=1e-12)
    assert fit.covariance == pytest.approx(plain.covariance, abs=1e-12)


def test_the_interval_is_the_inverse_of_the_information() -> None:
    """For the gap of two contenders with ν known: Var s · n; checked by differences."""
    votes = [("a", "b", w) for w in ["model_a"] * 30 + ["model_b"] * 20 + ["tie"] * 10]
    method = {"prior_sd": math.inf, "lean": 1e9, "clusters": "none"}
    fit = fitted(votes, **method)
    gap = fit.theta[0] - fit.theta[1]

    def loss(d: float) -> float:
        w = np.exp([d / 2, -d / 2, math.log(fit.tie)])
        return float(-np.array([30, 20, 10]) @ np.log(w / w.sum()))

    curve = (loss(gap + 1e-3) - 2 * loss(gap) + loss(gap - 1e-3)) / 1e-6
    assert fit.variance_of_differences[0, 1] == pytest.approx(1 / curve, rel=1e-4)


def test_ties_alone_leave_equals() -> None:
    fit = fitted([("a", "b", "tie")] * 4)
    assert fit.theta == pytest.approx([0, 0]) and np.isfinite(fit.tie)


def test_another_way_with_ties_is_told() -> None:
    with pytest.raises(BadInput, match="davidson"):
        Method(ties="rao")  # type: ignore[arg-type]


@pytest.mark.parametrize(("votes", "few"), [(50, False), (1, True)])
def test_a_contender_of_whom_the_prior_says_more_than_its_votes_is_known(
    votes: int, few: bool
) -> None:
    rows = [("a", "b", "model_a")] * 50 + [("a", "c", "model_a")] * votes
    assert Counts.of(ledger(rows)).fit().few.tolist() == [False, False, few]
