"""How sure neighbours are in order, and that the battles foretold are about what it takes."""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import binom

from arena.core.standings.bradley_terry import POINTS_PER_LOGIT, Fit, Method, quantile
from arena.core.standings.certainty import NEIGHBOURS, neighbours
from arena.core.standings.counts import Counts
from tests.core.tables import chance_votes, ledger, reference_votes


def of(votes: pd.DataFrame, method: Method = Method()) -> pd.DataFrame:
    return neighbours(Counts.of(votes).fit(method))


def test_each_contender_stands_beside_the_next_one_below() -> None:
    table = of(reference_votes())
    assert {c: str(t) for c, t in table.dtypes.items()} == NEIGHBOURS
    assert table["upper"].tolist()[0] == "delta-large"
    assert table["upper"].tolist()[1:] == table["lower"].tolist()[:-1]
    fit = Counts.of(reference_votes()).fit()
    rating = dict(zip(fit.names, fit.rating, strict=True))
    for row in table.itertuples():
        assert row.gap == pytest.approx(rating[row.upper] - rating[row.lower])
    assert table["p_right"].between(0.5, 1).all()


def test_who_never_met_are_no_neighbours() -> None:
    rows = [("p", "q", "model_a"), *[("x", "y", "model_a"), ("y", "z", "model_a")] * 3]
    table = of(ledger(rows))
    pairs = list(zip(table["upper"], table["lower"], table["group"], strict=True))
    assert pairs == [("x", "y", 0), ("y", "z", 0), ("p", "q", 1)]


def test_settled_means_that_the_interval_of_the_difference_leaves_out_zero() -> None:
    for seed in range(4):
        votes = chance_votes(300, 6, 40, seed=seed)
        for method in (Method(), Method(clusters="none"), Method(clusters="battle")):
            table = of(votes, method)
            settled = table["battles_to_settle"] == 0
            np.testing.assert_array_equal(settled, table["p_right"] > 0.975)
            assert settled.any() and not settled.all()


def test_a_gap_that_is_half_as_wide_takes_about_four_times_the_battles() -> None:
    votes = [("x", "y", "model_a")] * 52 + [("x", "y", "model_b")] * 48
    wider = [("x", "y", "model_a")] * 54 + [("x", "y", "model_b")] * 46
    few, many = (of(ledger(v), Method(prior_sd=100)).loc[0] for v in (wider, votes))
    assert many["gap"] == pytest.approx(few["gap"] / 2, rel=0.01)
    total = [row["battles_to_settle"] + 100 for row in (many, few)]
    assert total[0] / total[1] == pytest.approx(4, rel=0.05)


def test_equals_are_as_likely_right_as_wrong_and_never_settled() -> None:
    table = of(ledger([("x", "y", "tie"), ("y", "x", "tie")]))
    assert table.loc[0, ["upper", "lower"]].tolist() == ["x", "y"]
    assert table.loc[0, "p_right"] == 0.5 and math.isinf(table.loc[0, "battles_to_settle"])
    without_error = Method(prior_sd=math.inf, lean=0, clusters="none")
    table = of(ledger([("x", "y", "tie"), ("y", "z", "tie")]), without_error)
    assert table["p_right"].eq(0.5).all() and np.isinf(table["battles_to_settle"]).all()


def test_nobody_and_one_vote_have_their_neighbours() -> None:
    for nothing in (
        Counts().fit(),
        Counts.of(ledger([("x", "y", "tie")])).fit(Method(ties="drop")),
    ):
        table = neighbours(nothing)
        assert table.empty and {c: str(t) for c, t in table.dtypes.items()} == NEIGHBOURS
    one = of(ledger([("x", "y", "model_b")])).loc[0]
    assert one["upper"] == "y" and 0.5 < one["p_right"] < 0.975
    assert 1 <= one["battles_to_settle"] < 100


def settled(fit: Fit, upper: str, lower: str) -> bool:
    """The interval of the difference is above 0."""
    i, j = fit.names.index(upper), fit.names.index(lower)
    error = np.sqrt(fit.variance_of_differences[i, j])
    return bool(fit.theta[i] - fit.theta[j] > quantile(fit.df[[i]])[0] * error)


def chance_to_settle(counted: Counts, upper: str, lower: str, number: int, p: float) -> float:
    """Of having settled the order after so many votes between the two by new raters, the upper one
    winning each with probability p: that of as many wins as it takes."""

    def settles(won: int) -> bool:
        votes = [(upper, lower, "model_a" if n < won else "model_b") for n in range(number)]
        more = ledger(votes, rater="")
        more["battle_id"] = "new " + more["battle_id"]
        counted.fold(more)
        fit = counted.fit()
        counted.fold(more, -1)
        return settled(fit, upper, lower)

    takes = bisect_left(range(number + 1), True, key=settles)
    return float(binom.sf(takes - 1, number, p))


@pytest.mark.parametrize(("votes", "contenders", "seed"), [(40, 3, 1), (200, 5, 2), (1500, 6, 3)])
def test_about_as_many_battles_as_foretold_settle_the_order(
    votes: int, contenders: int, seed: int
) -> None:
    """The gap being the true one: at half the number most orders are still open, at twice the
    number most are settled."""
    counted = Counts.of(chance_votes(votes, contenders, votes, seed=seed, battle=1))
    tried = 0
    for row in neighbours(counted.fit()).itertuples():
        if not 4 <= row.battles_to_settle <= 20_000:
            continue
        tried += 1
        p = expit(row.gap / POINTS_PER_LOGIT)
        half, twice = (
            chance_to_settle(counted, row.upper, row.lower, int(row.battles_to_settle * factor), p)
            for factor in (0.5, 2)
        )
        assert half < 0.5 < twice, (row, half, twice)
    assert tried
