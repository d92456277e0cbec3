"""Environment + `.env` → one frozen Settings, validated. The environment wins over the file.

The only module that reads the environment. It knows which values are allowed, not what is
done with them; a wrong value is a ConfigError of one line: key, value, what is allowed.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

from platformdirs import user_cache_path, user_data_path

from arena import allowed
from arena.addresses import HostAddress, host_url, shown, usable
from arena.allowed import ModelSource, number, or_none, whole
from arena.core.battle.entities import MAX_CONTENDERS, MIN_CONTENDERS
from arena.core.errors import ConfigError
from arena.envfile import BEGINS, nearest, values_of

NAME = "progressive-arena"
ROOT = Path(__file__).resolve().parent.parent
CHECKOUT = (ROOT / "app.py").is_file() and not any(ROOT.glob("progressive_arena-*.dist-info"))
"""Whether this is the project's folder; an installer leaves its record beside what it installs."""
FOLDER = ROOT if CHECKOUT else Path.cwd()
"""Where a relative DATABASE_URL begins: the project's folder, or the one that an installed copy
is started in."""
ENV_FILE = FOLDER / ".env"


def user_data() -> Path:
    """The user's folder for data; of who has none one that cannot be had, which is told once it
    is needed."""
    try:
        return user_data_path(NAME, False)
    except RuntimeError:
        return Path("~", NAME)


LEDGER = Path("data/arena.db") if CHECKOUT else user_data() / "arena.db"
OLDER_LEDGER = ROOT / "data" / "arena.db"
"""Where an installed copy once kept votes, which the next installation may lose."""
DRAWS = ("fewest", "best", "uniform")
"""The policies of core.battle.matchup, which takes half a second to import."""
PROXIES = frozenset({"all_proxy", "http_proxy", "https_proxy", "no_proxy"})
T = TypeVar("T")


def _key(
    key: str, default: str, parse: Callable[[str], T], allowed: str, *, secret: bool = False
) -> T:
    """A setting: its key, its default as text, how to read it, and what is allowed in words. A
    secret one is never shown, in no error either."""
    meta = {"key": key, "default": default, "parse": parse, "allowed": allowed, "secret": secret}
    made: T = field(metadata=meta, repr=not secret)
    return made


def _database(text: str) -> str:
    if text.startswith("postgresql+psycopg://"):
        return text
    if not text.startswith("sqlite:///") or re.search(r"\?\w+=", text):
        raise ValueError
    file = Path(text.removeprefix("sqlite:///")).expanduser()
    return f"sqlite:///{FOLDER / file}"


