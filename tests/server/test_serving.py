"""Starting and stopping the app as a person does: what it prints, and that it ends in peace."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena.cli.serve import MISCONFIGURED
from arena.core.errors import ConfigError
from arena.server.application import exposure
from arena.server.serving import Server, Stopping, listen, url_of
from arena.settings import load
from tests.fake_ollama import FakeModel, FakeOllama
from tests.forking import Forked
from tests.nginx import free_port
from tests.playing import MODELS
from tests.running import OURS, PROGRAM, READY_S, ROOT, App, fetch, running, wait_until


def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {port} is taken.*ARENA_PORT={port + 1}"):
            listen("127.0.0.1", port)
        serve = [sys.executable, "-m", "arena", "serve", "--port", str(port)]
        done = subprocess.run(serve, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and f"Port {port} is taken" in done.stderr, "that may pass"


@pytest.mark.parametrize("bind", ["192.0.2.1", "a..b", "x" * 64])
def test_an_address_of_another_machine_is_refused(bind: str) -> None:
    with pytest.raises(ConfigError, match=bind):
        listen(bind, 0)


def test_the_printed_address_is_one_that_a_browser_can_open() -> None:
    with listen("0.0.0.0", 0) as sock:
        assert url_of(sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"


def test_whoever_lets_others_reach_the_page_is_told_what_it_lacks() -> None:
    at_home, open_ = load({}, None), load({"ARENA_BIND": "0.0.0.0"}, None)
    assert exposure(at_home, shared=False) == ""
    for warned in (exposure(at_home, shared=True), exposure(open_, shared=False)):
        assert "no password:" in warned and "no limit" not in warned
    unlimited = load({"ARENA_BALLOTS_PER_HOUR": "0"}, None)
    assert "ARENA_BALLOTS_PER_HOUR" in exposure(unlimited, shared=True)


@pytest.mark.parametrize(
    ("key", "value", "code", "door"),
    [
        ("ARENA_PACE", "fast", MISCONFIGURED, PROGRAM),
        # What is not there now may be once a disk is.
        ("DATABASE_URL", "sqlite:////proc/x/arena.db", 1, ()),
        pytest.param("ARENA_ROSTER", "/proc/x/roster.toml", 1, PROGRAM, marks=pytest.mark.slow),
    ],
)
def test_a_start_that_only_another_setting_mends_is_one_line_and_an_exit_code_of_its_own(
    tmp_path: Path, key: str, value: str, code: int, door: tuple[str, ...]
) -> None:
    with running(tmp_path, ready=False, door=door, **{key: value}) as app:
        assert app.process.wait(timeout=READY_S) == code
        assert app.ended()
        (line,) = [line for line in app.lines if key in line]
        assert "Traceback" not in app.printed and line.startswith("A setting is wrong: ")


def test_a_sigterm_ends_it_also_when_what_is_done_on_the_way_out_fails() -> None:
    async def fails() -> None:
        raise RuntimeError("on the way out")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    server = Server(app, listen("127.0.0.1", 0), Stopping(lambda: None, fails))
    server.run(lambda: os.kill(os.getpid(), signal.SIGTERM))


@pytest.mark.slow
@pytest.mark.parametrize("line", [os.pipe, pty.openpty], ids=["a pipe", "a terminal"])
def test_it_gets_ready_and_stops_though_nobody_reads_it_any_more(
    tmp_path: Path, line: Callable[[], tuple[int, int]]
) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    port = free_port()
    with FakeOllama.in_thread(warm=True) as host:
        env |= {"DATABASE_URL": f"sqlite:///{tmp_path / 'arena.db'}", "OLLAMA_HOST": host.url}
        read, write = line()
        with os.fdopen(read) as printed:
            with os.fdopen(write, "wb") as out:
                arena = Forked(["--port", str(port)], ROOT, env | {"PYTHONUNBUFFERED": "1"}, out)
            assert any("votes" in line for line in iter(printed.readline, ""))
        status = f"http://127.0.0.1:{port}/api/arena/status"
        try:
            wait_until(lambda: arena.poll() is not None or answers(status), "it is ready")
            assert arena.poll() is None
            arena.send_signal(signal.SIGTERM)
            assert arena.wait(READY_S) in (0, -signal.SIGTERM)
        finally:
            arena.send_signal(signal.SIGKILL)


def answers(status: str) -> bool:
    try:
        return bool(fetch(status)["ready"])
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize(("how", "door"), [(signal.SIGINT, PROGRAM), (signal.SIGTERM, ())])
def test_a_stop_with_a_battle_on_the_page_is_quick_and_silent(
    tmp_path: Path, how: Any, door: tuple[str, ...]
) -> None:
    with FakeOllama.in_thread(speed=1, warm=True) as host:
        with running(tmp_path, door=door, OLLAMA_HOST=host.url, ARENA_STOP="0.2") as app:
            request = urllib.request.Request(
                f"{app.url}/api/arena/battles",
                data=b'{"prompt": "Tell me more."}',
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                battle = answer.read().decode().split('"battle":"')[1].split('"')[0]
            events = urllib.request.urlopen(
                f"{app.url}/api/arena/battles/{battle}/events", timeout=10
            )
            assert events.readline().startswith(b"retry:")
            code = app.stop(how)
            events.close()
            assert code in (0, -how)
            assert "Traceback" not in app.printed and "ERROR" not in app.printed, app.printed


@pytest.mark.slow
def test_told_twice_to_stop_it_stops_at_once_and_silently(tmp_path: Path) -> None:
    with FakeOllama.in_thread(warm=True) as host:
        with running(tmp_path, OLLAMA_HOST=host.url, ARENA_PASWORD="secret") as app:
            assert app.found(r"note\s+ARENA_PASWORD .* (ARENA_PASSWORD)\?")
            for _ in range(3):
                app.process.send_signal(signal.SIGINT)
            app.process.wait(timeout=READY_S)
            assert app.ended() and "Traceback" not in app.printed, app.printed
            assert "secret" not in app.printed


@pytest.mark.slow
def test_a_second_start_needs_no_network(tmp_path: Path, engine_weights: Any) -> None:
    offline = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": ""}
    with running(tmp_path, **offline) as app:
        assert app.get("api/arena/status")["ready"]


def test_the_engine_process_does_not_import_gradio() -> None:
    code = "import sys, arena.adapters.engine.llama; sys.exit('gradio' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=True)


@pytest.mark.slow
def test_a_start_does_not_wait_for_what_only_later_questions_need() -> None:
    code = """
