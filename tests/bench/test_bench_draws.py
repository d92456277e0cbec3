"""The bench of the draw: that its arenas draw, judge and fit as the house does, and what it
finds."""

from __future__ import annotations

import json
import random
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from arena.bench import draws
from arena.bench.arenas import TIES, Arenas
from arena.bench.draws import Plan, Row, votes_needed
from arena.cli import main
from arena.core.battle.matchup import Policy, draw
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT, Fit, Method
from arena.core.standings.counts import Counts
from tests.core.battle.play import contenders


def strengths(arenas: int, count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=1.0, size=(arenas, count))


def played(truth: np.ndarray, size: int, battles: int, policy: Policy = Policy.UNIFORM) -> Arenas:
    arenas = Arenas(truth, size, battles, np.random.default_rng(2))
    for _ in range(battles):
        arenas.play(policy)
    arenas.fit()
    return arenas


def ledger(arenas: Arenas, arena: int) -> pd.DataFrame:
    """The votes of one arena as rows of the ledger; a pair judged twice tied first."""
    rows = []
    for battle, seats in enumerate(arenas.seats[arena]):
        for pair, (a, b) in enumerate(combinations([f"name-{s}" for s in seats], 2)):
            points, times = arenas.points[arena, battle, pair], arenas.judged[arena, battle, pair]
            if times == 2:
                rows.append((str(battle), a, b, "tie"))
                points -= 0.5
            if times:
                winner = {1.0: "model_a", 0.5: "tie", 0.0: "model_b"}[float(points)]
                rows.append((str(battle), a, b, winner))
    votes = pd.DataFrame(rows, columns=["battle_id", "model_a", "model_b", "winner"])
    return votes.assign(rater="the only one", excluded_reason="")


# Like the house ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("policy", Policy)
def test_arenas_are_fitted_as_the_standings_are(size: int, policy: Policy) -> None:
    arenas = played(strengths(4, 6), size, 60, policy)
    for arena in range(4):
        votes = ledger(arenas, arena)
        fit = Counts.of(votes).fit(Method())
        assert fit.names == tuple(f"name-{i}" for i in range(6)) and not fit.group.any()
        assert arenas.votes[arena] == len(votes)
        np.testing.assert_allclose(arenas.theta[arena], fit.theta, atol=1e-8)
        np.testing.assert_allclose(arenas.covariance[arena], fit.covariance, atol=1e-8)
        half_width = POINTS_PER_LOGIT * arenas.half_width[arena]
        np.testing.assert_allclose(half_width, fit.half_width, atol=1e-6)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("policy", Policy)
def test_arenas_draw_as_battles_are_drawn(size: int, policy: Policy) -> None:
    one = played(strengths(1, 5), size, 12)
    belief = Fit(
        tuple(f"name-{i}" for i in range(5)),
        one.theta[0],
        one.covariance[0],
        np.zeros(5, int),
        np.full(5, 9.0),
    )
    votes = {f"name-{i}": int(n) for i, n in enumerate(one.met[0].sum(axis=1))}
    drawn = draw(contenders(5), size, votes, random.Random(3), policy=policy, belief=belief)
    times = np.zeros(5)
    for _ in range(3000):
        times[one._drawn(policy)[0]] += 1
    np.testing.assert_allclose(times / 3000, list(drawn.taking_part.values()), atol=0.05)


@pytest.mark.parametrize("size", [2, 3])
def test_every_pair_scores_what_bradley_and_terry_say_whatever_the_ties(size: int) -> None:
    truth = np.tile([0.8, 0.0, -1.0][:size], (40_000, 1))
    arenas = Arenas(truth, size, 1, np.random.default_rng(5))
    arenas.play(Policy.UNIFORM)
    won, met = arenas._won.sum(axis=0), arenas.met.sum(axis=0)
    expected = expit(truth[0][:, None] - truth[0])
    off = ~np.eye(size, dtype=bool)
    # Four standard deviations: a score varies by at most ½, and never more with ties.
    assert np.all(np.abs(won / np.maximum(met, 1) - expected)[off] < 2 / np.sqrt(met[off]))


