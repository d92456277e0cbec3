"""How the texts of settings are read: each function takes one and raises ValueError where it is
not allowed.

It does not know which settings there are, nor where their texts come from.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model of the user's own for the embedded engine: a GGUF file or a URL with its hash."""

    name: str
    path: str = ""
    url: str = ""
    sha256: str = ""


def within(kind: Callable[[str], Number], low: float, high: float) -> Callable[[str], Number]:
    def parse(text: str) -> Number:
        value = kind(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return parse


whole, number = partial(within, int), partial(within, float)


def number_or_none(low: float, high: float) -> Callable[[str], float | None]:
    """None where nothing is said."""
    parse = number(low, high)
    return lambda text: parse(text) if text else None


def one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError
        return text

    return parse


def words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def hostnames(text: str) -> tuple[str, ...]:
    names = words(text.lower())
    if any(not re.fullmatch(r"[\w.:-]+", name) for name in names):
        raise ValueError
    return names


def origins(text: str) -> tuple[str, ...]:
    named = words(text.lower())
    if any(not re.fullmatch(r"\*|https?://[\w.*-]+(:[\d*]+)?", origin) for origin in named):
        raise ValueError
    return named


def tokens(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(",")) if text else ()
    if any(not token.isascii() or re.search(r"\s", token) for token in found):
        raise ValueError
    return found


def users(text: str) -> tuple[tuple[str, str], ...]:
    pairs = tuple(part.partition(":")[::2] for part in words(text))
    if any(not (name and password) for name, password in pairs) or len(dict(pairs)) < len(pairs):
        raise ValueError
    return pairs


def networks(text: str) -> tuple[str, ...]:
    return tuple(str(ip_network(part, strict=False)) for part in words(text))


def header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]*", text):
        raise ValueError
    return text


def issuer(text: str) -> str:
    if text and not re.match(r"https://[\w.-]+|http://(127\.0\.0\.1|localhost)\b", text):
        raise ValueError
    return text


def file(text: str) -> Path | None:
    named = path(text)
    if named and not named.is_file():
        raise ValueError
    return named


def models(text: str) -> tuple[str, ...]:
    names = words(text)
    if not names or any(re.search(r"\s", n) for n in names) or len(set(names)) < len(names):
        raise ValueError
    return names


def path(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def redis(text: str) -> str:
    if text and not re.match(r"(rediss?|unix)://[^\s]+$", text):
        raise ValueError
    return text


def source(text: str) -> ModelSource:
    name, _, place = text.partition("=")
    if not re.fullmatch(r"[\w.:/-]+", name) or not place:
        raise ValueError
    if not place.startswith(("http://", "https://")):
        return ModelSource(name, path=str(Path(place).expanduser()))
    url, _, digest = place.partition("#sha256=")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise ValueError
    return ModelSource(name, url=url, sha256=digest.lower())


def path_of_url(text: str) -> str:
    path = f"/{text.strip('/')}" if text.strip("/") else ""
    if not re.fullmatch(r"(/[\w.~-]+)*", path, re.ASCII):
        raise ValueError
    return path
