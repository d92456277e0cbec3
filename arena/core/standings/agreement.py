"""How far raters agree: with one another, with all others, and with themselves.

It works on rows of votes and does not know who the raters are.

An item is what several people judged alike: the same prompt of a study, turn and two contenders,
whichever stood first. A judgement is the contender that won, or a tie; both_bad is one of its own. Which of
the two counts as the first one is drawn for each item, as seats are: were it the alphabet, names
that happen to stand in the order of strength would make agreement look like chance.
A ballot of three judges several items at once, so those of a prompt err together: intervals are
percentiles of a bootstrap over prompts (Efron 1979; Field & Welsh 2007,
doi:10.1111/j.1467-9868.2007.00593.x).

Krippendorff 2019, Content Analysis, ch. 12 (alpha); Cohen 1960 and Fleiss 1971 (kappa).
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
import pandas as pd

from arena.core.arrays import Bools, Floats, Ints
from arena.core.standings.chance import bootstrapped, seeded
from arena.core.standings.votes import TEXT, counted

REPEAT = "repeat"
"""Why a vote is not ranked whose rater had judged its prompt before."""
JUDGEMENTS = ("first", "second", "tie", "both_bad")
BOOTSTRAPS, FEWEST_BOOTSTRAPS = 400, 50
MOST_DRAWN = 300_000
"""Items that are drawn for an interval, in all; more items need fewer of them."""

AGREEMENT = {
    "measure": TEXT,
    **dict.fromkeys(("value", "lower", "upper"), "float64"),
    **dict.fromkeys(("items", "judgements"), "int64"),
}
RATERS = {
    "rater": TEXT,
    "votes": "int64",
    **dict.fromkeys(("shared", "repeated"), "int64"),
    **dict.fromkeys(("agrees", "agrees_lower", "agrees_upper"), "float64"),
    **dict.fromkeys(("kappa", "agrees_with_self", "first_seat"), "float64"),
}
"""Columns, in order, with their dtypes."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Votes that count, N, each on an item by a rater.

    item, rater: numbers from 0. judgement: index into JUDGEMENTS. prompt: (items,) its number, from
    0."""

    item: Ints
    rater: Ints
    judgement: Ints
    raters: tuple[str, ...]
    prompt: Ints

    @property
    def table(self) -> Ints:
        """(items, 4) how often each was judged how; a rater's first judgement of an item only."""
        first = self.once
        size = int(self.item.max(initial=-1)) + 1
        table = np.zeros((size, len(JUDGEMENTS)), dtype=np.int64)
        np.add.at(table, (self.item[first], self.judgement[first]), 1)
        return table

    @property
    def once(self) -> Bools:
        """(N,) the first time that a rater judged an item."""
        pair = pd.Series(self.item * max(len(self.raters), 1) + self.rater)
        once: Bools = ~pair.duplicated().to_numpy()
        return once


def judged(votes: pd.DataFrame) -> Judged:
    """Of rows of the ledger with study, prompt_id, round, rater, excluded_reason and what was
    judged (superseded ones marked as such); those without a prompt_id or a rater, and those with an
    excluded_reason, are left out."""
    texts = votes[["prompt_id", "rater", "excluded_reason"]].astype(TEXT).fillna("")
    counts = (texts["prompt_id"] != "") & (texts["rater"] != "") & (texts["excluded_reason"] == "")
    votes = votes[counts.to_numpy()]
    a, b, winner = (votes[name].astype(TEXT) for name in ("model_a", "model_b", "winner"))
    turned = (a > b).to_numpy()
    sides = a.where(~turned, b), b.where(~turned, a)
    key = pd.MultiIndex.from_arrays([votes["study"], votes["prompt_id"], votes["round"], *sides])
    named = key.droplevel(0).to_frame()
    drawn = pd.util.hash_pandas_object(named, index=False).to_numpy() % 2 == 1
    turned = turned ^ drawn
    won = winner.map({"model_a": 0, "model_b": 1, "tie": 2, "both_bad": 3}).to_numpy(np.int64)
    rater, names = pd.factorize(votes["rater"].astype(TEXT))
    judgement = np.where(turned & (won < 2), 1 - won, won)
    item, items = pd.factorize(key)
    prompt, _ = pd.factorize(pd.MultiIndex.from_arrays([*map(items.get_level_values, (0, 1))]))
    return Judged(item, rater, judgement, tuple(names), prompt)


def with_repeats(votes: pd.DataFrame) -> pd.DataFrame:
    """Votes as agreement is told by them: what a rater judged again among them, beside a vote of
    theirs on that prompt which counts. votes: as in `judged`."""
    reasons = votes["excluded_reason"].astype(TEXT).fillna("")
    texts = votes[["study", "prompt_id", "rater"]].astype(TEXT).fillna("")
    whose = pd.MultiIndex.from_frame(texts)
    again = (reasons == REPEAT) & whose.isin(whose[reasons == ""])
    return votes.assign(excluded_reason=reasons.mask(again, ""))


