"""Boards of votes that nobody cast, for tests of the Leaderboard tab, and who answers with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from arena.core.standings import leaderboard
from arena.core.standings.board import Board, Panels, Query, board_of
from arena.core.standings.covariates import ORDER, STYLE, STYLE_COLUMNS, fit_with
from arena.core.standings.review import Scrutiny, scrutinised


def votes(
    strengths: Mapping[str, float], count: int, *, seed: int = 1, days: int = 30
) -> pd.DataFrame:
    """Rows as the scoreboard reads them. strengths: in logits, by contender; `count` battles of
    two, drawn at random, the stronger being the slower one with the longer answers."""
    rng = np.random.default_rng(seed)
    names = np.array(list(strengths), dtype=object)
    a = rng.integers(len(names), size=count)
    b = (a + rng.integers(1, max(len(names), 2), size=count)) % len(names)
    logit = np.array(list(strengths.values()))
    quirk = rng.normal(0, 0.3, size=len(names))
    won = rng.random(count) < 1 / (1 + np.exp(logit[b] - logit[a]))
    winner = np.where(won, "model_a", "model_b").astype(object)
    winner[rng.random(count) < 0.12] = "tie"
    winner[rng.random(count) < 0.06] = "both_bad"
    ids = [f"{seed}-{number}" for number in range(count)]
    spread = rng.integers(days * 24 * 60, size=count)
    table = {
        "sequence": np.arange(1, count + 1),
        "battle_id": ids,
        "ballot_id": ids,
        "supersedes": "",
        "excluded_reason": "",
        "rater": [f"rater-{n}" for n in rng.integers(12, size=count)],
        "model_a": names[a],
        "model_b": names[b],
        "winner": winner,
        "timestamp": pd.Timestamp("2026-05-01", tz="UTC") + pd.to_timedelta(spread, unit="min"),
        "topic": rng.choice(["code", "prose"], size=count),
        "study": "",
        "language": rng.choice(["en", "de"], size=count),
        "channel": "web",
        "seat_a": "A",
        "seat_b": "B",
        "incumbent": rng.choice(["", "A", "B"], size=count),
    }
    for side, who in (("a", a), ("b", b)):
        noise = rng.lognormal(0, 0.15, size=count)
        table |= {
            f"ttft_ms_{side}": 400 * noise,
            f"tokens_per_s_{side}": 60 * np.exp(-0.5 * logit[who] + quirk[who]) * noise,
            f"output_tokens_{side}": np.round(220 * np.exp(0.2 * logit[who] + quirk[who]) * noise),
        }
    longer = table["output_tokens_a"] - table["output_tokens_b"]  # type: ignore[operator]
    table[STYLE_COLUMNS["length"]] = longer / np.abs(longer).max(initial=1)
    for name in STYLE[1:]:
        table[STYLE_COLUMNS[name]] = rng.normal(0, 0.3, size=count)
    return pd.DataFrame(table)


def panels(cast: pd.DataFrame, query: Query = Query()) -> Panels:
    """The panels beside the board of the same votes."""
    chosen = query.slice.of(cast)
    if chosen.empty:
        nothing = pd.DataFrame()
        return Panels(nothing, nothing, nothing, nothing, {})
    by_day = chosen.groupby(chosen["timestamp"].dt.floor("D")).size()
    days = by_day.rename_axis("day").reset_index(name="votes")
    return Panels(
        speeds=leaderboard.speeds(chosen),
        order=fit_with(chosen, ORDER, query.method)[1],
        style=fit_with(chosen, STYLE, query.method)[1],
        days=days,
        choices={field: tuple(cast[field].unique()) for field in ("topic", "language")},
    )


class Scoreboard:
    """Stands in for the scoreboard, of which the Leaderboard tab needs these questions."""

    def __init__(self, cast: pd.DataFrame) -> None:
        self.cast = cast
        self.number = 1
        self.fault: Exception | None = None
        self.asked: list[Query] = []
        self.held_back = 0
        self.retired: frozenset[str] = frozenset()

    async def version(self) -> int:
        if self.fault:
            raise self.fault
        return self.number

    async def board(self, query: Query) -> Board:
        self.asked.append(query)
        board = board_of(self.cast, query, ["newcomer"], held_back=self.held_back)
        # As where all votes are counted but none was read row by row.
        blank = board.standings.assign(ttft_ms=None, tokens_per_s=None, reply_tokens=None)
        return replace(board, standings=blank.astype(board.standings.dtypes), retired=self.retired)

    async def panels(self, query: Query) -> Panels:
        if self.fault:
            raise self.fault
        return panels(self.cast, query)

    async def scrutiny(self, query: Query) -> Scrutiny:
        return scrutinised(self.cast, query.method)
