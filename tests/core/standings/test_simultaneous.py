"""Intervals and ranks that hold together, held against closed forms and tables."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import studentized_range, t

from arena.core.standings.bradley_terry import Fit
from arena.core.standings.counts import Counts
from arena.core.standings.simultaneous import ORDER, largest, whole_order
from tests.core.tables import chance_votes, ledger


def quantile_of(covariance: np.ndarray, contrasts: np.ndarray, df: float = math.inf) -> float:
    return largest(covariance, contrasts, df, Random(1))


@pytest.mark.parametrize("size", [1, 3, 10])
def test_of_independent_estimates_it_is_sidaks(size: int) -> None:
    exact = ndtri((1 + 0.95 ** (1 / size)) / 2)
    assert quantile_of(np.eye(size), np.eye(size)) == pytest.approx(exact, abs=0.03)


def test_one_contrast_has_students_quantile() -> None:
    assert quantile_of(np.eye(1), np.eye(1), df=7.0) == pytest.approx(t.ppf(0.975, 7), abs=0.06)


@pytest.mark.parametrize("df", [12.0, math.inf])
def test_of_all_differences_it_is_tukeys(df: float) -> None:
    first, second = np.triu_indices(5, 1)
    contrasts = np.eye(5)[first] - np.eye(5)[second]
    exact = studentized_range.ppf(0.95, 5, df if math.isfinite(df) else 1e6) / math.sqrt(2)
    assert quantile_of(np.eye(5), contrasts, df) == pytest.approx(exact, abs=0.06)


def test_ranks_that_hold_together_are_never_narrower() -> None:
    fit = Counts.of(chance_votes(3000, 8, 60, seed=4)).fit()
    table = whole_order(fit)
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == {
        name: str(dtype) for name, dtype in ORDER.items()
    }
    assert (table["rank_best_all"] <= table["rank_best"]).all()
    assert (table["rank_worst_all"] >= table["rank_worst"]).all()
    half = dict(zip(fit.names, fit.half_width, strict=True))
    assert (table["upper_all"] - table["rating"] > table["contender"].map(half)).all()
    assert table["rating"].is_monotonic_decreasing
    assert (table["rank_worst_all"] - table["rank_best_all"]).min() < 7


@pytest.mark.untraced
def test_the_order_of_simulated_studies_is_claimed_falsely_seldom() -> None:
    truth = np.array([0.6, 0.3, 0.3, 0.0, -0.4])
    root = np.linalg.cholesky(0.05 * np.eye(5))
    rng, wrong = np.random.default_rng(3), 0
    for _ in range(60):
        theta = truth + root @ rng.standard_normal(5)
        names = tuple("abcde")
        fit = Fit(names, theta, 0.05 * np.eye(5), np.zeros(5, int), np.full(5, np.inf))
        table = whole_order(fit).set_index("contender").loc[list(names)]
        least = 1 + (truth > truth[:, None]).sum(axis=1)
        most = 5 - (truth < truth[:, None]).sum(axis=1)
        holds = (table["rank_best_all"] <= most) & (table["rank_worst_all"] >= least)
        wrong += not holds.all()
    assert wrong <= 8


def test_nobody_one_and_those_who_never_met() -> None:
    assert whole_order(Counts.of(ledger([])).fit()).empty
    table = whole_order(Counts.of(ledger([("a", "b", "tie"), ("c", "d", "tie")])).fit())
    assert table["rank_best_all"].tolist() == [1] * 4
    assert table["rank_worst_all"].tolist() == [2] * 4
