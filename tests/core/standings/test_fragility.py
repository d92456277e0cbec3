"""The fewest votes that hold an order, held against every removal there is."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from arena.core.standings.bradley_terry import Method
from arena.core.standings.counts import Counts
from arena.core.standings.fragility import fragility
from tests.core.tables import chance_votes, ledger


def found(votes: pd.DataFrame, method: Method = Method()) -> pd.DataFrame:
    return fragility(Counts.of(votes), votes, method)


def gap(votes: pd.DataFrame, upper: str, lower: str, method: Method = Method()) -> float:
    fit = Counts.of(votes).fit(method)
    theta = dict(zip(fit.names, fit.theta, strict=True))
    return float(theta.get(upper, 0.0) - theta.get(lower, 0.0))


def fewest(votes: pd.DataFrame, upper: str, lower: str) -> int:
    """By trying every removal, the small ones first."""
    for number in range(1, len(votes)):
        for left_out in combinations(votes.index, number):
            if gap(votes.drop(index=list(left_out)), upper, lower) < 0:
                return number
    raise AssertionError("nothing turns them round")


@pytest.mark.untraced
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))]
)
def test_no_smaller_removal_turns_neighbours_round(seed: int) -> None:
    votes = chance_votes(14, 3, 4, seed=seed)
    for row in found(votes).dropna(subset="votes").itertuples():
        if row.votes < 4:
            assert row.votes == fewest(votes, row.upper, row.lower)


def test_of_two_contenders_one_more_than_the_lead_has_to_go() -> None:
    votes = ledger([("a", "b", "model_a")] * 12 + [("b", "a", "model_a")] * 7)
    first, second = found(votes).to_dict("records")
    assert first["first_place"] and not second["first_place"]
    assert first["votes"] == second["votes"] == 6 and first["share"] == pytest.approx(6 / 19)
    assert len(first["which"]) == 6 and set(first["which"]) <= set(map(str, range(12)))


def test_a_long_lead_takes_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    votes = ledger([("a", "b", "model_a")] * 9_700 + [("a", "b", "model_b")] * 300)
    refit, refits = Counts.strengths, list[None]()

    def told(*given: Any) -> Any:
        refits.append(None)
        return refit(*given)

    monkeypatch.setattr(Counts, "strengths", told)
    assert found(votes)["votes"].tolist() == [9_401, 9_401]
    assert len(refits) < 100


@pytest.mark.parametrize("ties", ["half", "drop", "davidson"])
def test_a_refit_without_the_named_votes_confirms_it(ties: str) -> None:
    votes = chance_votes(400, 6, 30, seed=5).assign(id=[f"v{n}" for n in range(400)])
    method = Method(ties=ties)  # type: ignore[arg-type]
    table = found(votes, method)
    named = table[table["votes"] <= 20]
    assert len(named)
    for row in named.itertuples():
        assert len(set(row.which)) == row.votes
        without = votes[~votes["id"].isin(row.which)]
        assert gap(without, row.upper, row.lower, method) < 0
        assert row.gap_without < 0 <= row.gap


def test_who_has_no_vote_left_without_the_named_ones_is_nobody_more() -> None:
    """As after the first battle of all: each has met each other one once."""
    once = ledger([("a", "b", "model_a"), ("c", "b", "model_a"), ("a", "c", "model_a")])
    table = found(once)
    assert table["upper"].tolist() == ["a", "a", "c"]
    assert (table["gap_without"].dropna() < 0).all()


def test_the_last_of_a_group_and_whoever_never_met_have_no_rival() -> None:
    votes = ledger([("a", "b", "model_a"), ("c", "d", "model_a")])
    table = found(votes)
    assert table["votes"].isna().all() and not table["which"].any()
    assert found(ledger([])).empty


@pytest.mark.untraced
def test_many_votes_are_no_more_work_than_few() -> None:
    votes = chance_votes(100_000, 12, 500, seed=2)
    table = found(votes)
    assert len(table) == 12 and (table["gap_without"].dropna() < 0).all()
    assert np.isfinite(table.loc[0, "share"])


def hanging_on_one_win(number: int) -> pd.DataFrame:
    """So many votes; the strongest has a twin with the same record, and has beaten it once."""
    votes = chance_votes(number * 9 // 10, 8, 500, seed=3, battle=1)
    fit = Counts.of(votes).fit(Method())
    strongest = fit.names[int(np.argmax(fit.theta))]
    own = (votes[["model_a", "model_b"]] == strongest).any(axis=1)
    twin = votes[own].replace({strongest: "twin"})
    last = ledger([(strongest, "twin", "model_a")])[list(votes)]
    rest = votes[~own].head(number - 2 * len(twin) - 1)
    every = pd.concat([votes[own], twin, rest, last.assign(excluded_reason="")], ignore_index=True)
    return every.assign(id=every.index.astype(str))


@pytest.mark.slow
def test_of_as_many_votes_as_were_published_no_single_one_does_what_two_do() -> None:
    """57 477 votes whose first place hangs on two: a refit without them turns it round, and one
    without any single vote there is does not."""
    votes = hanging_on_one_win(57_477)
    assert len(votes) == 57_477
    first = found(votes).iloc[0]
    assert first["first_place"] and {first["upper"], first["lower"]} > {"twin"}
    assert first["votes"] == len(first["which"]) == 2 and first["gap_without"] < 0 <= first["gap"]
    assert gap(votes[~votes["id"].isin(first["which"])], first["upper"], first["lower"]) < 0
    counts, method = Counts.of(votes), Method()
    *_, times = counts.cells()
    for kind in np.flatnonzero(times):
        fewer = times.copy()
        fewer[kind] -= 1
        fit = counts.strengths(fewer, method)
        theta = dict(zip(fit.names, fit.theta, strict=True))
        assert theta[first["upper"]] >= theta[first["lower"]] - 1e-9
