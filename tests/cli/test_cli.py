"""The commands as a person or a script runs them: what is printed, which exit code, what changes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arena.checks.doctor import clock_finding
from arena.cli import main
from arena.cli.configure import edited
from tests.cli.conftest import Ran, Run
from tests.exchange.rows import filled, some_votes
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeModel, FakeOllama, FakeOllamaThread
from tests.forking import Forked
from tests.nginx import free_port
from tests.running import ROOT, App, running

ROSTER = [LLAMA, MISTRAL, PHI]


@pytest.fixture
def host() -> Iterator[FakeOllamaThread]:
    with FakeOllama.in_thread(ROSTER, speed=30) as host:
        yield host


@pytest.fixture
def warm_host() -> Iterator[FakeOllamaThread]:
    with FakeOllama.in_thread(ROSTER, speed=30, warm=True) as host:
        yield host


# The command line itself -----------------------------------------------------------------------


def test_help_names_what_can_be_done(run: Run) -> None:
    shown = run("--help")
    assert shown.code == 0
    for command in ("serve", "doctor", "warm", "monitor", "smoke", "bench", "configure"):
        assert f"    {command}" in shown.out


def test_help_comes_at_once_without_anything_that_takes_long_to_import() -> None:
    script = """
import contextlib, io, sys
from arena.cli import COMMANDS, main
from arena.cli.bench import COMMANDS as BENCHES
for words in [[name] for name in COMMANDS] + [["bench", name] for name in BENCHES]:
    with contextlib.redirect_stdout(io.StringIO()) as told:
        try:
            main([*words, "--help"])
        except SystemExit as ended:
            assert ended.code == 0
    assert f"usage: arena {' '.join(words)} [-h]" in told.getvalue()
heavy = {"gradio", "fastapi", "pandas", "numpy", "pyarrow", "sqlalchemy", "redis", "httpx"}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ("dance",),
        ("bench",),
        ("configure",),
        ("bench", "hosts", "--users", "0,x"),
        ("monitor", "--every", "no"),
    ],
)
def test_a_wrong_command_line_is_explained_with_exit_code_2(
    run: Run, wrong: tuple[str, ...]
) -> None:
    shown = run(*wrong)
    assert shown.code == 2 and "usage: " in shown.err and "error: " in shown.err


@pytest.mark.parametrize("command", ["warm", "monitor", "smoke"])
def test_a_wrong_setting_is_one_line(run: Run, command: str) -> None:
    shown = run(command, ARENA_PACE="fast")
    assert shown.code == 1 and shown.out == ""
    assert shown.err.startswith("A setting is wrong: ARENA_PACE='fast' cannot be used. Allowed:")


