"""Counts: however votes are folded in and taken out, they are what counting afresh gives, and
the fit is that of the formulas written out row by row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from arena.core.errors import BadInput
from arena.core.standings import clusters, counts, sandwich
from arena.core.standings.bradley_terry import MIN_RATERS, Fit, Method
from arena.core.standings.counts import Counts
from arena.core.standings.votes import OUTCOME_COLUMNS, TEXT
from tests.core.tables import RESULTS, WINNERS, chance_votes, ledger, reference_votes

METHODS = [
    Method(ties=ties, bad=bad, clusters=by, prior_sd=prior_sd, lean=lean)
    for ties in ("half", "drop")
    for bad in ("tie", "drop")
    for by in ("auto", "battle", "none")
    for prior_sd, lean in ((1.5, 10.0), (0.7, 0.0))
]


def effective(cluster: pd.Series) -> float:
    sizes = cluster.value_counts().to_numpy(float)
    return sizes.sum() ** 2 / (sizes @ sizes)


def must_be_by_the_formulas(fit: Fit, votes: pd.DataFrame, method: Method) -> None:
    """As they stand in the docstrings, with one row of the design for each vote."""
    ties, bad = method.weights
    weight = votes["winner"].map({"model_a": 1, "model_b": 1, "tie": ties, "both_bad": bad})
    excluded = votes["excluded_reason"].notna() & (votes["excluded_reason"] != "")
    votes = votes[(weight > 0).to_numpy(bool) & ~excluded.to_numpy(bool)]
    assert list(fit.names) == sorted({*votes["model_a"], *votes["model_b"]})
    for number in range(fit.group.max(initial=-1) + 1):
        members = np.flatnonzero(fit.group == number)
        names = [fit.names[n] for n in members]
        rows = votes[votes["model_a"].isin(names)]
        pairs = zip(rows["model_a"], rows["model_b"], strict=True)
        x = np.array([[(a == n) - (b == n) for n in names] for a, b in pairs], float)
        y = rows["winner"].map({"model_a": 1.0, "model_b": 0.0}).fillna(0.5).to_numpy(float)
        theta, count = fit.theta[members], len(members)
        p = expit(x @ theta)
        pull = method.precision * theta
        np.testing.assert_allclose(x.T @ (y - p), pull, rtol=0, atol=1e-7)
        model = x.T @ (x * (p * (1 - p))[:, None])
        battle = rows["battle_id"].astype("object")
        known = rows["rater"].notna() & (rows["rater"] != "")
        rater = rows["rater"].astype("object").where(known, "the battle " + battle.astype("str"))
        if method.clusters == "none":
            meat, df, lonely = x.T @ (x * ((y - p) ** 2)[:, None]), math.inf, False
        else:
            by_rater = method.clusters == "auto" and effective(rater) >= MIN_RATERS
            cluster = rater if by_rater else battle
            u = pd.DataFrame(x * (y - p)[:, None]).groupby(cluster.to_numpy()).sum().to_numpy()
            lonely = len(u) == 1
            meat = u.T @ u * len(u) / max(len(u) - 1, 1)
            df = max(effective(cluster) - 1, 1)
        w = 1 if lonely else method.lean * count / (len(rows) + method.lean * count)
        centre = np.eye(count) - 1 / count
        ridge = method.precision * np.eye(count)
        half = centre @ np.linalg.inv(model + ridge)
        covariance = half @ (w * model + (1 - w) * meat + ridge) @ half.T
        block = np.ix_(members, members)
        np.testing.assert_allclose(fit.covariance[block], covariance, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(fit.df[members], df)


# Folding --------------------------------------------------------------------------------------

NAMES = ["a", "b", "c", "d", "e", "f"]
VOTE = st.tuples(
    st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True),
    st.sampled_from(WINNERS),
    st.sampled_from([None, "", "r1", "r2", "r3", "r4", "r5", "r6"]),
    st.integers(0, 12),
    st.sampled_from(["", "", "", None, "identity", "superseded"]),
)
BATCH = st.lists(VOTE, min_size=1, max_size=12)


def table(votes: list[Any], kind: str = "object") -> pd.DataFrame:
    rows = [(*pair, winner) for pair, winner, *_ in votes]
    _, _, raters, battles, reasons = zip(*votes, strict=True)
    made = ledger(rows, rater=raters, battle_id=[f"b{b}" for b in battles], excluded_reason=reasons)
    return made[list(OUTCOME_COLUMNS)].astype(kind)


@pytest.mark.slow
@given(
    st.lists(st.tuples(BATCH, st.sampled_from(["object", "category", TEXT])), max_size=6),
    st.randoms(use_true_random=False),
    st.lists(st.sampled_from(METHODS), min_size=2, max_size=2),
    st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_votes_folded_and_unfolded_are_as_if_counted_afresh(
    batches: list[Any], random: Any, methods: list[Method], many: bool
) -> None:
    """many: what is done for a million votes is done for these few."""
    with pytest.MonkeyPatch.context() as patch:
        if many:
            patch.setattr(clusters, "FEW_CLUSTERS", random.choice([0, 1]))
            patch.setattr(sandwich, "FEW_CELLS", random.choice([1, 1_000_000]))
            patch.setattr(counts, "MANY", 0)
            patch.setattr(counts, "LATEST", random.choice([0, 2]))
        kept, folded = list[pd.DataFrame](), Counts()
        for votes, kind in batches:
            new = table(votes, kind)
            folded.fold(new)
            half = len(new) // 2 * random.randrange(2)
            kept += [part for part in (new[:half], new[half:]) if len(part)]
            if random.random() < 0.4:
                folded.fold(kept.pop(random.randrange(len(kept))), -1)
            rows = pd.concat([ledger([]), *(part.astype("object") for part in kept)])
            for method in methods:
                must_be_by_the_formulas(folded.fit(method), rows, method)
            afresh = Counts.of(rows)
            assert folded.votes.items() == afresh.votes.items()
            assert folded.total == afresh.total and folded.excluded == afresh.excluded
            pd.testing.assert_frame_equal(folded.tally().sort_index(), afresh.tally().sort_index())


def test_battles_that_come_one_by_one_in_thousands_are_known_when_their_votes_go() -> None:
    """More than are kept as they come, in several turns, beside some that came at once."""
    votes = chance_votes(2 * counts.LATEST + 900, 3, 400, seed=1)
    votes = votes.assign(battle_id=[f"battle {n}" for n in range(len(votes))])
    living, once = Counts.of(votes[:500]), len(votes) // 10
    for start in range(500, len(votes), once):
        living.fold(votes[start : start + once])
    gone = votes.sample(frac=0.5, random_state=2)
    living.fold(gone, -1)
    left = votes.drop(gone.index)
    for method in (Method(), Method(clusters="battle")):
        np.testing.assert_allclose(
            living.fit(method).covariance, Counts.of(left).fit(method).covariance, rtol=1e-9
        )
    with pytest.raises(ValueError, match="folded in"):
        living.fold(gone[:1], -1)


@pytest.mark.parametrize("raters", [7, 400, 20_000])
def test_one_vote_more_among_many_is_folded_as_if_counted_afresh(raters: int) -> None:
    """Enough votes for every way in which clusters are summed: written out and sparse."""
    votes = chance_votes(60_000, 12, raters, seed=raters)
    living = Counts.of(votes)
    first, newcomer = votes[:2], votes[:1].assign(model_a="a newcomer", battle_id="a new one")
    living.fold(first, -1)
    methods = (Method(), Method(clusters="battle"), Method(ties="drop"))
    for method in methods:
        living.fit(method)
    living.fold(newcomer)
    afresh = Counts.of(pd.concat([votes[2:], newcomer]))
    for method in methods:
        fit, expected = living.fit(method), afresh.fit(method)
        assert fit.names == expected.names
        np.testing.assert_allclose(fit.theta, expected.theta, rtol=0, atol=1e-11)
        np.testing.assert_allclose(fit.covariance, expected.covariance, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(fit.df, expected.df)


def test_what_never_came_cannot_go_and_nothing_is_changed() -> None:
    counted = Counts.of(reference_votes())
    before = counted.fit()
    known = reference_votes()[:1]
    strange = (
        known.assign(rater="nobody"),
        known.assign(battle_id="elsewhere"),
        known.assign(winner="model_b"),
        known.assign(model_a="who"),
        known.assign(excluded_reason="identity"),
        pd.concat([known, known]),
    )
    for votes in strange:
        with pytest.raises(ValueError, match="only as they were folded in"):
            counted.fold(votes, -1)
    assert counted.total == 300 and counted.excluded == {}
    np.testing.assert_array_equal(counted.fit().covariance, before.covariance)


def test_a_contender_whose_votes_are_all_taken_out_is_gone() -> None:
    votes = ledger([("x", "y", "model_a"), ("y", "z", "tie"), ("y", "z", "model_b")])
    counted = Counts.of(votes)
    counted.fold(votes[1:], -1)
    assert counted.fit().names == ("x", "y")
    assert list(counted.tally().index) == ["x", "y"] and counted.votes == {"x": 1, "y": 1}
    assert len(counted.outcomes()) == 1
    counted.fold(votes[:1], -1)
    assert counted.fit().names == () and counted.tally().empty and counted.votes == {}
    assert counted.outcomes().empty and counted.total == 0


def test_no_votes_at_all_give_a_fit_of_nobody() -> None:
    for nothing in (Counts(), Counts.of(pd.DataFrame()), Counts.of(ledger([]))):
        for method in (*METHODS, Method(prior_sd=math.inf)):
            fit = nothing.fit(method)
            assert fit.names == () and fit.covariance.shape == (0, 0)
            assert [len(part) for part in fit.rank_spread()] == [0, 0]


# What counts ----------------------------------------------------------------------------------


def test_excluded_rows_are_counted_by_reason_and_not_fitted() -> None:
    votes = ledger(
        [("x", "y", "model_a")] * 5,
        excluded_reason=["", None, "identity", "superseded", "identity"],
    )
    counted = Counts.of(votes)
    assert counted.excluded == {"identity": 2, "superseded": 1}
    assert counted.total == 2 and counted.votes == {"x": 2, "y": 2}
    counted.fold(votes[2:4], -1)
    assert counted.excluded == {"identity": 1}
    np.testing.assert_array_equal(counted.fit().theta, Counts.of(votes[:2]).fit().theta)


def test_an_unknown_outcome_is_refused_and_never_taken_for_a_tie() -> None:
    for outcome in ("draw", None, ""):
        rows = ledger([("x", "y", "model_a"), ("x", "y", outcome)])
        with pytest.raises(BadInput, match="Battle 1 has the unknown outcome"):
            Counts.of(rows)
        assert Counts.of(rows.assign(excluded_reason=["", "outcome"])).excluded == {"outcome": 1}


def test_a_vote_must_name_two_contenders() -> None:
    for pair in (("x", "x"), ("x", None), (None, "y"), (math.nan, "y")):
        with pytest.raises(BadInput, match="battle 1 does not name two different"):
            Counts.of(ledger([("x", "y", "tie"), (*pair, "tie")]))


def test_a_vote_on_one_contender_that_does_not_count_is_only_counted() -> None:
    rows = [("x", "x", "model_a"), ("y", "z", "tie"), (None, "y", "tie")]
    votes = ledger(rows, excluded_reason=["itself", "", "identity"])
    counted = Counts.of(votes)
    assert counted.excluded == {"itself": 1, "identity": 1}
    assert counted.votes == {"y": 1, "z": 1} and counted.fit().names == ("y", "z")
    counted.fold(votes[:1], -1)
    assert counted.excluded == {"identity": 1}


def test_a_refused_row_leaves_the_counts_as_they_were() -> None:
    counted = Counts.of(ledger([("x", "y", "model_a")]))
    with pytest.raises(BadInput):
        counted.fold(ledger([("x", "new", "model_a"), ("x", "y", "draw")]))
    assert counted.votes == {"x": 1, "y": 1}


def test_columns_that_are_missing_are_named() -> None:
    with pytest.raises(BadInput, match="lack the columns rater, winner"):
        Counts.of(ledger([("x", "y", "tie")]).drop(columns=["rater", "winner"]))


def test_columns_of_any_kind_mean_the_same() -> None:
    votes = reference_votes()[list(OUTCOME_COLUMNS)]
    plain = Counts.of(votes).fit()
    for kind in ("category", "object", TEXT):
        fit = Counts.of(votes.astype(kind)).fit()
        np.testing.assert_allclose(fit.covariance, plain.covariance, rtol=0, atol=1e-14)
    both = pd.CategoricalDtype([*reversed(RESULTS["models"]), "without a vote"])
    listed = votes.astype({"model_a": both, "model_b": both, "rater": "category"})
    assert Counts.of(listed).votes == Counts.of(votes).votes


# Who may err together -------------------------------------------------------------------------


def test_unknown_raters_are_not_one_prolific_rater() -> None:
    """Nine raters, two thirds of the votes by nobody known."""
    votes = reference_votes()
    unknown = votes["battle_id"].astype(int) % 3 > 0
    for nobody in (None, "", math.nan):
        counted = Counts.of(votes.assign(rater=votes["rater"].astype(object).mask(unknown, nobody)))
        told = votes["rater"].mask(unknown, "alone in " + votes["battle_id"])
        expected = Counts.of(votes.assign(rater=told)).fit()
        np.testing.assert_allclose(counted.fit().covariance, expected.covariance, atol=1e-12)
        assert counted.fit().df[0] == pytest.approx(expected.df[0]) and expected.df[0] > 20


def test_when_no_rater_is_known_votes_are_clustered_by_battle() -> None:
    votes = reference_votes()
    by_battle = Counts.of(votes).fit(Method(clusters="battle"))
    for nobody in (None, ""):
        fit = Counts.of(votes.assign(rater=nobody)).fit()
        np.testing.assert_allclose(fit.covariance, by_battle.covariance, atol=1e-12)
        assert fit.df[0] == pytest.approx(by_battle.df[0])


def test_too_few_raters_leave_the_clusters_to_the_battles() -> None:
    votes = reference_votes()
    by_battle = Counts.of(votes).fit(Method(clusters="battle"))
    three = (votes["battle_id"].astype(int) % 3).astype("str")
    for rater in ("the only one", three):
        fit = Counts.of(votes.assign(rater=rater)).fit()
        np.testing.assert_allclose(fit.covariance, by_battle.covariance, atol=1e-12)


def test_a_single_cluster_leaves_the_model_its_own_variance() -> None:
    rows = [("x", "y", "model_a"), ("y", "z", "model_a"), ("z", "x", "tie")]
    fit = Counts.of(ledger(rows, battle_id="the only one")).fit()
    of_the_model = Counts.of(ledger(rows)).fit(Method(clusters="none", lean=1e15))
    np.testing.assert_allclose(fit.covariance, of_the_model.covariance, atol=1e-9)
    assert fit.df.tolist() == [1, 1, 1]


# Tables ---------------------------------------------------------------------------------------


def test_the_tally_equals_the_reference() -> None:
    tally = Counts.of(reference_votes()).tally()
    for name, expected in RESULTS["per_model"].items():
        row = tally.loc[name]
        assert row["votes"] == expected["votes"] and row["wins"] == expected["wins"]
        assert row["losses"] == expected["losses"] and row["both_bad"] == expected["both_bad"]
        assert row["ties"] + row["both_bad"] == expected["ties"]


def test_outcomes_by_pair_equal_the_reference() -> None:
    outcomes = Counts.of(reference_votes()).outcomes().set_index(["contender", "opponent"])
    for (one, other), row in outcomes.iterrows():
        i, j = RESULTS["models"].index(one), RESULTS["models"].index(other)
        assert row["wins"] == RESULTS["wins"][i][j] and row["losses"] == RESULTS["wins"][j][i]
        assert row["ties"] + row["both_bad"] == RESULTS["ties"][i][j]
