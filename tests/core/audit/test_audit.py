"""An audit among honest raters who disagree: whom it finds, whom it never accuses, what it spares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from arena.bench.attackers import Attack, Crowd
from arena.core.audit import evidence
from arena.core.audit.ballots import Ballots
from arena.core.audit.choices import Choices
from arena.core.audit.search import ALPHA, Report, audit
from arena.play.audits import Audit, audited, with_prompts

AT = datetime(2026, 3, 1, tzinfo=UTC)
CROWDS = 40
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


def shared(
    *chosen: np.ndarray, gaps: np.ndarray | None = None, names: Sequence[str] = "abcdefghijkl"
) -> pd.DataFrame:
    """Each rater's choices (prompts,) on the same prompts of the same two: True keeps the first.
    gaps: (raters, prompts) seconds before each."""
    rows = [
        {
            **dict.fromkeys(("ballot_id", "battle_id"), f"{rater}/{prompt}"),
            "rater": rater,
            "model_a": "x",
            "model_b": "y",
            "seat_a": "A" if prompt % 2 else "B",
            "seat_b": "B" if prompt % 2 else "A",
            "winner": "model_a" if kept else "model_b",
            "supersedes": "",
            "excluded_reason": "",
            "timestamp": AT + timedelta(seconds=float(after)),
            "conversation_a": [{"role": "user", "content": f"Why  {prompt}?"}],
        }
        for number, (rater, choices) in enumerate(zip(names, chosen, strict=False))
        for prompt, (kept, after) in enumerate(
            zip(
                choices,
                np.arange(len(choices)) * 60 if gaps is None else np.cumsum(gaps[number]),
                strict=True,
            )
        )
    ]
    return with_prompts(pd.DataFrame(rows))


def test_whose_files_name_the_winner_first_goes_by_no_place() -> None:
    chosen = np.random.default_rng(6).random((6, 60)) < 0.5
    votes = shared(*chosen).assign(channel="web")
    turned = (votes["rater"] == "a") & (votes["winner"] == "model_b")
    for one, other in (("model_a", "model_b"), ("seat_a", "seat_b")):
        votes.loc[turned, [one, other]] = votes.loc[turned, [other, one]].to_numpy()
    votes.loc[turned, "winner"] = "model_a"
    votes.loc[votes["rater"] == "a", ["seat_a", "seat_b"]] = ["A", "B"]
    (found,) = audited(votes).report.findings
    assert (found.rater, found.kind) == ("a", "place")
    votes.loc[votes["rater"] == "a", "channel"] = "import"
    assert not audited(votes).report.findings
    assert not audited(votes.assign(channel="import")).report.findings


def test_two_who_agree_on_every_prompt_are_told_as_copies() -> None:
    one, three, four = (np.random.default_rng(seed).random(60) < 0.5 for seed in (7, 8, 9))
    found = audit(shared(one, one, three, four)).findings
    assert {(f.rater, f.kind, f.about) for f in found} == {("a", "copy", "b"), ("b", "copy", "a")}


@pytest.mark.parametrize("gap", [2.0, 3.0, 3.5])
def test_who_agree_since_one_of_two_is_far_better_are_no_copies(gap: float) -> None:
    rng = np.random.default_rng(1)
    honest = rng.random((10, 150)) < expit(gap)
    assert not audit(shared(*honest)).findings
    if gap < 3:
        copied = audit(shared(*honest, honest[0])).findings
        assert {(f.rater, f.kind) for f in copied} == {("a", "copy"), ("k", "copy")}


@pytest.mark.parametrize(
    ("right", "copies"),
    [([0.9] * 6, {"f", "g"}), ([0.98] * 6, set()), ([1, 1, *[0.9] * 4], {"f", "g"})],
)
def test_who_agree_since_prompts_have_clear_answers_are_no_copies(
    right: list[float], copies: set[str]
) -> None:
    """Nor are two who are careful among the careless."""
    rng = np.random.default_rng(4)
    answers = rng.random(150) < 0.5
    honest = answers ^ (rng.random((6, 150)) > np.array(right)[:, None])
    assert not audit(shared(*honest)).findings
    assert audit(shared(*honest, honest[5])).found == copies, "where all agree, one tells nothing"


def test_two_who_are_careful_among_those_who_often_guess_are_no_copies() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        answers = rng.random(100) < 0.5
        right = np.array([0.97] * 2 + [0.7] * 8)[:, None]
        honest = answers ^ (rng.random((10, 100)) > right)
        assert not audit(shared(*honest)).findings
    assert audit(shared(*honest, honest[9])).found == {"j", "k"}


def test_of_two_or_three_alone_on_their_prompts_none_is_told_to_copy() -> None:
    """Nobody there says how clear the answers are, and how careful the third is."""
    one, three, four = np.random.default_rng(1).random((3, 60)) < 0.5
    assert not audit(shared(one, one)).findings and not audit(shared(one, one, three)).findings
    assert audit(shared(one, one, three, four)).found == {"a", "b"}


@pytest.mark.parametrize("pace", [3.0, 5.0, 10.0])
def test_who_all_vote_quickly_cast_in_no_bursts(pace: float) -> None:
    rng = np.random.default_rng(2)
    own = pace * rng.lognormal(sigma=0.3, size=(12, 1))
    gaps = rng.gamma(4, own / 4, size=(12, 60))
    chosen = rng.random((12, 60)) < 0.65
    assert not audit(shared(*chosen, gaps=gaps)).findings
    gaps[0] = pace / 40
    (found,) = audit(shared(*chosen, gaps=gaps)).findings
    assert (found.rater, found.kind) == ("a", "burst")


@pytest.mark.parametrize("without", [6, 2])
def test_of_votes_without_a_time_of_day_nobody_is_told_to_cast_in_bursts(without: int) -> None:
    """Also where most others have one, as votes from elsewhere beside an arena's own."""
    chosen = np.random.default_rng(3).random((6, 60)) < 0.5
    gaps = np.full((6, 60), 60.0)
    gaps[:without] = 0
    assert not audit(shared(*chosen, gaps=gaps)).findings
    gaps[:without, 30] = 86_400
    assert not audit(shared(*chosen, gaps=gaps)).findings


@pytest.mark.slow
def test_of_crowds_who_share_prompts_and_vote_at_paces_of_their_own_one_in_twenty_is_accused() -> (
    None
):
    """As seldom as is promised, whoever of a crowd is accused of whatever."""
    rng = np.random.default_rng(5)
    accused = 0
    for _ in range(CROWDS):
        gap, pace, sigma = rng.uniform(0, 4), rng.uniform(3, 40), rng.uniform(0, 0.5)
        liked = gap + rng.normal(scale=0.5 * 2**0.5, size=(12, 1))
        gaps = rng.gamma(2, pace * rng.lognormal(sigma=sigma, size=(12, 1)) / 2, size=(12, 120))
        chosen = rng.random((12, 120)) < expit(liked)
        accused += bool(audit(shared(*chosen, gaps=gaps)).findings)
    assert accused <= 5, "of 40 crowds: more than 5 % allow with a chance of 1 in 70"


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
    drawn = np.ones(len(rater), bool)
    ballots = Ballots(labels, names, rater, live, dropped, nothing, nothing, None, drawn)
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
