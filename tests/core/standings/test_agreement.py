"""Agreement, held against published tables, the library and closed forms."""

from __future__ import annotations

import krippendorff
import numpy as np
import pandas as pd
import pytest

from arena.core.standings.agreement import (
    AGREEMENT,
    RATERS,
    agreement,
    alpha,
    cohen_kappa,
    fleiss_kappa,
    plain_agreement,
    raters,
    with_repeats,
)
from arena.core.standings.review import review_of

KRIPPENDORFF = np.array(  # Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, C.
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
)
FLEISS = np.array(  # Fleiss 1971, the table of ten subjects and fourteen raters that is taught.
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)


def table_of(ratings: np.ndarray) -> np.ndarray:
    return np.array([[(unit == v).sum() for v in range(1, 6)] for unit in ratings.T])


def votes(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    """(prompt, rater, a, b, winner)"""
    made = pd.DataFrame(rows, columns=["prompt_id", "rater", "model_a", "model_b", "winner"])
    return made.assign(study="", round=1, excluded_reason="")


def test_alpha_is_the_published_one() -> None:
    assert alpha(table_of(KRIPPENDORFF)) == pytest.approx(0.743, abs=5e-4)


def test_fleiss_kappa_is_the_published_one() -> None:
    assert fleiss_kappa(FLEISS) == pytest.approx(0.210, abs=5e-4)


def test_cohens_kappa_is_the_published_one() -> None:
    """Of 50 proposals 20 are yes for both, 15 no for both, 5 and 10 split: 0.4."""
    one = np.repeat([0, 0, 1, 1], [20, 5, 10, 15])
    other = np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
    assert cohen_kappa(one, other) == pytest.approx(0.4)


def test_alpha_is_that_of_the_library_of_its_name() -> None:
    chance = np.random.default_rng(3)
    for size in (2, 3, 40):
        table = chance.integers(0, 3, size=(size, 4))
        theirs = krippendorff.alpha(value_counts=table, level_of_measurement="nominal")
        assert alpha(table) == pytest.approx(theirs, abs=1e-12)
    assert np.isnan(alpha(np.array([[1, 0], [0, 1]]))), "nobody judged what another did"
    assert np.isnan(alpha(np.array([[2, 0], [3, 0]]))), "nothing but one value occurs"


def test_with_two_raters_alpha_nears_cohens_kappa() -> None:
    rng = np.random.default_rng(1)
    one = rng.integers(0, 3, 4000)
    other = np.where(rng.random(4000) < 0.7, one, rng.integers(0, 3, 4000))
    table = np.zeros((4000, 4), int)
    for judged in (one, other):
        table[np.arange(4000), judged] += 1
    assert alpha(table) == pytest.approx(cohen_kappa(one, other), abs=2e-3)
    assert plain_agreement(table) == pytest.approx((one == other).mean())


def test_seats_do_not_matter_and_a_second_judgement_is_not_another_raters() -> None:
    found = votes(
        ("p1", "r1", "x", "y", "model_a"),
        ("p1", "r2", "y", "x", "model_b"),
        ("p1", "r1", "x", "y", "model_b"),
        ("p2", "r1", "x", "y", "tie"),
        ("p2", "r2", "x", "y", "tie"),
        ("p3", "r1", "x", "y", "tie"),
        ("", "r9", "x", "y", "tie"),
    )
    table = agreement(found).set_index("measure")
    assert (table["items"] == 2).all() and (table["judgements"] == 4).all()
    assert table["value"].to_dict() == dict.fromkeys(table.index, 1.0)
    each = raters(found).set_index("rater")
    assert each.loc["r1", ["shared", "repeated"]].tolist() == [2, 1]
    assert each.loc["r1", "agrees_with_self"] == 0 and np.isnan(each.loc["r2", "agrees_with_self"])


def test_what_a_rater_judged_again_counts_only_beside_what_counts_of_them() -> None:
    found = votes(
        ("p1", "r1", "x", "y", "model_a"),
        ("p1", "r2", "x", "y", "model_a"),
        ("p1", "r1", "x", "y", "model_b"),
        ("p1", "r2", "x", "y", "model_b"),
        ("p2", "r2", "x", "y", "model_b"),
    ).assign(excluded_reason=["", "operator", "repeat", "repeat", ""])
    told = with_repeats(found)
    assert told["excluded_reason"].tolist() == ["", "operator", "", "repeat", ""]
    assert raters(told).set_index("rater")["repeated"].to_dict() == {"r1": 1, "r2": 0}
    elsewhere = found.assign(study=["pilot", "", "main", "", ""])
    assert with_repeats(elsewhere)["excluded_reason"].tolist()[2] == "repeat"
    reviewed = review_of(found.assign(battle_id=[f"b{n}" for n in range(len(found))]))
    assert reviewed.raters.set_index("rater").loc["r1", "agrees_with_self"] == 0


def test_prompts_of_two_studies_are_two_whatever_they_are_called() -> None:
    one = votes(*(("1", rater, "x", "y", "model_a") for rater in ("r1", "r2")))
    other = votes(*(("1", rater, "x", "y", "model_b") for rater in ("r1", "r3")))
    both = pd.concat([one.assign(study="pilot"), other.assign(study="main")])
    table = agreement(both).set_index("measure").loc["agreement"]
    assert table[["value", "items", "judgements"]].tolist() == [1, 2, 4]
    assert not np.isnan(table["lower"]), "drawn over two prompts"
    assert raters(both)["repeated"].sum() == 0


def test_a_rater_who_guesses_is_found_and_intervals_hold_the_value() -> None:
    rng = np.random.default_rng(2)
    rows = []
    for item in range(60):
        truth = rng.choice(["model_a", "model_b", "tie"])
        for rater in ("r1", "r2", "r3", "robot"):
            said = truth if rng.random() < 0.8 else rng.choice(["model_a", "model_b", "tie"])
            rows.append((f"p{item}", rater, "x", "y", "model_a" if rater == "robot" else said))
    table = agreement(votes(*rows))
    assert list(table.columns) == list(AGREEMENT)
    assert (table["lower"] < table["value"]).all() and (table["value"] < table["upper"]).all()
    each = raters(votes(*rows))
    assert list(each.columns) == list(RATERS)
    assert each.loc[0, "rater"] == "robot" and each.loc[0, "first_seat"] == 1
    assert each.loc[0, "kappa"] < 0.2 < each.loc[1, "kappa"]


def eliminations(rng: np.random.Generator, prompts: int, judging: int, raters: int) -> pd.DataFrame:
    """Of three, each by so many of the raters, who choose by chance: two ballots, three items."""
    rows: list[tuple[str, str, str, str, str]] = []
    for prompt in range(prompts):
        for rater in rng.choice(raters, judging, replace=False):
            *kept, out = (str(name) for name in rng.permutation(["x", "y", "z"]))
            best, other = kept
            pairs = (best, out), (other, out), (best, other)
            rows += ((f"p{prompt}", f"r{rater}", *pair, "model_a") for pair in pairs)
    made = votes(*rows)
    return made.assign(round=[1, 1, 2] * (len(made) // 3))


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say_where_ballots_judge_several_pairs() -> None:
    """By chance alpha is 0 but for what few items add, and whoever judges agrees with half."""
    rng = np.random.default_rng(4)
    named = ["alpha", "fleiss_kappa", "agreement"]
    whole = agreement(eliminations(rng, 1000, 3, 12)).set_index("measure").loc[named, "value"]
    agrees = raters(eliminations(rng, 1000, 2, 6))["agrees"].mean()
    held, rater_held = [], []
    for seed in range(60):
        table = agreement(eliminations(rng, 40, 3, 12), seed).set_index("measure").loc[named]
        held.append((table["lower"] <= whole) & (whole <= table["upper"]))
        each = raters(eliminations(rng, 40, 2, 6))
        rater_held += [*((each["agrees_lower"] <= agrees) & (agrees <= each["agrees_upper"]))]
    # Drawn item by item, 0.88 and 0.90 of them did.
    assert np.mean(held) > 0.91, np.mean(held, axis=0)
    assert np.mean(rater_held) > 0.92, np.mean(rater_held)


def test_judgements_of_one_prompt_are_drawn_together_and_say_as_much_as_they_are_worth() -> None:
    """The same items, once each of a prompt of its own and once three of a prompt that go alike."""
    said = ["model_a" if n % 3 else "model_b" for n in range(30)]
    pairs = [("x", "y"), ("x", "z"), ("y", "z")]
    alike, apart = (
        votes(
            *(
                (
                    f"p{n}-{at}" if own else f"p{n}",
                    rater,
                    *pair,
                    "model_a" if rater == "r1" else won,
                )
                for n, won in enumerate(said)
                for at, pair in enumerate(pairs)
                for rater in ("r1", "r2")
            )
        )
        for own in (False, True)
    )
    widths = [
        [t["upper"] - t["lower"] for t in (agreement(of).set_index("measure").loc["agreement"],)]
        for of in (alike, apart)
    ]
    assert widths[0][0] == pytest.approx(widths[1][0] * 3**0.5, rel=0.25)
    wide, narrow = ((e["agrees_upper"] - e["agrees_lower"])[0] for e in map(raters, (alike, apart)))
    assert wide == pytest.approx(narrow * 3**0.5, rel=0.15)


def test_the_first_seat_is_that_of_votes_which_count() -> None:
    found = votes(
        ("p1", "r1", "x", "y", "model_a"),
        ("p2", "r1", "x", "y", "model_b"),
        ("p3", "r1", "x", "y", "model_b"),
    )
    taken_back = found.assign(excluded_reason=["", "", "superseded"])
    assert raters(taken_back).loc[0, ["votes", "first_seat"]].tolist() == [2, 0.5]


def test_where_nobody_shares_an_item_nothing_is_known() -> None:
    table = agreement(votes(("p1", "r1", "x", "y", "tie")))
    assert table["value"].isna().all() and (table["items"] == 0).all()
    assert agreement(votes())["value"].isna().all() and raters(votes()).empty
