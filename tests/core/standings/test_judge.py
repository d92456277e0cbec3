"""What verdicts say of a judge: planted biases are found, and shares are what they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from arena.core.standings.agreement import wilson
from arena.core.standings.judge import FINDINGS, family, findings


def people(items: int, agree: float = 1.0, raters: int = 2) -> pd.DataFrame:
    """a is better and longer in the even items, b in the odd ones."""
    rng = np.random.default_rng(4)
    rows = []
    for item in range(items):
        best = ("model_a", "model_b")[item % 2]
        for rater in range(raters):
            said = best if rng.random() < agree else rng.choice(["model_a", "model_b"])
            rows.append(
                (
                    str(item),
                    str(item),
                    f"r{rater}",
                    "llama3:8b",
                    "mistral:7b",
                    said,
                    9 + (item % 2 == 0),
                    9.5,
                )
            )
    columns = ["item", "prompt", "rater", "model_a", "model_b", "winner", "length_a", "length_b"]
    return pd.DataFrame(rows, columns=columns)


def verdicts(said: list[tuple[str, str]]) -> pd.DataFrame:
    """By item, the verdict with llama first and the one with mistral first."""
    rows = []
    for item, (one, other) in enumerate(said):
        rows.append((str(item), 1, "llama3:8b", "mistral:7b", one))
        rows.append((str(item), 2, "mistral:7b", "llama3:8b", other))
    return pd.DataFrame(rows, columns=["item", "order", "model_a", "model_b", "winner"])


def found(said: list[tuple[str, str]], of: pd.DataFrame, own: str = "llama") -> pd.DataFrame:
    table = findings(verdicts(said), of, own)
    assert list(table.columns) == list(FINDINGS)
    return table.set_index("measure")


RIGHT = [("model_a", "model_b") if item % 2 == 0 else ("model_b", "model_a") for item in range(40)]


def test_a_judge_that_says_what_people_say_agrees_and_never_flips() -> None:
    table = found(RIGHT, people(40))
    assert table.loc["agreement", "value"] == table.loc["kappa", "value"] == 1
    assert table.loc["flips", "value"] == 0 < table.loc["flips", "upper"] < 0.1
    assert table.loc["first_seat", "value"] == 0.5 and table.loc["agreement", "people"] == 1
    assert table.loc["longer", ["value", "people"]].tolist() == [1, 1]
    assert table.loc["own_family", "value"] == 0.5 and table.loc["agreement", "number"] == 80


def test_a_judge_that_takes_the_first_always_flips_and_says_nothing() -> None:
    table = found([("model_a", "model_a")] * 40, people(40))
    assert table.loc[["flips", "reversed", "first_seat"], "value"].tolist() == [1, 1, 1]
    assert table.loc["first_seat", "lower"] > 0.9
    assert table.loc["agreement", "value"] == 0 and table.loc["kappa", "value"] == pytest.approx(0)
    assert np.isnan(table.loc["longer", "value"]) and table.loc["longer", "number"] == 0


def test_two_verdicts_on_the_same_replies_say_no_more_of_the_seat_than_one_may() -> None:
    table = found([("model_a", "model_a"), ("model_b", "model_b")] * 20, people(40))
    lower, upper = wilson(np.array([0.5]), np.array([40]))
    told = table.loc["first_seat", ["value", "lower", "upper"]].tolist()
    assert told == [0.5, lower[0], upper[0]] and table.loc["first_seat", "number"] == 80


def test_items_of_one_prompt_that_err_together_say_no_more_than_one_of_them() -> None:
    """Of three replies to a prompt, one tells how the others are judged, too."""
    of_one, n = people(40), pd.Series(range(40)).repeat(2).to_numpy()
    of_three = pd.concat(
        [of_one.assign(item=[f"{at}-{copy}" for at in n]) for copy in range(3)], ignore_index=True
    )
    said = [("model_a", "model_b"), ("model_b", "model_b"), ("model_a", "model_a")]
    said = [said[at % 7 % 3] for at in range(40)]
    shown = verdicts(said)
    copied = pd.concat([shown.assign(item=shown["item"] + f"-{copy}") for copy in range(3)])
    once = findings(shown, of_one, "llama").set_index("measure")
    thrice = findings(copied, of_three, "llama").set_index("measure")
    bounds = ["value", "lower", "upper"]
    assert (once["upper"] - once["lower"]).min() > 0.1, "there is something to compare"
    pd.testing.assert_frame_equal(thrice[bounds], once[bounds])
    assert (thrice["number"] == 3 * once["number"]).all()


def test_a_judge_that_favours_its_family_does_so_beyond_people() -> None:
    table = found([("model_a", "model_b")] * 40, people(40))
    assert table.loc["own_family", "value"] == 1 and table.loc["own_family", "people"] == 0.5
    assert table.loc["own_family", "lower"] > 0.9 and table.loc["agreement", "value"] == 0.5
    assert found([("model_a", "model_b")] * 40, people(40), "phi").loc["own_family", "number"] == 0


def test_people_who_differ_and_verdicts_that_are_ties() -> None:
    table = found([("tie", "tie"), *RIGHT[1:]], people(40, agree=0.6))
    assert 0.5 < table.loc["agreement", "people"] < 1
    assert table.loc["agreement", "lower"] < table.loc["agreement", "value"] < 1
    assert found([("model_a", "tie")], people(1)).loc[["flips", "reversed"], "value"].tolist() == [
        1,
        0,
    ]


def test_nothing_tells_nothing() -> None:
    table = found([], people(3))
    assert table["value"].isna().all() and (table["number"] == 0).all()


@pytest.mark.parametrize(
    ("name", "first"),
    [("llama3.1:8b", "llama"), ("hf.co/org/Qwen2.5-7B", "qwen"), ("phi3", "phi"), ("7b", "7b")],
)
def test_the_family_is_the_first_word_of_the_name(name: str, first: str) -> None:
    assert family(name) == first
