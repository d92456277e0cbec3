"""The files of arena/deploy: each is read by the program it is for, where that can be had, and
agrees with the arena's own settings; nginx is run, and does to requests what its file says."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import redis
import yaml
from redis.backoff import NoBackoff
from redis.retry import Retry

from arena.cli.serve import MISCONFIGURED
from arena.server import serving
from arena.settings import load, setting_fields
from arena.web import bodies
from arena.web.api import problems
from tests.certificates import self_signed
from tests.conftest import missing
from tests.docs.pages import PAGES
from tests.fake_ollama import LLAMA, FakeOllama
from tests.nginx import DEPLOY, OUTSIDE, configured, free_port, listens, nginx, program_nginx
from tests.running import wait_until

ROOT = DEPLOY.parents[1]
SETTINGS = load({}, None)
KEYS = {spec.metadata["key"] for spec in setting_fields()}
TRIO = len(SETTINGS.models)


def read(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def found(pattern: str, name: str) -> list[str]:
    return re.findall(pattern, read(name), re.MULTILINE)


def program(name: str, package: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if not path:
        missing(name, f"Install it: apt-get install {package}")
    assert path
    return path


def run(*command: str | Path) -> str:
    """What it printed; fails unless it ends well."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# Read by their programs --------------------------------------------------------------------------


@pytest.mark.parametrize("listen", ["arena-listen.conf", "arena-listen-tls.conf"])
def test_nginx_takes_our_configuration(tmp_path: Path, listen: str) -> None:
    certificate, _ = self_signed(tmp_path)
    certificate.rename(tmp_path / "arena.pem")
    (tmp_path / "key.pem").rename(tmp_path / "arena.key")
    file = configured(tmp_path, free_port(), ["127.0.0.1:7861"], listen)
    assert "[warn]" not in run(
        program_nginx(), "-t", "-c", file, "-p", tmp_path, "-g", "user root;"
    )


def test_haproxy_takes_our_configuration() -> None:
    checked = run(program("haproxy", "haproxy"), "-c", "-f", DEPLOY / "haproxy" / "haproxy.cfg")
    assert "WARNING" not in checked


def test_systemd_takes_our_units(tmp_path: Path) -> None:
    systemd = program("systemd-analyze", "systemd")
    here = read("systemd/progressive-arena@.service").replace(
        "/opt/progressive-arena/.venv/bin/python", "/bin/true"
    )
    (tmp_path / "progressive-arena@.service").write_text(here)
    said = run(systemd, "verify", "--man=no", tmp_path / "progressive-arena@7861.service")
    assert not [line for line in said.splitlines() if "progressive-arena" in line], said
    drop_in = tmp_path / "ollama.service"
    drop_in.write_text(f"{read('ollama/progressive-arena.conf')}\nExecStart=/bin/true\n")
    said = run(systemd, "verify", "--man=no", drop_in)
    assert not [line for line in said.splitlines() if "ollama" in line], said