@pytest.mark.parametrize("command", ["verify", "export"])
def test_a_command_does_its_work_also_where_its_output_was_closed(
    run: Run, ledger: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    filled(ledger, some_votes())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert main([command]) == 0
        sys.stdout.close()


# doctor ----------------------------------------------------------------------------------------


def findings(ran: Ran, check: str) -> list[tuple[str, str]]:
    return [(f["status"], f["message"]) for f in ran.json["findings"] if f["check"] == check]


def test_doctor_finds_nothing_wrong_with_warm_equal_hosts(
    run: Run, warm_host: FakeOllamaThread
) -> None:
    with FakeOllama.in_thread(ROSTER, speed=30, warm=True) as other:
        shown = run("doctor", OLLAMA_HOSTS=f"{warm_host.url},{other.url}")
    assert (shown.code, shown.out.splitlines()[-1]) == (0, "0 problems, 0 warnings.")
    assert shown.lines("warn") == shown.lines("fail") == []
    assert "all 2 hosts run Ollama 0.33.0" in shown.out
    assert "3 contenders can play: llama3.1:8b, mistral:7b, phi3:mini" in shown.out


def test_doctor_only_looks(run: Run, host: FakeOllamaThread, tmp_path: Path) -> None:
    shown = run("doctor", "--json", OLLAMA_HOST=host.url)
    assert shown.code == 0 and shown.json["ok"]
    ((status, said),) = findings(shown, "loaded")
    assert status == "warn" and "has not loaded llama3.1:8b, mistral:7b, phi3:mini" in said
    assert host.stats.loads == [] and list(tmp_path.iterdir()) == []


def test_doctor_says_how_to_mend_a_host_that_is_down(run: Run) -> None:
    address = f"127.0.0.1:{free_port()}"
    shown = run("doctor", OLLAMA_HOST=address)
    assert shown.code == 1
    (line,) = shown.lines("fail")
    assert f"http://{address} does not answer" in line
    assert "Start Ollama there" in shown.out and "ollama pull" not in shown.out


def test_doctor_compares_the_hosts_versions_and_models(
    run: Run, warm_host: FakeOllamaThread
) -> None:
    with FakeOllama.in_thread([LLAMA, PHI], version="0.32.14", warm=True) as other:
        shown = run("doctor", "--json", OLLAMA_HOSTS=f"{warm_host.url},{other.url}")
    assert shown.code == 0
    assert any("version differs" in said for _, said in findings(shown, "roster"))
    ((status, said),) = findings(shown, "models")
    assert status == "warn" and f"{other.url} lacks mistral:7b" in said


def test_doctor_finds_a_model_that_is_partly_on_the_cpu(
    run: Run, warm_host: FakeOllamaThread
) -> None:
    warm_host.offload("mistral:7b")
    shown = run("doctor", OLLAMA_HOST=warm_host.url)
    assert shown.code == 1
    assert any("mistral:7b partly on its CPU" in line for line in shown.lines("fail"))


def test_doctor_tells_aliases_and_models_that_are_not_installed(run: Run) -> None:
    models = [LLAMA, LLAMA.alias("same:latest"), PHI]
    with FakeOllama.in_thread(models, warm=True) as host:
        shown = run("doctor", OLLAMA_HOST=host.url, ARENA_MODELS="llama3.1:8b,same,phi3,qwen")
    warned = " ".join(shown.lines("warn"))
    assert "same" in warned and "left out" in warned
    assert "'qwen' is not installed" in warned and "ollama pull qwen" in warned


def test_doctor_answers_what_is_asked_before_the_first_battle(run: Run) -> None:
    odd = FakeModel("odd:1b", template="{{ .Prompt }}", max_ctx=2048)
    thinker = FakeModel("thinker:4b", thinking="hm", family="gptoss", always_thinks=True)
    narrow = FakeModel("narrow:1b", family="lfm2")
    away = FakeModel("away:8b", remote="https://elsewhere.example")
    models = [odd, thinker, narrow, away]
    with FakeOllamaThread(models, warm=True, num_parallel=2) as host:
        done = run(
            "doctor",
            OLLAMA_HOST=host.url,
            OLLAMA_NUM_PARALLEL="2",
            ARENA_MODELS=",".join(model.name for model in models),
            ARENA_REMOTE_MODELS="away:8b",
            ARENA_REMOTE_MODEL="away:8b",
        )
    assert "ARENA_REMOTE_MODEL is set, and is no setting: is it ARENA_REMOTE_MODELS?" in done.out
    assert "up to 2048 tokens more each (ARENA_THINK_TOKENS): thinker:4b (low)" in done.out
    assert "odd:1b has no chat template" in done.out
    assert "odd:1b was made for 2048 tokens of context, and is asked for 4096" in done.out
    assert "slowest reply of up to 2560 tokens: 64 s at 40 tokens/s" in done.out
    assert "narrow:1b writes one reply at a time" in done.out
    assert "odd:1b writes one" not in done.out
    assert "away:8b is served by https://elsewhere.example" in done.out


def test_doctor_finds_too_few_models(run: Run) -> None:
    with FakeOllama.in_thread([PHI]) as host:
        shown = run("doctor", OLLAMA_HOST=host.url)
    assert shown.code == 1 and any("fewer than two" in line for line in shown.lines("fail"))


def test_doctor_misses_a_model_file_of_the_engine(run: Run, tmp_path: Path) -> None:
    there, gone = tmp_path / "there.gguf", tmp_path / "gone.gguf"
    there.touch()
    shown = run("doctor", ARENA_ENGINE_MODELS=f"a={there},b={gone}")
    (told,) = shown.lines("fail")
    assert shown.code == 1 and str(gone) in told and str(there) not in told


def test_doctor_stops_at_a_wrong_setting(run: Run) -> None:
    shown = run("doctor", "--json", ARENA_BATTLE_SIZE="many")
    assert shown.code == 1 and not shown.json["ok"]
    ((status, said),) = findings(shown, "settings")
    assert status == "fail" and said.startswith("ARENA_BATTLE_SIZE='many'")


def test_doctor_reads_a_sound_ledger_and_leaves_it_as_it_is(
    run: Run, warm_host: FakeOllamaThread, tmp_path: Path
) -> None:
    file = tmp_path / "arena.db"
    make_ledger(file, schema=1)
    before = file.read_bytes()
    shown = run("doctor", "--json", OLLAMA_HOST=warm_host.url)
    ((status, said),) = findings(shown, "ledger")
    assert status == "ok" and "schema 1, 0 votes" in said
    assert file.read_bytes() == before


def make_ledger(file: Path, schema: int) -> None:
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE votes (id)")
        made.execute("CREATE TABLE schema_migrations (version)")
        made.execute("INSERT INTO schema_migrations VALUES (?)", (schema,))
    made.close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda file: file.write_bytes(b"no database at all" * 100), "is no SQLite database"),
        (lambda file: make_ledger(file, schema=99), "newer arena"),
    ],
)
def test_doctor_finds_a_ledger_that_cannot_be_used(
    run: Run, warm_host: FakeOllamaThread, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(tmp_path / "arena.db")
    shown = run("doctor", OLLAMA_HOST=warm_host.url)
    assert shown.code == 1 and any(said in line for line in shown.lines("fail"))


@pytest.mark.parametrize(
    ("date", "said"),
    [
        ("Thu, 01 Jan 1970 00:16:42 GMT", "ok"),
        ("Thu, 01 Jan 1970 00:17:40 GMT", "60 s ahead of"),
        ("Thu, 01 Jan 1970 00:15:40 GMT", "60 s behind"),
    ],
)
def test_doctor_compares_clocks(date: str, said: str) -> None:
    found = clock_finding("http://h", date, now=1000.0)
    assert found and said in f"{found.status} {found.message}"


@pytest.mark.parametrize("date", ["", "soon"])
def test_without_a_date_nothing_is_said_of_the_clock(date: str) -> None:
    assert clock_finding("http://h", date, now=1000.0) is None


# warm ------------------------------------------------------------------------------------------


def test_warm_loads_the_roster_on_every_host(run: Run, host: FakeOllamaThread) -> None:
    with FakeOllama.in_thread(ROSTER, speed=30) as other:
        shown = run("warm", OLLAMA_HOSTS=f"{host.url},{other.url}")
        assert (
            sorted(host.stats.loads) == sorted(other.stats.loads) == sorted(m.name for m in ROSTER)
        )
    assert shown.code == 0 and shown.out.count("on the GPU") == 6
    assert "Loading model 6 of 6" in shown.err


def test_warm_tells_what_could_not_be_loaded(run: Run, host: FakeOllamaThread) -> None:
    host.fault("out_of_memory", model="phi3:mini", on="preload", variant="load", times=None)
    shown = run("warm", OLLAMA_HOST=host.url)
    assert shown.code == 1 and "not loaded" in shown.out
    assert "phi3:mini could not be loaded" in shown.out and "out of memory" in shown.out


def test_warm_of_a_host_that_is_down_fails(run: Run) -> None:
    shown = run("warm", OLLAMA_HOST=f"127.0.0.1:{free_port()}")
    assert shown.code == 1 and "host is down" in shown.out and "does not answer" in shown.err


# configure -------------------------------------------------------------------------------------

BEFORE = "# The host.\nOLLAMA_HOST=\n\n# Others.\nOLLAMA_HOSTS=a,b\nMINE = 'kept' # why\n"


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    file = tmp_path / "settings.env"
    file.write_text(BEFORE)
    file.chmod(0o640)
    return file


def test_configure_writes_the_host_and_keeps_the_rest(
    run: Run, warm_host: FakeOllamaThread, env_file: Path
) -> None:
    port = str(warm_host.port)
    shown = run(
        "configure", "--ollama-host", "127.0.0.1", "--ollama-port", port, "--file", str(env_file)
    )
    assert shown.code == 0 and "Ollama 0.33.0" in shown.out and "phi3:mini" in shown.out
    after = BEFORE.replace("OLLAMA_HOST=", "OLLAMA_HOST=127.0.0.1").replace("HOSTS=a,b", "HOSTS=")
    assert env_file.read_text() == f"{after}OLLAMA_PORT={port}\n"
    assert env_file.stat().st_mode & 0o777 == 0o640
    assert [p for p in env_file.parent.iterdir() if p.name.startswith("settings.env.")] == []


def test_configure_writes_nothing_when_the_host_does_not_answer(run: Run, env_file: Path) -> None:
    arguments = ("--ollama-host", f"127.0.0.1:{free_port()}", "--file", str(env_file))
    shown = run("configure", *arguments)
    assert shown.code == 1 and "Nothing was written" in shown.err
    assert env_file.read_text() == BEFORE
    forced = run("configure", *arguments, "--force")
    assert forced.code == 0 and arguments[1] in env_file.read_text()


@pytest.mark.parametrize("wrong", ["http://me:secret@10.0.0.1", "a,b", "", "x'y", "two words"])
def test_configure_refuses_what_is_no_host_even_by_force(
    run: Run, env_file: Path, wrong: str
) -> None:
    shown = run("configure", "--ollama-host", wrong, "--file", str(env_file), "--force")
    assert shown.code == 1 and "secret" not in shown.err and len(shown.err.splitlines()) == 1
    assert env_file.read_text() == BEFORE


def test_configure_says_when_the_environment_wins(
    run: Run, warm_host: FakeOllamaThread, env_file: Path
) -> None:
    given = ("configure", "--ollama-host", warm_host.url, "--file", str(env_file))
    shown = run(*given, OLLAMA_HOST="10.9.9.9")
    assert shown.code == 0 and "wins over the file" in shown.err
    assert "wins" not in run(*given).err


def test_configure_checks_the_host_that_it_writes_beside_those_that_speak_openais_api(
    run: Run, warm_host: FakeOllamaThread, env_file: Path
) -> None:
    env_file.write_text(f"OPENAI_HOSTS=127.0.0.1:{free_port()}\n")
    shown = run("configure", "--ollama-host", warm_host.url, "--file", str(env_file))
    assert shown.code == 0 and f"{warm_host.url} answers: Ollama 0.33.0" in shown.out
    assert f"OLLAMA_HOST={warm_host.url}" in env_file.read_text()
    gone = f"http://127.0.0.1:{free_port()}"
    refused = run("configure", "--ollama-host", gone, "--file", str(env_file))
    assert refused.code == 1 and f"{gone} is no Ollama host" in refused.err


def test_configure_says_where_it_cannot_write(
    run: Run, warm_host: FakeOllamaThread, env_file: Path
) -> None:
    shown = run("configure", "--ollama-host", warm_host.url, "--file", str(env_file / "below"))
    assert shown.code == 1 and "cannot be written" in shown.err


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "K=v\n"),
        ("A=1", "A=1\nK=v\n"),
        ("K=old\nA=1\n", "K=v\nA=1\n"),
        ("#K=old\nexport K = old # was\n", "#K=old\nexport K =v\n"),
        ("A=1\r\nK=old\r\n", "A=1\r\nK=v\r\n"),
        ("K=1\nK=2\n", "K=v\nK=v\n"),
        ("XK=1\nKX=2\n", "XK=1\nKX=2\nK=v\n"),
    ],
)
def test_a_value_is_changed_where_it_stands(before: str, after: str) -> None:
    assert edited(before, {"K": "v"}, emptied=("GONE",)) == after


