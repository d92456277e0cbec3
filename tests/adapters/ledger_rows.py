"""Rows for the tests of the ledger: every column filled, each with a value of its own."""

from __future__ import annotations

import types
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import get_args, get_origin, get_type_hints

from arena.core.battle.record import VoteRow

WHEN = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


@cache
def full_row(*, optional: bool = True) -> VoteRow:
    """Different values all over; what may be None is None where `optional` is False."""
    values: dict[str, object] = {}
    for number, (name, hint) in enumerate(get_type_hints(VoteRow).items()):
        kind = hint if hint == list[str] else get_origin(hint) or hint
        if isinstance(hint, types.UnionType):
            kind = get_args(hint)[0] if optional else None
        values[name] = {
            None: None,
            str: f"{name} “é” 🙂 'quoted'; --",
            bool: number % 2 == 0,
            int: number,
            float: number + 0.1,
            datetime: WHEN + timedelta(seconds=number),
            list: [{"role": "user", "content": f"{name}\n\x00 \ud83d"}],
            dict: {f"{name}_tokens": number},
            list[str]: ["", f"{name}\n\x00 \ud83d"],
        }[kind]
    return VoteRow(**values)  # type: ignore[arg-type]


def ballot(
    battle: str = "battle",
    *,
    id: str = "",
    round: int = 1,
    supersedes: str = "",
    pairs: str = "AB AC",
    text: str = "text",
) -> tuple[VoteRow, ...]:
    """The rows of one ballot; contenders are named after their seats."""
    id = id or f"{battle}-{round}"
    return tuple(
        replace(
            full_row(),
            id=f"{id}-{a}{b}",
            battle_id=battle,
            ballot_id=id,
            round=round,
            supersedes=supersedes,
            seat_a=a,
            seat_b=b,
            model_a=f"name-{a}",
            model_b=f"name-{b}",
            conversation_a=[{"role": "user", "content": text}],
            winner="tie",
            excluded_reason="",
        )
        for a, b in pairs.split()
    )
