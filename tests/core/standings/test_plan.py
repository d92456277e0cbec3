"""How many raters and prompts tell a difference, held against the closed form and reality."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cmp_to_key

import pytest
from scipy.stats import norm

from arena.core.battle.entities import LETTERS, PANES, Format, Phase
from arena.core.battle.outcome import pairs
from arena.core.errors import BadInput
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT
from arena.core.standings.chance import seeded
from arena.core.standings.plan import Assumed, _study, assumptions, power
from tests.core.battle.play import TIE, drop, opened, voted
from tests.core.tables import chance_votes, ledger

Vote = tuple[str, str, str]
PAIR = {"size": 2, "panes": 2}
ELIMINATION, KNOCKOUT = ({"size": 3, "panes": PANES[format]} for format in Format)


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
    assert [each["battles"] for each in made] == [30, 480, 30, 480]
    few, some, _, most = (each["power"] for each in made)
    assert few < some <= most and most > 0.35
    assert made[-1]["half_width"] < made[0]["half_width"] / 2


@pytest.mark.parametrize("battle", [PAIR, ELIMINATION, KNOCKOUT], ids=str)
def test_no_difference_is_seldom_told(battle: dict[str, int]) -> None:
    assert power(Assumed(gap=1e-6, **battle), 20, 60, times=100)["power"] <= 0.07


@pytest.mark.untraced
def test_battles_of_three_tell_more_than_as_many_of_two() -> None:
    found = [
        power(Assumed(gap=80, **battle), 20, 40, times=60)
        for battle in (PAIR, KNOCKOUT, ELIMINATION)
    ]
    assert {each["battles"] for each in found} == {120}
    widths = [each["half_width"] for each in found]
    assert widths == sorted(widths, reverse=True) and widths[-1] < 0.7 * widths[0]
    assert found[-1]["power"] > found[0]["power"]


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_simulated_battle_has_the_votes_that_the_rules_make_of_its_verdicts(
    format: Format, size: int
) -> None:
    assumed = Assumed(gap=80, contenders=5, size=size, panes=PANES[format], ties=0.2)
    votes = _study(assumed, 6, 20, seeded(3))
    assert {"model_a", "model_b", "tie"} == set(votes["winner"])
    for _, rows in votes.groupby("battle_id"):
        told = [*rows[["model_a", "model_b", "winner"]].itertuples(index=False, name=None)]
        # Where a coin fell, one of some seeds lets it fall so.
        assert any(by_the_rules(told, format, seed) == told for seed in range(2_000)), told


def by_the_rules(told: list[Vote], format: Format, seed: int) -> list[Vote]:
    """What the rules make of the verdicts that these votes were; less where the coin fell
    otherwise."""
    names = seated(told)
    battle, votes = opened(len(names), format, seed), list[Vote]()
    while battle.phase is not Phase.DECIDED:
        a, b, winner = told[len(votes)]
        loser = LETTERS[names.index(b if winner == "model_a" else a)]
        if winner != "tie" and loser not in battle.live:
            break
        battle = voted(battle, TIE if winner == "tie" else drop(loser))
        judged = pairs(battle.rounds[-1])
        votes += [(names[LETTERS.index(a)], names[LETTERS.index(b)], won) for a, b, won in judged]
        if votes != told[: len(votes)]:
            break
    return votes


def seated(told: list[Vote]) -> list[str]:
    """The contenders by their seats: who met by their order in the pair, others as they came."""
    came = list(dict.fromkeys(name for *pair, _ in told for name in pair))
    met = {(a, b) for a, b, _ in told}

    def order(one: str, other: str) -> int:
        if (one, other) in met or (other, one) in met:
            return -1 if (one, other) in met else 1
        return came.index(one) - came.index(other)

    return sorted(came, key=cmp_to_key(order))


def test_what_a_study_showed_takes_the_place_of_what_was_assumed() -> None:
    votes = chance_votes(90, 3, 6, seed=1, battle=1).assign(
        study="", prompt_id=[str(n // 3) for n in range(90)], ballot_id=[str(n) for n in range(90)]
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


@pytest.mark.parametrize(
    "assumed",
    [
        Assumed(gap=60),
        pytest.param(Assumed(gap=150, ties=0.4, contenders=2), marks=pytest.mark.slow),
        Assumed(gap=60, **ELIMINATION),
        pytest.param(
            Assumed(gap=100, ties=0.4, contenders=4, **ELIMINATION), marks=pytest.mark.slow
        ),
        Assumed(gap=60, **KNOCKOUT),
    ],
)
def test_what_a_study_of_many_showed_is_what_it_was_made_of(assumed: Assumed) -> None:
    votes = _study(assumed, 2_000, 20_000, seeded(5)).assign(study="", prompt_id="")
    votes["ballot_id"] = votes["battle_id"] + "/" + votes["round"].astype(str)
    seen, _, _ = assumptions(votes, replace(assumed, gap=1, ties=0))
    assert (seen.size, seen.panes) == (assumed.size, assumed.panes)
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
    assert (seen.size, seen.panes) == (3, 2), "each of its ballots was on two"
    votes["study"] = ["pilot"] * 60 + ["main"] * 60
    votes["prompt_id"] = [f"p{n % 60 // 6}" for n in range(120)]
    seen, _, prompts = assumptions(votes, Assumed())
    assert (seen.per_prompt, prompts) == (2, 20)


def test_battles_of_more_than_meet_cannot_be_assumed() -> None:
    with pytest.raises(BadInput):
        Assumed(contenders=3, size=4)
