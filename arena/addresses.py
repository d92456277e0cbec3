"""Addresses as people write them, as URLs. It does not know which of them were set."""

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

OLLAMA_PORT = 11434


@dataclass(frozen=True, slots=True)
class HostAddress:
    """Where a host of models listens, and the bearer token it wants, if any."""

    url: str
    token: str = field(default="", repr=False)


def host_url(text: str, port: int = OLLAMA_PORT) -> str:
    """A bare IP or name, host:port, :port or URL → "http://host:port". IPv6 may stand bare or in
    brackets, with its zone; quotes around it are dropped; 0.0.0.0 and :: (what a server binds)
    become loopback. A URL without a port has its scheme's, as Ollama's own OLLAMA_HOST does.
    ValueError otherwise."""
    text = text.strip().strip("\"'").strip()
    if re.match(r"https?:(?!//)", text):
        raise ValueError
    if "://" not in text:
        try:
            bare = ipaddress.ip_address(text.strip("[]"))
            text = f"[{bare}]" if bare.version == 6 else str(bare)
        except ValueError:
            pass
        text = f"//127.0.0.1{text}" if text.startswith(":") else f"//{text}"
    parts = urlsplit(text)
    scheme = parts.scheme or "http"
    if scheme not in ("http", "https") or "@" in text or parts.query or parts.fragment:
        raise ValueError
    host, path = parts.hostname or "", parts.path.rstrip("/")
    if not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+(%[\w.-]+)?", host):
        raise ValueError
    if re.search(r"/(api|v1)(/chat|/generate|/tags)?$", path):
        raise ValueError
    if parts.port is None and "://" in text:
        port = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{reached_at(host)}:{parts.port or port}{path}"


def shown(text: str) -> str:
    """As it may be told: before an @ may stand a password, also one that cuts the address."""
    return re.sub(r"(?s)^(\w+://)?.*@", r"\1…@", text)


def reached_at(host: str) -> str:
    """How a URL on this machine names an address that a server binds: loopback for a wildcard,
    IPv6 in brackets."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- nothing is bound
    return f"[{host}]" if ":" in host else host


def usable(proxy: str) -> bool:
    """Whether libraries, which read it themselves as they are imported, do not stumble over it."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        sound = bool(parts.hostname) and parts.port != 0 and "[" not in proxy
        return sound and parts.scheme in ("http", "https", "all")
    except ValueError:
        return False
