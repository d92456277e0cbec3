"""Evidence against a rater as a bet: e-processes, which an honest rater drives above 1/p at any time
with probability p at most (Ville 1939; Ramdas, Grünwald, Vovk & Shafer 2023, arXiv:2210.01948).

Honest raters disagree. So each is granted a taste of their own, drawn from a normal
distribution as wide as that of the others, and only what such a taste does not explain counts.
It does not know what is bet on.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_expit, logit, logsumexp

from arena.core.arrays import Bools, Floats, Ints

NODES = np.linspace(-8.0, 8.0, 33)
"""Tastes that are tried, in standard deviations: far enough for a fan of thousands of votes."""
RATES = (0.9, 0.97, 0.995)
"""How often who is bent on one outcome has it."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """By group: the logarithm of its e-value, now and at its highest, and its events."""

    group: Ints
    now: Floats
    highest: Floats
    events: Ints


def bent(offset: Floats, happened: Bools, group: Ints, taste: float) -> tuple[Evidence, Evidence]:
    """Against groups of events, in order within each, that happen with log-odds of `offset` plus
    the group's taste: that they happen nearly always, and nearly never."""
    order, start, size = _grouped(group)
    if not len(order):
        nothing = Evidence(start, np.zeros(0), np.zeros(0), size)
        return nothing, nothing
    offset, happened = offset[order], happened[order]
    null = _mixed(_running(_likely(offset, happened, taste), start, size), taste)

    def against(happened: Bools) -> Evidence:
        odds = [np.where(happened, np.log(rate), np.log1p(-rate)) for rate in RATES]
        bets = [_running(np.asarray(each), start, size) for each in odds]
        wealth = logsumexp(bets, axis=0) - np.log(len(RATES)) - null
        return _told(wealth, group[order], start, size)

    return against(happened), against(~happened)


def steady(ratio: Floats, group: Ints) -> Evidence:
    """Of groups of independent e-values in order, given as logarithms: that from some moment on
    they are large. The moment is bet on beforehand, with weights of 1/(n(n+1))."""
    order, start, size = _grouped(group)
    if not len(order):
        return Evidence(start, np.zeros(0), np.zeros(0), size)
    ratio, wealth = ratio[order], np.zeros(len(order))
    begun = np.full(len(start), -np.inf)
    for step in range(int(size.max(initial=0))):
        on = np.flatnonzero(size > step)
        at = start[on] + step
        fresh = -np.log((step + 1) * (step + 2))
        begun[on] = np.logaddexp(begun[on], fresh) + ratio[at]
        wealth[at] = np.logaddexp(begun[on], -np.log(step + 2))
    return _told(wealth, group[order], start, size)


def odds(happened: Bools) -> float:
    """Of a share, as a logarithm, never infinite."""
    return float(logit((happened.sum() + 0.5) / (len(happened) + 1)))


def _likely(offset: Floats, happened: Bools, taste: float) -> Floats:
    """(N, nodes)"""
    sign = np.where(happened, 1.0, -1.0)[:, None]
    likely: Floats = log_expit(sign * (offset[:, None] + taste * NODES))
    return likely


def _mixed(likely: Floats, taste: float) -> Floats:
    """Over all tastes. taste: 0 leaves but one."""
    if not taste:
        return likely[:, 0]
    weight = -0.5 * NODES**2
    mixed: Floats = logsumexp(likely + (weight - logsumexp(weight)), axis=1)
    return mixed


def _grouped(group: Ints) -> tuple[Ints, Ints, Ints]:
    """The order that puts groups together, where each begins, and how many each has."""
    order = np.argsort(group, kind="stable")
    _, start, size = np.unique(group[order], return_index=True, return_counts=True)
    return order, start, size


def _running(values: Floats, start: Ints, size: Ints) -> Floats:
    """Sums so far within each group."""
    total = np.cumsum(values, axis=0)
    before = total[start] - values[start]
    summed: Floats = total - np.repeat(before, size, axis=0)
    return summed


def _told(wealth: Floats, group: Ints, start: Ints, size: Ints) -> Evidence:
    highest = np.maximum.reduceat(wealth, start)
    return Evidence(group[start], wealth[start + size - 1], highest, size)
