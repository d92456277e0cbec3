"""The reveal as HTML: who was who, how fast they were, and how the battle moved their standing.

It does not know when it may be drawn; the referee does.
"""

import pandas as pd

from arena.core.battle.view import Reveal
from arena.core.codec import records
from arena.core.standings.leaderboard import MOVEMENT
from arena.web.drawing import drawn
from arena.web.words import DASH, Words


def draw(reveal: Reveal, standings: pd.DataFrame, words: Words) -> str:
    """standings: one row a contender with the columns of `MOVEMENT`; the two before are missing
    for a contender that was never judged."""
    moved = {str(row["contender"]): row for row in records(standings)}
    moves = [moved.get(seat.name, dict.fromkeys(MOVEMENT)) for seat in reveal.seats]
    models = [words("arena.model", letter=s.letter) for s in reveal.seats if s.champion]
    return drawn("reveal", words, reveal=reveal, moves=moves, models=models, unknown=DASH)
