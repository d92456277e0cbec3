"""The fit: against other implementations, and what its options mean."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from arena.core.errors import BadInput
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT, PRIOR_SD, Fit, Method
from arena.core.standings.counts import Counts
from tests.core.tables import RESULTS, ledger, reference_votes

REFERENCE = Counts.of(reference_votes())
NO_PRIOR = Method(clusters="none", prior_sd=math.inf, lean=0)


def fitted(rows: list[tuple[str, str, str]], method: Method = Method(), **columns: Any) -> Fit:
    return Counts.of(ledger(rows, **columns)).fit(method)


# Against other implementations ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "result", "digits"),
    [
        (Method(clusters="none"), "recommended_plain", 1e-7),
        (Method(), "recommended_voter", 1e-7),
        (Method(clusters="battle"), "recommended_battle", 1e-7),
        (Method(clusters="none", prior_sd=1e4, lean=0), "recommended_no_prior", 5e-6),
        (NO_PRIOR, "recommended_no_prior", 5e-6),
    ],
)
def test_ratings_intervals_and_rank_spread_equal_the_reference(
    method: Method, result: str, digits: float
) -> None:
    fit, expected = REFERENCE.fit(method), RESULTS["results"][result]
    assert list(fit.names) == RESULTS["models"]
    np.testing.assert_allclose(fit.rating, expected["rating"], rtol=0, atol=digits)
    np.testing.assert_allclose(fit.rating - fit.half_width, expected["lower"], rtol=0, atol=digits)
    np.testing.assert_allclose(fit.rating + fit.half_width, expected["upper"], rtol=0, atol=digits)
    best, worst = fit.rank_spread()
    assert best.tolist() == expected["rank_best"] and worst.tolist() == expected["rank_worst"]


def test_strengths_equal_ridge_regression_of_scikit_learn() -> None:
    fit, expected = REFERENCE.fit(), RESULTS["results"]["sklearn_ridge_prior_sd_1.5"]
    np.testing.assert_allclose(fit.theta, expected["theta"], rtol=0, atol=1e-8)
    np.testing.assert_allclose(fit.rating, expected["rating"], rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("method", "result", "correction"),
    [
        ({"clusters": "none"}, "statsmodels_hc0", 1.0),
        ({"clusters": "none", "lean": 1e15}, "statsmodels_hessian", 1.0),
        ({}, "statsmodels_cluster_voter", 9 / 8),
        ({"clusters": "battle"}, "statsmodels_cluster_battle", 180 / 179),
    ],
)
def test_without_a_prior_strengths_and_covariance_equal_statsmodels(
    method: dict[str, Any], result: str, correction: float
) -> None:
    """Its clustered covariance is without the small-sample factor G/(G − 1)."""
    fit = REFERENCE.fit(Method(**({"prior_sd": math.inf, "lean": 0} | method)))
    expected = RESULTS["results"][result]
    np.testing.assert_allclose(fit.theta, expected["theta"], rtol=0, atol=1e-8)
    covariance = np.array(expected["cov_theta"]) * correction
    np.testing.assert_allclose(fit.covariance, covariance, rtol=0, atol=1e-8)
    if "G_eff" in expected:
        assert fit.df[0] == pytest.approx(expected["G_eff"] - 1)


def test_ratings_and_widths_equal_arena_rank_to_its_own_precision() -> None:
    fit, expected = REFERENCE.fit(NO_PRIOR), RESULTS["results"]["arena_rank"]
    np.testing.assert_allclose(fit.rating, expected["rating"], rtol=0, atol=0.05)
    width = np.array(expected["upper"]) - np.array(expected["lower"])
    np.testing.assert_allclose(2 * fit.half_width, width, rtol=5e-3)
    for package in ("evalica", "choix"):
        rating = RESULTS["results"][package]["rating"]
        np.testing.assert_allclose(fit.rating, rating, rtol=0, atol=1e-6)


def test_however_lopsided_the_results_the_fit_is_the_mode() -> None:
    """At the mode each contender's surplus of wins equals the pull of the prior. Newton's
    method without step control does not converge on these results."""
    met = {"ae": 2236, "ag": 6661, "bd": 16, "bh": 153, "cd": 29, "ce": 2, "cg": 2660}
    met |= {"ch": 410, "df": 525, "dg": 78, "ef": 8349}
    won = {**met, "ae": 2, "bd": 15, "bh": 152, "cg": 2, "ch": 409, "ef": 0}
    rows = [(*pair, "model_a") for pair, wins in won.items() for _ in range(wins)]
    rows += [(*pair, "model_b") for pair in met for _ in range(met[pair] - won[pair])]
    fit = fitted(rows)
    theta = dict(zip(fit.names, fit.theta, strict=True))
    surplus = dict.fromkeys(fit.names, 0.0)
    for (a, b), votes in met.items():
        unexplained = won[a + b] - votes / (1 + np.exp(theta[b] - theta[a]))
        surplus[a] += unexplained
        surplus[b] -= unexplained
    np.testing.assert_allclose(list(surplus.values()), fit.theta / PRIOR_SD**2, atol=1e-6)


# What the options mean ------------------------------------------------------------------------

MIXED = [("x", "y", "model_a"), ("x", "y", "tie"), ("x", "y", "both_bad"), ("y", "x", "model_a")]
MIXED += [("x", "y", "model_a")]


@pytest.mark.parametrize(
    ("method", "kept"),
    [
        (Method(ties="drop"), {"model_a", "model_b"}),
        (Method(ties="drop", bad="drop"), {"model_a", "model_b"}),
        (Method(bad="drop"), {"model_a", "model_b", "tie"}),
    ],
)
def test_outcomes_that_are_dropped_are_as_if_never_cast(method: Method, kept: set[str]) -> None:
    fit, of_kept = fitted(MIXED, method), fitted([row for row in MIXED if row[2] in kept])
    np.testing.assert_array_equal(fit.theta, of_kept.theta)
    np.testing.assert_array_equal(fit.covariance, of_kept.covariance)
    assert abs(fitted(MIXED).theta[0]) < abs(fit.theta[0])


def test_only_ties_dropped_leave_nobody_rated() -> None:
    fit = fitted([("x", "y", "tie"), ("y", "z", "both_bad")], Method(ties="drop"))
    assert fit.names == () and len(fit.rating) == len(fit.half_width) == 0


def test_all_ties_give_equal_ratings() -> None:
    fit = fitted([("x", "y", "tie"), ("y", "z", "tie")] * 3)
    np.testing.assert_allclose(fit.rating, 1000)
    best, worst = fit.rank_spread()
    assert best.tolist() == [1, 1, 1] and worst.tolist() == [3, 3, 3]


def test_an_anchor_shifts_its_group_and_nothing_else() -> None:
    rows = [("x", "y", "model_a"), ("y", "z", "model_a"), ("p", "q", "model_a")] * 4
    free, anchored = fitted(rows), fitted(rows, Method(anchor="z"))
    assert dict(zip(anchored.names, anchored.rating, strict=True))["z"] == 1000
    together = free.group == 0
    shift = (anchored.rating - free.rating)[together]
    np.testing.assert_allclose(shift, shift[0])
    np.testing.assert_array_equal(anchored.rating[~together], free.rating[~together])
    np.testing.assert_array_equal(anchored.half_width, free.half_width)
    np.testing.assert_array_equal(fitted(rows, Method(anchor="gone")).rating, free.rating)


def test_a_wide_prior_reaches_the_fit_without_one_and_a_narrow_one_holds_ratings_together() -> None:
    wide, none = REFERENCE.fit(Method(prior_sd=1e5)), REFERENCE.fit(Method(prior_sd=math.inf))
    np.testing.assert_allclose(wide.rating, none.rating, atol=1e-5)
    narrow = REFERENCE.fit(Method(prior_sd=0.01))
    assert np.abs(narrow.rating - 1000).max() < 1


def test_an_interval_is_never_wider_than_the_prior_alone() -> None:
    for count in (1, 2, 3):
        rows = [("x", "y", "model_a")] * count
        fit = fitted(rows, rater=[str(n) for n in range(count)])
        alone = 1.959964 * PRIOR_SD * POINTS_PER_LOGIT * np.sqrt(1 / 2)
        assert (fit.half_width <= alone * (1 + 1e-6)).all()
        assert (fitted(rows, Method(prior_sd=9)).half_width > fit.half_width).all()


def test_contenders_that_never_met_are_fitted_apart() -> None:
    together = [("x", "y", "model_a"), ("y", "z", "model_a"), ("z", "x", "tie")] * 3
    raters = ["r1", "r2", "r3", "r4", "r5"] * 2
    for method in (Method(), Method(clusters="battle"), Method(clusters="none"), NO_PRIOR):
        if method is NO_PRIOR:
            pair = [("p", "q", "model_a"), ("p", "q", "tie")]
        else:
            pair = [("p", "q", "model_a")]
        both = fitted(pair + together, method, rater=(raters * 2)[: len(pair) + 9])
        assert both.names == ("p", "q", "x", "y", "z")
        assert both.group.tolist() == [1, 1, 0, 0, 0]
        assert not both.covariance[:2, 2:].any()
        of_pair = fitted(pair, method, rater=raters[: len(pair)])
        np.testing.assert_allclose(both.theta[:2], of_pair.theta, atol=1e-12)
        np.testing.assert_allclose(both.covariance[:2, :2], of_pair.covariance, atol=1e-12)
        assert both.rank_spread()[1].tolist() == [2, 2, 3, 3, 3]


@pytest.mark.parametrize("wrong", [{"ties": "double"}, {"bad": "half"}, {"clusters": "rater"}])
def test_a_method_that_cannot_be_is_refused_in_words(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=next(iter(wrong)).split("_")[0]):
        Method(**wrong)
