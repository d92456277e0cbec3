"""Standings: against reference results of other packages, and by the properties they must have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.leaderboard import (
    COLUMNS,
    POINTS_PER_LOGIT,
    PRIOR_SD,
    SCORE,
    STANDINGS,
    fit,
    movement,
    standings,
)
from arena.core.ports import BadInput

REFERENCE = Path(__file__).parents[1] / "reference"
RESULTS: dict[str, Any] = json.loads((REFERENCE / "reference.json").read_text("utf-8"))
SWAPPED = {"model_a": "model_b", "model_b": "model_a", "tie": "tie", "both_bad": "both_bad"}


def ledger(rows: Sequence[tuple[str, str, str]], **columns: Any) -> pd.DataFrame:
    """Votes (model_a, model_b, winner) as ledger rows, each a ballot and battle of its own."""
    votes = pd.DataFrame(rows, columns=["model_a", "model_b", "winner"])
    ids = [str(number) for number in range(len(votes))]
    votes = votes.assign(battle_id=ids, ballot_id=ids, rater="r")
    return votes.reindex(columns=COLUMNS).assign(**columns)


def reference_votes() -> pd.DataFrame:
    votes = pd.read_csv(REFERENCE / "reference_votes.csv").rename(columns={"voter_id": "rater"})
    votes["battle_id"] = votes["battle_id"].astype("str")
    return votes.assign(ballot_id=votes.index.astype("str")).reindex(columns=COLUMNS)


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index("contender").loc[RESULTS["models"]]


# Against other implementations ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("clusters", "result"), [("rater", "recommended_voter"), ("battle", "recommended_battle")]
)
def test_ratings_intervals_and_rank_spread_equal_the_reference(clusters: str, result: str) -> None:
    votes = reference_votes()
    if clusters == "battle":
        votes["rater"] = "the only one"
    table, expected = in_order(standings(votes)), RESULTS["results"][result]
    for column in ("rating", "lower", "upper"):
        np.testing.assert_allclose(table[column], expected[column], rtol=0, atol=1e-6)
    for column in ("rank_best", "rank_worst"):
        assert table[column].tolist() == expected[column]


def test_strengths_equal_ridge_regression_of_scikit_learn() -> None:
    result = fit(reference_votes())
    assert list(result.names) == RESULTS["models"]
    expected = RESULTS["results"]["sklearn_ridge_prior_sd_1.5"]
    np.testing.assert_allclose(result.theta, expected["theta"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(result.rating, expected["rating"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("clusters", "count"), [("voter", 9), ("battle", 180)])
def test_with_many_votes_the_fit_tends_to_the_unpenalised_one_of_statsmodels(
    clusters: str, count: int
) -> None:
    """Copies of votes in the same clusters leave the sandwich as it is and outweigh the prior."""
    votes = reference_votes()
    if clusters == "battle":
        votes["rater"] = "the only one"
    result = fit(pd.concat([votes] * 500))
    expected = RESULTS["results"][f"statsmodels_cluster_{clusters}"]
    np.testing.assert_allclose(result.theta, expected["theta"], rtol=0, atol=1e-4)
    with_small_sample_factor = np.array(expected["cov_theta"]) * count / (count - 1)
    np.testing.assert_allclose(result.covariance, with_small_sample_factor, rtol=0, atol=5e-4)
    np.testing.assert_allclose(result.rating, RESULTS["results"]["evalica"]["rating"], atol=0.05)
    assert result.df[0] == pytest.approx(expected["G_eff"] - 1)


def test_counts_equal_the_reference() -> None:
    table = in_order(standings(reference_votes()))
    for name, expected in RESULTS["per_model"].items():
        row = table.loc[name]
        assert row["votes"] == expected["votes"]
        assert row["wins"] == expected["wins"]
        assert row["losses"] == expected["losses"]
        assert row["both_bad"] == expected["both_bad"]
        assert row["ties"] + row["both_bad"] == expected["ties"]
        assert row["win_rate"] == pytest.approx(expected["win_rate_ties_half"])


# What counts ----------------------------------------------------------------------------------


def test_no_votes_give_an_empty_table_of_the_right_types() -> None:
    for nothing in (pd.DataFrame(), ledger([])):
        table = standings(nothing)
        assert table.empty
        assert {c: str(t) for c, t in table.dtypes.items()} == STANDINGS


def test_a_contender_of_the_roster_without_votes_comes_last_and_unranked() -> None:
    table = standings(ledger([("x", "y", "model_a")]), roster=["x", "a newcomer"])
    assert table["contender"].tolist() == ["x", "y", "a newcomer"]
    newcomer = table.iloc[-1]
    assert pd.isna(newcomer["rank"]) and pd.isna(newcomer["rating"])
    assert newcomer["votes"] == newcomer["battles"] == newcomer["wins"] == 0


def test_one_vote_ranks_the_winner_first_but_leaves_the_rank_open() -> None:
    table = standings(ledger([("x", "y", "model_b")]))
    assert table["contender"].tolist() == ["y", "x"]
    assert table["rank"].tolist() == [1, 2]
    assert table["rank_best"].tolist() == [1, 1]
    assert table["rank_worst"].tolist() == [2, 2]


def test_equal_records_share_a_rank_though_their_strengths_differ_in_the_last_bits() -> None:
    rows = [("a", "x", "model_b"), ("a", "y", "model_b"), ("a", "m", "model_a")]
    rows += [("m", "x", "model_b"), ("m", "y", "model_b")] * 2
    table = standings(ledger(rows))
    assert table["contender"].tolist() == ["x", "y", "a", "m"]
    assert table["rank"].tolist() == [1, 1, 3, 4]


def test_a_superseded_ballot_does_not_count_nor_does_one_superseded_in_turn() -> None:
    votes = ledger(
        [("x", "y", "model_a"), ("x", "y", "model_b"), ("x", "y", "tie")],
        supersedes=[None, "0", "1"],
    )
    table = standings(votes).set_index("contender")
    assert table["votes"].tolist() == [1, 1]
    assert table["ties"].tolist() == [1, 1]
    assert table["rating"].tolist() == [1000, 1000]


def test_an_excluded_ballot_does_not_count_but_still_supersedes() -> None:
    votes = ledger(
        [("x", "y", "model_a"), ("x", "y", "model_a"), ("p", "q", "model_a")],
        supersedes=[None, "0", None],
        excluded_reason=[None, "identity", ""],
    )
    assert standings(votes)["contender"].tolist() == ["p", "q"]


def test_an_unknown_outcome_is_refused_and_never_taken_for_a_tie() -> None:
    for outcome in ("draw", None):
        with pytest.raises(BadInput, match="unknown outcome"):
            standings(ledger([("x", "y", "model_a"), ("x", "y", outcome)]))


def test_a_vote_must_name_two_contenders() -> None:
    for rows in ([("x", "x", "tie")], [("x", None, "tie")]):
        with pytest.raises(BadInput, match="two different"):
            standings(ledger(rows))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(BadInput, match="supersedes"):
        standings(ledger([("x", "y", "tie")]).drop(columns="supersedes"))


def test_ties_can_be_dropped_from_the_fit() -> None:
    votes = ledger([("x", "y", "model_a"), ("x", "y", "tie"), ("x", "y", "both_bad")])
    decided = fit(votes[votes["winner"] == "model_a"])
    np.testing.assert_array_equal(fit(votes, ties="drop").theta, decided.theta)
    assert abs(fit(votes).theta[0]) < abs(decided.theta[0])


def test_contenders_that_never_met_are_ranked_apart() -> None:
    together = [("x", "y", "model_a"), ("y", "z", "model_a")] * 3
    table = standings(ledger([("p", "q", "model_a"), *together])).set_index("contender")
    assert table["group"].to_dict() == {"x": 0, "y": 0, "z": 0, "p": 1, "q": 1}
    assert table["rank"].to_dict() == {"x": 1, "y": 2, "z": 3, "p": 1, "q": 2}
    alone = standings(ledger([("p", "q", "model_a")])).set_index("contender")
    for column in ("rating", "lower", "upper"):
        assert table.loc["p", column] == pytest.approx(alone.loc["p", column])
    assert table["rank_worst"].max() <= 3


def test_speed_is_the_median_over_replies_not_over_pairs() -> None:
    """x answered twice: slowly where it was judged in two pairs, fast where in one."""
    votes = ledger(
        [("x", "y", "model_a"), ("x", "z", "model_a"), ("y", "x", "tie")],
        battle_id=["1", "1", "2"],
        ttft_ms_a=[300.0, 300.0, None],
        ttft_ms_b=[50.0, None, 100.0],
        tokens_per_s_a=[10.0, 10.0, None],
        tokens_per_s_b=[None, None, 30.0],
    )
    table = standings(votes).set_index("contender")
    assert table.loc["x", "ttft_ms"] == 200
    assert table.loc["x", "tokens_per_s"] == 20
    assert table.loc["y", "ttft_ms"] == 50
    assert np.isnan(table.loc["z", "ttft_ms"])
    assert table["battles"].to_dict() == {"x": 2, "y": 2, "z": 1}


# What one battle did --------------------------------------------------------------------------


def test_movement_compares_the_standings_without_and_with_a_battle() -> None:
    rows = [("x", "y", "model_a"), ("y", "x", "model_a"), ("y", "x", "model_a"), ("z", "x", "tie")]
    votes = ledger(rows, battle_id=["1", "2", "2", "3"])
    moved = movement(votes, "2").set_index("contender")
    assert list(moved.index) == ["y", "x"]
    before = standings(votes[votes["battle_id"] != "2"]).set_index("contender")
    after = standings(votes).set_index("contender")
    for name in ("x", "y"):
        assert moved.loc[name, "rating_before"] == pytest.approx(before.loc[name, "rating"])
        assert moved.loc[name, "rating_after"] == pytest.approx(after.loc[name, "rating"])
        assert moved.loc[name, "rank_before"] == before.loc[name, "rank"]
        assert moved.loc[name, "rank_after"] == after.loc[name, "rank"]
    assert moved["rank_before"].to_dict() == {"x": 1, "y": 3}


def test_a_newcomer_has_no_standing_before_its_first_battle() -> None:
    moved = movement(ledger([("x", "y", "model_a")]), "0")
    assert moved["rating_before"].isna().all() and moved["rank_before"].isna().all()
    assert moved["rank_after"].tolist() == [1, 2]


def test_a_battle_whose_votes_do_not_count_moves_nobody() -> None:
    votes = ledger([("x", "y", "model_a")] * 2, excluded_reason=[None, "identity"])
    moved = movement(votes, "1")
    assert len(moved) == 2
    assert moved["rating_before"].equals(moved["rating_after"].rename("rating_before"))


def test_a_battle_without_votes_has_no_movement() -> None:
    assert movement(ledger([("x", "y", "tie")]), "elsewhere").empty
    assert movement(pd.DataFrame(), "1").empty


# Properties -----------------------------------------------------------------------------------

NAMES = ["a", "b", "c", "d", "e"]
PAIRS = st.permutations(NAMES).map(lambda names: (names[0], names[1]))
VOTE = st.tuples(PAIRS, st.sampled_from(sorted(SCORE)), st.integers(0, 6), st.integers(0, 12))


@st.composite
def small_ledgers(draw: st.DrawFn) -> pd.DataFrame:
    votes = draw(st.lists(VOTE, min_size=1, max_size=40))
    return ledger(
        [(*pair, winner) for pair, winner, _, _ in votes],
        rater=[None if rater == 0 else str(rater) for _, _, rater, _ in votes],
        battle_id=[str(battle) for _, _, _, battle in votes],
    )


@given(small_ledgers())
@settings(deadline=None)
def test_any_votes_give_finite_ratings_inside_their_intervals(votes: pd.DataFrame) -> None:
    table = standings(votes)
    numbers = table[["rating", "lower", "upper", "win_rate"]]
    assert np.isfinite(numbers).all(axis=None)
    assert (table["lower"] < table["rating"]).all() and (table["rating"] < table["upper"]).all()
    assert (table["upper"] - table["lower"] <= 2 * 1.96 * PRIOR_SD * POINTS_PER_LOGIT).all()
    np.testing.assert_allclose(table.groupby("group")["rating"].mean(), 1000)
    assert (table["rank_best"] <= table["rank"]).all()
    assert (table["rank"] <= table["rank_worst"]).all()
    for _, group in table.groupby("group"):
        assert group["rank"].min() == group["rank_best"].min() == 1
        assert group["rank_worst"].max() == len(group)
    outcomes = table[["wins", "ties", "both_bad", "losses"]].sum(axis=1)
    assert (outcomes == table["votes"]).all()
    assert table["votes"].sum() == 2 * len(votes)


@given(small_ledgers(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_neither_the_order_of_rows_nor_the_sides_matter(votes: pd.DataFrame, random: Any) -> None:
    order = list(range(len(votes)))
    random.shuffle(order)
    other = votes.iloc[order].copy()
    flip = np.array([random.random() < 0.5 for _ in order])
    turned = other[flip].copy()
    other.loc[flip, "model_a"] = turned["model_b"]
    other.loc[flip, "model_b"] = turned["model_a"]
    other.loc[flip, "winner"] = turned["winner"].map(SWAPPED)
    # Equal differences decide open ranks and the numbers of equal groups by their last bits.
    left = standings(votes).set_index("contender")
    left = left.drop(columns=["group", "rank_best", "rank_worst"])
    right = standings(other).set_index("contender")[left.columns].loc[left.index]
    pd.testing.assert_frame_equal(left, right, rtol=1e-9, atol=1e-7)


@given(small_ledgers())
@settings(deadline=None)
@pytest.mark.slow
def test_a_contender_that_wins_one_vote_more_is_rated_higher(votes: pd.DataFrame) -> None:
    before = standings(pd.concat([votes, ledger([("a", "b", "tie")])])).set_index("contender")
    after = standings(pd.concat([votes, ledger([("a", "b", "model_a")])])).set_index("contender")
    assert after.loc["a", "rating"] > before.loc["a", "rating"]
    assert after.loc["b", "rating"] < before.loc["b", "rating"]


def test_however_lopsided_the_results_the_fit_is_the_mode() -> None:
    """At the mode each contender's surplus of wins equals the pull of the prior. Newton's
    method without step control does not converge on these results."""
    met = {"ae": 2236, "ag": 6661, "bd": 16, "bh": 153, "cd": 29, "ce": 2, "cg": 2660}
    met |= {"ch": 410, "df": 525, "dg": 78, "ef": 8349}
    won = {**met, "ae": 2, "bd": 15, "bh": 152, "cg": 2, "ch": 409, "ef": 0}
    rows = [(*pair, "model_a") for pair, wins in won.items() for _ in range(wins)]
    rows += [(*pair, "model_b") for pair in met for _ in range(met[pair] - won[pair])]
    result = fit(ledger(rows))
    theta = dict(zip(result.names, result.theta, strict=True))
    surplus = dict.fromkeys(result.names, 0.0)
    for (a, b), votes in met.items():
        unexplained = won[a + b] - votes / (1 + np.exp(theta[b] - theta[a]))
        surplus[a] += unexplained
        surplus[b] -= unexplained
    np.testing.assert_allclose(list(surplus.values()), result.theta / PRIOR_SD**2, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("battles", "raters"), [(6, 1), (40, 3), (200, 12)])
def test_the_intervals_cover_the_truth_as_often_as_they_say(battles: int, raters: int) -> None:
    """Knockouts of three by raters who differ in taste; strengths from the prior."""
    rng = np.random.default_rng(20)
    inside, number = [], 6
    names = np.array(list("abcdef"))
    for _ in range(250):
        truth = rng.normal(0, 0.8, number)
        taste = truth + rng.normal(0, 0.25, (raters, number))
        mean_taste = truth - truth.mean()
        rows, battle_ids, rater_ids = [], [], []
        for battle in range(battles):
            rater = int(rng.integers(raters))
            winner, *challengers = rng.permutation(number)[:3]
            for challenger in challengers:
                p = 1 / (1 + np.exp(taste[rater][challenger] - taste[rater][winner]))
                won = rng.random() < p
                rows.append((names[winner], names[challenger], "model_a" if won else "model_b"))
                battle_ids.append(str(battle))
                rater_ids.append(str(rater))
                winner = winner if won else challenger
        table = standings(ledger(rows, battle_id=battle_ids, rater=rater_ids))
        if table["group"].max() > 0 or len(table) < number:
            continue
        table = table.set_index("contender").loc[names]
        target = 1000 + POINTS_PER_LOGIT * mean_taste
        inside.append((table["lower"] <= target) & (target <= table["upper"]))
    assert len(inside) > 100
    assert 0.93 <= np.mean(inside) <= 1.0
