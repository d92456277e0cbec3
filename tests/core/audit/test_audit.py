"""An audit among honest raters who disagree: whom it finds, whom it never accuses, what it spares."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from arena.bench.attackers import Attack, Crowd
from arena.core.audit import evidence
from arena.core.audit.ballots import Ballots
from arena.core.audit.choices import Choices
from arena.core.audit.search import ALPHA, Report, audit
from arena.play.audits import Audit, audited, with_prompts

ATTACKS = (
    Attack("at random", 5, 300, how="random"),
    Attack("loyal by its words", 5, 200),
    Attack("slow and patient", 5, 300, share=0.9, pause_s=8000),
    Attack("ring of twenty", 20, 50),
    Attack("always left", 5, 60, how="left"),
    Attack("in a burst", 5, 60, pause_s=2.0),
    Attack("without reading", 5, 60, how="unread", pause_s=60),
)


def kinds(crowd: Crowd) -> dict[str, set[str]]:
    """Attack → the kinds by which its raters were found; "" is the honest ones."""
    found: dict[str, set[str]] = {}
    for finding in audit(crowd.votes()).findings:
        name = finding.rater.rpartition("-")[0].replace("honest", "")
        found.setdefault(name, set()).add(finding.kind)
    return found


def test_honest_raters_who_disagree_are_not_accused() -> None:
    crowd = Crowd(honest=150, taste=0.8, seed=3)
    report = audit(crowd.votes())
    assert not report.findings and report.raters == 150
    assert 0.6 <= report.taste <= 1.0, "it learns how much they disagree"


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("attack", "kind"),
    [
        (Attack("fan", 3, 300, how="fan", knows=1.0), "for"),
        (Attack("foe", 3, 300, how="honest", knows=1.0, rival=0), "against"),
        (Attack("loyal", 3, 100, target=2), "lift"),
        (Attack("patient", 3, 400, share=0.5, pause_s=8000, target=2), "lift"),
        (Attack("left", 3, 60, how="left"), "place"),
        (Attack("fast", 3, 60, pause_s=1.0), "burst"),
        (Attack("blind", 3, 60, how="unread"), "haste"),
    ],
)
def test_each_kind_of_attacker_is_found_by_what_it_does(attack: Attack, kind: str) -> None:
    found = kinds(Crowd(honest=100, seed=5, attacks=[attack]))
    assert set(found) == {attack.name} and kind in found[attack.name]


@pytest.mark.untraced
def test_a_ring_of_whom_none_stands_out_is_found_together() -> None:
    crowd = Crowd(honest=150, seed=7, attacks=[Attack("ring", 20, 30, target=2)])
    findings = audit(crowd.votes()).findings
    assert len(findings) >= 10 and all(each.rater.startswith("ring") for each in findings)
    together = [each for each in findings if each.kind == "ring"]
    assert len(together) >= 5 and {each.about for each in together} == {f"for {crowd.names()[2]}"}


@pytest.mark.untraced
def test_a_minority_with_an_order_of_its_own_is_not_taken_for_a_ring() -> None:
    minority = Attack("minority", 20, 0, how="minority")
    assert not audit(Crowd(honest=150, seed=6, attacks=[minority]).votes()).findings


def test_two_who_agree_on_every_prompt_are_told_as_copies() -> None:
    seeds = {"one": 7, "two": 7, "three": 8, "four": 9}
    rows = [
        {
            **dict.fromkeys(("ballot_id", "battle_id"), f"{rater}/{prompt}"),
            "rater": rater,
            "model_a": "x",
            "model_b": "y",
            "seat_a": "A",
            "seat_b": "B",
            "winner": winner,
            "supersedes": "",
            "excluded_reason": "",
            "timestamp": datetime(2026, 3, 1 + prompt % 28, tzinfo=UTC),
            "conversation_a": [{"role": "user", "content": f"Why  {prompt}?"}],
        }
        for rater, seed in seeds.items()
        for prompt, winner in enumerate(
            np.random.default_rng(seed).choice(["model_a", "model_b"], 60)
        )
    ]
    report = audit(with_prompts(pd.DataFrame(rows)))
    assert {(f.rater, f.kind, f.about) for f in report.findings} == {
        ("one", "copy", "two"),
        ("two", "copy", "one"),
    }


@pytest.mark.parametrize(
    "fields",
    [{"excluded_reason": "rehearsal"}, {"winner": "tie"}, {"winner": "both_bad"}, {"rater": ""}],
)
def test_votes_of_which_none_can_be_looked_at_accuse_nobody(fields: dict[str, str]) -> None:
    votes = Crowd(honest=5, ballots=4).votes().assign(**fields)
    assert audited(votes) == audited(pd.DataFrame()) == Audit(Report((), 0, 0, 0.0), ())


@pytest.mark.slow
def test_evidence_against_the_honest_passes_a_bound_as_seldom_as_it_promises() -> None:
    """Ville's inequality, of bets on raters with a taste, at their highest ever."""
    rng = np.random.default_rng(2)
    raters, events, taste = 4000, 60, 0.6
    group = np.repeat(np.arange(raters), events)
    own = rng.normal(scale=taste, size=raters)[group]
    offset = rng.normal(size=len(group))
    happened = rng.random(len(group)) < 1 / (1 + np.exp(-offset - own))
    for told in evidence.bent(offset, happened, group, taste):
        assert (told.highest > np.log(1 / ALPHA)).mean() < ALPHA
    gaps = evidence.steady(np.log(5) - (1 / 3 - 1 / 15) * rng.exponential(15, len(group)), group)
    assert (gaps.highest > np.log(1 / ALPHA)).mean() < ALPHA


@pytest.mark.parametrize("taste", [0.5, 1.5])
def test_whoever_chooses_by_a_taste_is_judged_as_mildly_as_promised(taste: float) -> None:
    rng = np.random.default_rng(3)
    raters, each, strength = 500, 40, np.linspace(-1, 1, 6)
    live = np.array([rng.choice(6, 3, replace=False) for _ in range(raters * each)])
    rater = np.repeat(np.arange(raters), each)
    liked = strength + rng.normal(scale=taste, size=(raters, 6))
    dropped = (rng.gumbel(size=live.shape) - liked[rater[:, None], live]).argmax(axis=1)
    nothing, names = np.full(len(rater), np.nan), tuple("uvwxyz")
    labels = tuple(map(str, range(raters)))
    ballots = Ballots(labels, names, rater, live, dropped, nothing, nothing, None)
    told = Choices(ballots, strength, 0.5, np.ones(raters, bool)).bent(2)
    assert {kind: (each.now > np.log(1 / ALPHA)).mean() < ALPHA for kind, each in told} == {
        "for": True,
        "against": True,
        "lift": True,
    }


@pytest.mark.slow
def test_of_all_attackers_at_once_most_are_found_and_hardly_anybody_else() -> None:
    findings = audit(Crowd(seed=0, attacks=ATTACKS).votes()).findings
    found = Counter(finding.rater.rpartition("-")[0] for finding in findings)
    assert not found["honest"]
    assert found["loyal by its words"] == 5 and found["ring of twenty"] >= 14
    for name in ("always left", "in a burst", "without reading"):
        assert found[name] == 5
