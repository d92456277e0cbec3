"""Standings: what is in the table and what is not, and the properties they must have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.errors import BadInput
from arena.core.standings import leaderboard
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT, PRIOR_SD, Method
from arena.core.standings.counts import Counts
from arena.core.standings.leaderboard import (
    HEAD_TO_HEAD,
    STANDINGS,
    Movement,
    head_to_head,
    movement,
    speeds,
    superseding,
)
from arena.core.standings.simultaneous import whole_order
from arena.core.standings.votes import TEXT, Vote
from tests.core.tables import RESULTS, WINNERS, ledger, reference_votes

SWAPPED = {"model_a": "model_b", "model_b": "model_a", "tie": "tie", "both_bad": "both_bad"}


def standings(source: Counts | pd.DataFrame, **how: Any) -> pd.DataFrame:
    """Of counts, or of rows as they come from a ledger."""
    if isinstance(source, pd.DataFrame):
        told = superseding(source) if "supersedes" in source else source
        source, how = Counts.of(told), {"speeds": speeds(told), **how}
    return leaderboard.standings(source, **how)


def types(table: pd.DataFrame) -> dict[str, str]:
    return {str(column): str(kind) for column, kind in table.dtypes.items()}


# What is in the table -------------------------------------------------------------------------


def test_records_and_ratings_equal_the_reference() -> None:
    table = standings(reference_votes()).set_index("contender").loc[RESULTS["models"]]
    expected = RESULTS["results"]["recommended_voter"]
    for column in ("rating", "lower", "upper"):
        np.testing.assert_allclose(table[column], expected[column], rtol=0, atol=1e-7)
    for column in ("rank_best", "rank_worst"):
        assert table[column].tolist() == expected[column]
    assert table["rank"].tolist() == [3, 4, 5, 1, 2, 6]
    for name, record in RESULTS["per_model"].items():
        row = table.loc[name]
        assert [row[c] for c in ("votes", "wins", "losses", "both_bad")] == [
            record[c] for c in ("votes", "wins", "losses", "both_bad")
        ]
        assert row["win_rate"] == pytest.approx(record["win_rate_ties_half"])
        assert row["both_bad_rate"] == pytest.approx(record["both_bad"] / record["votes"])


def test_counts_and_their_rows_give_the_same_standings() -> None:
    votes = reference_votes()
    for method in (Method(), Method(ties="drop", clusters="battle", anchor="echo-moe")):
        of_counts = standings(Counts.of(votes), method=method)
        pd.testing.assert_frame_equal(of_counts, standings(votes, method=method))


def test_no_votes_give_an_empty_table_of_the_right_types() -> None:
    for nothing in (pd.DataFrame(), ledger([]), Counts()):
        table = standings(nothing)
        assert table.empty and types(table) == STANDINGS
    assert types(standings(reference_votes(), roster=["new"])) == STANDINGS


def test_a_contender_of_the_roster_without_votes_comes_last_and_unranked() -> None:
    table = standings(ledger([("x", "y", "model_a")]), roster=["x", "a newcomer"])
    assert table["contender"].tolist() == ["x", "y", "a newcomer"]
    newcomer = table.iloc[-1]
    for column in ("rank", "rating", "win_rate", "both_bad_rate", "group"):
        assert pd.isna(newcomer[column])
    assert newcomer["votes"] == newcomer["battles"] == newcomer["wins"] == 0
    assert standings(Counts(), roster=["b", "a"])["contender"].tolist() == ["a", "b"]


def test_who_has_only_ties_stays_in_the_table_when_ties_are_dropped() -> None:
    votes = ledger([("x", "y", "model_a"), ("x", "z", "tie"), ("y", "z", "both_bad")])
    table = standings(votes, method=Method(ties="drop")).set_index("contender")
    assert list(table.index) == ["x", "y", "z"]
    assert pd.isna(table.loc["z", "rating"]) and table.loc["z", "votes"] == 2
    assert table["votes"].tolist() == [2, 2, 2] and table.loc["x", "ties"] == 1


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


def test_one_lost_vote_does_not_stand_above_fifty_and_is_marked() -> None:
    table = standings(ledger([("a", "b", "model_a")] * 50 + [("a", "c", "model_a")]))
    assert table["contender"].tolist() == ["a", "b", "c"] and table["rank"].tolist() == [1, 2, 3]
    assert table["few"].tolist() == [False, False, True]
    assert table["rank_best"].tolist()[2] <= 2
    once = [("a", "b", "model_a")] * 50 + [("a", "b", "model_b"), ("a", "c", "model_a")]
    assert standings(ledger(once))["contender"].tolist() == ["a", "b", "c"]


def test_who_stands_behind_has_a_rank_within_its_open_ones_and_lifts_nobody_out_of_theirs() -> None:
    times = [("a", "b", 300), ("b", "a", 100), ("a", "c", 4000), ("c", "a", 2), ("b", "c", 3900)]
    times += [("c", "b", 3), ("a", "d", 3)]
    counts = Counts.of(ledger([(won, lost, "model_a") for won, lost, n in times for _ in range(n)]))
    table = standings(counts)
    assert table["contender"].tolist() == ["a", "b", "c", "d"]
    assert table["rating"][3] > table["rating"][2]
    whole = whole_order(counts.fit())
    assert whole["contender"].tolist() == ["a", "b", "c", "d"]
    for best, worst in (("rank_best", "rank_worst"), ("rank_best_all", "rank_worst_all")):
        assert ((whole[best] <= table["rank"]) & (table["rank"] <= whole[worst])).all()
    assert table["rank_worst"].equals(whole["rank_worst"].astype("Int64"))


def test_contenders_that_never_met_are_ranked_apart() -> None:
    together = [("x", "y", "model_a"), ("y", "z", "model_a")] * 3
    table = standings(ledger([("p", "q", "model_a"), *together])).set_index("contender")
    assert table["group"].to_dict() == {"x": 0, "y": 0, "z": 0, "p": 1, "q": 1}
    assert table["rank"].to_dict() == {"x": 1, "y": 2, "z": 3, "p": 1, "q": 2}
    alone = standings(ledger([("p", "q", "model_a")])).set_index("contender")
    for column in ("rating", "lower", "upper"):
        assert table.loc["p", column] == pytest.approx(alone.loc["p", column])
    assert table["rank_worst"].max() <= 3


def test_ratings_made_otherwise_take_the_place_of_the_fit() -> None:
    counted = Counts.of(reference_votes())
    other = counted.fit(Method(prior_sd=0.1))
    table = standings(counted, fitted=other).set_index("contender")
    np.testing.assert_array_equal(table.loc[list(other.names), "rating"], other.rating)


# What is superseded ---------------------------------------------------------------------------


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
    assert Counts.of(superseding(votes)).excluded == {"superseded": 1, "identity": 1}


def test_rows_are_told_that_they_are_superseded() -> None:
    votes = ledger([("x", "y", "tie")] * 5, supersedes=["", None, "0", "2", "4"])
    for kind in ("object", "category", TEXT):
        told = superseding(votes.astype(kind))["excluded_reason"].fillna("").tolist()
        assert told == ["superseded", "", "superseded", "", ""]
    nothing = votes.assign(supersedes="")
    assert superseding(nothing) is nothing and superseding(pd.DataFrame()).empty
    with pytest.raises(BadInput, match="ballot_id"):
        superseding(votes.drop(columns="ballot_id"))


# Speed ----------------------------------------------------------------------------------------


def test_speed_is_the_median_over_replies_not_over_pairs() -> None:
    """x answered twice: slowly where it was judged in two pairs, fast where in one."""
    votes = ledger(
        [("x", "y", "model_a"), ("x", "z", "model_a"), ("y", "x", "tie")],
        battle_id=["1", "1", "2"],
        ttft_ms_a=[300.0, 300.0, None],
        ttft_ms_b=[50.0, None, 100.0],
        tokens_per_s_a=[10.0, 10.0, None],
        tokens_per_s_b=[None, None, 30.0],
        output_tokens_a=[400, 400, None],
        output_tokens_b=[90, None, 200],
    )
    table = standings(votes).set_index("contender")
    assert table.loc["x", ["ttft_ms", "tokens_per_s", "reply_tokens"]].tolist() == [200, 20, 300]
    assert table.loc["y", "ttft_ms"] == 50
    assert table.loc["z", ["ttft_ms", "tokens_per_s", "reply_tokens"]].isna().all()
    assert table["battles"].to_dict() == {"x": 2, "y": 2, "z": 1}


def test_speeds_are_of_votes_that_count_and_may_come_from_elsewhere() -> None:
    votes = ledger(
        [("x", "y", "tie")] * 3, ttft_ms_a=[10.0, 30.0, 900.0], excluded_reason=["", "", "identity"]
    )
    measured = speeds(votes)
    assert measured.loc["x", "ttft_ms"] == 20 and np.isnan(measured.loc["y", "ttft_ms"])
    given_them = standings(Counts.of(votes), speeds=measured)
    pd.testing.assert_frame_equal(given_them, standings(votes))
    assert standings(Counts.of(votes))["ttft_ms"].isna().all()
    assert speeds(pd.DataFrame()).empty and speeds(votes[["model_a", "model_b"]]).empty


# What one battle did --------------------------------------------------------------------------


def told(votes: pd.DataFrame) -> list[Vote]:
    reasons = [reason if isinstance(reason, str) else "" for reason in votes["excluded_reason"]]
    return [
        Vote(at, row.battle_id, "", 1, "A", "B", row.model_a, row.model_b, row.winner, reason)
        for at, (row, reason) in enumerate(zip(votes.itertuples(), reasons, strict=True))
    ]


def moved_by(votes: pd.DataFrame, battle: str) -> dict[str, Movement]:
    its = told(votes[votes["battle_id"] == battle])
    moved = movement(Counts.of(votes), its, its)
    return {each.contender: each for each in moved}


def test_movement_compares_the_standings_without_and_with_a_battle() -> None:
    rows = [("x", "y", "model_a"), ("y", "x", "model_a"), ("y", "x", "model_a"), ("z", "x", "tie")]
    votes = ledger(rows, battle_id=["1", "2", "2", "3"])
    moved = moved_by(votes, "2")
    assert list(moved) == ["y", "x"]
    before = standings(votes[votes["battle_id"] != "2"]).set_index("contender")
    after = standings(votes).set_index("contender")
    for name, its in moved.items():
        assert its.rating_before == pytest.approx(before.loc[name, "rating"])
        assert its.rating_after == pytest.approx(after.loc[name, "rating"])
        assert its.rank_before == before.loc[name, "rank"]
        assert its.rank_after == after.loc[name, "rank"]
    assert {name: its.rank_before for name, its in moved.items()} == {"x": 1, "y": 3}


def test_what_a_battle_moved_is_asked_without_a_change_of_the_counts() -> None:
    votes = ledger([("x", "y", "model_a"), ("y", "z", "tie")])
    counted = Counts.of(votes)
    assert movement(counted, told(votes[:1]), told(votes[:1]))
    pd.testing.assert_frame_equal(standings(counted), standings(Counts.of(votes)))


def test_a_newcomer_has_no_standing_before_its_first_battle() -> None:
    for rank, its in enumerate(moved_by(ledger([("x", "y", "model_a")]), "0").values(), 1):
        assert its.rating_before is None and its.rank_before is None
        assert its.rank_after == rank


def test_a_battle_whose_votes_do_not_count_moves_nobody() -> None:
    votes = ledger([("x", "y", "model_a")] * 2, excluded_reason=[None, "identity"])
    moved = moved_by(votes, "1")
    assert len(moved) == 2
    for its in moved.values():
        assert its.rating_before == its.rating_after and its.rank_before == its.rank_after


def test_a_battle_without_votes_has_no_movement() -> None:
    assert not moved_by(ledger([("x", "y", "tie")]), "elsewhere")
    assert not movement(Counts(), [], [])


# Who beat whom --------------------------------------------------------------------------------


def test_head_to_head_tells_each_pair_from_both_sides() -> None:
    table = head_to_head(Counts.of(reference_votes()))
    assert types(table) == HEAD_TO_HEAD and len(table) == 30
    models = RESULTS["models"]
    for row in table.itertuples():
        i, j = models.index(row.contender), models.index(row.opponent)
        assert row.wins == RESULTS["wins"][i][j] and row.losses == RESULTS["wins"][j][i]
        assert row.ties + row.both_bad == RESULTS["ties"][i][j]
        assert row.votes == row.wins + row.losses + row.ties + row.both_bad
        assert row.win_rate == pytest.approx((row.wins + RESULTS["ties"][i][j] / 2) / row.votes)
    nothing = head_to_head(Counts())
    assert nothing.empty and types(nothing) == HEAD_TO_HEAD


# Properties -----------------------------------------------------------------------------------

NAMES = ["a", "b", "c", "d", "e"]
PAIRS = st.permutations(NAMES).map(lambda names: (names[0], names[1]))
VOTE = st.tuples(PAIRS, st.sampled_from(sorted(WINNERS)), st.integers(0, 6), st.integers(0, 12))


@st.composite
def small_ledgers(draw: st.DrawFn) -> pd.DataFrame:
    votes = draw(st.lists(VOTE, min_size=1, max_size=40))
    return ledger(
        [(*pair, winner) for pair, winner, _, _ in votes],
        rater=[None if rater == 0 else str(rater) for *_, rater, _ in votes],
        battle_id=[str(battle) for _, _, _, battle in votes],
    )


@given(small_ledgers())
@settings(deadline=None, max_examples=30)
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


@pytest.mark.slow
@given(small_ledgers(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=30)
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
@settings(deadline=None, max_examples=30)
@pytest.mark.slow
def test_a_contender_that_wins_one_vote_more_is_rated_higher(votes: pd.DataFrame) -> None:
    before = standings(pd.concat([votes, ledger([("a", "b", "tie")])])).set_index("contender")
    after = standings(pd.concat([votes, ledger([("a", "b", "model_a")])])).set_index("contender")
    assert after.loc["a", "rating"] > before.loc["a", "rating"]
    assert after.loc["b", "rating"] < before.loc["b", "rating"]


@pytest.mark.slow
@pytest.mark.parametrize(("battles", "raters"), [(6, 1), (40, 3), (200, 12)])
def test_the_intervals_cover_the_truth_as_often_as_they_say(battles: int, raters: int) -> None:
    """Knockouts of three by raters who differ in taste; strengths from the prior."""
    rng = np.random.default_rng(20)
    inside, number = [], 6
    names = np.array(list("abcdef"))
    battle = np.arange(battles).astype(str)
    for _ in range(250):
        truth = rng.normal(0, 0.8, number)
        taste = truth + rng.normal(0, 0.25, (raters, number))
        rater = rng.integers(raters, size=battles)
        winner, *challengers = rng.random((battles, number)).argsort(axis=1).T[:3]
        pairs = []
        for challenger in challengers:
            p = 1 / (1 + np.exp(taste[rater, challenger] - taste[rater, winner]))
            won = rng.random(battles) < p
            columns = {"battle_id": battle, "rater": rater.astype(str), "excluded_reason": ""}
            columns |= {"model_a": names[winner], "model_b": names[challenger]}
            pairs.append(pd.DataFrame(columns | {"winner": np.where(won, "model_a", "model_b")}))
            winner = np.where(won, winner, challenger)
        table = standings(Counts.of(pd.concat(pairs, ignore_index=True)))
        if table["group"].max() > 0 or len(table) < number:
            continue
        table = table.set_index("contender").loc[names]
        target = 1000 + POINTS_PER_LOGIT * (truth - truth.mean())
        inside.append((table["lower"] <= target) & (target <= table["upper"]))
    assert len(inside) > 100
    assert 0.93 <= np.mean(inside) <= 1.0
