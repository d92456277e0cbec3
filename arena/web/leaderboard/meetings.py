"""Head to head: how each contender fared against each other one, as a table whose cells are
coloured and say in figures what the colour says. It does not know ratings."""

from collections.abc import Sequence

import pandas as pd

from arena.web.drawing import drawn
from arena.web.leaderboard.table import rows
from arena.web.words import ENGLISH, Words

FEW = 8
"""Up to so many contenders, columns are wide enough for names."""
STRONGEST = 62
"""Per cent of colour in a cell that won or lost everything; text stays readable on it."""


def draw(head_to_head: pd.DataFrame, names: Sequence[str], words: Words = ENGLISH) -> str:
    """head_to_head: `leaderboard.head_to_head`. names: all contenders with votes, best first."""
    met = {(row.contender, row.opponent): row for row in rows(head_to_head)}
    few = len(names) <= FEW
    return drawn("meetings", words, met=met, names=list(names), few=few, strongest=STRONGEST)
