"""What deploy-check finds: two replicas behind a real nginx, ours and a careless one; a real Redis
and configurations on disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from arena.cli import main, nginx_files, passage, replicas, sharing
from arena.cli.deploy_check import visited
from arena.cli.doctor import Finding
from arena.cli.visitor import Visitor
from arena.settings import Settings, load
from arena.web import api, replica
from arena.web.headers import Headers
from tests.certificates import self_signed
from tests.fake_ollama import FakeOllama
from tests.nginx import configured, free_port, nginx, running_nginx
from tests.playing import Table, table
from tests.postgresql import Postgresql
from tests.redis_server import RedisServer
from tests.web.calling import HOSTED, client_of

pytest_plugins = ["tests.postgresql", "tests.redis_server"]

CARELESS = """
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    gzip on;
    gzip_min_length 1;
    gzip_types *;
    client_max_body_size 100k;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    upstream arena {{
        server {one};
        server {two};
    }}
    server {{
        listen {listen};
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_next_upstream error timeout non_idempotent http_503;
        proxy_ignore_headers X-Accel-Buffering;
        add_header Set-Cookie "who=1";
        location / {{
            proxy_set_header Host localhost;
            proxy_pass http://arena;
        }}
    }}
}}
"""


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """Gradio's place: every path is the page."""
    await HTMLResponse("<title>Arena</title>")(scope, receive, send)


@asynccontextmanager
async def replica_of(at: Table) -> AsyncIterator[str]:
    """A replica with this table behind it; its address."""
    app = FastAPI()
    app.add_middleware(Headers)
    replica.install(app)
    api.install(app, at.referee)
    app.mount("", page)
    async with client_of(app) as client:
        yield f"{client.base_url.host}:{client.base_url.port}"
        at.feed.close()  # type: ignore[attr-defined]


@asynccontextmanager
async def replicas_of(folder: Path, tables: int) -> AsyncIterator[list[str]]:
    """Two replicas with one table behind them, as if they shared their battles, or two."""
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(FakeOllama(HOSTED, speed=20, warm=True))
        at = []
        for _ in range(tables):
            at.append(await stack.enter_async_context(table(folder, [host])))
        yield [await stack.enter_async_context(replica_of(a)) for a in (at[0], at[-1])]


def not_ok(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(f.status, f.check) for f in findings if f.status != "ok"]


def test_two_replicas_behind_our_nginx_are_sound(tmp_path: Path) -> None:
    async def scene() -> None:
        async with replicas_of(tmp_path, tables=1) as addresses:
            with nginx(tmp_path / "nginx", addresses) as url:
                async with Visitor(url) as visitor:
                    findings = await visited(visitor)
        assert not_ok(findings) == []
        said = {f.check: f.message for f in findings}
        assert (
            said["replicas"] == "2 replicas answer" and "is followed on another" in said["shared"]
        )
        checks = (
            "url",
            "ready",
            "stream",
            "gzip",
            "address",
            "operators",
            "body",
            "headers",
            "sticky",
        )
        assert not set(checks) - said.keys()

    asyncio.run(scene())