import sys
import arena.cli.serve, arena.compose, arena.server.application
late = {"scipy.stats", "scipy.sparse", "scipy.optimize", "py3langid", "psycopg", "redis"}
assert not late & sys.modules.keys(), late & sys.modules.keys()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, timeout=300, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def call(app: App, path: str, body: object) -> Any:
    request = urllib.request.Request(
        f"{app.url}/api/arena/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def sigterm_into_a_battle(app: App) -> str:
    """The battle, whose replies are being written."""
    opened = call(app, "battles", {"prompt": "Why?", "unattended": True})
    assert app.stop(signal.SIGTERM) in (0, -signal.SIGTERM)
    assert "Traceback" not in app.printed, app.printed
    return opened["battle"]


def goes_on(app: App, battle: str) -> None:
    state = app.get(f"api/arena/battles/{battle}")
    vote = {"round": 1, "judgement": "tie", "ballot": state["ballot"]}
    assert call(app, f"battles/{battle}/votes", vote)["round"] == 2


@pytest.mark.slow
def test_a_battle_that_a_sigterm_came_into_goes_on_at_the_next_start(tmp_path: Path) -> None:
    """With time to finish, its round is finished; without, it is written again."""
    late = [FakeModel(name, ttft_s=1.5, text="Dust is in its way.") for name in MODELS]
    with FakeOllama.in_thread(late, warm=True) as host:
        with running(tmp_path, OLLAMA_HOST=host.url, ARENA_STOP="20") as app:
            finished = sigterm_into_a_battle(app)
        with running(tmp_path, OLLAMA_HOST=host.url, ARENA_STOP="0") as app:
            state = app.get(f"api/arena/battles/{finished}")
            assert state["phase"] == "voting", "the round was finished before the end"
            goes_on(app, finished)
            assert len(app.votes()) == 3
            cut = sigterm_into_a_battle(app)
        with running(tmp_path, OLLAMA_HOST=host.url) as app:
            wait_until(
                lambda: app.get(f"api/arena/battles/{cut}")["phase"] == "voting", "voting is open"
            )
            goes_on(app, cut)
            assert len(app.votes()) == 6