def test_redis_takes_our_configuration(tmp_path: Path) -> None:
    port = free_port()
    server = subprocess.Popen(
        [
            program("redis-server", "redis-server"),
            DEPLOY / "stores" / "redis.conf",
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--dir",
            tmp_path,
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        with redis.Redis(port=port, retry=Retry(NoBackoff(), 0), decode_responses=True) as client:
            wait_until(lambda: answers(client), "redis-server answers", 10)
            assert client.config_get("appendonly", "maxmemory-policy") == {
                "appendonly": "yes",
                "maxmemory-policy": "noeviction",
            }
    finally:
        server.kill()
        server.wait()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_compose_names_services_networks_and_files_that_are_there() -> None:
    compose = yaml.safe_load(read("compose.yaml"))
    services = compose["services"]
    assert set(services) == {"nginx", "arena-1", "arena-2", "redis", "postgres"}
    for name, service in services.items():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            there = (DEPLOY / source).is_file() if "/" in source else source in compose["volumes"]
            assert there, f"{name} mounts {source}"
        assert set(service.get("depends_on", ())) <= set(services)
        assert service.get("build") or re.search(r":\d+\.\d+", service["image"]), f"{name} floats"
    for replica in ("arena-1", "arena-2"):
        assert set(services[replica]["environment"]) <= KEYS
        assert f"{replica}:{SETTINGS.port}" in read("nginx/arena-replicas-compose.conf")


def test_the_image_runs_as_nobody_in_particular_and_without_the_tests() -> None:
    dockerfile = read("Dockerfile")
    stages = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", *stages)
    assert found(r"^USER (\d+):\d+$", "Dockerfile")[0] != "0"
    assert "/healthz" in found(r"^HEALTHCHECK[^\n]+\\\n(.+)$", "Dockerfile")[0]
    marker = found(r"sed '/\^(.+)/,\$d'", "Dockerfile")[0]
    kept, tests = (ROOT / "requirements.txt").read_text().split(f"{marker}\n")
    assert "gradio==" in kept and "pytest==" in tests
    ignored = read("Dockerfile.dockerignore")
    for source in " ".join(found(r"^COPY (.+) \S+$", "Dockerfile")).split():
        assert (ROOT / source).exists() and f"!{source}\n" in ignored


# In agreement with the arena ---------------------------------------------------------------------


def test_whatever_stops_a_replica_waits_longer_than_the_replica() -> None:
    needed = SETTINGS.stop_s + serving.CLOSE_S
    assert int(found(r"^TimeoutStopSec=(\d+)$", "systemd/progressive-arena@.service")[0]) > needed
    compose = yaml.safe_load(read("compose.yaml"))
    assert int(compose["services"]["arena-1"]["stop_grace_period"].rstrip("s")) > needed


def test_a_replica_is_started_again_until_what_it_needs_is_there_not_with_wrong_settings() -> None:
    unit = "systemd/progressive-arena@.service"
    assert found(r"^StartLimitIntervalSec=(\d+)$", unit) == ["0"], "it never gives up"
    assert found(r"^RestartPreventExitStatus=(.+)$", unit) == [str(MISCONFIGURED)]


def test_settings_in_the_files_are_settings_of_the_arena() -> None:
    assert set(found(r"^([A-Z_]+)=", "systemd/progressive-arena.env")) <= KEYS
    unit = " ".join(found(r"^Environment=(.+)$", "systemd/progressive-arena@.service"))
    assert {key for key in re.findall(r"([A-Z_]+)=", unit) if key.startswith("ARENA_")} <= KEYS


def test_nginx_keeps_no_connection_that_the_arena_may_be_closing() -> None:
    (kept,) = found(r"^ {8}keepalive_timeout (\d+)s;", "nginx/nginx.conf")
    assert int(kept) < serving.KEPT_S


def test_bodies_that_the_arena_takes_pass_nginx() -> None:
    (megabytes,) = found(r"client_max_body_size (\d+)m;", "nginx/nginx.conf")
    assert int(megabytes) * 1024**2 > bodies.LARGEST_WITH_IMAGES
    (buffered,) = found(r"client_body_buffer_size (\d+)m;", "nginx/nginx.conf")
    assert buffered == megabytes


def test_the_pool_lets_in_what_its_boxes_can_answer() -> None:
    box = dict(
        item.split("=", 1) for item in found(r"^Environment=(.+)$", "ollama/progressive-arena.conf")
    )
    assert int(box["OLLAMA_CONTEXT_LENGTH"]) == SETTINGS.context
    assert int(box["OLLAMA_MAX_LOADED_MODELS"]) == TRIO
    most = int(found(r"^ +default-server .*\bmaxconn (\d+)", "haproxy/haproxy.cfg")[0])
    assert most == int(box["OLLAMA_NUM_PARALLEL"]) * TRIO
    patience = int(found(r"timeout server (\d+)s", "haproxy/haproxy.cfg")[0])
    assert patience > SETTINGS.timeout_s


def test_files_that_are_told_of_are_there() -> None:
    told = [*PAGES, *DEPLOY.rglob("*"), *(ROOT / "arena").rglob("*.py")]
    for file in filter(Path.is_file, told):
        for name in re.findall(r"arena/deploy/([\w@./-]*\w)", file.read_text(encoding="utf-8")):
            assert (DEPLOY / name).exists(), f"{file} names arena/deploy/{name}"


# nginx at work -----------------------------------------------------------------------------------


class Stand(BaseHTTPRequestHandler):
    """Answers what it was asked, and by whom of the replicas."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        told = {
            "replica": self.server.server_port,
            **{k.lower(): v for k, v in self.headers.items()},
        }
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 -- the library's name

    def log_message(self, *_: object) -> None:
        """Not on the terminal."""


@contextmanager
def stand(port: int = 0) -> Iterator[int]:
    """A stand-in for a replica; gives its port."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Stand)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def browser(url: str) -> Iterator[httpx.Client]:
    """Its certificate is looked at by nobody: making a context takes longer than all calls."""
    headers = {"Accept": "text/html"}
    with httpx.Client(base_url=url, trust_env=False, headers=headers, verify=False) as client:  # noqa: S501 -- loopback
        yield client


def address(port: int) -> str:
    return f"127.0.0.1:{port}"


def test_pages_are_shared_out_and_each_stays_where_it_is(tmp_path: Path) -> None:
    with stand() as one, stand() as two, nginx(tmp_path, [address(one), address(two)]) as url:
        seats = []
        for _ in range(12):
            with browser(url) as page:
                seats.append({page.get(path).json()["replica"] for path in ("/", "/config", "/a")})
        assert all(len(seat) == 1 for seat in seats)
        assert set.union(*seats) == {one, two}
        with httpx.Client(base_url=url, trust_env=False) as program:
            calls = [program.get("/api/arena/status").json()["replica"] for _ in range(16)]
            assert set(calls) == {one, two} and not program.cookies
            calls = {program.get("/config").json()["replica"] for _ in range(8)}
            assert len(calls) == 1


def test_a_page_whose_replica_is_gone_is_answered_by_the_other(tmp_path: Path) -> None:
    access, error = tmp_path / "access.log", tmp_path / "error.log"
    with stand() as one, nginx(tmp_path, [address(one), address(gone := free_port())]) as url:
        for _ in range(6):
            with browser(url) as page:
                assert page.get("/?rater=ann").json()["replica"] == one
                assert page.post("/gradio_api/queue/join").json()["replica"] == one
        # What is kept of it tells neither who asked nor what opens a battle.
        for path in ("/b/Secret", "/api/arena/battles/secret/events?ballot=secret", "/SECRET"):
            httpx.get(f"{url}{path}")
        wait_until(lambda: access.read_text().count("\n") == 15, "all is written", 5)
        kept = access.read_text()
    assert (address(gone) in kept) == (f" {address(gone)}, {address(one)} 502, 200\n" in kept)
    for asked in ("GET /b 200", "GET /api/arena/battles 200", "POST /gradio_api/queue 200"):
        assert f" {asked} " in kept
    told = f"{kept}{error.read_text()}".lower().replace(address(one), "")
    told = told.replace(address(gone), "")
    assert not any(word in told for word in ("secret", "ann", OUTSIDE))


def test_a_visitor_cannot_claim_to_be_somebody_else(tmp_path: Path) -> None:
    with stand() as one, nginx(tmp_path, [address(one)]) as url:
        claims = {
            "X-Forwarded-For": "10.1.2.3",
            "Forwarded": "for=10.1.2.3",
            "X-Forwarded-Proto": "https",
        }
        told = httpx.get(f"{url}/api/arena/status", headers=claims).json()
        assert told["x-forwarded-for"] == "127.0.0.1" and "forwarded" not in told
        assert told["x-forwarded-proto"] == "http" and told["host"] == url.removeprefix("http://")


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/api/arena/hosts",
        "/api/arena/hosts/",
        "/monitoring/summary",
        "/%6detrics",
        "//metrics",
        "/x/../metrics",
        "/gradio_api/upload",
    ],
)
def test_what_is_for_operators_is_refused_however_it_is_spelt(closed: str, path: str) -> None:
    with httpx.Client(trust_env=False) as client:
        answer = client.get(f"{closed}{path}")
    assert answer.status_code == 403 and answer.json()["status"] == 403
    assert answer.headers["content-type"] == problems.PROBLEM_JSON


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with stand() as one, nginx(tmp_path_factory.mktemp("closed"), [address(one)]) as url:
        yield url


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("POST /api/arena/battles HTTP/1.1\r\nContent-Length: 6000000", 413),
        ("GET /api/arena/battles/%00 HTTP/1.1", 400),
        (f"GET /api/arena/status HTTP/1.1\r\nX: {'x' * 40_000}", 400),
        (f"GET /api/arena/status?{'x' * 40_000} HTTP/1.1", 414),
        ("TRACE /api/arena/status HTTP/1.1", 405),
    ],
    ids=["body", "NUL", "header", "address", "method"],
)
def test_what_nginx_refuses_is_a_problem_too(closed: str, line: str, status: int) -> None:
    host = closed.removeprefix("http://")
    with socket.create_connection((OUTSIDE, int(host.rpartition(":")[2])), timeout=10) as sock:
        sock.sendall(f"{line}\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = HTTPResponse(sock)
        answer.begin()
        told = json.load(answer)
    assert (answer.status, told["status"]) == (status, status) and told["title"] and told["detail"]
    assert answer.headers["content-type"] == problems.PROBLEM_JSON
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_while_all_replicas_are_gone_people_and_programs_are_told_so(tmp_path: Path) -> None:
    with nginx(tmp_path, [address(free_port()), address(free_port())]) as url:
        with browser(url) as page:
            answer = page.get("/")
            assert answer.status_code == 503 and "being restarted" in answer.text
        answer = httpx.post(f"{url}/api/arena/battles", json={})
        assert answer.status_code == 503 and answer.headers["retry-after"] == "2"
        assert answer.headers["content-type"] == problems.PROBLEM_JSON and answer.json()["detail"]


def test_plain_http_is_led_to_https(tmp_path: Path) -> None:
    certificate, _ = self_signed(tmp_path)
    certificate.rename(tmp_path / "arena.pem")
    (tmp_path / "key.pem").rename(tmp_path / "arena.key")
    with stand() as one, nginx(tmp_path, [address(one)], "arena-listen-tls.conf") as url:
        ports = re.findall(r"listen [\d.]+:(\d+)", (tmp_path / "arena-listen.conf").read_text())
        plain = next(f"http://127.0.0.1:{port}" for port in ports if not url.endswith(port))
        answer = httpx.post(f"{plain}/api/arena/battles?x=1")
        assert answer.status_code == 308
        assert answer.headers["location"] == "https://127.0.0.1/api/arena/battles?x=1"
        with browser(url) as client:
            page = client.get("/")
        assert "Secure" in page.headers["set-cookie"] and "HttpOnly" in page.headers["set-cookie"]
        assert page.headers["strict-transport-security"]


# HAProxy at work -----------------------------------------------------------------------------------


@contextmanager
def haproxy(folder: Path, boxes: list[int]) -> Iterator[str]:
    """Our configuration in front of two boxes on these ports; gives its URL."""
    port = free_port()
    ours = read("haproxy/haproxy.cfg").replace("bind 127.0.0.1:11434", f"bind 127.0.0.1:{port}")
    for number, box in enumerate(boxes, 1):
        ours = ours.replace(f"box{number} 10.0.0.1{number}:11434", f"box{number} 127.0.0.1:{box}")
    (folder / "haproxy.cfg").write_text(ours)
    command = [program("haproxy", "haproxy"), "-db", "-f", folder / "haproxy.cfg"]
    with (folder / "haproxy.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(lambda: listens(port) or process.poll() is not None, "HAProxy listens", 10)
        assert process.poll() is None, (folder / "haproxy.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_a_pool_answers_for_its_boxes_and_only_what_the_arena_asks(tmp_path: Path) -> None:
    with stand() as one, stand() as two, haproxy(tmp_path, [one, two]) as url:
        with httpx.Client(base_url=url, trust_env=False) as client:
            boxes = {client.get("/api/tags").json()["replica"] for _ in range(8)}
            assert boxes == {one, two}
            told = client.post("/api/chat", json={"model": "m", "messages": []}).json()
            assert told["host"] == "localhost:11434"
            for refused in ("/api/pull", "/api/delete", "/api/create", "/v1/models", "/"):
                assert client.post(refused, json={}).status_code == 403
            assert client.get("/api/chat").status_code == 403


def test_a_reply_that_never_began_is_written_by_another_box(tmp_path: Path) -> None:
    with stand() as one, haproxy(tmp_path, [one, free_port()]) as url:
        conversation = {"messages": [{"content": "é" * 50_000}]}
        with httpx.Client(base_url=url, trust_env=False) as client:
            for _ in range(4):
                assert client.post("/api/chat", json=conversation).json()["replica"] == one


def test_tokens_pass_the_pool_as_they_are_written(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama([LLAMA], speed=20, warm=True) as host:
            with haproxy(tmp_path, [host.port, host.port]) as url:
                asked = {"model": LLAMA.name, "messages": [{"role": "user", "content": "Why?"}]}
                host.fault("stall", frame=3)
                async with (
                    httpx.AsyncClient(base_url=url, trust_env=False) as client,
                    client.stream("POST", "/api/chat", json=asked) as answer,
                ):
                    lines = answer.aiter_lines()
                    for _ in range(2):
                        await anext(lines)  # There before the rest is written.
                    await host.wait_for(lambda: host.stats.held)
                    host.release()
                    rest = [json.loads(line) async for line in lines]
                    assert rest[-1]["done"]

    asyncio.run(scene())
