"""How the texts of settings are read, each of which raises ValueError where it is not allowed; and,
of numbers, what is allowed in words.

It does not know which settings there are, nor where their texts come from.
"""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
Number = TypeVar("Number", int, float)
Read = Callable[[str], T]


OWN = frozenset(
    (
        "api arena.js assets b config docs favicon.ico gate gradio.js gradio_api healthz login "
        "logout manifest.json metrics monitoring openapi.json pwa_icon readyz robots.txt static "
        "style.css svelte theme.css"
    ).split()
)
"""How the arena's own paths begin."""

BELOW = frozenset("api assets b gradio_api pwa_icon static svelte".split())
"""Those that go on with anything: below such a one nobody could tell whether it was taken away."""

SERVICE = re.compile(
    r"(\w+?)_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)", re.ASCII
)
"""What Kubernetes tells every container of a service: its name, and what of it."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model of the user's own for the embedded engine: a GGUF file or a URL with its hash."""

    name: str
    path: Path | None = None
    url: str | None = None
    sha256: str | None = None


def whole(low: int, high: int, least: str = "") -> tuple[Read[int], str]:
    """least: what the lowest stands for."""
    return _within(int, low, high), _span(low, high, least)


def number(
    low: float, high: float, after: str = "", *, least: str = "", unit: str = ""
) -> tuple[Read[float], str]:
    """after: what else is said of it."""
    words = ", ".join(filter(None, (unit, _span(low, high, least), after)))
    return _within(float, low, high), words


def or_none(read: Read[T], words: str, empty: str = "") -> tuple[Read[T | None], str]:
    """empty: what it stands for that nothing is said."""
    told = f"{words}, or empty for {empty}" if empty else f"{words}, or empty"
    return lambda text: read(text) if text else None, told


def _within(kind: Read[Number], low: float, high: float) -> Read[Number]:
    def read(text: str) -> Number:
        value = kind(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return read


def _span(low: float, high: float, least: str) -> str:
    return f"{low} ({least}) to {high}" if least else f"{low} to {high}"


def matching(pattern: str) -> Read[str]:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return read


def one_of(*known: str) -> Read[str]:
    return matching("|".join(known))


def words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def each_matching(pattern: str) -> Read[tuple[str, ...]]:
    """In small letters."""
    one = matching(pattern)
    return lambda text: tuple(map(one, words(text.lower())))


def hostnames(text: str) -> tuple[str, ...]:
    """Without their ports: whoever asks may have come by any."""
    each = each_matching(r"[\w.-]+(:\d+)?|[\da-f.]*(:[\da-f.]*){2,}")
    return tuple(re.sub(r"^([^:]+):\d+$", r"\1", name) for name in each(text))


origins = each_matching(r"\*|https?://[\w.*-]+(:[\d*]+)?")
header = matching(r"[A-Za-z0-9-]*")
issuer = matching(r"(?s)(https://[\w.-].*|http://(127\.0\.0\.1|localhost)\b.*)?")


def redis(text: str) -> str:
    """A password that is cut by a sign of its own would be shown as whatever comes after that."""
    parts = urlsplit(matching(r"((rediss?|unix)://\S+)?")(text))
    if parts.scheme == "unix":
        sound = len(parts.path) > 1 and parts.netloc[-1:] in ("", "@") and not parts.fragment
    else:
        path = (
            re.fullmatch(r"/?\d*/?", parts.path) and "@" not in parts.query and not parts.fragment
        )
        # Without a host it is this machine, as for every client of Redis.
        named = parts.hostname or not parts.netloc.rpartition("@")[2]
        sound = bool(path and named and parts.port != 0)
    if text and not sound:
        raise ValueError
    return text


def tokens(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(",")) if text else ()
    if any(not token.isascii() or re.search(r"\s", token) for token in found):
        raise ValueError
    return found


def of_service(key: str, environ: Container[str]) -> bool:
    """Whether Kubernetes has set it."""
    told = SERVICE.fullmatch(key)
    return told is not None and f"{told[1]}_SERVICE_HOST" in environ


def users(text: str) -> tuple[tuple[str, str], ...]:
    pairs = tuple(part.partition(":")[::2] for part in words(text))
    if any(not (name and password) for name, password in pairs) or len(dict(pairs)) < len(pairs):
        raise ValueError
    return pairs


def networks(text: str) -> tuple[str, ...]:
    return tuple(str(ip_network(part, strict=False)) for part in words(text))


def file(text: str) -> Path | None:
    named = path(text)
    if named and not named.is_file():
        raise ValueError
    return named


def models(text: str) -> tuple[str, ...]:
    names = words(text)
    if not names or any(re.search(r"\s", n) for n in names) or len(set(names)) < len(names):
        raise ValueError
    if "auto" in names and len(names) > 1:
        raise ValueError
    return names


def path(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def source(text: str) -> ModelSource:
    name, _, place = text.partition("=")
    if not re.fullmatch(r"[\w.:/-]+", name) or not place:
        raise ValueError
    if not place.startswith(("http://", "https://")):
        return ModelSource(name, path=Path(place).expanduser())
    url, _, digest = place.partition("#sha256=")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise ValueError
    return ModelSource(name, url=url, sha256=digest.lower())


def path_of_url(text: str) -> str:
    path = f"/{text.strip('/')}" if text.strip("/") else ""
    first, _, more = path[1:].partition("/")
    if not re.fullmatch(r"(/[\w.~-]+)*", path, re.ASCII) or first in (BELOW if more else OWN):
        raise ValueError
    return path
