"""Which host takes a reply, which hosts may play together, and when one is left alone."""

from __future__ import annotations

import pytest

from arena.core.hosts.placement import LOAD_BREAKER, Breaker, Share, choose, fit
from tests.core.hosts.choices import CHOICES, candidates

FULL, PART, NONE, UNKNOWN = Share.FULL, Share.PART, Share.NONE, Share.UNKNOWN


@pytest.mark.parametrize("case", CHOICES)
def test_the_best_host_is_chosen(case: str) -> None:
    for known in (CHOICES[case], CHOICES[case][::-1]):
        best = choose(known)
        assert (best and best.host) == next((c.host for c in known if c.host == "good"), None)


def test_of_equals_the_first_is_chosen() -> None:
    assert choose(candidates(one={}, other={})) == candidates(one={})[0]
    assert choose([]) is None


def test_the_share_on_the_gpu_is_read_from_the_sizes() -> None:
    assert [Share.of(10, vram) for vram in (0, 4, 10, 12)] == [NONE, PART, FULL, FULL]


@pytest.mark.parametrize(
    ("shares", "fitting"),
    [
        ({"1a": FULL, "1b": UNKNOWN, "2a": PART, "2b": NONE}, "1a 1b"),
        ({"1a": FULL, "1b": PART}, "1a"),
        ({"1a": NONE, "1b": NONE, "2a": NONE}, "1a 1b 2a"),
        ({"1a": NONE, "1b": PART, "2a": NONE, "2b": UNKNOWN}, "2a 2b"),
        ({"1a": UNKNOWN, "1b": UNKNOWN}, "1a 1b"),
        ({}, ""),
    ],
)
def test_all_contenders_meet_on_one_class_of_host(shares: dict[str, Share], fitting: str) -> None:
    pairs = fit({(name[0], name[1]): share for name, share in shares.items()})
    assert sorted(host + model for host, model in pairs) == fitting.split()


def failed(breaker: Breaker, *times: float) -> Breaker:
    for time in times:
        breaker = breaker.failed(time)
    return breaker


def test_three_failures_within_half_a_minute_shut_a_host_off_for_ten_seconds() -> None:
    breaker = failed(Breaker(), 0, 10)
    assert not breaker.shut(10)
    breaker = breaker.failed(20)
    assert breaker.shut(20) and breaker.shut(29.9)
    assert not breaker.shut(30) and breaker.on_trial(30)


def test_failures_far_apart_or_before_a_success_do_not_count() -> None:
    assert not failed(Breaker(), 0, 20, 31).shut(31)
    assert not failed(failed(Breaker(), 0, 1).succeeded(), 2, 3).shut(3)


def test_a_failure_on_trial_shuts_it_off_for_twice_as_long_up_to_two_minutes() -> None:
    breaker, now, pauses = failed(Breaker(), 0, 0, 0), 0.0, []
    for _ in range(6):
        pauses.append(breaker.open_until - now)
        now = breaker.open_until
        breaker = breaker.failed(now)
    assert pauses == [10, 20, 40, 80, 120, 120]


def test_failures_of_requests_still_out_do_not_prolong_the_pause() -> None:
    breaker = failed(Breaker(), 0, 0, 0)
    assert failed(breaker, 1, 2, 3) == breaker


def test_one_success_on_trial_closes_it() -> None:
    breaker = failed(Breaker(), 0, 0, 0).succeeded()
    assert not breaker.shut(1) and not breaker.on_trial(100)
    assert not failed(breaker, 101, 102).shut(102)


def test_a_host_that_came_back_is_on_trial_at_once_and_remembers_how_long_it_was_off() -> None:
    breaker = failed(Breaker(), 0, 0, 0).reprieved(2)
    assert breaker.on_trial(2) and not breaker.shut(2)
    assert breaker.failed(2).open_until == 22


def test_a_breaker_is_the_same_by_another_clock() -> None:
    ours = failed(Breaker(), 0, 1, 2)
    theirs = ours.shifted(1000)
    assert theirs.open_until == ours.open_until + 1000 and theirs.shifted(-1000) == ours
    assert failed(Breaker(), 5).shifted(10) == failed(Breaker(), 15)
    assert Breaker().shifted(7) == Breaker()


def test_two_failures_to_load_leave_a_model_alone_for_a_minute() -> None:
    breaker = failed(LOAD_BREAKER, 0, 1)
    assert breaker.shut(60.9) and not breaker.shut(61)
    assert breaker.failed(61).open_until == 121