_HOST = "an IP, host:port or http(s) URL, without user or password"
_BY_PROXY = "one that a proxy of ARENA_PROXIES sets, which has to be set as well"
_OLLAMA = f"{_HOST}, and without a path such as /api or /v1, which the arena adds itself"
_TOKENS = allowed.tokens, "as many bearer tokens as there are hosts at most, comma-separated"
_PEM = allowed.file, "a PEM file that exists, or empty"
_LIMIT = whole(0, 1000000, "no limit")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Field metadata carry key, default and what is allowed."""

    ollama_host: str = _key("OLLAMA_HOST", "", str, _OLLAMA)
    ollama_port: int = _key("OLLAMA_PORT", "11434", *whole(1, 65535))
    ollama_hosts: tuple[str, ...] = _key(
        "OLLAMA_HOSTS", "", allowed.words, f"comma-separated: {_OLLAMA}"
    )
    tokens: tuple[str, ...] = _key("OLLAMA_TOKENS", "", *_TOKENS, secret=True)
    openai_hosts: tuple[str, ...] = _key(
        "OPENAI_HOSTS", "", allowed.words, f"comma-separated: {_HOST}"
    )
    openai_tokens: tuple[str, ...] = _key("OPENAI_TOKENS", "", *_TOKENS, secret=True)
    ca_file: Path | None = _key("OLLAMA_CA_FILE", "", *_PEM)
    cert_file: Path | None = _key("OLLAMA_CERT_FILE", "", *_PEM)
    num_parallel: int = _key("OLLAMA_NUM_PARALLEL", "1", *whole(1, 256))
    models: tuple[str, ...] = _key(
        "ARENA_MODELS",
        "llama3.1:8b,mistral:7b,phi3:mini",
        allowed.models,
        "auto, or different Ollama model names, comma-separated, no spaces inside",
    )
    remote_models: tuple[str, ...] = _key(
        "ARENA_REMOTE_MODELS", "", allowed.words, "comma-separated model names, or empty for none"
    )
    roster: Path | None = _key(
        "ARENA_ROSTER", "", allowed.path, "the path of a TOML file, or empty"
    )
    at_once: int = _key("ARENA_AT_ONCE", "150", *whole(1, 100000))
    queue: int = _key("ARENA_QUEUE", "128", *whole(1, 100000))
    battle_size: int = _key("ARENA_BATTLE_SIZE", "3", *whole(MIN_CONTENDERS, MAX_CONTENDERS))
    draw: str = _key("ARENA_DRAW", "fewest", allowed.one_of(*DRAWS), f"one of {', '.join(DRAWS)}")
    opens_per_minute: int = _key("ARENA_OPENS_PER_MINUTE", "120", *_LIMIT)
    ballots_per_hour: int = _key("ARENA_BALLOTS_PER_HOUR", "600", *_LIMIT)
    ballots_per_network: int | None = _key(
        "ARENA_BALLOTS_PER_NETWORK", "", *or_none(*_LIMIT, "as many as ARENA_BALLOTS_PER_HOUR")
    )
    proxies: tuple[str, ...] = _key(
        "ARENA_PROXIES",
        "",
        allowed.networks,
        "comma-separated addresses or networks, or empty for none",
    )
    password: str = _key("ARENA_PASSWORD", "", str, "any text, or empty for none", secret=True)
    users: tuple[tuple[str, str], ...] = _key(
        "ARENA_USERS", "", allowed.users, "comma-separated name:password, or empty", secret=True
    )
    account_header: str = _key(
        "ARENA_ACCOUNT_HEADER", "", allowed.header, "a header such as X-Remote-User, or empty"
    )
    openid: str = _key(
        "ARENA_OPENID", "", allowed.issuer, "the https address of an OpenID provider, or empty"
    )
    openid_client: str = _key("ARENA_OPENID_CLIENT", "", str, "the id that it knows the arena by")
    openid_secret: str = _key("ARENA_OPENID_SECRET", "", str, "the secret of that", secret=True)
    stop_s: float = _key("ARENA_STOP", "30", *number(0, 3600, unit="seconds"))
    timeout_s: float = _key("ARENA_TIMEOUT", "180", *number(1, 3600, unit="seconds"))
    first_token_s: float = _key("ARENA_FIRST_TOKEN", "30", *number(1, 3600, unit="seconds"))
    pace: float = _key(
        "ARENA_PACE", "0", *number(0, 10000, least="no limit", unit="characters a second")
    )
    grace_s: float = _key("ARENA_GRACE", "5", *number(0.5, 3600, unit="seconds"))
    max_prompt: int = _key("ARENA_MAX_PROMPT", "6000", *whole(10, 100000))
    max_tokens: int = _key("ARENA_MAX_TOKENS", "512", *whole(1, 32768))
    think_tokens: int = _key("ARENA_THINK_TOKENS", "2048", *whole(1, 131072))
    context: int = _key("ARENA_CONTEXT", "4096", *whole(256, 1048576))
    temperature: float | None = _key(
        "ARENA_TEMPERATURE", "", *or_none(*number(0, 2), "the models' own")
    )
    gpu_cost: float = _key("ARENA_GPU_COST_PER_HOUR", "1.006", *number(0, 10000, "in any currency"))
    watts: float | None = _key("ARENA_WATTS", "", *or_none(*number(0, 100000)))
    engine_models: tuple[ModelSource, ...] = _key(
        "ARENA_ENGINE_MODELS",
        "",
        lambda text: tuple(map(allowed.source, allowed.words(text))),
        "comma-separated name=path.gguf or name=https://…#sha256=<64 hex digits>",
    )
    cache: Path = _key(
        "ARENA_CACHE",
        "",
        lambda text: allowed.path(text) or user_cache_path(NAME, False),
        "a folder, or empty for the user's cache where the account has a home",
    )
    database_url: str = _key(
        "DATABASE_URL",
        f"sqlite:///{LEDGER}",
        _database,
        "sqlite:///path/to/file.db or postgresql+psycopg://user:password@host/database",
        secret=True,
    )
    redis_url: str = _key(
        "REDIS_URL",
        "",
        allowed.redis,
        "redis://user:password@host:port/0, rediss://… or unix:///path, or empty for one process; "
        "in a password %2F stands for /, and likewise for @ : ? # and %",
        secret=True,
    )
    metrics: str = _key(
        "ARENA_METRICS", "operators", allowed.one_of("operators", "all"), "operators or all"
    )
    downloads: str = _key(
        "ARENA_DOWNLOADS",
        "all",
        allowed.one_of("nothing", "standings", "votes", "all"),
        "nothing, standings, votes or all",
    )
    downloads_after: float | None = _key(
        "ARENA_DOWNLOADS_AFTER", "", *or_none(*number(0, 87600, unit="hours"), "the end of the day")
    )
    downloads_from: int = _key("ARENA_DOWNLOADS_FROM", "0", *whole(0, 10**9))
    names: tuple[str, ...] = _key(
        "ARENA_NAMES", "", allowed.hostnames, "comma-separated host names, or empty"
    )
    embed: tuple[str, ...] = _key(
        "ARENA_EMBED",
        "",
        allowed.origins,
        "comma-separated origins such as https://lab.example.org, * for any page, or empty",
    )
    root_path: str = _key(
        "ARENA_ROOT_PATH",
        "",
        allowed.path_of_url,
        "a path such as /arena that is none of the arena's own (/docs, /login, …) nor below one "
        "(/api, /b, …), or empty where it has the whole host",
    )
    bind: str = _key("ARENA_BIND", "127.0.0.1", str, "an address of this machine")
    port: int = _key("ARENA_PORT", "7860", *whole(0, 65535, "any free port"))

    @property
    def gated(self) -> bool:
        """Not everybody may come in."""
        return bool(self.password or self.users or self.account_header or self.openid)

    @property
    def ledger_file(self) -> Path | None:
        """Where no link stands in between; None where the ledger is in a database server."""
        scheme, _, file = self.database_url.partition(":///")
        return Path(os.path.realpath(file)) if scheme == "sqlite" else None

    def hosts(self) -> tuple[HostAddress, ...]:
        """The Ollama hosts that were asked for; empty when none was. Raises ConfigError."""
        key, named = ("OLLAMA_HOSTS", self.ollama_hosts)
        if not named and self.ollama_host:
            key, named = "OLLAMA_HOST", (self.ollama_host,)
        return self._addresses(key, named, "OLLAMA_TOKENS", self.tokens, _OLLAMA)

    def others(self) -> tuple[HostAddress, ...]:
        """The hosts that speak OpenAI's API, with or without its /v1. Raises ConfigError."""
        named = tuple(re.sub(r"/v1/?$", "", text) for text in self.openai_hosts)
        return self._addresses("OPENAI_HOSTS", named, "OPENAI_TOKENS", self.openai_tokens, _HOST)

    def _addresses(
        self, key: str, named: tuple[str, ...], secret: str, tokens: tuple[str, ...], allowed: str
    ) -> tuple[HostAddress, ...]:
        if len(tokens) > len(named):
            raise _wrong(secret, "…", f"at most {len(named)} here, one a host")
        addresses = {}
        for text, token in zip_longest(named, tokens, fillvalue=""):
            try:
                url = host_url(text, self.ollama_port)
            except ValueError:
                raise _wrong(key, text, allowed) from None
            addresses[url] = HostAddress(url, token)
        return tuple(addresses.values())