# monitor and smoke -----------------------------------------------------------------------------


def test_monitor_looks_at_the_hosts_itself_and_says_so(
    run: Run, warm_host: FakeOllamaThread
) -> None:
    shown = run("monitor", "--once", OLLAMA_HOST=warm_host.url)
    assert shown.code == 0 and "the hosts were asked directly" in shown.out
    assert shown.out.count("on the GPU") == 3 and "Tokens/s" not in shown.out


def test_monitor_fails_when_a_host_is_down(run: Run, warm_host: FakeOllamaThread) -> None:
    hosts = f"{warm_host.url},127.0.0.1:{free_port()}"
    shown = run("monitor", "--once", "--json", OLLAMA_HOSTS=hosts)
    assert shown.code == 1 and [host["up"] for host in shown.json["hosts"]] == [True, False]


@pytest.mark.parametrize("port", [0, 99999])
@pytest.mark.parametrize("command", ["monitor", "smoke"])
def test_an_arena_that_is_not_there_is_told(run: Run, command: str, port: int) -> None:
    shown = run(command, "--url", f"localhost:{port or free_port()}")
    assert (
        shown.code == 1 and "does not answer" in shown.err and "Start the arena with" in shown.err
    )


@pytest.mark.parametrize("command", ["monitor", "smoke"])
def test_something_else_at_the_address_is_told(
    run: Run, warm_host: FakeOllamaThread, command: str
) -> None:
    shown = run(command, "--url", warm_host.url)
    assert shown.code == 1 and "not as an arena does" in shown.err


