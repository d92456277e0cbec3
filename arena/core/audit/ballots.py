"""Ballots as an audit reads them: who was live, who was dropped, by whom and when.

Only ballots with which somebody was dropped; ties say too little. It does not know what is
improbable.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from arena.core.arrays import Bools, Floats, Ints

READ_AT = 2000 / 60
"""Words a second that nobody exceeds who reads: eight times what Brysbaert 2019 found (238 words
a minute), so that skimming passes."""
WORDS_PER_TOKEN = 0.75


@dataclass(frozen=True, slots=True, eq=False)
class Ballots:
    """B ballots of R raters on K contenders, each rater's in the order cast."""

    raters: tuple[str, ...]
    names: tuple[str, ...]
    rater: Ints
    """(B,)"""
    live: Ints
    """(B, S) contenders by their place from the left; −1 where there are fewer"""
    dropped: Ints
    """(B,) the place that was dropped"""
    seconds: Floats
    """(B,) when"""
    unread: Floats
    """(B,) 1 where it was cast faster than anybody reads, NaN where that cannot be told"""
    prompt: Ints | None
    """(B,) which, −1 for none; None where prompts are not known"""
    drawn: Bools
    """(B,) seats were drawn at random; those of votes from elsewhere stand as their files say"""

    @property
    def there(self) -> Bools:
        """(B, S)"""
        return self.live >= 0


def read(votes: pd.DataFrame) -> Ballots:
    """votes: rows of the ledger with rater, ballot_id, winner, timestamp, models and seats of both
    sides; with dwell_ms, round, output_tokens and total_ms of both sides where haste is to be seen,
    with `prompt` for copies, with `channel` where some were imported."""
    votes = votes[(votes["rater"] != "") & votes["winner"].isin(["model_a", "model_b"])]
    first = (votes["winner"] == "model_a").to_numpy(bool)
    ballot, _ = pd.factorize(votes["ballot_id"].astype(object))
    names = sorted({*votes["model_a"].astype(str), *votes["model_b"].astype(str)})
    code = {name: n for n, name in enumerate(names)}
    a, b = (votes[f"model_{s}"].astype(str).map(code).to_numpy(np.int64) for s in "ab")
    seat_a, seat_b = (votes[f"seat_{s}"].astype(str).to_numpy(object) for s in "ab")
    # One line for each who stayed, and one for the one who was dropped.
    _, one = np.unique(ballot, return_index=True)
    lines = pd.DataFrame(
        {
            "ballot": np.r_[ballot, ballot[one]],
            "who": np.r_[np.where(first, a, b), np.where(first, b, a)[one]],
            "seat": np.r_[np.where(first, seat_a, seat_b), np.where(first, seat_b, seat_a)[one]],
            "out": np.r_[np.zeros(len(ballot), bool), np.ones(len(one), bool)],
        }
    ).sort_values(["ballot", "seat"], kind="stable")
    place = lines.groupby("ballot").cumcount().to_numpy()
    live = np.full((len(one), int(place.max(initial=1)) + 1), -1, dtype=np.int64)
    live[lines["ballot"], place] = lines["who"]
    dropped = place[lines["out"].to_numpy(bool)]
    raters, labels = pd.factorize(votes["rater"].astype(object).iloc[one])
    when = pd.to_datetime(votes["timestamp"].iloc[one], utc=True)
    seconds = when.astype("datetime64[us, UTC]").astype(np.int64).to_numpy() / 1e6
    prompt = None
    if "prompt" in votes:
        prompt = pd.factorize(votes["prompt"].iloc[one])[0]
    drawn = np.ones(len(one), bool)
    if "channel" in votes:
        drawn = (votes["channel"].iloc[one] != "import").to_numpy(bool)
    order = np.lexsort([np.arange(len(one)), seconds, raters])
    return Ballots(
        tuple(map(str, labels)),
        tuple(names),
        raters[order],
        live[order],
        dropped[order],
        seconds[order],
        _unread(votes, one)[order],
        prompt if prompt is None else prompt[order],
        drawn[order],
    )


def _unread(votes: pd.DataFrame, one: Ints) -> Floats:
    """What was shown before the vote was open can have been read meanwhile; later rounds may show
    nothing new."""
    needed = [
        f"{what}_{side}" for what in ("output_tokens", "total_ms", "ttft_ms") for side in "ab"
    ]
    if not {"dwell_ms", "round", *needed} <= {*votes.columns}:
        return np.full(len(one), np.nan)
    known = votes[["dwell_ms", *needed]].apply(pd.to_numeric).astype(float)
    shown = known[["output_tokens_a", "output_tokens_b"]].sum(axis=1, min_count=2)
    written = np.fmax(*(known[f"total_ms_{s}"] - known[f"ttft_ms_{s}"] for s in "ab"))
    took = (known["dwell_ms"] + written) / 1000
    hasty = np.where(shown.isna() | took.isna(), np.nan, took < shown * WORDS_PER_TOKEN / READ_AT)
    hasty[(votes["round"] != 1).to_numpy(bool)] = np.nan
    told: Floats = hasty[one]
    return told
