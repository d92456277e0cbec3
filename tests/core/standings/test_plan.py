"""How many raters and prompts tell a difference, held against the closed form and reality."""

from __future__ import annotations

import math

import pytest
from scipy.stats import norm

from arena.core.errors import BadInput
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT
from arena.core.standings.chance import seeded
from arena.core.standings.plan import Assumed, _study, assumptions, power
from tests.core.tables import chance_votes, ledger


@pytest.mark.untraced
def test_without_tastes_or_ties_the_power_is_that_of_a_test_of_proportions() -> None:
    """Of two contenders: the log odds of n votes have the error 1 / √(n p (1 − p))."""
    plain = Assumed(gap=80, contenders=2, per_prompt=1, ties=0, taste=0, suit=0)
    gap = 80 / POINTS_PER_LOGIT
    p = 1 / (1 + math.exp(-gap))
    expected = norm.sf(1.96 - gap * math.sqrt(200 * p * (1 - p)))
    found = power(plain, 200, 200, times=150)
    assert found["power"] == pytest.approx(expected, abs=0.12)
    assert found["power_lower"] < expected < found["power_upper"] + 0.05


@pytest.mark.untraced
def test_more_prompts_and_more_raters_tell_more() -> None:
    assumed = Assumed(gap=60)
    made = [power(assumed, r, p, times=40) for r in (4, 24) for p in (10, 160)]
    assert [each["votes"] for each in made] == [30, 480, 30, 480]
    few, some, _, most = (each["power"] for each in made)
    assert few < some <= most and most > 0.35
    assert made[-1]["half_width"] < made[0]["half_width"] / 2


def test_no_difference_is_seldom_told() -> None:
    assert power(Assumed(gap=1e-6, taste=0.3), 20, 60, times=100)["power"] <= 0.07


def test_what_a_study_showed_takes_the_place_of_what_was_assumed() -> None:
    votes = chance_votes(90, 3, 6, seed=1, battle=1).assign(
        study="", prompt_id=[str(n // 3) for n in range(90)]
    )
    seen, raters, prompts = assumptions(votes, Assumed())
    assert (seen.contenders, seen.per_prompt, raters, prompts) == (3, 3, 6, 30)
    assert seen.gap > 0 and seen.taste == Assumed().taste
    alike = [("a", "c"), ("b", "c"), ("a", "b"), ("b", "a"), ("c", "a"), ("c", "b"), ("a", "d")]
    won = [(a, b, "model_a") for a, b in [*alike, ("b", "d")]]
    level = ledger([*won, ("d", "c", "tie")] * 3)
    with pytest.raises(BadInput, match="differ"):
        assumptions(level.assign(prompt_id="", study=""), Assumed())
    with pytest.raises(BadInput):
        assumptions(ledger([("a", "b", "tie")]).assign(study="", prompt_id=""), Assumed())


@pytest.mark.parametrize("assumed", [Assumed(gap=60), Assumed(gap=150, ties=0.4, contenders=2)])
def test_what_a_study_of_many_showed_is_what_it_was_made_of(assumed: Assumed) -> None:
    votes = _study(assumed, 2_000, 20_000, seeded(5)).assign(study="", prompt_id="")
    seen, _, _ = assumptions(votes, assumed)
    assert seen.gap == pytest.approx(assumed.gap, abs=8)
    assert seen.ties == pytest.approx(assumed.ties, abs=0.03)


def test_a_battle_of_three_is_one_judgement_of_its_prompt_however_many_pairs_it_has() -> None:
    pairs = [("a", "c", "model_a"), ("b", "c", "model_a"), ("a", "b", "model_a")]
    votes = ledger(pairs * 40).assign(
        battle_id=[str(n // 3) for n in range(120)],
        study="",
        prompt_id=[f"p{n // 9}" for n in range(120)],
        rater=[f"r{n // 3 % 12}" for n in range(120)],
    )
    seen, raters, prompts = assumptions(votes, Assumed())
    assert (seen.per_prompt, raters, prompts) == (3, 12, 14)
    votes["study"] = ["pilot"] * 60 + ["main"] * 60
    votes["prompt_id"] = [f"p{n % 60 // 6}" for n in range(120)]
    seen, _, prompts = assumptions(votes, Assumed())
    assert (seen.per_prompt, prompts) == (2, 20)


@pytest.mark.parametrize("wrong", [{"gap": 0}, {"contenders": 1}, {"ties": 1}, {"suit": -1}])
def test_what_cannot_be_assumed_is_told(wrong: dict[str, float]) -> None:
    with pytest.raises(BadInput):
        Assumed(**wrong)  # type: ignore[arg-type]


def test_too_few_raters_are_told() -> None:
    with pytest.raises(BadInput, match="raters of each prompt"):
        power(Assumed(per_prompt=4), 3, 10)