def test_behind_https_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "nginx"
    folder.mkdir()
    certificate, _ = self_signed(folder)
    (folder / "key.pem").rename(folder / "arena.key")
    certificate.rename(folder / "arena.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "arena.pem"))

    async def scene() -> None:
        async with replicas_of(tmp_path, tables=1) as addresses:
            with nginx(folder, addresses, "arena-listen-tls.conf") as url:
                async with Visitor(url) as visitor:
                    assert (await replicas.reached(visitor)).status == "ok"
                    assert not_ok([f async for f in passage.headers(visitor)]) == []

    asyncio.run(scene())


def test_replicas_that_share_nothing_are_told_from_one_arena(tmp_path: Path) -> None:
    async def scene() -> None:
        async with replicas_of(tmp_path, tables=2) as addresses:
            with nginx(tmp_path / "nginx", addresses) as url:
                async with Visitor(url) as visitor:
                    findings = [f async for f in replicas.together(visitor)]
        assert not_ok(findings) == [("fail", "shared")]
        assert "REDIS_URL" in findings[-1].mend

    asyncio.run(scene())


@pytest.mark.slow
def test_all_that_a_careless_nginx_does_is_found(tmp_path: Path) -> None:
    async def scene() -> None:
        async with replicas_of(tmp_path, tables=1) as (one, two):
            listen = f"127.0.0.1:{free_port()}"
            file = tmp_path / "nginx.conf"
            places = {"one": one, "two": two, "listen": listen, "folder": tmp_path}
            file.write_text(CARELESS.format(**places))
            with running_nginx(file, listen) as url:
                async with Visitor(url) as visitor:
                    findings = await visited(visitor)
        bad = not_ok(findings)
        for check in ("stream", "gzip", "body", "sticky"):
            assert ("fail", check) in bad, (check, bad)
        assert ("warn", "headers") in bad
        headers = next(f for f in findings if f.check == "headers")
        assert "framed" in headers.message and "who without HttpOnly" in headers.message
        assert all(f.mend for f in findings if f.status != "ok")

    asyncio.run(scene())


def test_where_no_arena_is_one_finding_says_so() -> None:
    async def scene() -> None:
        async with Visitor(f"127.0.0.1:{free_port()}") as visitor:
            (finding,) = await visited(visitor)
        assert finding.status == "fail" and "does not answer" in finding.message

    asyncio.run(scene())


# Files -------------------------------------------------------------------------------------------


def test_our_own_nginx_configuration_has_nothing_to_mend(tmp_path: Path) -> None:
    for listen in ("arena-listen.conf", "arena-listen-tls.conf"):
        file = configured(tmp_path, 8080, ["127.0.0.1:7861", "127.0.0.1:7862"], listen)
        assert not_ok(list(nginx_files.examine(str(file)))) == []


def test_a_careless_configuration_is_found_out_before_it_runs(tmp_path: Path) -> None:
    file = tmp_path / "nginx.conf"
    places = {"one": "a:1", "two": "b:1", "listen": "80", "folder": "/tmp"}
    file.write_text(CARELESS.format(**places))
    said = "\n".join(f"{f.status} {f.message}" for f in nginx_files.examine(str(file)))
    for part in (
        "takes visitors for operators",
        "done again by another",
        "held back until a buffer is full",
        "warn /: a new connection",
        "compressed",
        "long prompts are refused",
        "/metrics, which is for operators, is passed on",
        "leads one page to different replicas",
    ):
        assert part in said, (part, said)


@pytest.mark.parametrize(
    "text", ["http { server { listen 80; location / { return 200; } } }", "http {", ""]
)
def test_a_file_that_is_not_for_an_arena_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(text)
    assert "fail" in {f.status for f in nginx_files.examine(str(file))}


def test_the_command_reads_files_and_tells_by_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = configured(tmp_path, 8080, ["127.0.0.1:7861"])
    assert main(["deploy-check", "--nginx", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    assert main(["deploy-check", "--nginx", str(tmp_path / "none.conf"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["mend"]


# What is shared ----------------------------------------------------------------------------------


def shared(settings: Settings, replicas: int = 2) -> list[Finding]:
    return asyncio.run(sharing.examine(settings, replicas))


def test_several_replicas_want_redis_and_another_database() -> None:
    alone = load({}, None)
    assert not_ok(shared(alone, replicas=1)) == []
    assert not_ok(shared(alone)) == [("warn", "redis"), ("warn", "database")]


def test_a_redis_that_forgets_or_evicts_is_found(redis_server: RedisServer) -> None:
    settings = load({"REDIS_URL": redis_server.url}, None)
    assert not_ok(shared(settings, replicas=1)) == []
    redis_server.ask("CONFIG", "SET", "appendonly", "no")
    redis_server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    assert not_ok(shared(settings, replicas=1)) == [("fail", "redis")] * 2


def test_a_redis_that_is_away_is_told_without_its_password() -> None:
    settings = load({"REDIS_URL": f"redis://:s3cret@127.0.0.1:{free_port()}"}, None)
    (finding, _) = shared(settings, replicas=1)
    assert finding.status == "fail" and "127.0.0.1" in finding.message
    assert "s3cret" not in finding.message + finding.mend


def test_a_database_that_can_lose_votes_is_found(postgresql: Postgresql) -> None:
    url = postgresql.new_url()
    (answers, durable, clock) = shared(load({"DATABASE_URL": url}, None), replicas=1)[1:]
    assert answers.status == clock.status == "ok" and "PostgreSQL" in answers.message
    assert (
        durable.status == "fail" and "fsync" in durable.message and "voter" not in answers.message
    )


def test_a_database_that_is_away_is_told_without_its_password() -> None:
    url = f"postgresql+psycopg://arena:s3cret@127.0.0.1:{free_port()}/arena"
    finding = shared(load({"DATABASE_URL": url}, None), replicas=1)[-1]
    assert finding.status == "fail" and "127.0.0.1" in finding.message
    assert "s3cret" not in finding.message + finding.mend
