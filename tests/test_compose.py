"""Which hosts a house takes, how it tells how far it is, and how it mends what breaks."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from psutil import STATUS_ZOMBIE, Process

from arena.adapters import language
from arena.checks import stores
from arena.compose import House, roster_of
from arena.compose.asking import timeouts_of
from arena.core.battle.entities import Battle, Format
from arena.core.battle.view import State
from arena.core.errors import ConfigError, NotThere, UnknownBattle
from arena.core.ports import Readiness
from arena.settings import load
from tests.certificates import self_signed
from tests.core.battle.play import opened
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeModel, FakeOllama
from tests.playing import eventually
from tests.redis_server import RedisServer

NOWHERE = "http://127.0.0.1:9"


@asynccontextmanager
async def house(folder: Path, local: str = NOWHERE, **environment: str) -> AsyncIterator[House]:
    """A house with its own ledger; `told` gathers what it said of its readiness."""
    environment.setdefault("DATABASE_URL", f"sqlite:///{folder / 'arena.db'}")
    told: list[Readiness] = []
    made = House(load(environment, None), lambda r, _: told.append(r), local_ollama=local)
    made.check()
    await made.open()
    made.said = told  # type: ignore[attr-defined]
    try:
        yield made
    finally:
        await made.close()


def test_a_host_that_is_set_is_used_and_warmed_with_progress(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama([LLAMA, MISTRAL, PHI], speed=50) as host:
            async with house(tmp_path, OLLAMA_HOST=host.url) as made:
                await eventually(lambda: made.readiness.ready)
                assert sorted(host.stats.loads) == ["llama3.1:8b", "mistral:7b", "phi3:mini"]
                said: list[Readiness] = made.said  # type: ignore[attr-defined]
                assert next(r.progress for r in said if r.headline == "Warming up.") == 0
                public = " ".join(f"{r.headline} {r.detail}" for r in said)
                assert not [m for m in ("llama", "mistral", "phi") if m in public]
                assert not made.readiness.demo

    asyncio.run(scene())


def test_arenas_of_different_ledgers_on_one_redis_leave_each_other_alone(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    shared = {"REDIS_URL": redis_server.url, "OLLAMA_HOST": NOWHERE}
    kept = [f"sqlite:///{tmp_path / name}.db" for name in ("one", "two")]

    async def scene() -> None:
        async with (
            house(tmp_path, **shared, DATABASE_URL=kept[0]) as one,
            house(tmp_path, **shared, DATABASE_URL=kept[0]) as same,
            house(tmp_path, **shared, DATABASE_URL=kept[1]) as other,
        ):
            battle = replace(opened(3, Format.ELIMINATION), id=tmp_path.name, version=1)
            await one.stores.battles.save(battle)
            assert await same.stores.battles.load(battle.id) == battle
            assert not await other.stores.battles.under_way()
            with pytest.raises(UnknownBattle):
                await other.stores.battles.load(battle.id)
            peers = [each.stores.peers for each in (one, same, other)]
            first, second, apart = [await each.lead() for each in peers if each]
            assert apart and first != second, "each of the two ledgers has one who looks at hosts"

    asyncio.run(scene())


def test_which_model_file_of_the_engine_is_gone_is_told_to_the_operator_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = tmp_path / "secret.gguf"

    async def scene() -> None:
        async with house(tmp_path, ARENA_ENGINE_MODELS=f"a={gone}") as made:
            await made.tried.wait()
            assert not made.readiness.ready
            assert gone.name not in f"{made.readiness.headline} {made.readiness.detail}"

    asyncio.run(scene())
    assert caplog.text.count(str(gone)) == 1


def test_whoever_runs_a_second_arena_on_a_ledger_is_told(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama([LLAMA, MISTRAL], warm=True) as host:
            async with house(tmp_path, OLLAMA_HOST=host.url) as first:
                async with house(tmp_path, OLLAMA_HOST=host.url) as second:
                    await eventually(lambda: second.readiness.ready and first.readiness.ready)
                    for each in (first, second):
                        assert "note    another arena runs" in each._report()
                    found = [finding async for finding in stores.examine(first.settings)]
                    assert any("another arena" in f.message for f in found if f.status == "warn")
                # Of both it is true, and no longer once one has ended.
                assert "another arena" not in first._report()

    asyncio.run(scene())


def test_the_first_vote_waits_for_nothing_that_could_be_loaded_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = threading.Event()
    monkeypatch.setattr(language, "load", loaded.set)

    async def scene() -> None:
        async with FakeOllama([LLAMA, PHI], speed=50) as host:
            async with house(tmp_path, OLLAMA_HOST=host.url):
                assert await asyncio.to_thread(loaded.wait, 30)

    asyncio.run(scene())


def test_a_local_ollama_with_the_models_is_used_without_being_asked_for(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama([LLAMA, PHI], speed=50) as host:
            async with house(tmp_path, local=host.url) as made:
                await eventually(lambda: made.readiness.ready)
                assert host.url in made.supply.source
                assert len(made.hosts.contenders()) == 2

    asyncio.run(scene())


def test_a_local_ollama_without_the_models_is_left_alone(
    tmp_path: Path, engine_weights: Any
) -> None:
    async def scene() -> None:
        async with FakeOllama([LLAMA, FakeModel("other:1b")], speed=50) as host:
            async with house(tmp_path, local=host.url) as made:
                await eventually(lambda: made.readiness.ready, 60)
                assert "engine" in made.supply.source and made.readiness.demo
                assert len(made.hosts.contenders()) == 3

    asyncio.run(scene())


def kinds_kept(battle: str) -> set[str]:
    """Of what the process has of the battle in memory."""
    gc.collect()
    kept = [o for o in gc.get_objects() if isinstance(o, (Battle, State))]
    return {
        type(o).__name__ for o in kept if battle in (getattr(o, "battle", ""), getattr(o, "id", ""))
    }


def test_of_a_battle_that_leaves_memory_nobody_keeps_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with FakeOllama([LLAMA, MISTRAL, PHI], speed=500) as host:
            async with house(tmp_path, OLLAMA_HOST=host.url) as made:
                await eventually(lambda: made.readiness.ready)
                battle = (await made.referee.open("Why?")).battle
                await eventually(lambda: not made.referee.rounds.playing)
                assert kinds_kept(battle) == {"Battle", "State"}
                monkeypatch.setattr("arena.adapters.battles.CALM_S", 0.0)
                assert await made.referee.under_way() == 1
                assert not kinds_kept(battle)

    asyncio.run(scene())


@pytest.mark.slow
def test_a_host_that_is_set_but_away_is_never_replaced_by_the_engine(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama([LLAMA, MISTRAL, PHI], speed=50) as host:
            await host.stop()
            async with house(tmp_path, local=NOWHERE, OLLAMA_HOST=host.url) as made:
                await eventually(lambda: "does not answer" in made.readiness.detail)
                assert not made.readiness.ready and "engine" not in made.supply.source
                await host.start()
                await eventually(lambda: made.readiness.ready, 20)

    asyncio.run(scene())


@pytest.mark.slow
def test_a_model_of_the_engine_that_dies_is_loaded_again(
    tmp_path: Path, engine_weights: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.compose.house.QUIET_S", 0.5)

    def loaded() -> set[Process]:
        alive = [p for p in Process().children() if p.status() != STATUS_ZOMBIE]
        return {p for p in alive if "arena.adapters.engine.llama" in p.cmdline()}

    async def scene() -> None:
        others = loaded()
        async with house(tmp_path) as made:

            def resident() -> bool:
                (host,) = made.hosts.reports()
                return host.models[0].resident

            await eventually(lambda: made.readiness.ready, 60)
            await made.hosts.look()
            (died,) = loaded() - others
            died.kill()
            await eventually(lambda: not resident())
            await eventually(resident, 30)
            assert made.readiness.ready and len(loaded() - others - {died}) == 1

    asyncio.run(scene())


def test_without_a_network_the_first_start_says_so_in_words(tmp_path: Path) -> None:
    async def scene() -> None:
        environment = {
            "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
            "PIP_FIND_LINKS": "",
            "PIP_CONFIG_FILE": os.devnull,
        }
        with pytest.MonkeyPatch.context() as patch:
            for key, value in environment.items():
                patch.setenv(key, value)
            async with house(tmp_path, ARENA_CACHE=str(tmp_path / "cache")) as made:
                await eventually(lambda: "network connection" in made.readiness.detail, 60)
                assert not made.readiness.ready

    asyncio.run(scene())


def test_a_host_behind_https_is_trusted_by_setting_and_only_so(tmp_path: Path) -> None:
    certificate, server = self_signed(tmp_path)

    async def scene() -> None:
        async with FakeOllama([LLAMA, MISTRAL, PHI], speed=50, tls=server, token="s3cret") as host:
            known = {"OLLAMA_HOST": host.url, "OLLAMA_TOKENS": "s3cret"}
            async with house(tmp_path, **known) as made:
                await eventually(lambda: "does not answer" in made.readiness.detail)
            async with house(tmp_path, OLLAMA_CA_FILE=str(certificate), **known) as made:
                await eventually(lambda: made.readiness.ready)

    asyncio.run(scene())


def test_a_file_that_holds_no_certificate_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    settings = load({"OLLAMA_CA_FILE": str(tmp_path / "ca.pem")}, None)
    with pytest.raises(ConfigError, match="OLLAMA_CA_FILE") as caught:
        House(settings)
    assert not isinstance(caught.value, NotThere)
    (tmp_path / "ca.pem").unlink()
    with pytest.raises(NotThere, match="OLLAMA_CA_FILE"):
        House(settings)


def test_a_roster_in_another_encoding_is_told_by_its_line(tmp_path: Path) -> None:
    roster = tmp_path / "roster.toml"
    roster.write_bytes(b"# Mod\xc3\xa8les\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"ARENA_ROSTER.*line 2.*UTF-8"):
        roster_of(load({"ARENA_ROSTER": str(roster)}, None))


# How long models may take ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "reply_s", "least_round_s"),
    [
        ({}, 300, 600),
        ({"ARENA_TIMEOUT": "1", "ARENA_FIRST_TOKEN": "1", "ARENA_MAX_TOKENS": "1"}, 300, 600),
        ({"ARENA_TIMEOUT": "3600"}, 300, 3900),
        ({"ARENA_FIRST_TOKEN": "3600"}, 300, 3900),
        ({"ARENA_MAX_TOKENS": "32768"}, (32768 + 2048) / 10, 180 + (32768 + 2048) / 10),
        ({"ARENA_THINK_TOKENS": "131072"}, (131072 + 512) / 10, 180 + (131072 + 512) / 10),
        ({"ARENA_MAX_PROMPT": "100000"}, 300, 180 + 1000 + 300),
    ],
)
def test_what_settings_allow_can_be_reached(
    tmp_path: Path, environment: dict[str, str], reply_s: float, least_round_s: float
) -> None:
    settings = load({**environment, "DATABASE_URL": f"sqlite:///{tmp_path / 'arena.db'}"}, None)
    made = House(settings)
    assert timeouts_of(settings, ()).total == reply_s
    stage = made.referee.rules.stage
    assert stage.total_s >= least_round_s and (environment or stage.total_s == 600)


@pytest.mark.parametrize(
    ("own", "reply_s"),
    [
        ("num_predict = 8000", (8000 + 2048) / 10),
        ("num_predict = 100", 300),
        ("num_predict = -1", (4096 + 2048) / 10),
        ("num_predict = -1, num_ctx = 8192", (8192 + 2048) / 10),
    ],
)
def test_all_may_take_as_long_as_the_contender_that_may_write_most(
    tmp_path: Path, own: str, reply_s: float
) -> None:
    roster = tmp_path / "roster.toml"
    roster.write_text(
        '[[contender]]\nname = "a"\nmodel = "x"\n'
        f'[[contender]]\nname = "b"\nmodel = "x"\noptions = {{ {own} }}\n'
    )
    ledger = f"sqlite:///{tmp_path / 'arena.db'}"
    settings = load({"ARENA_ROSTER": str(roster), "DATABASE_URL": ledger}, None)
    assert timeouts_of(settings, roster_of(settings)).total == reply_s
    assert House(settings).referee.rules.stage.total_s >= 180 + reply_s


@pytest.mark.parametrize(("redis", "grace_s"), [("", 0.5), ("redis://127.0.0.1:1/0", 3.0)])
def test_replicas_hear_of_a_viewer_elsewhere_before_they_miss_one(
    tmp_path: Path, redis: str, grace_s: float
) -> None:
    ledger = f"sqlite:///{tmp_path / 'arena.db'}"
    for asked, held in (("0.5", grace_s), ("5", 5.0)):
        told = {"DATABASE_URL": ledger, "REDIS_URL": redis, "ARENA_GRACE": asked}
        assert House(load(told, None)).referee.rules.stage.grace_s == held
