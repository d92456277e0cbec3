"""What a judge's verdicts say of the judge: how far it agrees with people, what it is biased by,
and how often it says something else when the replies stand the other way round.

It works on tables and does not know who is asked, nor how.

Zheng et al. 2023, arXiv:2306.05685 (bias for position, length and oneself); intervals of shares:
Wilson 1927; of differences from people: bootstrap (Efron 1979). Those of three replies to one prompt
are judged in pairs that err together, so prompts are what is drawn, and a share is worth no more
judgements than vary as much (Rao & Scott 1992, doi:10.2307/2532311).
"""

import re
from collections.abc import Callable
from random import Random

import numpy as np
import pandas as pd

from arena.core.arrays import Floats, Ints
from arena.core.standings.agreement import Prompts, cohen_kappa, design_effect, wilson
from arena.core.standings.chance import bootstrapped, seeded
from arena.core.standings.votes import TEXT

JUDGE, EXCLUDED, CHANNEL = "judge:", "judge", "judge"
"""How the raters begin that are models, why their verdicts are never ranked beside people's votes,
and how they came into the ledger."""

BOOTSTRAPS = 500

VERDICTS = ("item", "order", "model_a", "model_b", "winner")
FINDINGS = {
    "measure": TEXT,
    **dict.fromkeys(("value", "lower", "upper", "people"), "float64"),
    "number": "int64",
}
"""Columns, in order, with their dtypes."""


def judge_of(model: str) -> str:
    """The rater that a model is."""
    return f"{JUDGE}{model}"


def family(name: str) -> str:
    """The first word of a model's name: llama of llama3.1:8b."""
    found = re.match("[a-z]+", name.lower().rsplit("/", maxsplit=1)[-1])
    return found[0] if found else name.lower()


def findings(verdicts: pd.DataFrame, people: pd.DataFrame, own: str) -> pd.DataFrame:
    """One row a measure, with the columns of `FINDINGS`; NaN where nothing tells.

    verdicts: in the columns `VERDICTS`, two of each item, each as it was shown; those on what no
    people judged say nothing here. people: item, prompt, rater, model_a, model_b, winner, length_a,
    length_b. own: the judge's family.

    agreement: the share of people's votes that say what the judge says, whose verdict is a tie
    where its two orders do not agree; people: the same of two people on one item. kappa: that
    against chance. flips: the share of items whose verdict is another when the order is;
    reversed: where the other one wins. first_seat: of decided verdicts, those for the reply
    shown first; an even judge has ½. longer: of decided items, those won by the longer reply, and
    in people the same of their votes there. own_family: of decided items between the judge's
    family and another, those won by its own, and people's."""
    rng = seeded(0)
    first, second = (
        verdicts[verdicts["order"] == order].drop_duplicates("item").set_index("item")
        for order in (1, 2)
    )
    items = first.index.intersection(second.index).intersection(pd.Index(people["item"]))
    first, second = first.loc[items], second.loc[items]
    one, other = (_winners(of) for of in (first, second))
    combined = pd.Series(np.where(one == other, one, ""), index=items, dtype=object)
    shown = pd.concat([first["winner"], second["winner"]])
    decided = shown[shown.isin(["model_a", "model_b"])]
    flipped = one != other
    turned = flipped & (one != "") & (other != "")
    people = people[people["item"].isin(items)]
    known = people.drop_duplicates("item").set_index("item")
    prompts = known["prompt"]
    said = pd.Series(_winners(people).to_numpy(), index=people["item"], dtype=object)
    rows = [
        _with_people(rng, combined, said, prompts),
        _kappa(rng, combined, said, prompts),
        _share("flips", flipped, prompts),
        _share("reversed", turned, prompts),
        _share("first_seat", decided == "model_a", prompts),
    ]
    a_longer = (known["length_a"] > known["length_b"]).to_numpy()
    longest = known["model_a"].where(a_longer, known["model_b"])
    longest = longest[known["length_a"] != known["length_b"]]
    rows.append(_preferred("longer", combined, said, longest, prompts))
    mine = [
        name
        for name in pd.unique(first[["model_a", "model_b"]].to_numpy().ravel())
        if family(str(name)) == own
    ]
    is_a, is_b = first["model_a"].isin(mine), first["model_b"].isin(mine)
    kin = first["model_a"].where(is_a, first["model_b"])[is_a != is_b]
    rows.append(_preferred("own_family", combined, said, kin, prompts))
    return pd.DataFrame(rows, columns=list(FINDINGS)).astype(FINDINGS)