def setting_fields() -> tuple[Field[Any], ...]:
    """The fields of Settings that carry a key, in their order."""
    return fields(Settings)


def load(
    environ: Mapping[str, str] = os.environ, file: Path | None = ENV_FILE, **overrides: str
) -> Settings:
    """Read every key: overrides (by key) before environ before the file before the default.

    An empty text means: not set. Raises ConfigError."""
    known = [spec.metadata["key"] for spec in setting_fields()]
    if unknown := sorted(overrides.keys() - set(known)):
        raise ConfigError(
            f"There is no setting {unknown[0]!r}. Allowed: {', '.join(sorted(known))}."
        )
    from_file = values_of(file, known, environ) if file else {}
    values: dict[str, Any] = {}
    for spec in setting_fields():
        meta = spec.metadata
        key = meta["key"]
        text = next(
            (s for s in (overrides.get(key), environ.get(key), from_file.get(key)) if s),
            meta["default"],
        )
        if meta["secret"] and text.isspace():
            raise _wrong(key, "…", f"{meta['allowed']}, and not blanks alone")
        try:
            values[spec.name] = meta["parse"](text.strip())
        except (ValueError, RuntimeError, OSError):
            # Also a path below the home of who has none, or one that may not be looked at.
            raise _wrong(key, "…" if meta["secret"] else text, meta["allowed"]) from None
    settings = Settings(**values)
    others = {address.url for address in settings.others()}
    if twice := [address.url for address in settings.hosts() if address.url in others]:
        raise _wrong("OPENAI_HOSTS", twice[0], f"{_HOST}, that OLLAMA_HOST(S) does not name")
    if settings.account_header and not settings.proxies:
        raise _wrong("ARENA_ACCOUNT_HEADER", settings.account_header, _BY_PROXY)
    if settings.openid and not settings.openid_client:
        raise _wrong("ARENA_OPENID_CLIENT", "", "the id that the OpenID provider gave the arena")
    return settings


