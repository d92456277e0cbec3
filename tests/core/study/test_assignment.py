"""Who judges what next: played with raters who come, leave and come back as chance has it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.battle.entities import Contender
from arena.core.study.assignment import kept, progress, upcoming
from arena.core.study.course import Claim, Course, Event, pairs_of
from arena.core.study.design import BAD, GOOD, Check, Completion, Item, Kind, Study
from arena.core.study.page import page

START = datetime(2026, 3, 1, tzinfo=UTC)
CHECK = Check("Which is green?", "Grass.", "Coal.")


def study(prompts: int, contenders: int, **how: object) -> Study:
    items = tuple(Item(f"p{n}", (f"Question {n}?",)) for n in range(prompts))
    names = tuple(Contender(f"c{n}", f"c{n}") for n in range(contenders))
    return replace(Study("pilot", items, names), **how)


class Crowd:
    """Raters who go on until nothing is left. leaves: how often one leaves a battle for good."""

    def __init__(self, study: Study, seed: int, leaves: float = 0.0) -> None:
        self.study, self.rng, self.leaves = study, random.Random(seed), leaves
        self.events = [Event("opened", START)]
        self.now, self.number = START, 0

    @property
    def course(self) -> Course:
        return Course.of(self.events)

    def asks(self, rater: str) -> Claim | None:
        self.number += 1
        claim = upcoming(self.study, self.course, rater, self.now, f"b{self.number}", self.rng)
        if claim:
            known = claim.battle in self.course.claims
            self.events.append(
                Event("touch", self.now, rater, claim.battle) if known else claim.event
            )
        return claim

    def judges(self, rater: str) -> bool:
        """False where nothing was left for them, or the battle was given away."""
        claim = self.asks(rater)
        if not claim:
            return False
        self.now += timedelta(minutes=self.rng.choice([1, 1, 1, 90]))
        if not kept(self.study, self.course, claim.battle, self.now):
            return True
        self.events.append(Event("done", self.now, rater, claim.battle))
        return True

    def play(self, raters: list[str]) -> None:
        here = list(raters)
        while here:
            rater = self.rng.choice(here)
            if self.rng.random() < self.leaves and len(here) > 1:
                self.asks(rater)
                here.remove(rater)
            elif not self.judges(rater):
                if progress(self.study, self.course, rater, self.now).waiting:
                    self.now += self.study.held
                else:
                    here.remove(rater)


@settings(max_examples=30, deadline=None)
@given(
    prompts=st.integers(1, 12),
    raters=st.integers(1, 4),
    contenders=st.integers(2, 5),
    seed=st.integers(0, 2**31),
    leaves=st.sampled_from([0.0, 0.1]),
    others=st.integers(0, 3),
    alike=st.integers(1, 3),
)
def test_each_prompt_gets_its_raters_and_each_pair_its_share_whoever_leaves(
    prompts: int, raters: int, contenders: int, seed: int, leaves: float, others: int, alike: int
) -> None:
    checks = (CHECK,) * others
    asked = study(
        prompts, contenders, raters=raters, repeats=min(others, 1), attention=checks, alike=alike
    )
    crowd = Crowd(asked, seed, leaves)
    crowd.play([f"r{n}" for n in range(3 * raters + 6)])
    # Where those who are left have seen it all, others come.
    for n in range(20):
        if sum(crowd.course.judged().values()) < asked.battles:
            crowd.leaves = 0.0
            crowd.now += asked.held
            crowd.play([f"late{n}"])
    course = crowd.course
    assert course.judged() == {f"p{n}": raters for n in range(prompts)}
    done = [c for c in course.claims.values() if c.done and c.kind is Kind.REAL]
    assert len({(c.rater, c.item) for c in done}) == len(done)
    if not leaves:
        ended = [progress(asked, course, f"r{n}", crowd.now) for n in range(3 * raters + 6)]
        assert all(each.finished == bool(each.done) for each in ended)
        met = course.pairs()
        every = pairs_of(c.name for c in asked.contenders)
        assert max(met[p] for p in every) - min(met[p] for p in every) <= alike


@settings(max_examples=30, deadline=None)
@given(contenders=st.integers(2, 6), seed=st.integers(0, 2**31))
def test_for_one_rater_each_contender_sits_left_about_as_often_as_right(
    contenders: int, seed: int
) -> None:
    crowd = Crowd(study(40, contenders, raters=1), seed)
    crowd.play(["r"])
    sat = Counter(
        (place, name) for c in crowd.course.claims.values() for place, name in enumerate(c.seats)
    )
    for n in range(contenders):
        assert abs(sat[0, f"c{n}"] - sat[1, f"c{n}"]) <= 3


def test_where_each_judges_little_seats_are_even_over_all() -> None:
    for seed in range(60):
        crowd = Crowd(study(4, 5, raters=6), seed)
        crowd.play([f"r{n}" for n in range(12)])
        claims = crowd.course.claims.values()
        sat = Counter((place, name) for c in claims for place, name in enumerate(c.seats))
        assert max(abs(sat[0, f"c{n}"] - sat[1, f"c{n}"]) for n in range(5)) <= 3, seed


def test_a_rater_practises_is_checked_between_prompts_and_judges_some_again_seats_swapped() -> None:
    asked = study(6, 3, raters=1, per_rater=4, repeats=2, practice=CHECK, attention=(CHECK, CHECK))
    crowd = Crowd(asked, 1)
    crowd.play(["r"])
    claims = list(crowd.course.claims.values())
    kinds = [claim.kind for claim in claims]
    assert kinds[0] is Kind.PRACTICE
    assert Counter(kinds) == {Kind.PRACTICE: 1, Kind.REAL: 4, Kind.ATTENTION: 2, Kind.REPEAT: 2}
    assert kinds[-2:] == [Kind.REPEAT] * 2
    real = [claim for claim in claims if claim.kind is Kind.REAL]
    for first, again in zip(real, claims[-2:], strict=False):
        assert (again.item, again.seats) == (first.item, first.seats[::-1])
    assert all(set(c.seats) == {GOOD, BAD} for c in claims if c.kind is Kind.ATTENTION)
    ended = progress(asked, crowd.course, "r", crowd.now)
    assert (ended.done, ended.total, ended.finished) == (8, 8, True)


def test_raters_of_a_prompt_judge_the_same_replies_as_far_as_the_study_says() -> None:
    crowd = Crowd(study(6, 4, raters=4, alike=2), 1)
    crowd.play([f"r{n}" for n in range(5)])
    done = [claim for claim in crowd.course.claims.values() if claim.done]
    assert set(Counter((c.item, frozenset(c.seats)) for c in done).values()) == {2}


def test_what_is_left_unjudged_is_given_to_another_and_no_longer_theirs() -> None:
    crowd = Crowd(study(1, 2, raters=1), 1)
    left = crowd.asks("slow")
    assert left
    assert crowd.asks("next") is None
    assert progress(crowd.study, crowd.course, "next", crowd.now).waiting
    crowd.now += timedelta(minutes=31)
    given_on = crowd.asks("next")
    assert given_on
    assert given_on.item == left.item
    assert kept(crowd.study, crowd.course, left.battle, crowd.now) is None
    assert crowd.asks("slow") is None


def test_who_waits_for_the_last_prompt_is_told_so_before_what_they_judge_again() -> None:
    crowd = Crowd(study(2, 2, raters=1, repeats=1), 1)
    crowd.events += [Event("consent", START, rater) for rater in ("r", "other")]

    def phase() -> str:
        return page(crowd.study, crowd.course, "r", crowd.now).phase

    crowd.events += [
        Event("done", START, "r", claim.battle) for claim in [crowd.asks("r")] if claim
    ]
    held = crowd.asks("other")
    assert held and crowd.asks("r") is None and phase() == "waiting"
    crowd.events.append(Event("done", crowd.now, "other", held.battle))
    assert phase() == "ready" and crowd.judges("r") and phase() == "finished"


def test_whoever_comes_back_goes_on_where_they_were_while_nobody_else_has_it() -> None:
    crowd = Crowd(study(2, 2, raters=1), 1)
    first = crowd.asks("r")
    crowd.now += timedelta(days=2)
    again = crowd.asks("r")
    assert first
    assert again
    assert again.battle == first.battle


def test_a_battle_without_a_result_is_asked_for_again() -> None:
    crowd = Crowd(study(1, 2, raters=1), 1)
    first = crowd.asks("r")
    assert first
    crowd.events.append(Event("void", crowd.now, "r", first.battle))
    again = crowd.asks("r")
    assert again
    assert (again.item, again.battle != first.battle) == ("p0", True)


def test_a_battle_whose_last_vote_is_in_counts_though_nobody_said_so() -> None:
    crowd = Crowd(study(1, 2, raters=1), 1)
    claim = crowd.asks("r")
    assert claim
    assert Course.of(crowd.events, [claim.battle]).judged() == {"p0": 1}


def test_whoever_comes_when_nothing_is_left_is_turned_away_and_gets_no_code() -> None:
    code = Completion("C0DE", "", ())
    crowd = Crowd(study(1, 2, raters=1, practice=CHECK, completion=code), seed=1)
    crowd.events += [Event("consent", START, rater) for rater in ("first", "early")]

    def told(rater: str) -> tuple[str, str]:
        found = page(crowd.study, crowd.course, rater, crowd.now)
        return found.phase, found.code

    for rater in ("early", "first"):
        crowd.judges(rater)  # to practise
    crowd.asks("first")
    assert told("late") == ("consent", ""), "who holds the last one may yet leave it"
    crowd.judges("first")
    assert told("first") == ("finished", "C0DE")
    assert told("late") == ("closed", "")
    assert told("early") == ("closed", ""), "practice is no work"


def test_whoever_agreed_and_judged_nothing_before_all_was_taken_gets_no_code() -> None:
    code = Completion("C0DE", "https://panel.example/done", ())
    for practice in (None, CHECK):
        asked = study(1, 2, raters=1, practice=practice, completion=code)
        crowd = Crowd(asked, seed=1)
        crowd.events += [Event("consent", START, rater) for rater in ("early", "back")]
        while crowd.judges("early"):
            pass
        found = page(asked, crowd.course, "back", crowd.now)
        assert (found.phase, found.code, found.link, found.end) == ("closed", "", "", "")
        assert not progress(asked, crowd.course, "back", crowd.now).finished


def test_prompts_that_are_called_like_checks_are_judged_all_the_same() -> None:
    items = tuple(Item(id, ("Why?",)) for id in ("practice", "attention-1"))
    names = (Contender("c0", "c0"), Contender("c1", "c1"))
    asked = Study("pilot", items, names, raters=1, practice=CHECK, attention=(CHECK,))
    crowd = Crowd(asked, 1)
    crowd.play(["r0"])
    assert crowd.course.judged() == {"practice": 1, "attention-1": 1}
    assert progress(asked, crowd.course, "r0", crowd.now).finished
