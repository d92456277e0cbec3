"""What deploy-check finds: two replicas with the real page behind a real nginx, ours and careless
ones; a real Redis, a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from arena.checks import passage, replicas, stores
from arena.checks.deployment import visited
from arena.checks.findings import Finding
from arena.checks.page import Page
from arena.checks.playing import Player
from arena.checks.visitor import Elsewhere, Visitor
from arena.cli import main
from arena.settings import Settings, load
from tests.certificates import self_signed
from tests.checks.replicas import behind, replicas_of
from tests.nginx import CONFIGURATION, free_port, nginx
from tests.postgresql import Postgresql
from tests.redis_server import RedisServer

FORWARDED = """
proxy_set_header Host $http_host;
proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header X-Forwarded-Host $http_host;
"""
ONE_BY_ADDRESS = "proxy_pass http://arena; proxy_buffering off;"
CARELESS = """
gzip on;
gzip_min_length 1;
gzip_types *;
client_max_body_size 100k;
proxy_set_header Host localhost;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_ignore_headers X-Accel-Buffering;
proxy_hide_header Content-Security-Policy;
location / { proxy_pass http://arena; }
"""


def not_ok(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(f.status, f.check) for f in findings if f.status != "ok"]


def of(findings: Sequence[Finding], check: str) -> Finding:
    return next(f for f in findings if f.check == check)


async def checked(url: str) -> list[Finding]:
    async with Visitor(url) as visitor:
        return await visited(visitor)


@pytest.mark.slow
def test_two_replicas_behind_our_nginx_are_sound_and_the_battle_is_never_ranked(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        async with replicas_of(tmp_path) as (addresses, (at,)):
            with nginx(tmp_path / "nginx", addresses) as url:
                findings = await checked(url)
            votes = await at.ledger.votes(["study", "excluded_reason", "channel"])
        assert not_ok(findings) == []
        checks = ("url", "ready", "stream", "address", "operators", "body", "headers")
        assert {f.check for f in findings} == {*checks, "page", "sticky", "replicas", "shared"}
        assert of(findings, "replicas").message == "2 replicas answer"
        assert "is followed on another" in of(findings, "shared").message
        assert "its 3 votes are kept" in of(findings, "page").message
        assert votes.to_numpy().tolist() == [["smoke", "rehearsal", "web"]] * 3

    asyncio.run(scene())


@pytest.mark.slow
def test_behind_https_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "nginx"
    folder.mkdir()
    certificate, _ = self_signed(folder)
    (folder / "key.pem").rename(folder / "arena.key")
    certificate.rename(folder / "arena.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "arena.pem"))

    async def scene() -> None:
        async with replicas_of(tmp_path) as (addresses, _):
            with nginx(folder, addresses, "arena-listen-tls.conf") as url:
                async with Visitor(url) as visitor:
                    assert (await passage.reached(visitor)).status == "ok"
                    assert not_ok([f async for f in replicas.played(visitor)]) == []

    asyncio.run(scene())


@pytest.mark.slow
def test_replicas_that_share_nothing_are_told_from_one_arena(tmp_path: Path) -> None:
    async def scene() -> None:
        async with replicas_of(tmp_path, tables=2) as (addresses, _):
            with nginx(tmp_path / "nginx", addresses) as url:
                async with Visitor(url) as visitor:
                    findings = [f async for f in replicas.together(visitor)]
        assert not_ok(findings) == [("fail", "shared")]
        assert "REDIS_URL" in findings[-1].mend

    asyncio.run(scene())


@pytest.mark.slow
def test_all_that_a_careless_nginx_does_is_found(tmp_path: Path) -> None:
    async def scene() -> None:
        async with replicas_of(tmp_path) as (addresses, _):
            with behind(tmp_path / "nginx", addresses, CARELESS) as url:
                findings = await checked(url)
        bad = not_ok(findings)
        for check in ("stream", "body", "page", "sticky"):
            assert ("fail", check) in bad, (check, bad)
        assert "compressed (gzip)" in of(findings, "stream").message
        assert "http://localhost/gradio_api/run/predict" in of(findings, "page").message
        headers = of(findings, "headers")
        assert headers.status == "warn" and "framed" in headers.message
        assert all(f.mend for f in findings if f.status != "ok")

    asyncio.run(scene())


@pytest.mark.slow
def test_a_proxy_that_takes_less_than_battles_with_images_need_is_told(tmp_path: Path) -> None:
    async def scene() -> dict[str, list[Finding]]:
        told = {}
        async with replicas_of(tmp_path, replicas=1) as (addresses, _):
            for most in ("client_max_body_size 2m;", ours):
                server = f"{FORWARDED} {most} location / {{ proxy_pass http://arena; }}"
                with behind(tmp_path / f"nginx{len(told)}", addresses, server) as url:
                    async with Visitor(url) as visitor:
                        told[most] = [f async for f in passage.bodies(visitor)]
        return told

    written = (CONFIGURATION / "nginx.conf").read_text(encoding="utf-8")
    (ours,) = re.findall(r"client_max_body_size \S+;", written)
    small, enough = asyncio.run(scene()).values()
    assert not_ok(small) == [("fail", "body")] * 2 and not_ok(enough) == []
    assert all(ours.rstrip(";") in f.mend for f in small if f.status != "ok")


def on_the_page(folder: Path, *asked: tuple[str, str], root_path: str = "") -> list[Finding]:
    """What is found of the page of one replica: for each an nginx like this, and a path of it."""

    async def found() -> list[Finding]:
        pages = []
        async with replicas_of(folder, replicas=1, root_path=root_path) as (addresses, _):
            for number, (server, path) in enumerate(asked):
                with behind(folder / f"nginx{number}", addresses, server) as url:
                    async with Visitor(f"{url}{path}") as visitor:
                        pages.append(of([f async for f in replicas.played(visitor)], "page"))
        return pages

    return asyncio.run(found())


BELOW = f"{FORWARDED} location /arena/ {{ proxy_pass http://arena/; proxy_buffering off; }}"
BARE = f"{BELOW} location = /arena {{ proxy_pass http://arena/; }}"


@pytest.mark.slow
def test_an_arena_behind_a_path_that_does_not_know_it_is_found_out(tmp_path: Path) -> None:
    (page,) = on_the_page(tmp_path, (BELOW, "/arena/"))
    assert page.status == "fail" and "ARENA_ROOT_PATH" in page.mend
    assert "/gradio_api/run/predict, where no arena answers (status 404)" in page.message
    assert "/arena/gradio_api" not in page.message


@pytest.mark.slow
def test_an_arena_behind_a_path_that_knows_it_is_played(tmp_path: Path) -> None:
    """Whether the proxy takes the path away or passes it on; where it shows the page without the
    slash of its path, that is found out."""
    passed = BELOW.replace("http://arena/;", "http://arena;")
    servers = [(server, path) for server in (BELOW, passed) for path in ("/arena/", "/arena")]
    *sound, bare = on_the_page(tmp_path, *servers, (BARE, "/arena"), root_path="/arena")
    assert [page.status for page in sound] == ["ok"] * 4, sound
    assert bare.status == "fail" and "without a slash" in bare.mend
    assert "follows its battle at" in bare.message and "status 404" in bare.message


CLOSED = {
    "location /gradio_api/ { return 403; }": "where no arena answers (status 403)",
    "location /api/arena/battles/ { return 429; }": "follows its battle at",
    "location ~ /events$ { return 200 'none'; }": "/events tells no events (SSEError)",
    "location ~ /events$ { default_type text/event-stream; return 200 ': none'; }": (
        "its events ended before it did"
    ),
}


@pytest.mark.slow
def test_what_does_not_reach_the_arena_from_the_page_is_found(tmp_path: Path) -> None:
    open_ = f"{FORWARDED} location / {{ {ONE_BY_ADDRESS} }}"
    pages = on_the_page(tmp_path, *((f"{open_} {closed}", "") for closed in CLOSED))
    for page, said in zip(pages, CLOSED.values(), strict=True):
        assert page.status == "fail" and said in page.message and page.mend


@pytest.mark.slow
def test_a_battle_whose_events_are_held_back_is_given_up(tmp_path: Path) -> None:
    held = "gzip on; gzip_min_length 1; gzip_types *; proxy_ignore_headers X-Accel-Buffering;"
    server = f"{FORWARDED} {held} location / {{ proxy_pass http://arena; }}"

    async def scene() -> None:
        async with replicas_of(tmp_path, replicas=1) as (addresses, _):
            with behind(tmp_path / "nginx", addresses, server) as url:
                async with Visitor(url, browses=True, silent_s=1.0) as browser:
                    player = Player(await Page.opened(browser), "")
                    with pytest.raises(Elsewhere, match="/events tells no events"):
                        await player.play("Why?")

    asyncio.run(scene())


def test_where_no_arena_is_one_finding_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    address = f"127.0.0.1:{free_port()}"
    assert main(["deploy-check", "--url", address, "--json"]) == 1
    (finding, *_) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["status"] == "fail" and "does not answer" in finding["message"]
    assert finding["mend"] and "python app.py" not in finding["message"]


# What is shared ----------------------------------------------------------------------------------


def shared(settings: Settings, replicas: int = 2) -> list[Finding]:
    async def found() -> list[Finding]:
        return [finding async for finding in stores.shared(settings, replicas)]

    return asyncio.run(found())


def test_several_replicas_want_redis_and_another_database() -> None:
    alone = load({}, None)
    assert shared(alone, replicas=1) == []
    assert not_ok(shared(alone)) == [("warn", "redis"), ("warn", "ledger")]


def test_a_redis_that_forgets_or_evicts_is_found(
    redis_server: RedisServer, postgresql: Postgresql
) -> None:
    urls = {"REDIS_URL": redis_server.url, "DATABASE_URL": postgresql.new_url()}
    settings = load(urls, None)
    assert ("fail", "redis") not in not_ok(shared(settings))
    redis_server.ask("CONFIG", "SET", "appendonly", "no")
    redis_server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    assert not_ok(shared(settings)).count(("fail", "redis")) == 2


def test_a_database_that_can_lose_votes_is_found_and_left_as_it_is(postgresql: Postgresql) -> None:
    schema = postgresql.new_schema()
    answers, durable = shared(load({"DATABASE_URL": postgresql.url(schema)}, None), replicas=1)
    assert answers.status == "ok" and "PostgreSQL 1" in answers.message
    assert durable.status == "fail" and "fsync off" in durable.message
    with postgresql.connect(schema) as there:
        assert there.execute(f"SELECT FROM pg_tables WHERE schemaname = '{schema}'").rowcount == 0


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("REDIS_URL", "redis://:s3cret@127.0.0.1:{port}"),
        ("DATABASE_URL", "postgresql+psycopg://arena:s3cret@127.0.0.1:{port}/arena"),
    ],
)
def test_a_store_that_is_away_is_told_without_its_password(key: str, url: str) -> None:
    findings = shared(load({key: url.format(port=free_port())}, None), replicas=1)
    (finding,) = [f for f in findings if f.status == "fail"]
    assert "127.0.0.1" in finding.message and "s3cret" not in str(findings)
