"""Effects of style, seats and order: against statsmodels and arena-rank, and what is needed."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, ndtri, stdtr, stdtrit

from arena.core.errors import BadInput
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT, Method
from arena.core.standings.counts import Counts
from arena.core.standings.covariates import (
    EFFECTS,
    METADATA,
    ORDER,
    STYLE,
    STYLE_COLUMNS,
    fit_with,
    style_columns,
)
from arena.core.standings.leaderboard import standings
from tests.core.tables import REFERENCE, chance_votes, ledger, reference_votes

RESULTS: dict[str, Any] = json.loads((REFERENCE / "style.json").read_text("utf-8"))
KEYS = [key for keys in METADATA.values() for key in keys]


def style_votes() -> pd.DataFrame:
    votes = pd.read_csv(REFERENCE / "style_votes.csv", keep_default_na=False)
    metadata = votes[KEYS].to_dict("records")
    return votes.drop(columns=KEYS).assign(conv_metadata=metadata, excluded_reason="")


VOTES = style_votes()


def no_prior(clusters: Any) -> Method:
    return Method(prior_sd=math.inf, lean=0, clusters=clusters)


# Against other implementations ----------------------------------------------------------------


@pytest.mark.parametrize("covariates", ["style", "order", "all"])
@pytest.mark.parametrize(
    ("clusters", "result", "count"),
    [("none", "hc0", 0), ("auto", "rater", 12), ("battle", "battle", 150)],
)
def test_strengths_effects_and_their_errors_equal_statsmodels(
    covariates: str, clusters: str, result: str, count: int
) -> None:
    """Its clustered covariance is without the small-sample factor G/(G − 1)."""
    expected = RESULTS["results"][f"{covariates}_{result}"]
    fit, effects = fit_with(VOTES, expected["covariates"], no_prior(clusters))
    assert list(fit.names) == RESULTS["models"]
    estimate = [*fit.theta, *effects["effect"]]
    np.testing.assert_allclose(estimate, expected["estimate"], rtol=0, atol=2e-9)
    df = fit.df[0]
    q = stdtrit(df, 0.975) if count else ndtri(0.975)
    half = (effects["upper"] - effects["lower"]) / 2 / POINTS_PER_LOGIT
    error = np.r_[np.sqrt(np.diag(fit.covariance)), half / q]
    error /= math.sqrt(count / (count - 1)) if count else 1
    np.testing.assert_allclose(error, expected["standard_error"], rtol=0, atol=2e-9)
    if result == "rater":
        assert df == pytest.approx(RESULTS["G_eff_raters"] - 1)


def test_style_equals_arena_rank_to_its_own_precision() -> None:
    expected = RESULTS["results"]["arena_rank_style"]
    fit, effects = fit_with(VOTES, expected["covariates"], no_prior("none"))
    np.testing.assert_allclose(fit.rating, expected["rating"], rtol=0, atol=0.05)
    np.testing.assert_allclose(effects["effect"], expected["coefficients"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(2 * fit.half_width, expected["width"], rtol=5e-3)


def test_with_a_prior_strengths_and_effects_are_the_mode() -> None:
    fit, effects = fit_with(VOTES, (*STYLE, *ORDER), Method())
    at = {name: n for n, name in enumerate(fit.names)}
    x = np.zeros((len(VOTES), len(at) + 6))
    for row, (a, b) in enumerate(zip(VOTES["model_a"], VOTES["model_b"], strict=True)):
        x[row, [at[a], at[b]]] = 1, -1
    style = style_columns(VOTES).to_numpy()
    x[:, 5:9] = (style - style.mean(axis=0)) / style.std(axis=0)
    x[:, 9] = 1
    x[:, 10] = VOTES["incumbent"].map({"A": 1, "B": -1, "": 0})
    parameters = np.r_[fit.theta, effects["effect"]]
    y = VOTES["winner"].map({"model_a": 1.0, "model_b": 0.0}).fillna(0.5)
    slope = x.T @ (y - expit(x @ parameters))
    np.testing.assert_allclose(slope, parameters / 1.5**2, rtol=0, atol=1e-7)


# What it means --------------------------------------------------------------------------------


def test_without_covariates_it_is_the_fit_of_the_counts() -> None:
    for method in (Method(), Method(ties="drop", clusters="battle"), no_prior("none")):
        fit, effects = fit_with(VOTES, (), method)
        np.testing.assert_array_equal(fit.covariance, Counts.of(VOTES).fit(method).covariance)
        assert effects.empty and effects.dtypes.astype("str").to_dict() == EFFECTS


def test_an_effect_that_is_there_is_found_and_taken_out_of_the_ratings() -> None:
    """y writes at length, and length wins votes; x and y are equally good."""
    rng = np.random.default_rng(5)
    rows = 4000
    difference = np.where(rng.random(rows) < 0.5, 1, -1) * rng.uniform(0, 0.8, rows)
    difference[: rows // 2] = -np.abs(difference[: rows // 2])
    won = rng.random(rows) < expit(0.3 + 1.2 * (difference - difference.mean()) / difference.std())
    votes = ledger([("x", "y", "model_a" if w else "model_b") for w in won], rater=None)
    votes = votes.assign(**{STYLE_COLUMNS["length"]: difference})
    _, effects = fit_with(votes, ("length", "seat"))
    row = effects.set_index("covariate").loc["length"]
    assert row["effect"] == pytest.approx(1.2, abs=0.12) and row["p_value"] < 1e-9
    assert row["lower"] < 1.2 * POINTS_PER_LOGIT < row["upper"]
    assert row["points"] == pytest.approx(row["effect"] * POINTS_PER_LOGIT)


def test_the_seat_and_who_stays_are_told_apart_from_strength() -> None:
    rng = np.random.default_rng(6)
    votes = chance_votes(6000, 5, 60, seed=6)
    votes = votes.assign(seat_a="A", seat_b="C", incumbent=rng.choice(["", "A", "B", "C"], 6000))
    stays = votes["incumbent"].map({"A": 1, "C": -1}).fillna(0)
    won = rng.random(6000) < expit(0.4 + 0.6 * stays)
    votes["winner"] = np.where(won, "model_a", "model_b")
    fit, effects = fit_with(votes, ORDER)
    found = effects.set_index("covariate")["effect"]
    assert found["seat"] == pytest.approx(0.4, abs=0.1)
    assert found["incumbent"] == pytest.approx(0.6, abs=0.1)
    assert np.abs(fit.theta).max() < 0.15
    one_by_one = votes.assign(**dict.fromkeys(STYLE_COLUMNS.values(), 0.0))
    same, as_well = fit_with(one_by_one, (*ORDER, "length"))
    np.testing.assert_allclose(same.covariance, fit.covariance, atol=1e-9)
    np.testing.assert_allclose(as_well["effect"], [*found, 0], atol=1e-8)


def test_the_p_value_is_that_of_no_effect() -> None:
    for method in (Method(), Method(clusters="none")):
        fit, effects = fit_with(VOTES, ("seat", "length"), method)
        q = stdtrit(fit.df[0], 0.975) if method.clusters == "auto" else ndtri(0.975)
        t = effects["points"] / ((effects["upper"] - effects["lower"]) / 2 / q)
        df = fit.df[0] if method.clusters == "auto" else 1e12
        np.testing.assert_allclose(effects["p_value"], 2 * stdtr(df, -t.abs()), rtol=1e-6)


def test_what_is_excluded_or_dropped_has_no_part_in_it() -> None:
    spoilt = VOTES[:20].assign(excluded_reason="identity", conv_metadata=None)
    fit, effects = fit_with(pd.concat([VOTES, spoilt]), STYLE)
    expected, of_these = fit_with(VOTES, STYLE)
    np.testing.assert_array_equal(fit.covariance, expected.covariance)
    pd.testing.assert_frame_equal(effects, of_these)
    decided = VOTES[VOTES["winner"].isin(["model_a", "model_b"])]
    fit, _ = fit_with(VOTES, STYLE, Method(ties="drop"))
    expected, _ = fit_with(decided, STYLE)
    np.testing.assert_allclose(fit.covariance, expected.covariance, atol=1e-12)


def test_contenders_that_never_met_stay_apart() -> None:
    apart = VOTES.assign(model_a=VOTES["model_a"] + "*", model_b=VOTES["model_b"] + "*")
    fit, _ = fit_with(pd.concat([VOTES, apart]), ("seat", "length"), no_prior("none"))
    assert sorted(set(fit.group)) == [0, 1]
    assert not fit.covariance[np.ix_(fit.group == 0, fit.group == 1)].any()
    for group in (0, 1):
        assert fit.rating[fit.group == group].mean() == pytest.approx(1000)
    alone, _ = fit_with(VOTES, ("seat", "length"), no_prior("none"))
    np.testing.assert_allclose(fit.theta[fit.group == 0], alone.theta, atol=1e-9)
    assert len(standings(Counts.of(VOTES), fitted=alone)) == 5


def test_a_few_votes_are_no_surer_for_many_of_contenders_they_never_met() -> None:
    few, many = chance_votes(13, 3, 1, seed=1), chance_votes(4000, 8, 60, seed=2)
    own = ["battle_id", "rater", "model_a", "model_b"]
    few = few.assign(**{column: "few " + few[column] for column in own})
    plain = Counts.of(few).fit()
    fit, _ = fit_with(pd.concat([many, few]), ("seat",))
    theirs = [fit.names.index(name) for name in plain.names]
    assert fit.df[theirs].tolist() == plain.df.tolist() and fit.df[0] > 30
    np.testing.assert_allclose(fit.half_width[theirs], plain.half_width, rtol=0.1)


def test_no_votes_tell_nothing_of_effects() -> None:
    nothing = (pd.DataFrame(), VOTES[:0], VOTES.assign(excluded_reason="identity"))
    for votes in nothing:
        fit, effects = fit_with(votes, ("seat", "length"))
        assert fit.names == () and effects["covariate"].tolist() == ["seat", "length"]
        assert effects.drop(columns="covariate").isna().all(axis=None)
    ties = ledger([("x", "y", "tie")])
    assert fit_with(ties, ("seat",), Method(ties="drop"))[0].names == ()


def test_a_single_vote_says_little_of_an_effect_and_what_never_varies_nothing() -> None:
    one = ledger([("x", "y", "model_a")])
    fit, effects = fit_with(one, ("seat",))
    assert np.isfinite(fit.half_width).all()
    assert effects.loc[0, "lower"] < 0 < effects.loc[0, "upper"]
    width = effects.loc[0, "upper"] - effects.loc[0, "lower"]
    assert width <= 2 * ndtri(0.975) * Method().prior_sd * POINTS_PER_LOGIT + 1e-9
    still = VOTES.assign(incumbent="")
    _, effects = fit_with(still, ("incumbent",))
    assert effects.loc[0, "effect"] == 0 and effects.loc[0, "p_value"] == 1
    alike = VOTES[:102].assign(conv_metadata=[dict.fromkeys(KEYS, 10) | {KEYS[1]: 11}] * 102)
    _, effects = fit_with(alike, ("length",))
    assert effects.loc[0, "effect"] == 0 and effects.loc[0, "p_value"] == 1


# What is needed -------------------------------------------------------------------------------


def test_style_is_read_from_numbers_and_from_counts_by_kind() -> None:
    flat = dict.fromkeys(KEYS, 0) | {"sum_assistant_a_tokens": 30, "sum_assistant_b_tokens": 10}
    flat |= {"header_count_a": 1, "bold_count_b": 3, "list_count_a": 1, "list_count_b": 3}
    nested = flat | {
        "header_count_a": {"h1": 0, "h2": 1, "h3": None},
        "bold_count_b": {"**": 2, "__": 1},
        "list_count_b": {"ordered": 3, "unordered": 0},
    }
    metadata = [flat, nested, {}, None, flat | {"header_count_b": None}]
    columns = style_columns(pd.DataFrame({"conv_metadata": metadata}, index=[9, 8, 7, 6, 5]))
    assert list(columns) == [STYLE_COLUMNS[name] for name in STYLE]
    assert columns.loc[9].tolist() == columns.loc[8].tolist() == [0.5, 1, -1, -0.5]
    assert columns.loc[[7, 6]].isna().all(axis=None)
    assert np.isnan(columns.loc[5, "style_header"]) and columns.loc[5, "style_length"] == 0.5


def test_style_columns_take_the_place_of_the_metadata() -> None:
    cached = VOTES.drop(columns="conv_metadata").join(style_columns(VOTES))
    for found, expected in zip(fit_with(cached, STYLE), fit_with(VOTES, STYLE), strict=True):
        if isinstance(found, pd.DataFrame):
            pd.testing.assert_frame_equal(found, expected)


def test_what_is_missing_is_named() -> None:
    holes = VOTES.assign(conv_metadata=[None, *VOTES["conv_metadata"][1:]])
    with pytest.raises(BadInput, match="1 of 300 votes do not say bold_count_a and bold_count_b"):
        fit_with(holes, ("seat", "bold"))
    with pytest.raises(BadInput, match="lack the columns conv_metadata"):
        fit_with(reference_votes(), ("bold",))
    with pytest.raises(BadInput, match="lack the columns incumbent, seat_a"):
        fit_with(VOTES.drop(columns=["incumbent", "seat_a"]), ORDER)
    fit_with(holes, ORDER)


def test_a_covariate_that_is_unknown_or_named_twice_is_refused() -> None:
    for covariates in (("colour",), ("seat", "seat")):
        with pytest.raises(BadInput, match="cannot be corrected for"):
            fit_with(VOTES, covariates)
