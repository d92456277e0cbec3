"""Settings: where values come from, which are refused and in which words, and one list of keys."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from arena.addresses import HostAddress, host_url
from arena.core.battle.matchup import Policy
from arena.core.errors import ConfigError
from arena.settings import DRAWS, ROOT, load, misspelt, setting_fields, user_data

KEYS = [spec.metadata["key"] for spec in setting_fields()]


def test_the_env_file_and_settings_name_the_same_keys() -> None:
    in_file = re.findall(r"^([A-Z_]+)=", (ROOT / ".env").read_text(), re.MULTILINE)
    assert sorted(in_file) == sorted(KEYS)


def test_every_key_of_the_env_file_is_explained_and_is_the_default() -> None:
    lines = (ROOT / ".env").read_text().splitlines()
    for before, line in pairwise(lines):
        if re.match(r"[A-Z_]+=", line):
            assert before.startswith("# "), f"{line} has no comment above it"
    assert load({}, ROOT / ".env") == load({}, None)


@pytest.mark.parametrize("other", ["10.0.0.1:11434", "http://10.0.0.1:11434/v1/"])
def test_one_server_is_named_as_one_kind_of_host_and_counts_once(other: str) -> None:
    once = load({}, None, OLLAMA_HOSTS="10.0.0.1,10.0.0.2,http://10.0.0.1:11434")
    assert [a.url for a in once.hosts()] == ["http://10.0.0.1:11434", "http://10.0.0.2:11434"]
    with pytest.raises(ConfigError, match=r"OPENAI_HOSTS='http://10.0.0.1:11434'.* OLLAMA_HOST"):
        load({}, None, OLLAMA_HOST="10.0.0.1", OPENAI_HOSTS=f"10.0.0.9:8000,{other}")


def test_the_environment_wins_over_the_file_and_empty_means_not_set(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("ARENA_PORT=1111\nARENA_BIND=10.0.0.1\nARENA_PACE=77\n")
    settings = load({"ARENA_PORT": "2222", "ARENA_PACE": ""}, file, ARENA_BIND="127.0.0.1")
    assert (settings.port, settings.pace, settings.bind) == (2222, 77.0, "127.0.0.1")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ARENA_PORT", "eighty"),
        ("ARENA_PORT", "70000"),
        ("ARENA_BATTLE_SIZE", "1"),
        ("ARENA_BATTLE_SIZE", "9"),
        ("ARENA_TIMEOUT", "0"),
        ("ARENA_TEMPERATURE", "nan"),
        ("ARENA_MODELS", "a,,a"),
        ("ARENA_MODELS", "auto,a:1"),
        ("DATABASE_URL", "sqlite:///data/arena.db?timeout=30"),
        ("ARENA_MODELS", "llama 3"),
        ("OLLAMA_HOST", "10.0.0.1,10.0.0.2"),
        ("OLLAMA_HOST", "http://me:secret@10.0.0.1"),
        ("OLLAMA_HOST", "me:secret@10.0.0.1:11434"),
        ("OLLAMA_HOST", "http://me:1/secret@10.0.0.1"),
        ("OLLAMA_HOST", "http://:secret@10.0.0.1"),
        ("OPENAI_HOSTS", "http://key:se/secret@10.0.0.1/v1"),
        ("OLLAMA_HOSTS", "10.0.0.1, ftp://x"),
        ("OLLAMA_PORT", "0"),
        ("ARENA_ENGINE_MODELS", "tiny=https://example.org/tiny.gguf"),
        ("ARENA_ENGINE_MODELS", "tiny"),
        ("DATABASE_URL", "mysql://x"),
        ("DATABASE_URL", "postgresql://me:sec/secret@db/arena"),
        ("ARENA_CACHE", "~nobody-by-this-name/x"),
        ("ARENA_ROSTER", "~nobody-by-this-name/x"),
        ("ARENA_ENGINE_MODELS", "tiny=~nobody-by-this-name/tiny.gguf"),
        ("DATABASE_URL", "sqlite:///~nobody-by-this-name/x"),
        ("REDIS_URL", "redis://:secret/x@127.0.0.1:6379/0"),
        ("REDIS_URL", "redis://:1/secret@127.0.0.1:6379/0"),
        ("REDIS_URL", "redis://me:1/secret@127.0.0.1:6379/0"),
        ("REDIS_URL", "rediss://me:1?secret@127.0.0.1:6379/0"),
        ("REDIS_URL", "redis://me:1#secret@127.0.0.1:6379/0"),
        ("REDIS_URL", "unix://:1/secret@/run/redis.sock"),
        ("REDIS_URL", "redis://127.0.0.1:99999"),
        ("REDIS_URL", "redis://127.0.0.1:port"),
        ("REDIS_URL", "redis://[::1"),
        ("REDIS_URL", "redis://127.0.0.1/first"),
        ("REDIS_URL", "unix:///"),
        ("OLLAMA_TOKENS", "secret with spaces"),
        ("OLLAMA_CA_FILE", "/nowhere/ca.pem"),
        ("ARENA_ROOT_PATH", "https://host/arena"),
        ("ARENA_ROOT_PATH", "/a b"),
        ("ARENA_ROOT_PATH", "/api"),
        ("ARENA_ROOT_PATH", "/docs"),
        ("ARENA_ROOT_PATH", "b/arena"),
        ("ARENA_ROOT_PATH", "/static/arena"),
        ("ARENA_NAMES", "arena.example.org:http"),
        ("ARENA_NAMES", "https://arena.example.org"),
        ("ARENA_EMBED", "lab.example.org"),
        ("ARENA_EMBED", "https://lab.example.org; script-src *"),
    ],
)
def test_a_wrong_value_is_one_line_with_key_value_and_what_is_allowed(key: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({key: value}, None).hosts()
    text = str(caught.value)
    assert "\n" not in text and text.startswith(f"{key}=") and "Allowed: " in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'ARENA_PORT=1\n\nARENA_PASSWORD="secret\nARENA_PORT=9000\n', "line 3"),
        (b"ARENA_PASSWORD='it's secret'\r\n", "line 1"),
        (b"# Caf\xc3\xa9\nARENA_PASSWORD=secret\xe9\n", "line 2"),
        (b'ARENA_PASSWORD="  "\n', "ARENA_PASSWORD"),
        (b'\n"ARENA_PASSWORD"=secret\n', "line 2"),
        (b"ARENA_PASSWORD:=secret\n", "line 1"),
        (b"ARENA_PASSWORD: secret\n", "line 1"),
        ("ARENA_PASSWORD\u200b=secret\n".encode(), "line 1"),
        (b"ARENA_PORT=1\nARENA_PASSWORD\n", "line 2"),
        (b"export ARENA_PASSWORD\n", "line 1"),
        (b"ARENA_PASSWORD=secret\narena_pasword\n", "line 2"),
        ("OLLAMA_TOKENS\u200b=secret\n".encode(), "line 1"),
        (b'"DATABASE_URL"=secret\n', "line 1"),
    ],
)
def test_no_password_is_lost_by_how_the_env_file_is_written(
    tmp_path: Path, text: bytes, said: str
) -> None:
    file = tmp_path / ".env"
    file.write_bytes(text)
    with pytest.raises(ConfigError, match=said) as caught:
        load({}, file)
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_what_others_read_in_the_env_file_stops_no_start(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "[arena]\nPATH\nexport A\nnpm-config=1\nspring.port=1\nHERE=${HOME}/x\n"
        "ARENA_PORT=1111\nARENA_PASSWORD\n"
    )
    # As Docker does, which takes the one without a value from the environment.
    settings = load({"HOME": "/root", "ARENA_PASSWORD": "secret"}, file)
    assert (settings.port, settings.password) == (1111, "secret")


@pytest.mark.parametrize("value", ["pa${ss}word", "'pa${HOME}word'", '"pa$HOME${HOME:-x}word"'])
def test_a_password_is_what_is_written_also_where_it_looks_like_a_variable(
    tmp_path: Path, value: str
) -> None:
    file = tmp_path / ".env"
    file.write_text(f"export ARENA_PASSWORD={value}\n")
    assert load({}, file).password == value.strip("'\"")


@pytest.mark.parametrize(
    "text",
    [
        "ARENA_PASSWORD=${VISITORS}\n",
        "ARENA_PASSWORD='${VISITORS:-secret}'\n",
        'export ARENA_PASSWORD="pa${ARENA_BIND}"\nARENA_BIND=10.0.0.1\n',
    ],
)
def test_what_would_be_a_variable_elsewhere_is_not_taken_for_a_password(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / ".env"
    file.write_text(f"# ours\n{text}")
    with pytest.raises(ConfigError, match=r"line 2: \$\{[A-Z_]+\} is no variable here") as caught:
        load({"VISITORS": "secret"}, file)
    assert "secret" not in str(caught.value)


def test_an_env_file_may_begin_with_the_mark_of_its_encoding(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"\xef\xbb\xbfARENA_PASSWORD=secret\n")
    assert load({}, file).password == "secret"


def test_an_env_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be read"):
        load({}, tmp_path / ("x" * 300))


def test_a_database_on_a_server_is_taken_as_it_is_and_its_password_never_shown() -> None:
    url = "postgresql+psycopg://me:sec%2Fret@db.example.org/arena?sslmode=require"
    settings = load({"DATABASE_URL": url}, None)
    assert settings.database_url == url
    assert "sec%2Fret" not in repr(settings)


def test_an_account_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(ConfigError, match="ARENA_CACHE"):
        load({}, None)
    assert load({"ARENA_CACHE": "/var/cache/arena"}, None).cache == Path("/var/cache/arena")
    # Where an installed copy keeps votes, which is read before anything is loaded.
    ledger = f"sqlite:///{user_data() / 'arena.db'}"
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        load({"ARENA_CACHE": "/var/cache/arena", "DATABASE_URL": ledger}, None)


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1",
        "redis:///0",
        "redis://:secret@/0",
        "redis://me:sec%2Fret@redis:6379/0?client_name=arena",
        "rediss://:secret@[::1]:6380/",
        "unix:///run/redis@1/redis.sock?db=2",
        "unix://me:secret@/run/redis.sock",
    ],
)
def test_addresses_of_redis_are_taken_as_they_are(url: str) -> None:
    assert load({"REDIS_URL": url}, None).redis_url == url


def test_a_misspelt_setting_is_told_with_the_one_that_is_nearest(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("arena_password=x\nARENA_PORT=1\nPOSTGRES_PASSWORD=x\n")
    environ = {"ARENA_PASWORD": "secret", "ARENA_FOO": "", "OLLAMA_KEEP_ALIVE": "1", "REDIS": ""}
    foo, pasword, password = misspelt(environ, file)
    assert foo.startswith("ARENA_FOO ") and foo.endswith("no setting.")
    for told in (pasword, password):
        assert told.endswith("ARENA_PASSWORD?") and "secret" not in told
    assert misspelt({"ARENA_PORT": "1"}, tmp_path / "none") == []
    # Kubernetes names each service to each container.
    services = {
        f"{service}_{of}": "10.0.0.1"
        for service in ("ARENA_LAB", "ARENA_DB")
        for of in ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_80_TCP_ADDR")
    }
    assert misspelt(services, tmp_path / "none") == []
    (port,) = misspelt({"ARENA_MY_PORT": "1", **services}, tmp_path / "none")
    assert port.startswith("ARENA_MY_PORT ")


def test_an_unknown_override_is_refused() -> None:
    with pytest.raises(ConfigError, match="OLLAMA_HOTS"):
        load({}, None, OLLAMA_HOTS="x")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("172.31.45.157", "http://172.31.45.157:11434"),
        (" gpu-box ", "http://gpu-box:11434"),
        ("gpu:8080", "http://gpu:8080"),
        ("http://gpu", "http://gpu:80"),
        ("http://gpu:11434/", "http://gpu:11434"),
        ("https://gpu.example.org/ollama", "https://gpu.example.org:443/ollama"),
        ("::1", "http://[::1]:11434"),
        ("[fe80::2]:99", "http://[fe80::2]:99"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
    ],
)
def test_hosts_are_given_as_ip_host_and_port_or_url(text: str, url: str) -> None:
    assert host_url(text) == url
    assert load({"OLLAMA_HOST": text}, None).hosts() == (HostAddress(url),)


def test_names_of_the_arena_may_be_addresses_of_either_kind_and_with_a_port() -> None:
    settings = load({"ARENA_NAMES": "Arena.example.org:8443, fe80::2,10.0.0.1,10.0.0.1:80"}, None)
    assert settings.names == ("arena.example.org", "fe80::2", "10.0.0.1", "10.0.0.1")


def test_a_path_may_begin_as_an_own_one_below_which_there_is_nothing() -> None:
    for given, path in (("bench/api/", "/bench/api"), ("/docs/arena", "/docs/arena")):
        assert load({"ARENA_ROOT_PATH": given}, None).root_path == path


def test_several_hosts_win_over_one() -> None:
    settings = load({"OLLAMA_HOST": "a", "OLLAMA_HOSTS": "b, c:1", "OLLAMA_PORT": "7"}, None)
    assert [h.url for h in settings.hosts()] == ["http://b:7", "http://c:1"]


def test_tokens_go_to_hosts_in_their_order_and_are_never_shown() -> None:
    settings = load({"OLLAMA_HOSTS": "a,b,c", "OLLAMA_TOKENS": "secret1,,secret3"}, None)
    assert [h.token for h in settings.hosts()] == ["secret1", "", "secret3"]
    assert "secret" not in f"{settings!r} {settings.hosts()!r}"
    with pytest.raises(ConfigError, match=r"OLLAMA_TOKENS.*at most 1") as caught:
        load({"OLLAMA_HOST": "a", "OLLAMA_TOKENS": "secret1,secret2"}, None)
    assert "secret" not in str(caught.value)


def test_the_draws_that_can_be_set_are_those_that_there_are() -> None:
    assert set(DRAWS) == set(Policy)
