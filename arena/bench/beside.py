"""Ratings by arena-rank, timed: run by the Python of an environment that has it, which need not
have the arena.

Reads votes as CSV from the file that is named and repeats so many times, writes JSON. It knows
nothing of the arena.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from statistics import median

import numpy as np
import pandas as pd
from arena_rank.models.bradley_terry import BradleyTerry
from arena_rank.utils.data_utils import PairDataset


def ranked(votes: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Contender → its rating and the width of its 95 % interval."""
    dataset = PairDataset.from_pandas(votes)
    fitted = BradleyTerry(n_competitors=len(dataset.competitors)).compute_ratings_and_cis(dataset)
    lower, upper = np.asarray(fitted["rating_lower"]), np.asarray(fitted["rating_upper"])
    ratings = np.asarray(fitted["ratings"]).tolist()
    widths = (upper - lower).tolist()
    return dict(zip(fitted["competitors"], zip(ratings, widths, strict=True), strict=True))


def timed(votes: pd.DataFrame, repeat: int) -> float:
    """Median seconds; the first time, at which it is compiled for so many rows, is left out."""
    seconds = []
    for _ in range(repeat + 1):
        started = time.perf_counter()
        ranked(votes)
        seconds.append(time.perf_counter() - started)
    return median(seconds[1:])


if __name__ == "__main__":
    file, repeat = sys.argv[1], int(sys.argv[2])
    text = pd.read_csv(file, dtype="str")
    kinds = {"text": text, "categories": text.astype("category")}
    told = {
        "version": version("arena-rank"),
        "seconds": {kind: timed(votes, repeat) for kind, votes in kinds.items()},
        "ranked": ranked(text),
    }
    json.dump(told, sys.stdout)
