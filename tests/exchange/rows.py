"""Votes, ledgers and files of them for the tests of what goes out and comes in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from arena import exchange
from arena.adapters.ledger import SqlLedger
from arena.core.battle.record import VoteRow
from arena.core.standings.slices import Slice
from tests.adapters.ledger_rows import full_row

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
Result = TypeVar("Result")
Messages = list[dict[str, str]]


def talk(*texts: str) -> Messages:
    """Question and reply in turn."""
    return [{"role": ("user", "assistant")[n % 2], "content": t} for n, t in enumerate(texts)]


def vote(
    id: str = "v1", a: str = "x", b: str = "y", winner: str = "model_a", **fields: Any
) -> VoteRow:
    """An ordinary vote, in a battle of its own unless told otherwise."""
    ordinary: dict[str, Any] = {
        "id": id,
        "ballot_id": id,
        "battle_id": f"battle-{id}",
        "evaluation_session_id": f"battle-{id}",
        "model_a": a,
        "model_b": b,
        "winner": winner,
        "round": 1,
        "evaluation_order": 1,
        "supersedes": "",
        "excluded_reason": "",
        "seat_a": "A",
        "seat_b": "B",
        "incumbent": "",
        "channel": "web",
        "study": "pilot",
        "topic": "cooking",
        "language": "en",
        "rater": "r1",
        "conversation_a": talk("Why?", "So."),
        "conversation_b": talk("Why?", "Thus."),
        "thinking_a": ["", "Let me see."],
        "reasons": ["clear", ""],
        "marks_a": [],
        "marks_b": ["false"],
        "thinking_b": [],
        "system": "",
        "images": [],
        "conv_metadata": {"sum_user_tokens": 1, "sum_assistant_a_tokens": 7, "turns": 1},
    }
    return replace(full_row(), **{**ordinary, **fields})  # type: ignore[arg-type]


def some_votes() -> list[VoteRow]:
    """Nine of three contenders: one was taken back, one is excluded, one is both bad."""
    return [
        vote("v1", "x", "y", "model_a", rater="r1"),
        vote("v2", "y", "x", "model_b", rater="r2", topic="law"),
        vote("v3", "x", "z", "tie", rater="r3"),
        vote("v4", "z", "x", "both_bad", rater="r4"),
        vote("v5", "y", "z", "model_b", rater="r5"),
        vote("v6", "y", "z", "model_a", rater="r1"),
        vote("v7", "x", "y", "model_b", rater="r2", excluded_reason="identity"),
        vote("v8", "x", "z", "model_b", rater="r3", battle_id="again"),
        vote("v9", "x", "z", "model_a", rater="r3", battle_id="again", supersedes="v8"),
    ]


def on_ledger(file: Path, work: Callable[[SqlLedger], Coroutine[Any, Any, Result]]) -> Result:
    """Opens the ledger, does the work, closes it."""

    async def run() -> Result:
        ledger = SqlLedger(f"sqlite:///{file}")
        try:
            await ledger.open()
            return await work(ledger)
        finally:
            await ledger.close()

    return asyncio.run(run())


def filled(file: Path, rows: Sequence[VoteRow]) -> Path:
    """A ledger with these votes."""
    on_ledger(file, lambda ledger: ledger.add(rows))
    return file


def exported(file: Path, format: str, chosen: Slice = Slice(), **how: Any) -> bytes:
    async def run(ledger: SqlLedger) -> bytes:
        return b"".join([p async for p in exchange.export(ledger, format, chosen, **how)])

    return on_ledger(file, run)


def read(file: Path, **how: Any) -> list[VoteRow]:
    """The votes of a file, checked first."""
    votes = exchange.Votes([file], NOW, **how)
    count = votes.check()
    rows = list(votes.rows())
    assert len(rows) == count
    return rows