def test_equals_tie_as_often_as_is_said_and_the_weakest_goes_first() -> None:
    arenas = Arenas(np.zeros((20_000, 2)), 2, 1, np.random.default_rng(6))
    arenas.play(Policy.UNIFORM)
    assert np.mean(arenas.points == 0.5) == pytest.approx(TIES, abs=0.02)
    weak = np.tile([6.0, 6.0, -6.0], (2000, 1))
    arenas = Arenas(weak, 3, 1, np.random.default_rng(7))
    arenas.play(Policy.UNIFORM)
    met = arenas.met.sum(axis=0)
    assert met[2, 0] == met[2, 1] == 2000, "it lost to both"
    assert met[0, 1] == pytest.approx(2000, abs=5), "who then met, but for a rare tie"
    assert arenas._won[:, 2].sum() == pytest.approx(0, abs=5)


# Figures ----------------------------------------------------------------------------------------


def measured(seed: int = 1, **plan: object) -> list[Row]:
    told: list[float] = []
    small = {"contenders": 5, "size": 3, "votes": 200, "repeat": 30, "spreads": (200,)}
    whole = Plan(**{**small, "seed": seed, **plan})  # type: ignore[arg-type]
    rows = list(draws.run(whole, lambda what, part: told.append(part)))
    assert told == sorted(told) and told[0] >= 0 and told[-1] < 1
    return rows


def test_the_same_seed_gives_the_same_figures_and_another_gives_others() -> None:
    one, same, other = measured(), measured(), measured(seed=2)
    assert one == same != other
    assert [row.policy for row in one] == list(Policy)
    for row in one:
        assert row.votes_needed is None or row.votes_needed <= 210
        assert row.coverage is not None and 0.8 < row.coverage <= 1 and row.error is None


def test_votes_needed_are_read_between_two_points_and_are_not_met_by_chance() -> None:
    votes = np.array([100.0, 200.0, 400.0, 800.0])
    assert votes_needed(votes, np.array([0.5, 0.8, 0.9, 1.0])) == pytest.approx(400 * 2**0.5)
    assert votes_needed(votes, np.array([0.95, 0.9, 0.9, 0.94])) is None
    assert votes_needed(votes, np.array([0.99, 1.0, 1.0, 1.0])) == 100


ARGUMENTS = ["bench", "draws", "--contenders", "4", "--votes", "100", "--repeat", "10"]


def test_the_command_prints_a_table_for_each_spread(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ARGUMENTS, "--spread", "100,300"]) == 0
    shown = capsys.readouterr().out
    assert "strengths ±100 points" in shown and "strengths ±300 points" in shown
    assert all(shown.count(f" {policy} ") >= 2 for policy in Policy)
    assert "\x1b" not in shown


def test_the_command_gives_all_figures_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ARGUMENTS, "--spread", "200", "--size", "2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["policy"] for row in rows] == list(Policy)
    assert all(0.8 < row["coverage"] <= 1 for row in rows)


@pytest.mark.parametrize("wrong", ["3", "31", "many"])
def test_a_number_out_of_range_is_a_wrong_command_line(
    wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "draws", "--contenders", wrong])
    assert ended.value.code == 2
    assert "from 4 to 30" in capsys.readouterr().err


@pytest.mark.slow
def test_best_finds_the_best_with_fewer_votes_and_true_intervals() -> None:
    votes = 3000
    rows = measured(contenders=8, votes=votes, repeat=400, spreads=(180,))
    row = {row.policy: row for row in rows}
    best, fewest = row[Policy.BEST], row[Policy.FEWEST]
    # A policy that did not get there needs more than were cast.
    assert best.votes_needed is not None
    assert best.votes_needed < 0.7 * (row[Policy.UNIFORM].votes_needed or votes)
    assert best.error is not None and fewest.error is not None and best.error > fewest.error
    for policy in Policy:
        coverage = row[policy].coverage
        assert coverage is not None and 0.92 < coverage < 0.98
