"""Who is drawn and who sits where, and that the probabilities of a draw are what they say."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.battle import matchup
from arena.core.battle.entities import Contender
from arena.core.battle.matchup import Draw, Policy, draw, eligible
from arena.core.errors import BadInput
from arena.core.standings.bradley_terry import PRIOR_SD, Fit
from tests.core.battle.play import contenders


def belief(theta: Sequence[float], sd: float = 0.5) -> Fit:
    """Of name-0, name-1, …: equally sure of all, and adding up to zero as a fit does."""
    size = len(theta)
    covariance = sd**2 * (np.eye(size) - 1 / size)
    names = tuple(f"name-{i}" for i in range(size))
    centred = np.array(theta) - np.mean(theta)
    return Fit(names, centred, covariance, np.zeros(size, int), np.full(size, 50.0))


def names(drawn: Draw) -> frozenset[str]:
    return frozenset(c.name for c in drawn.contenders)


def within_chance(seen: int, of: int, probability: float) -> bool:
    """Four standard deviations of the binomial; the seeds are fixed."""
    return abs(seen - of * probability) <= 4 * (of * probability * (1 - probability)) ** 0.5 + 1e-9


# Under every policy -----------------------------------------------------------------------------


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("count", [0, 1])
def test_a_roster_of_fewer_than_two_is_refused(count: int, policy: Policy) -> None:
    with pytest.raises(BadInput, match="at least two"):
        draw(contenders(count), 3, {}, random.Random(1), policy=policy)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(2, 12),
    size=st.integers(2, 8),
    votes=st.lists(st.integers(0, 5), min_size=12, max_size=12),
    theta=st.lists(st.floats(-3, 3), min_size=12, max_size=12),
    policy=st.sampled_from(Policy),
    seed=st.integers(),
)
def test_a_draw_is_whole_without_doubles_and_its_probabilities_add_up(
    count: int, size: int, votes: list[int], theta: list[float], policy: Policy, seed: int
) -> None:
    roster = contenders(count)
    judged = {c.name: n for c, n in zip(roster, votes, strict=False) if n}
    known = belief(theta[:count])
    drawn = draw(roster, size, judged, random.Random(seed), policy=policy, belief=known)
    assert len(drawn.contenders) == len(names(drawn)) == min(size, count)
    assert all(contender in roster for contender in drawn.contenders)
    assert drawn.policy == policy
    assert 0 < drawn.probability <= 1 + 1e-9
    assert list(drawn.taking_part) == [c.name for c in roster]
    assert sum(drawn.taking_part.values()) == pytest.approx(min(size, count))
    for name, share in drawn.taking_part.items():
        assert -1e-9 <= share <= 1 + 1e-9
        assert share >= drawn.probability - 1e-9 or name not in names(drawn)


@pytest.mark.parametrize("policy", Policy)
def test_the_same_generator_draws_the_same(policy: Policy) -> None:
    one, two = (draw(contenders(8), 3, {}, random.Random(7), policy=policy) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("count", [2, 3])
def test_a_roster_that_is_small_enough_fights_whole_for_certain(count: int, policy: Policy) -> None:
    drawn = draw(contenders(count), 3, {"name-0": 9}, random.Random(1), policy=policy)
    assert names(drawn) == {c.name for c in contenders(count)}
    assert drawn.probability == 1.0
    assert set(drawn.taking_part.values()) == {1.0}


def test_the_roster_itself_stays_in_order() -> None:
    roster = list(contenders(5))
    draw(roster, 3, {}, random.Random(7))
    assert roster == list(contenders(5))


@pytest.mark.parametrize("policy", [Policy.FEWEST, Policy.UNIFORM])
def test_seats_and_draws_are_fair(policy: Policy) -> None:
    rng = random.Random(1)
    seats: Counter[tuple[int, str]] = Counter()
    for _ in range(3000):
        drawn = draw(contenders(5), 3, {}, rng, policy=policy)
        seats.update((seat, c.name) for seat, c in enumerate(drawn.contenders))
    assert len(seats) == 15
    chi_square = sum((n - 600) ** 2 / 600 for n in seats.values())
    # 99.9 % of the chi-square distribution with 14 degrees of freedom; the seed is fixed.
    assert chi_square < 36.1


@pytest.mark.parametrize("policy", Policy)
def test_the_order_of_seats_does_not_tell_who_has_more_votes(policy: Policy) -> None:
    rng = random.Random(2)
    judged = {"name-0": 100, "name-1": 50}
    drawn = (draw(contenders(3), 3, judged, rng, policy=policy) for _ in range(3000))
    first = Counter(d.contenders[0].name for d in drawn)
    assert all(900 < n < 1100 for n in first.values())


# Fewest and uniform: exact ----------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(2, 12),
    size=st.integers(2, 8),
    votes=st.lists(st.integers(0, 5), min_size=12, max_size=12),
    seed=st.integers(),
)
def test_nobody_left_out_has_fewer_votes_than_anybody_drawn(
    count: int, size: int, votes: list[int], seed: int
) -> None:
    roster = contenders(count)
    judged = {c.name: n for c, n in zip(roster, votes, strict=False) if n}
    drawn = names(draw(roster, size, judged, random.Random(seed)))
    left_out = [judged.get(c.name, 0) for c in roster if c.name not in drawn]
    assert max(judged.get(name, 0) for name in drawn) <= min(left_out, default=99)


@pytest.mark.parametrize(
    ("policy", "votes", "sets", "shares"),
    [
        (Policy.FEWEST, [0, 0, 0, 0, 0], 10, [0.6] * 5),
        (Policy.FEWEST, [4, 1, 2, 2, 2], 3, [0.0, 1.0, 2 / 3, 2 / 3, 2 / 3]),
        (Policy.FEWEST, [1, 1, 1, 2, 2], 1, [1.0, 1.0, 1.0, 0.0, 0.0]),
        (Policy.UNIFORM, [4, 1, 2, 2, 2], 10, [0.6] * 5),
    ],
)
def test_probabilities_are_those_of_counting_the_sets(
    policy: Policy, votes: list[int], sets: int, shares: list[float]
) -> None:
    roster, rng = contenders(5), random.Random(3)
    judged = {c.name: n for c, n in zip(roster, votes, strict=True)}
    draws = [draw(roster, 3, judged, rng, policy=policy) for _ in range(1000)]
    seen = Counter(map(names, draws))
    assert len(seen) == sets
    for drawn in draws:
        assert drawn.probability == pytest.approx(1 / sets)
        assert list(drawn.taking_part.values()) == pytest.approx(shares)
    assert all(within_chance(n, 1000, 1 / sets) for n in seen.values())


# Best -------------------------------------------------------------------------------------------


def brute_force(theta: np.ndarray, judged: Sequence[int], size: int) -> dict[frozenset[str], float]:
    """Of every set its probability, by playing the policy as it is told in words, once for each
    row of strengths and each contender that may be seeded."""
    fewest = [i for i, n in enumerate(judged) if n == min(judged)]
    found: Counter[frozenset[str]] = Counter()
    for row in theta:
        ranked = sorted(range(len(row)), key=lambda i: -row[i])
        found[frozenset(ranked[:size])] += 0.5
        for seed in fewest:
            others = [i for i in ranked if i != seed]
            found[frozenset([seed, *others[: size - 1]])] += 0.5 / len(fewest)
    return {frozenset(f"name-{i}" for i in s): n / len(theta) for s, n in found.items()}


@pytest.mark.untraced
@pytest.mark.untraced
@pytest.mark.parametrize("size", [2, 3])
def test_sets_are_drawn_as_often_as_their_probability_says(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    roster, judged = contenders(5), [3, 1, 2, 1, 4]
    known = belief([0.4, 0.3, 0.0, -0.2, -0.5])
    strengths = np.random.default_rng(1).multivariate_normal(
        known.theta, known.covariance, size=20_000, method="eigh"
    )
    expected = brute_force(strengths, judged, size)
    votes = {c.name: n for c, n in zip(roster, judged, strict=True)}
    rng = random.Random(4)

    def of_best() -> Draw:
        return draw(roster, size, votes, rng, policy=Policy.BEST, belief=known)

    for drawn in (of_best() for _ in range(30)):
        # Both are simulated: four standard deviations of the coarser.
        assert drawn.probability == pytest.approx(expected[names(drawn)], abs=0.032)
        for name, share in drawn.taking_part.items():
            told = sum(p for members, p in expected.items() if name in members)
            assert share == pytest.approx(told, abs=0.032)
    monkeypatch.setattr(matchup, "SIMULATED", 1)
    seen = Counter(names(of_best()) for _ in range(4000))
    assert set(seen) <= set(expected)
    assert all(within_chance(seen[members], 4000, p) for members, p in expected.items())


@pytest.mark.untraced
def test_votes_weighed_by_the_inverse_of_their_probability_count_every_set_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even from few simulated draws: the one that was played is among them."""
    monkeypatch.setattr(matchup, "SIMULATED", 40)
    roster, rng = contenders(4), random.Random(5)
    known = belief([0.3, 0.1, -0.1, -0.3])
    weight: Counter[frozenset[str]] = Counter()
    for _ in range(4000):
        drawn = draw(roster, 2, {"name-0": 1}, rng, policy=Policy.BEST, belief=known)
        weight[names(drawn)] += 1 / drawn.probability / 4000
    assert set(weight) == {frozenset(s) for s in combinations([c.name for c in roster], 2)}
    assert all(total == pytest.approx(1.0, abs=0.15) for total in weight.values())


