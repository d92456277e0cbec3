"""Replies of a study are written ahead on hosts, and broken off go on where they were."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from arena.core.battle.entities import Contender
from arena.core.study.design import Item, Study
from arena.core.study.written import owed
from arena.play.writing import write
from tests.fake_ollama import LLAMA, MISTRAL, FakeOllama
from tests.playing import table

STUDY = Study(
    "pilot",
    (Item("one", ("Why?",)), Item("two", ("How?", "Shorter."), system="Be brief.")),
    (Contender(LLAMA.name, LLAMA.name), Contender(MISTRAL.name, MISTRAL.name)),
)


def test_what_is_written_is_kept_and_asked_for_no_more(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    async def scene() -> None:
        models = (LLAMA.name, MISTRAL.name)
        async with FakeOllama((LLAMA, MISTRAL), speed=50, warm=True) as host:
            async with table(tmp_path, [host], models=models) as at:

                async def run() -> int:
                    failed = await write(
                        STUDY,
                        at.pool,
                        at.ledger,
                        lambda done, total: told.append((done, total)),
                        at_once=2,
                        now=lambda: datetime(2026, 3, 1, tzinfo=UTC),
                    )
                    return len(failed)

                assert await run() == 0
                written = await at.ledger.written("pilot")
                assert {(w.prompt_id, w.contender, len(w.replies)) for w in written} == {
                    (item.id, c.name, len(item.turns))
                    for item in STUDY.items
                    for c in STUDY.contenders
                }
                assert len({w.seed for w in written if w.prompt_id == "one"}) == 1
                assert all(reply.facts.digest for w in written for reply in w.replies)
                assert told[-1] == (4, 4) and not owed(STUDY, written)
                assert await run() == 0 and told[-1] == (0, 0)

    asyncio.run(scene())