def test_the_live_monitor_ends_well_with_ctrl_c(warm_host: FakeOllamaThread) -> None:
    env = {"OLLAMA_HOST": warm_host.url, "ARENA_PORT": str(free_port())}
    process = Forked(["monitor", "--json", "--every", "0.2"], ROOT, env, None)
    assert process.stdout
    with process.stdout as printed:
        looks = [json.loads(printed.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        looks += map(json.loads, printed)
        assert process.wait(timeout=20) == 0
    assert all(look["hosts"][0]["up"] for look in looks)


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A running arena on a fake host."""
    quick = [FakeModel(model.name, ttft_s=0.01) for model in ROSTER]
    with FakeOllama.in_thread(quick, speed=30, warm=True) as host:
        folder = tmp_path_factory.mktemp("arena")
        with running(folder, OLLAMA_HOST=host.url, ARENA_PACE="5000") as app:
            yield app
            assert "Traceback" not in app.printed, app.printed


@pytest.mark.parametrize("format", ["elimination", "knockout"])
def test_smoke_plays_whole_battles_that_are_never_ranked(run: Run, arena: App, format: str) -> None:
    before = len(arena.votes())
    shown = run("smoke", "--url", arena.url, "--format", format, "--json")
    assert shown.code == 0
    assert [b["question"] for b in shown.json["battles"]] == ["simple", "hard"]
    for battle in shown.json["battles"]:
        assert battle["failed"] == "" and battle["votes"] == 2
        assert 0 < battle["first_text_s"] <= battle["voting_open_s"] <= battle["total_s"]
    rows = arena.votes()[before:]
    assert len(rows) == sum(battle["rows"] for battle in shown.json["battles"]) > 0
    assert {(r["study"], r["excluded_reason"], r["channel"]) for r in rows} == {
        ("smoke", "rehearsal", "web")
    }


def test_monitor_shows_what_a_running_arena_has_measured(run: Run, arena: App) -> None:
    run("smoke", "--url", arena.url)
    shown = run("monitor", "--once", "--json", "--url", arena.url)
    (host,) = shown.json["hosts"]
    assert shown.code == 0 and shown.json["from"] == arena.url
    assert all(m["tokens_per_s"]["count"] > 0 and m["ttft_ms"]["p50"] > 0 for m in host["models"])
    assert shown.json["costs"][host["url"]]["cost"] > 0
    assert "0 writing, 0 waiting" in run("monitor", "--once", "--url", arena.url).out


@pytest.mark.slow
def test_smoke_fails_when_a_battle_does(run: Run, tmp_path: Path) -> None:
    with FakeOllama.in_thread(ROSTER, speed=30, warm=True) as host:
        with running(tmp_path, OLLAMA_HOST=host.url) as app:
            host.fault("garbage", frame=10, times=None)
            shown = run("smoke", "--url", app.url, "--json")
            assert app.votes() == []
    assert shown.code == 1
    first, second = (battle["failed"] for battle in shown.json["battles"])
    assert "without a result" in first and second


@pytest.mark.slow
def test_proxies_that_a_library_cannot_use_stop_no_command() -> None:
    wrong = {
        "ALL_PROXY": "socks5://127.0.0.1:1",
        "HTTPS_PROXY": "::",
        "no_proxy": "[::1],localhost",
    }
    done = subprocess.run(
        [sys.executable, "-m", "arena", "warm"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **wrong, "OLLAMA_HOST": "http://127.0.0.1:1"},
    )
    assert "Traceback" not in done.stderr
    assert "Nothing listens at that port" in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "said"),
    [('"127.0.0.1:1"', "Nothing listens at that port"), ("127.0.0.1:x", "cannot be used")],
)
def test_a_host_that_a_library_cannot_read_is_told_by_us(host: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "arena", "warm"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OLLAMA_HOST": host},
    )
    assert "Traceback" not in done.stderr
    assert said in done.stdout + done.stderr
