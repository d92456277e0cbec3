"""What an audit looks for, and how sure it is: each rater, each ring and each pair of raters is
tested in many ways, and all of it together accuses anybody falsely with probability ALPHA at most
(e-processes; Vovk & Wang 2021, arXiv:1912.06116): half of it raters, each by their share of the
ballots (weighted Bonferroni; Genovese, Roeder & Wasserman 2006, doi:10.1093/biomet/93.3.509), a
quarter each rings and pairs.

That holds as far as its picture of honest raters does: they choose the weakest by Luce's rule with
strengths of the fit and a normal taste, whose width is learnt from those who are not found; of
replies to one prompt no two agree more often than their tastes say, what each has in common with
others there does, or AGREE; nobody is for long more than QUICK times as fast as most. It does not know what is done about what it finds.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from arena.core.arrays import Bools, Floats
from arena.core.audit import evidence
from arena.core.audit.ballots import Ballots, read
from arena.core.audit.choices import Choices, width
from arena.core.audit.evidence import Evidence
from arena.core.standings.bradley_terry import Method
from arena.core.standings.counts import Counts

ALPHA = 0.05
PASSES = 3
"""Whoever was found is left out of the fit and of the tastes, and all are looked at again."""
PLACE_TASTE = 0.5
"""Of how much people favour a place, in logits."""
HASTE = 0.25
"""So often anybody may vote without reading."""
CALM_S, QUICK, BURST = 15.0, 3.0, 5.0
"""Nobody casts more than a ballot each 15 s for long, or where most are quicker, QUICK times as many
as most; a burst has BURST times as many."""
AGREE, COPY = 0.7, 0.99
"""How often two may agree on the same prompt and contenders for what the replies are, however equal
the contenders and few the others, and how often a copy does."""
LEAST = 0.05
"""What those beside two have at least in common beyond chance: less cannot be told from nothing."""
APART = 4
"""So many judge a prompt where copies are looked for: of two or three, clear answers and careful
raters cannot be told from copying."""
SHARES = (0.01, 0.03, 0.1, 0.3)
MEMBER = 0.95
"""How probable it must be that a rater is of a ring."""


@dataclass(frozen=True, slots=True)
class Finding:
    """kind: for, against, lift, place, random, haste, burst, copy or ring. about: whom or what it
    concerns. evidence: the e-value as a power of ten; 2 is a hundred to one."""

    rater: str
    kind: str
    about: str
    evidence: float
    ballots: int


@dataclass(frozen=True, slots=True)
class Report:
    """taste: how much raters differ, in logits."""

    findings: tuple[Finding, ...]
    raters: int
    ballots: int
    taste: float

    @property
    def found(self) -> frozenset[str]:
        return frozenset(finding.rater for finding in self.findings)


NOTHING = Report((), 0, 0, 0.0)
"""Of no ballot."""


def audit(votes: pd.DataFrame) -> Report:
    """votes: as `ballots.read` takes them, with what the fit needs, and none that was superseded.
    `NOTHING` where no rater that is known dropped anybody."""
    ballots = read(votes)
    if not len(ballots.rater):
        return NOTHING
    share = np.bincount(ballots.rater) / len(ballots.rater)
    found: dict[str, Finding] = {}
    for _ in range(PASSES):
        honest = ~np.isin(ballots.raters, list(found))
        before = {*found}
        strength = _strengths(votes[~votes["rater"].isin(before)], ballots)
        choices, tests = _tests(ballots, strength, honest)
        of_kind = Counter(kind for kind, _, _ in tests)
        found = {}
        for kind, about, told in tests:
            several = len(of_kind) * of_kind[kind]
            sure = np.log(several / (ALPHA / 2) / share[told.group])
            for at in np.flatnonzero(told.highest > sure):
                _keep(found, ballots, int(told.group[at]), kind, about, told.highest[at])
        copies = _copies(ballots, choices.drops())
        for kind, about, rater, much in (*_rings(ballots, tests, found), *copies):
            _keep(found, ballots, rater, kind, about, much)
        if {*found} == before:
            break
    order = sorted(found.values(), key=lambda finding: -finding.evidence)
    return Report(tuple(order), len(ballots.raters), len(ballots.rater), choices.taste)


Test = tuple[str, str, Evidence]


def _keep(
    found: dict[str, Finding], ballots: Ballots, rater: int, kind: str, about: str, much: float
) -> None:
    """The strongest finding of each rater."""
    name, power = ballots.raters[rater], float(much / np.log(10))
    if name not in found or found[name].evidence < power:
        found[name] = Finding(name, kind, about, power, int((ballots.rater == rater).sum()))


def _strengths(votes: pd.DataFrame, ballots: Ballots) -> Floats:
    """(K,) of the fit; 0 for whom it does not know."""
    fit = Counts.of(votes).fit(Method(clusters="none"))
    known = dict(zip(fit.names, fit.theta.tolist(), strict=True))
    return np.array([known.get(name, 0.0) for name in ballots.names])


def _tests(ballots: Ballots, strength: Floats, honest: Bools) -> tuple[Choices, list[Test]]:
    """The choices by the taste of the honest, and every test."""
    cast = honest[ballots.rater]
    choices = Choices(ballots, strength, width(ballots, strength, cast), honest)
    tests: list[Test] = []
    for at, name in enumerate(ballots.names):
        tests += ((kind, name, told) for kind, told in choices.bent(at))
    tests += _places(ballots, cast)
    tests.append(("random", "", choices.at_random()))
    tests.append(("haste", "", _haste(ballots)))
    tests.append(("burst", "", _bursts(ballots, honest)))
    return choices, tests


def _places(ballots: Ballots, honest: Bools) -> Iterator[Test]:
    """Seats are drawn at random, so whoever has one opinion on places has none on replies."""
    several = ballots.there.sum(axis=1)
    for place in range(ballots.live.shape[1]):
        row = np.flatnonzero(ballots.there[:, place] & ballots.drawn)
        kept, offset = ballots.dropped[row] != place, np.zeros(len(row))
        for size in np.unique(several[row]):
            alike = several[row] == size
            offset[alike] = evidence.odds(kept[alike & honest[row]])
        rater = ballots.rater[row]
        for told in evidence.bent(offset, kept, rater, PLACE_TASTE):
            yield "place", str(place + 1), told


def _haste(ballots: Ballots) -> Evidence:
    known = np.flatnonzero(~np.isnan(ballots.unread))
    hasty = ballots.unread[known]
    ratio = hasty * np.log(0.95 / HASTE) + (1 - hasty) * np.log(0.05 / (1 - HASTE))
    return evidence.steady(ratio, ballots.rater[known])


def _bursts(ballots: Ballots, honest: Bools) -> Evidence:
    gaps = np.diff(ballots.seconds)
    # Of two at the very same time only the day is known, or when a file was read.
    told = (np.diff(ballots.rater) == 0) & (gaps > 0)
    gap, rater = gaps[told], ballots.rater[1:][told]
    its = honest[rater]
    usual = pd.Series(gap[its]).groupby(rater[its]).median().median()
    calm = float(np.fmin(CALM_S, usual / QUICK))
    return evidence.steady(np.log(BURST) - (BURST - 1) / calm * gap, rater)


Found = Iterator[tuple[str, str, int, float]]


def _rings(ballots: Ballots, tests: list[Test], found: dict[str, Finding]) -> Found:
    """Raters who lift the same contender, of whom none stands out alone: a share of all is taken to
    be of the ring, and the product of what each says then is an e-value. That there is a ring is as
    sure as anything here; that one belongs to it, MEMBER. Who only keeps or drops the same one may
    be of an honest minority."""
    alone = {at for at, name in enumerate(ballots.raters) if name in found}
    rings = [test for test in tests if test[0] == "lift"]
    sure = np.log(len(rings) / (ALPHA / 4)) if rings else 0.0
    for _, about, told in rings:
        others = ~np.isin(told.group, list(alone))
        group, much = told.group[others], told.now[others]
        mixed = [np.logaddexp(np.log1p(-share), np.log(share) + much) for share in SHARES]
        together = [each.sum() - np.log(len(SHARES)) for each in mixed]
        if not len(group) or logsumexp(together) < sure:
            continue
        best = int(np.argmax(together))
        member = np.exp(np.log(SHARES[best]) + much - mixed[best])
        for rater in group[member > MEMBER]:
            yield ("ring", f"for {about}", int(rater), float(logsumexp(together)))


def _copies(ballots: Ballots, drops: Floats) -> Found:
    """Pairs who judged the same prompts and contenders, and agree more than two people do. drops:
    (B, S) how likely each place is to be dropped by the rater's own taste."""
    if ballots.prompt is None:
        return
    own = pd.DataFrame({"rater": ballots.rater, "prompt": ballots.prompt})
    own["live"] = [tuple(sorted(live[live >= 0])) for live in ballots.live]
    own["out"] = ballots.live[np.arange(len(own)), ballots.dropped]
    own["ballot"] = np.arange(len(own))
    own = own[own["prompt"] >= 0].drop_duplicates(["rater", "prompt", "live"])
    item = ["prompt", "live"]
    own["several"] = own.groupby(item)["rater"].transform("size")
    own = own[(own["several"] >= APART) & (own["several"] <= 50)]
    own["like"] = own.groupby([*item, "out"])["rater"].transform("size") - 1
    own["alike"] = own.groupby(item)["like"].transform("sum")
    both = own.merge(own, on=item)
    both = both[both["rater_x"] < both["rater_y"]]
    same = (both["out_x"] == both["out_y"]).to_numpy()
    drops = np.take_along_axis(drops, np.argsort(ballots.live, axis=1), axis=1)
    likely = (drops[both["ballot_x"]] * drops[both["ballot_y"]]).sum(axis=1)
    likely = np.clip(np.fmax(likely, _usual(both, same)), AGREE, COPY)
    agree = np.where(same, np.log(COPY / likely), np.log((1 - COPY) / (1 - likely)))
    sure = np.log(max(1, len(ballots.raters) ** 2 / 2) / (ALPHA / 4))
    for pair, much in both.assign(much=agree).groupby(["rater_x", "rater_y"])["much"].sum().items():
        one, other = np.asarray(pair).tolist()
        if much > sure:
            yield "copy", ballots.raters[other], one, float(much)
            yield "copy", ballots.raters[one], other, float(much)


def _usual(both: pd.DataFrame, same: Bools) -> Floats:
    """How often pairs would agree who hit on what is clear as often as each agrees with the others
    there: beyond chance, the product of what each has in common with them, by what they have with
    one another."""
    others = both["several_x"] - 2
    among = others * (others - 1) / 2
    agreed = {
        "one": (both["like_x"] - same) / others,
        "other": (both["like_y"] - same) / others,
        "rest": (both["alike_x"] / 2 - both["like_x"] - both["like_y"] + same) / among,
    }
    by_pair = pd.DataFrame(agreed).groupby([both["rater_x"], both["rater_y"]])
    one, other, rest = 2 * by_pair.transform("mean").to_numpy().T - 1
    common = np.fmax(one, 0) * np.fmax(other, 0) / np.fmax(rest, LEAST)
    return np.asarray((1 + common) / 2)
