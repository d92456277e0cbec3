"""How sure the order is, in words: each contender beside the next one, and how many more battles
would settle which is better. It does not know how that is estimated."""

import math
from typing import Any

import pandas as pd
from markupsafe import Markup

from arena.web.drawing import drawn
from arena.web.leaderboard.table import rows
from arena.web.words import ENGLISH, Words

TOO_MANY = 10_000


def draw(neighbours: pd.DataFrame, words: Words = ENGLISH) -> str:
    """neighbours: `certainty.neighbours`."""
    pairs = [(row, *told(row, words)) for row in rows(neighbours)]
    return drawn("certainty", words, pairs=pairs)


def told(pair: Any, words: Words = ENGLISH) -> tuple[bool, Markup]:
    """Whether a pair is settled, and how sure its order is."""
    battles = pair.battles_to_settle
    sure = words("board.sure.most", percent=words.percent(0.99))
    said: dict[str, Any] = {
        "upper": pair.upper,
        "lower": pair.lower,
        "sure": sure if pair.p_right > 0.995 else words.percent(pair.p_right),
    }
    if battles == 0:
        return True, words.html("board.sure.settled", **said)
    if math.isinf(battles):
        return False, words.html("board.sure.level", **said)
    if battles > TOO_MANY:
        return False, words.html("board.sure.close", **said)
    return False, words.html("board.sure.open", count=max(rounded(battles), 1), **said)


def rounded(count: float) -> int:
    """Up to two figures, as an estimate deserves."""
    step = 10 ** max(math.floor(math.log10(max(count, 1))) - 1, 0)
    return int(math.ceil(count / step) * step)