def test_the_strengths_drawn_have_the_mean_and_the_covariance_of_the_belief() -> None:
    """Also for whoever it does not name: the prior, and apart from the others."""
    known = belief([1.0, 0.0, -1.0])
    mixed = np.array([[1.0, 0.5, -1.5], [0.2, -0.6, 0.4], [-1.2, 0.1, 1.1]])
    known = replace(known, covariance=mixed @ mixed.T / 4)
    stranger = Contender("stranger", "model")
    roster = [stranger, *reversed(contenders(3))]
    mean, root = matchup._strengths(roster, known)
    theta = mean + matchup._turned(matchup._normal(random.Random(6), (40_000, 4)), root)
    expected = np.zeros((4, 4))
    expected[0, 0] = PRIOR_SD**2
    expected[1:, 1:] = known.covariance[::-1, ::-1]
    np.testing.assert_allclose(mean, [0, -1, 0, 1], atol=1e-12)
    np.testing.assert_allclose(theta.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose(root @ root.T, expected, atol=1e-8)
    np.testing.assert_allclose(np.cov(theta.T), expected, atol=0.06)


def test_leaders_meet_most_and_whoever_has_the_fewest_votes_is_not_forgotten() -> None:
    roster = contenders(6)
    votes = {c.name: 50 for c in roster} | {"name-5": 49}
    sure = belief([5, 4, 3, 2, 1, 0], sd=0.01)
    drawn = draw(roster, 3, votes, random.Random(8), policy=Policy.BEST, belief=sure)
    assert list(drawn.taking_part.values()) == pytest.approx([1, 1, 0.5, 0, 0, 0.5])
    assert drawn.probability == pytest.approx(0.5)


def test_before_the_first_vote_the_best_is_sought_everywhere() -> None:
    drawn = draw(contenders(6), 3, {}, random.Random(9), policy=Policy.BEST)
    assert list(drawn.taking_part.values()) == pytest.approx([0.5] * 6, abs=0.04)
    assert drawn.probability == pytest.approx(1 / 20, abs=0.02)


# Topics -----------------------------------------------------------------------------------------


def on(*topics: str) -> Contender:
    return Contender(name="/".join(topics) or "any", model="m", topics=topics)


def test_a_topic_leaves_those_that_name_it_and_those_that_name_none() -> None:
    roster = (on("code"), on("law"), on(), on("law", "code"))
    assert eligible(roster, "code") == (on("code"), on(), on("law", "code"))
    assert eligible(roster) == roster


def test_a_topic_with_fewer_than_two_contenders_is_refused_without_naming_any() -> None:
    with pytest.raises(BadInput, match="another topic") as refused:
        eligible((on("code"), on("law"), on("law")), "code")
    assert "code" not in str(refused.value)


@pytest.mark.parametrize("topic", ["", "code"])
def test_a_roster_of_one_is_refused_whatever_the_topic(topic: str) -> None:
    with pytest.raises(BadInput, match="at least two"):
        eligible((on(),), topic)
