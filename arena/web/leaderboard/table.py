"""The standings as a table of HTML that sorts by its headings; one body for each group of
contenders that met. It does not know how standings are computed."""

from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

import pandas as pd

from arena.web.words import DASH, ENGLISH, Words


def draw(standings: pd.DataFrame, words: Words = ENGLISH) -> str:
    """standings: `leaderboard.STANDINGS`, best first within each group."""
    heads, hints = words.table("board.column"), words.table("board.hint")
    head = "".join(
        f'<th scope="col" data-key="{key}" title="{hints.get(key, "")}">'
        f'<button type="button">{heads[key]}</button></th>'
        for key in COLUMNS
    )
    name = words("board.standings")
    return (
        f'<p class="board-hint">{words("board.sort_hint")}</p>'
        f'<div class="board-scroll" tabindex="0" role="region" aria-label="{name}">'
        f'<table class="board-table" aria-label="{name}"><thead><tr>{head}</tr></thead>'
        f"{''.join(_bodies(standings, words))}</table></div>"
        f'<p class="board-none" role="status" hidden>{words("board.none_found")}</p>'
        '<dialog class="board-model" aria-labelledby="board-model-name"><h3 id="board-model-name" '
        'dir="auto"></h3><dl></dl><form method="dialog"><button class="act">'
        f"{words('board.close')}</button></form></dialog>"
    )


def rows(frame: pd.DataFrame) -> Iterator[Any]:
    """Each with its index and its columns as attributes, of whatever types they are."""
    return iter(frame.itertuples())


def interval(lower: float, upper: float) -> str:
    return DASH if pd.isna(lower) else f"{lower:.0f}{DASH}{upper:.0f}"


def spread(best: float, worst: float) -> str:
    """Of ranks; one of them where it is sure."""
    return interval(best, worst) if pd.isna(best) or best != worst else f"{best:.0f}"


def _bodies(standings: pd.DataFrame, words: Words) -> Iterator[str]:
    groups = standings["group"].nunique()
    number: Any
    for number, group in standings.groupby("group", dropna=False, sort=True):
        if pd.isna(number):
            title = words("board.not_rated")
        else:
            title = words("board.group", number=int(number) + 1) if groups > 1 else ""
        heading = (
            f'<tr class="board-group"><th scope="rowgroup" colspan="{len(COLUMNS)}">'
            f"<span>{title}</span></th></tr>"
            if title
            else ""
        )
        yield f"<tbody>{heading}{''.join(_row(row, words) for row in rows(group))}</tbody>"


def _row(row: Any, words: Words) -> str:
    cells = []
    for key, draw in COLUMNS.items():
        value = getattr(row, key)
        by = "" if pd.isna(value) else escape(str(value))
        drawn = draw(row, words) if draw else words.number(value)
        tag = 'th scope="row"' if key == "contender" else "td"
        cells.append(f'<{tag} data-by="{by}">{drawn}</{tag.split(maxsplit=1)[0]}>')
    return f"<tr>{''.join(cells)}</tr>"


def _name(row: Any, _: Words) -> str:
    name = escape(str(row.contender))
    return f'<button type="button" aria-haspopup="dialog" title="{name}" dir="auto">{name}</button>'


def _rating(row: Any, words: Words) -> str:
    if pd.isna(row.rating):
        return DASH
    mark = f' <abbr title="{words("board.scrutiny.mark")}">*</abbr>' if row.few else ""
    return f"<b>{words.rating(row.rating)}</b>{mark}<small>{interval(row.lower, row.upper)}</small>"


def _thought(row: Any, words: Words) -> str:
    if not row.thinking_tokens > 0:
        return DASH
    tokens, time = words.number(row.thinking_tokens), words.seconds(row.thinking_ms)
    return words("board.tokens_in", tokens=tokens, time=time)


COLUMNS: Mapping[str, Callable[[Any, Words], str] | None] = {
    "rank": None,
    "contender": _name,
    "rating": _rating,
    "lower": lambda row, _: interval(row.lower, row.upper),
    "rank_best": lambda row, _: spread(row.rank_best, row.rank_worst),
    **dict.fromkeys(("battles", "votes", "wins", "ties", "losses", "both_bad")),
    "both_bad_rate": lambda row, words: words.percent(row.both_bad_rate),
    "win_rate": lambda row, words: words.percent(row.win_rate),
    "ttft_ms": lambda row, words: words.seconds(row.ttft_ms),
    "tokens_per_s": lambda row, words: words.number(row.tokens_per_s, 1),
    "reply_tokens": None,
    "thinking_tokens": _thought,
}
"""By what each sorts, a column of the standings and the name of its texts: a row's cell, as HTML;
a whole number where nothing else is said."""