def agreement(votes: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Alpha, Fleiss' kappa, the mean of Cohen's kappas of two raters, and the plain share of
    pairs of judgements that agree, each with a 95 % interval, in the columns of `AGREEMENT`. Of
    items that two raters judged at least; NaN without any."""
    found = judged(votes)
    table = found.table
    shared = table.sum(axis=1) > 1
    table, rng = table[shared], seeded(seed)
    measures: dict[str, Callable[[Ints], float]] = {
        "alpha": lambda rows: alpha(table[rows]),
        "fleiss_kappa": lambda rows: fleiss_kappa(table[rows]),
        "agreement": lambda rows: plain_agreement(table[rows]),
    }
    marks = _marks(found)[:, :, shared]
    measures["cohen_kappa"] = lambda rows: mean_cohen(
        marks, np.bincount(rows, minlength=len(table)).astype(float)
    )
    prompts = Prompts.of(found.prompt[shared])
    whole = {"items": len(table), "judgements": int(table.sum())}
    rows = [
        {"measure": name, **_with_interval(measure, prompts, rng), **whole}
        for name, measure in measures.items()
    ]
    return pd.DataFrame(rows).astype(AGREEMENT)


@dataclass(frozen=True, slots=True, eq=False)
class Prompts:
    """items: numbers of all items, those of a prompt together; start, size: where each prompt's
    begin among these, and how many there are."""

    items: Ints
    start: Ints
    size: Ints

    @classmethod
    def of(cls, prompt: Ints) -> "Prompts":
        """prompt: (items,)"""
        items = np.argsort(prompt, kind="stable")
        _, start, size = np.unique(prompt[items], return_index=True, return_counts=True)
        return cls(items, start, size)

    def drawn(self, prompts: Ints) -> Ints:
        """The items of these prompts."""
        size = self.size[prompts]
        before = np.cumsum(size) - size
        within = np.arange(size.sum()) - np.repeat(before, size)
        items: Ints = self.items[np.repeat(self.start[prompts], size) + within]
        return items


def _with_interval(
    measure: Callable[[Ints], float], prompts: Prompts, rng: Random
) -> dict[str, float]:
    items, number = len(prompts.items), len(prompts.size)
    value = measure(np.arange(items))
    if number < 2:
        return {"value": value, "lower": np.nan, "upper": np.nan}
    times = min(max(MOST_DRAWN // items, FEWEST_BOOTSTRAPS), BOOTSTRAPS)
    lower, upper = bootstrapped(rng, number, times, lambda of: measure(prompts.drawn(of)))
    return {"value": value, "lower": lower, "upper": upper}


def alpha(table: Ints) -> float:
    """Krippendorff's alpha of nominal judgements, from counts (items, values). NaN without two
    judgements of one item; where nothing but one value occurs, none can be told."""
    of_item = table.sum(axis=1)
    table, of_item = table[of_item > 1], of_item[of_item > 1]
    of_value, number = table.sum(axis=0), int(table.sum())
    by_chance = number * number - int(of_value @ of_value)
    if not by_chance:
        return float("nan")
    differ = ((of_item[:, None] - table) * table).sum(axis=1) / np.maximum(of_item - 1, 1)
    return float(1 - (number - 1) * differ.sum() / by_chance)


def fleiss_kappa(table: Ints) -> float:
    """From counts (items, values); items may have different numbers of judgements, each weighing
    by its own. NaN where chance alone would agree always."""
    of_item = table.sum(axis=1)
    table, of_item = table[of_item > 1], of_item[of_item > 1]
    if not len(table):
        return float("nan")
    share = table.sum(axis=0) / table.sum()
    by_chance = float(share @ share)
    seen = float(((table * (table - 1)).sum(axis=1) / (of_item * (of_item - 1))).mean())
    return (seen - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def plain_agreement(table: Ints) -> float:
    """The share of pairs of judgements of an item that are the same."""
    same, pairs = (table * (table - 1)).sum(), table.sum(axis=1)
    number = (pairs * (pairs - 1)).sum()
    return float(same / number) if number else float("nan")


def cohen_kappa(one: Ints, other: Ints) -> float:
    """Of two raters' judgements (N,) of the same items. NaN where chance would agree always."""
    if not len(one):
        return float("nan")
    kinds = int(max(one.max(), other.max())) + 1
    shares = [np.bincount(of, minlength=kinds) / len(of) for of in (one, other)]
    by_chance = float(shares[0] @ shares[1])
    seen = float((one == other).mean())
    return (seen - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def mean_cohen(marks: Floats, weight: Floats) -> float:
    """Of every two raters, each weighing by the items they share. marks: (R, 4, items) 1 where a
    rater judged an item so; weight: (items,) how often each item counts."""
    raters, kinds, _ = marks.shape
    flat = marks.reshape(raters * kinds, -1)
    both = ((flat * weight) @ flat.T).reshape(raters, kinds, raters, kinds).transpose(0, 2, 1, 3)
    first, second = np.triu_indices(raters, 1)
    both = both[first, second]
    number = both.sum(axis=(1, 2))
    both, number = both[number > 0], number[number > 0]
    seen = np.trace(both, axis1=1, axis2=2) / number
    by_chance = (both.sum(axis=2) * both.sum(axis=1)).sum(axis=1) / number**2
    told = by_chance < 1 - 1e-12
    if not told.any():
        return float("nan")
    kappas = (seen[told] - by_chance[told]) / (1 - by_chance[told])
    return float(np.average(kappas, weights=number[told]))


MOST_PAIRED = 20
"""Raters of whom every two are compared: those with the most judgements."""


def _marks(found: Judged) -> Floats:
    """(R, 4, items) the first judgements of those with the most."""
    busiest = np.argsort(-np.bincount(found.rater, minlength=1), kind="stable")[:MOST_PAIRED]
    place = np.full(max(len(found.raters), 1), -1)
    place[busiest] = np.arange(len(busiest))
    once = found.once & (place[found.rater] >= 0)
    marks = np.zeros((len(busiest), len(JUDGEMENTS), int(found.item.max(initial=-1)) + 1))
    marks[place[found.rater[once]], found.judgement[once], found.item[once]] = 1.0
    return marks


def raters(votes: pd.DataFrame) -> pd.DataFrame:
    """One row a rater, with the columns of `RATERS`: shared judgements are of items that others
    judged as well, agrees is the mean share of those others who said the same, with its 95 %
    interval (Wilson 1927, of as many as judgements of a prompt that err together are worth: Rao &
    Scott 1992, doi:10.2307/2532311), kappa that against what chance would give, repeated judgements are of
    items that they judged before, agrees_with_self the share of them that are the same again,
    first_seat how often the contender shown first won among those votes that count and
    were decided. NaN
    where there is none."""
    found = judged(votes)
    table, once = found.table, found.once
    number = len(found.raters)
    others = table[found.item].sum(axis=1) - 1
    same = (table[found.item, found.judgement] - 1) / np.maximum(others, 1)
    shared = once & (others > 0)
    count = np.bincount(found.rater[shared], minlength=number)
    agrees = _mean(found.rater[shared], same[shared], number)
    share = table.sum(axis=0) / max(table.sum(), 1)
    chance = _mean(found.rater[shared], share[found.judgement[shared]], number)
    again = ~once
    first = pd.Series(found.judgement).groupby([found.item, found.rater]).transform("first")
    as_before = (found.judgement == first.to_numpy()).astype(float)
    decided = counted(votes)
    decided = decided[decided["winner"].isin(["model_a", "model_b"])]
    seat = (decided["winner"] == "model_a").groupby(decided["rater"].astype(TEXT)).mean()
    off = same[shared] - agrees[found.rater[shared]]
    together = found.rater[shared] * len(table) + found.prompt[found.item[shared]]
    lower, upper = wilson(agrees, count / design_effect(off, agrees, count, together))
    columns = {
        "rater": np.array(found.raters, dtype=object),
        "votes": np.bincount(found.rater, minlength=number),
        "shared": count,
        "repeated": np.bincount(found.rater[again], minlength=number),
        "agrees": agrees,
        "agrees_lower": lower,
        "agrees_upper": upper,
        "kappa": (agrees - chance) / np.where(chance < 1, 1 - chance, np.nan),
        "agrees_with_self": _mean(found.rater[again], as_before[again], number),
        "first_seat": seat.reindex(list(found.raters)).to_numpy(float),
    }
    made = pd.DataFrame({name: columns[name] for name in RATERS}).astype(RATERS)
    return made.sort_values("agrees", kind="stable", ignore_index=True)


def _mean(by: Ints, values: Floats, number: int) -> Floats:
    """(number,) NaN for none."""
    count = np.bincount(by, minlength=number).astype(float)
    total = np.bincount(by, values, minlength=number)
    return total / np.where(count > 0, count, np.nan)


def design_effect(off: Floats, share: Floats, number: Ints, together: Ints) -> float:
    """By how much the variance of shares of so many exceeds that of independent ones, over all of
    them; 1 at least. off: each judgement's distance from its share; together: which err so."""
    alone = float(np.nansum(share * (1 - share) * number))
    seen = np.bincount(np.unique(together, return_inverse=True)[1], off)
    return max(float(seen @ seen) / alone, 1.0) if alone else 1.0


def wilson(share: Floats, number: Ints | Floats) -> tuple[Floats, Floats]:
    """The 95 % interval of a share of so many."""
    z2, n = 1.959964**2, np.maximum(number, 1)
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return middle - half, middle + half
