"""Votes as tables, for the tests of the statistics: made by hand, and those of the reference."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arena.core.standings.leaderboard import SPEED_COLUMNS
from arena.core.standings.votes import OUTCOME_COLUMNS

COLUMNS = (*OUTCOME_COLUMNS, "ballot_id", "supersedes", *SPEED_COLUMNS)

REFERENCE = Path(__file__).parents[1] / "reference"
RESULTS: dict[str, Any] = json.loads((REFERENCE / "reference.json").read_text("utf-8"))
WINNERS = ("model_a", "model_b", "tie", "both_bad")


def ledger(rows: Sequence[tuple[Any, Any, Any]], **columns: Any) -> pd.DataFrame:
    """Votes (model_a, model_b, winner) as ledger rows, each a ballot and battle of its own."""
    votes = pd.DataFrame(rows, columns=["model_a", "model_b", "winner"])
    ids = [str(number) for number in range(len(votes))]
    votes = votes.assign(battle_id=ids, ballot_id=ids, rater="r")
    return votes.reindex(columns=COLUMNS).assign(**columns)


def reference_votes() -> pd.DataFrame:
    votes = pd.read_csv(REFERENCE / "reference_votes.csv").rename(columns={"voter_id": "rater"})
    votes["battle_id"] = votes["battle_id"].astype("str")
    return votes.assign(ballot_id=votes.index.astype("str")).reindex(columns=COLUMNS)


def chance_votes(
    rows: int, contenders: int, raters: int, *, seed: int, battle: int = 3
) -> pd.DataFrame:
    """So many votes, `battle` rows each battle, all one contender against others."""
    rng = np.random.default_rng(seed)
    names = np.array([f"contender {n:02}" for n in range(contenders)])
    strength = rng.normal(0, 0.8, contenders)
    number = np.arange(rows) // battle
    a = rng.integers(0, contenders, number.max() + 1)[number]
    b = (a + rng.integers(1, contenders, rows)) % contenders
    won = rng.random(rows) < 1 / (1 + np.exp(strength[b] - strength[a]))
    outcome = np.where(won, 0, 1)
    outcome = np.where(rng.random(rows) < 0.15, rng.integers(2, 4, rows), outcome)
    rater = rng.integers(0, raters, number.max() + 1)[number]
    return pd.DataFrame(
        {
            "battle_id": np.char.add("battle ", number.astype(str)),
            "rater": np.char.add("rater ", rater.astype(str)),
            "model_a": names[a],
            "model_b": names[b],
            "winner": np.array(WINNERS)[outcome],
            "excluded_reason": "",
        }
    )
