"""Checks and the gate: whoever has the ledger is let in, whoever has a password may bring it, and
anybody else is told what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from arena import settings as config
from arena.adapters.limits import MemoryLimits
from arena.checks.deployment import visited
from arena.checks.page import Page
from arena.checks.playing import Player
from arena.checks.visitor import Refused, Visitor, let_in
from arena.core.errors import BadInput
from arena.server.application import admitted
from arena.settings import Settings
from arena.web import api, replica, ui
from arena.web.gate import Gate
from tests.fake_ollama import FakeOllama
from tests.playing import table
from tests.web.calling import HOSTED, client_of

PASSWORD = {"ARENA_PASSWORD": "open: sesame@7"}
HEADER = {"ARENA_ACCOUNT_HEADER": "X-Remote-User", "ARENA_PROXIES": "10.0.0.1"}
OPENID = {
    "ARENA_OPENID": "https://id.example",
    "ARENA_OPENID_CLIENT": "arena",
    "ARENA_OPENID_SECRET": "secret",
}


@asynccontextmanager
async def gated(folder: Path, gate: dict[str, str]) -> AsyncIterator[tuple[str, Settings]]:
    """The address of an arena behind this gate, and the settings of whoever runs it."""
    async with FakeOllama(HOSTED, speed=20, warm=True) as host, table(folder, [host]) as at:
        settings = config.load(gate, None, DATABASE_URL=f"sqlite:///{at.ledger.place}")
        app = FastAPI()
        replica.install(app)
        take = MemoryLimits().take
        app.add_middleware(Gate, admitted=admitted(settings), key=at.ledger.key, take=take)
        api.install(app, at.referee)
        async with client_of(ui.mount(app, ui.build(at.referee))) as client:
            yield str(client.base_url), settings
            at.feed.close()  # type: ignore[attr-defined]


async def played(visitor: Visitor) -> int:
    """The rows of a battle on the page."""
    page = await Page.opened(visitor)
    player = Player(page, "")
    await player.play("Why?")
    return player.timing.rows


@pytest.mark.parametrize("gate", [PASSWORD, pytest.param(HEADER, marks=pytest.mark.slow), OPENID])
def test_whoever_can_read_the_ledger_plays_behind_any_gate(
    tmp_path: Path, gate: dict[str, str]
) -> None:
    async def scene() -> None:
        async with gated(tmp_path, gate) as (url, settings):
            allowed = await let_in(settings)
            async with Visitor(url, allowed=allowed, browses=True) as visitor:
                assert await played(visitor) == 3
            elsewhere = replace(settings, database_url=f"sqlite:///{tmp_path}/none.db")
            assert await let_in(elsewhere) is None and not (tmp_path / "none.db").exists()
            async with Visitor(url) as stranger:
                with pytest.raises(Refused, match="lets in only who signs in"):
                    await stranger.call("/api/arena/status")
                said = [(f.check, f.status, f.mend) for f in await visited(stranger)]
            assert said[1:] == [("gate", "fail", said[-1][2])]
            assert "where the arena's settings and its ledger are" in said[-1][2]

    asyncio.run(scene())


@pytest.mark.slow
def test_a_password_in_the_address_lets_in_and_is_never_shown(tmp_path: Path) -> None:
    async def scene() -> None:
        async with gated(tmp_path, PASSWORD) as (url, _):
            known = url.replace("//", "//me:open%3A%20sesame%407@")
            async with Visitor(known) as visitor:
                assert visitor.url == url
                findings = await visited(visitor)
            told = {f.check: f.status for f in findings}
            assert told["page"] == told["stream"] == "ok" and "gate" not in told
            assert "sesame" not in repr(findings)

    asyncio.run(scene())


@pytest.mark.parametrize("url", ["http://me:s/ecret@h", "me:s#ecret@h:1", "https://me:s@ecret@h"])
def test_an_address_that_its_password_cuts_is_refused_without_a_part_of_it(url: str) -> None:
    with pytest.raises(BadInput, match="%23") as told:
        Visitor(url)
    assert "ecret" not in str(told.value) and "…@h" in str(told.value)


def test_gradio_remembers_few_pages_and_none_for_its_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody tells it that one was closed."""

    async def scene() -> None:
        async with FakeOllama(HOSTED, speed=20, warm=True) as host, table(tmp_path, [host]) as at:
            app = FastAPI()
            replica.install(app)
            api.install(app, at.referee)
            blocks = ui.build(at.referee)
            async with client_of(ui.mount(app, blocks)) as client:
                async with Visitor(str(client.base_url)) as visitor:
                    page = await Page.opened(visitor)
                    with pytest.raises(Refused, match="no longer on the server"):
                        await page.move("unmask", battle="none")
                    assert await played(visitor) == 3
                remembered = blocks.state_holder.session_data
                assert not remembered
                chosen = next(n for n, each in blocks.fns.items() if len(each.inputs) > 1)
                for number in range(3 * ui.SESSIONS):
                    asked = {"data": [], "fn_index": chosen, "session_hash": str(number)}
                    await client.post(page.moves, json=asked)
                assert len(remembered) == ui.SESSIONS
                assert not any(one for each in remembered.values() for one in each.components)
                at.feed.close()  # type: ignore[attr-defined]

    monkeypatch.setattr(ui, "SESSIONS", 4)
    asyncio.run(scene())
