"""Raters weighed by reliability: those that were planted are found; standings without each."""

from __future__ import annotations

import json
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from arena.core.errors import BadInput
from arena.core.standings.bradley_terry import Method
from arena.core.standings.counts import Counts
from arena.core.standings.reliability import weighed, without_each
from tests.core.tables import REFERENCE, ledger, reference_votes

ORACLE = REFERENCE / "noisy_bradley_terry.json"


def planted() -> pd.DataFrame:
    """Eight good raters, two that click at random and one robot that always takes the first."""
    rng = np.random.default_rng(7)
    strength = {"a": 1.2, "b": 0.4, "c": 0.0, "d": -0.5, "e": -1.1}
    rows, raters = [], []
    for rater in [*(f"good{n}" for n in range(8)), "random0", "random1", "robot"]:
        for _ in range(120):
            a, b = rng.choice(list(strength), 2, replace=False)
            p = 1 / (1 + np.exp(strength[b] - strength[a]))
            p = 0.5 if rater.startswith("random") else 1.0 if rater == "robot" else p
            rows.append((a, b, "model_a" if rng.random() < p else "model_b"))
            raters.append(rater)
    return ledger(rows).assign(rater=raters)


def test_planted_raters_are_found_and_weigh_little() -> None:
    votes = planted()
    table, raters = weighed(votes)
    assert set(raters["rater"][:3]) == {"random0", "random1", "robot"}
    assert raters["reliability"][2] < 0.5 < raters["reliability"][4]
    good = Counts.of(votes[votes["rater"].str.startswith("good")]).fit()
    truth = dict(zip(good.names, good.rating, strict=True))
    off = {
        c: (table[c] - table["contender"].map(truth)).abs().mean()
        for c in ("rating", "rating_weighed")
    }
    assert off["rating_weighed"] < off["rating"] / 2
    assert table["contender"].tolist() == list("abcde")


def test_it_agrees_with_crowd_kit() -> None:
    """Its model has a bias of each rater besides, which takes a robot for skilled but biased, and
    scores on another scale: the order is the same, and nearly the distances."""
    oracle = json.loads(ORACLE.read_text("utf-8"))
    table, _ = weighed(planted(), Method(prior_sd=100.0))
    scores = table["contender"].map(oracle["scores"])
    assert scores.is_monotonic_decreasing
    assert np.corrcoef(table["rating_weighed"], np.log(scores / (1 - scores)))[0, 1] > 0.98


def test_whole_tables_of_one_mind_move_little() -> None:
    votes = reference_votes()
    table, raters = weighed(votes)
    assert table["move"].abs().max() < 80 and raters["votes"].sum() == 300
    assert raters["reliability"].between(0, 1).all()


def test_without_each_rater_is_a_refit_without_their_votes() -> None:
    votes = reference_votes()
    table = without_each(votes)
    first = table.iloc[0]
    rest = Counts.of(votes[votes["rater"] != first["rater"]]).fit()
    plain = Counts.of(votes).fit()
    at, before = rest.names.index(first["moved"]), plain.names.index(first["moved"])
    assert first["by"] == pytest.approx(rest.rating[at] - plain.rating[before], abs=1e-6)
    assert first["first_place"] == rest.names[int(np.argmax(rest.rating))]
    assert len(table) == votes["rater"].nunique() and table["by"].abs().is_monotonic_decreasing


@pytest.mark.parametrize("bad", ["tie", "drop"])
def test_votes_that_are_all_left_out_tell_nothing(bad: Literal["tie", "drop"]) -> None:
    votes = ledger([("a", "b", "tie"), ("a", "c", "both_bad")]).assign(rater=["r", "s"])
    method = Method(ties="drop", bad=bad)
    table, raters = weighed(votes, method)
    assert table.empty and raters["votes"].tolist() == [1, 1]
    assert without_each(votes, method).empty
    more = pd.concat([votes, ledger([("a", "b", "model_a")]).assign(rater="t")])
    table, raters = weighed(more, method)
    assert table["contender"].tolist() == ["a", "b"] and len(raters) == 3


def test_nobody_and_one_rater() -> None:
    assert without_each(ledger([("a", "b", "model_a")])).empty
    table, raters = weighed(ledger([("a", "b", "model_a")]))
    assert len(table) == 2 and raters["votes"].tolist() == [1]
    with pytest.raises(BadInput):
        weighed(ledger([("a", "b", "oops")]))
