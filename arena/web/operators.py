"""Who may see hosts and speeds, which can tell who is who in a blind battle.

An account says nothing of that. An operator is whoever sits at this machine: the page is bound to a
loopback address, has no public link, and the request was not passed on by a proxy or a tunnel.
It does not know what operators are shown.
"""

import ipaddress
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from arena.core.errors import ArenaError

PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Headers of proxies: nginx and Gradio's tunnel reach the page from this machine too."""


WHY = (
    "Hosts and speeds are shown only on the machine that the arena runs on, at its "
    "loopback address (http://127.0.0.1:…), while ARENA_BIND is one and the page has no "
    "public link: speeds can tell who is who."
)


class OperatorsOnly(ArenaError):
    status = 403
    title = "For operators only"

    def __init__(self, why: str = WHY) -> None:
        super().__init__(why)


class AnyRequest(Protocol):
    """What Starlette's and Gradio's requests have in common."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def client(self) -> Any: ...


def is_operator(request: AnyRequest) -> bool:
    """The request comes from a program on this machine that asked for this machine."""
    if any(request.headers.get(name) for name in PASSED_ON):
        return False
    try:
        asked_for = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return False
    came_from = request.client.host if request.client else ""
    return is_loopback(came_from) and is_loopback(asked_for)


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
