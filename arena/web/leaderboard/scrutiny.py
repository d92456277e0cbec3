"""What a reviewer asks for beyond the standings, as tables in words. It does not know how any of
it is computed."""

from typing import Any

import pandas as pd
from markupsafe import Markup

from arena.core.standings.review import Scrutiny
from arena.web.drawing import drawn
from arena.web.leaderboard.table import interval, rows, spread
from arena.web.words import DASH, ENGLISH, Words

MOST_NAMED = 3


def draw(scrutiny: Scrutiny, words: Words = ENGLISH) -> str:
    """Fragility, the whole order, ways to count ties, and contenders with few votes."""
    order = [
        [
            _name(row.contender),
            words.rating(row.rating),
            interval(row.lower_all, row.upper_all),
            spread(row.rank_best, row.rank_worst),
            spread(row.rank_best_all, row.rank_worst_all),
        ]
        for row in rows(scrutiny.order)
    ]
    ties = [
        [
            _name(row.contender),
            *(words.rating(of) for of in (row.rating_half, row.rating_drop, row.rating_davidson)),
            interval(row.lower_davidson, row.upper_davidson),
        ]
        for row in rows(scrutiny.ties)
    ]
    fragile = [_fragile(row, words) for row in rows(scrutiny.fragility)]
    few = words.listed(scrutiny.few) if scrutiny.few else ""
    return drawn(
        "scrutiny", words, votes=scrutiny.votes, few=few, fragile=fragile, order=order, ties=ties
    )


def _fragile(row: Any, words: Words) -> list[str]:
    key = "board.scrutiny.first" if row.first_place else "board.scrutiny.over"
    named = ", ".join(row.which[:MOST_NAMED])
    return [
        words.html(key, upper=_name(row.upper), lower=_name(row.lower)),
        words.rating(row.gap),
        DASH if pd.isna(row.votes) else words.number(row.votes),
        DASH if pd.isna(row.share) else f"{words.number(100 * row.share, 3, up_to=True)} %",
        f"{named}, …" if len(row.which) > MOST_NAMED else named or DASH,
    ]


def _name(name: str) -> Markup:
    """Of Latin letters mostly: where lines run from right to left, they would turn them around."""
    return Markup("<bdi>{}</bdi>").format(name)