def _winners(table: pd.DataFrame) -> "pd.Series[str]":
    """The contender that won; empty for a tie or both_bad."""
    won = table["model_a"].astype(object).where(table["winner"] == "model_a", "")
    return won.where(table["winner"] != "model_b", table["model_b"].astype(object))


def _share(
    measure: str, holds: "pd.Series[bool]", prompts: "pd.Series[str]", people: float = np.nan
) -> dict[str, object]:
    """holds: by item, any number of each. prompts: those of the items."""
    number, value = len(holds), float(holds.to_numpy().mean()) if len(holds) else np.nan
    share, count = np.array([value]), np.array([number])
    together, alike = pd.factorize(prompts.reindex(holds.index))
    worth = float(len(alike))  # Where all say the same, nothing tells how far they err together.
    if 0 < value < 1:
        off: Floats = holds.to_numpy() - share
        worth = number / design_effect(off, share, count, together)
    lower, upper = wilson(share, np.array([worth]))
    found = {"measure": measure, "value": value, "lower": lower[0], "upper": upper[0]}
    return found | {"people": people, "number": number}


def _preferred(
    measure: str,
    judge: "pd.Series[str]",
    people: "pd.Series[str]",
    wanted: "pd.Series[str]",
    prompts: "pd.Series[str]",
) -> dict[str, object]:
    """How often the wanted contender of an item wins where it is decided."""

    def holds(said: "pd.Series[str]") -> "pd.Series[bool]":
        decided = said[said.index.isin(wanted.index) & (said != "")]
        return decided == wanted.reindex(decided.index)

    theirs = holds(people)
    of_people = float(theirs.mean()) if len(theirs) else np.nan
    return _share(measure, holds(judge), prompts, of_people)


def _with_people(
    rng: Random, judge: "pd.Series[str]", people: "pd.Series[str]", prompts: "pd.Series[str]"
) -> dict[str, object]:
    same = people == judge.reindex(people.index)
    by_prompt = same.groupby(prompts.reindex(people.index).to_numpy()).agg(["sum", "size"])
    table = by_prompt.to_numpy(float)
    sizes = people.groupby(level=0).size()
    counts = people.groupby([people.index, people.to_numpy()]).size()
    pairs = float((sizes * (sizes - 1)).sum())
    among = float((counts * (counts - 1)).sum()) / pairs if pairs else np.nan
    return {
        "measure": "agreement",
        **_bootstrapped(rng, len(table), lambda at: table[at, 0].sum() / table[at, 1].sum()),
        "people": among,
        "number": len(people),
    }


def _kappa(
    rng: Random, judge: "pd.Series[str]", people: "pd.Series[str]", prompts: "pd.Series[str]"
) -> dict[str, object]:
    """By which contender won, or neither."""
    codes = pd.factorize(pd.concat([judge.reindex(people.index), people]))[0]
    ours, theirs = np.split(codes, 2)
    asked = Prompts.of(pd.factorize(prompts.reindex(people.index))[0])

    def kappa(at: Ints) -> float:
        which = asked.drawn(at)
        return cohen_kappa(ours[which], theirs[which])

    found = _bootstrapped(rng, len(asked.size), kappa)
    return {"measure": "kappa", **found, "people": np.nan, "number": len(people)}


def _bootstrapped(rng: Random, prompts: int, measure: Callable[[Ints], float]) -> dict[str, float]:
    if not prompts:
        return dict.fromkeys(("value", "lower", "upper"), np.nan)
    lower, upper = bootstrapped(rng, prompts, BOOTSTRAPS, measure)
    return {"value": measure(np.arange(prompts)), "lower": lower, "upper": upper}
