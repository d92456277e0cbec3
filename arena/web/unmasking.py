"""The reveal as HTML: who was who, how fast they were, and how the battle moved their standing.

It does not know when it may be drawn; the referee does.
"""

from collections.abc import Sequence

from arena.core.battle.view import Reveal
from arena.core.standings.leaderboard import Movement
from arena.web.drawing import drawn
from arena.web.words import DASH, Words


def draw(reveal: Reveal, standings: Sequence[Movement], words: Words) -> str:
    moved = {row.contender: row for row in standings}
    moves = [moved.get(s.name, Movement(s.name, None, None, None, None)) for s in reveal.seats]
    models = [words("arena.model", letter=s.letter) for s in reveal.seats if s.champion]
    return drawn("reveal", words, reveal=reveal, moves=moves, models=models, unknown=DASH)