def misspelt(environ: Mapping[str, str] = os.environ, file: Path = ENV_FILE) -> list[str]:
    """What to tell of keys that begin as ours do and set nothing."""
    known = [spec.metadata["key"] for spec in setting_fields()]
    by_hand = (key for key in environ if not allowed.of_service(key, environ))
    unknown = sorted({*by_hand, *values_of(file, known, environ)}.difference(known))
    said = []
    for key in filter(BEGINS.match, unknown):
        near = nearest(key.strip("; \t#"), known)
        said.append(f"{key} is set, and is no setting" + (f": is it {near}?" if near else "."))
    return said


def given(overrides: Mapping[str, Any]) -> Settings:
    """For a notebook, which gives values of any type by their keys. Raises ConfigError."""
    quiet_libraries()
    texts: dict[str, Any] = {key: str(value) for key, value in overrides.items()}
    return load(**texts)


def for_a_child(**overrides: str) -> dict[str, str]:
    """The environment of a process that we start, with these keys set."""
    return {**os.environ, **overrides}


def older_votes(settings: Settings) -> str:
    """What to tell of votes that an older installed copy kept; empty where there are none."""
    older = f"sqlite:///{OLDER_LEDGER}"
    if settings.database_url == older or CHECKOUT or not OLDER_LEDGER.is_file():
        return ""
    return (
        f"Votes of an older copy are in {OLDER_LEDGER}, where the next installation may lose them; "
        f"they do not count here. To have them here: DATABASE_URL={older} arena export "
        "--format jsonl --output older.jsonl, then arena import older.jsonl, then remove that file."
    )


def _wrong(key: str, value: str, allowed: str) -> ConfigError:
    return ConfigError(f"{key}={shown(value)!r} cannot be used. Allowed: {allowed}.")


def quiet_libraries() -> None:
    """Set, before they are imported, what libraries read themselves: no telemetry, no look-ups at
    start, no proxy or host that they would stumble over. No host is asked through a proxy."""
    for key, value in {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_ANALYTICS_CACHE_FREQUENCY": "100000",
        "GRADIO_ANALYTICS_MAX_EVENTS": "10",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }.items():
        os.environ.setdefault(key, value)
    for key in [key for key in os.environ if key.lower() in PROXIES]:
        # httpx reads them as libraries are imported, and takes no IPv6 address in brackets.
        os.environ[key] = ",".join(p for p in os.environ[key].split(",") if usable(p.strip()))
    if not usable(host := os.environ.get("OLLAMA_HOST") or "localhost"):
        os.environ["OLLAMA_HOST"] = ""  # Ollama's client reads it then, and takes no quotes.
        __import__("ollama")
        os.environ["OLLAMA_HOST"] = host
