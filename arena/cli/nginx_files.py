"""For deploy-check: an nginx configuration, read as nginx would: what it would do to an arena.

It knows directives, and what they mean for event streams, pages and votes; it asks nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import crossplane

from arena.cli.doctor import Finding

Directive = Mapping[str, Any]
"""One of crossplane's: directive, args, line, file and, where it has one, block."""

EVENTS = "/api/arena/battles/x/events"
PATHS = (EVENTS, "/api/arena/battles", "/gradio_api/queue/data", "/")
FOR_OPERATORS = ("/metrics", "/api/arena/hosts")
STICKY = {"hash", "ip_hash", "sticky"}
SHORTEST_READ_S = {EVENTS: 10.0, "/api/arena/battles": 55.0}
"""A sign of life comes each five seconds; a program waits for replies for fifty at most."""

SMALLEST_BODY = 256 * 1024
UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "": 1}
ADDS_UP = {"proxy_set_header", "add_header"}
"""Directives of which all those of one level hold; of the others the last one does."""


@dataclass(frozen=True)
class Place:
    """Where a path is answered: the levels around it, the innermost first."""

    levels: tuple[list[Directive], ...]

    def all(self, name: str) -> list[list[str]]:
        """Arguments of the directive; those of an inner level replace all of the outer ones."""
        for level in self.levels:
            if found := [list(d["args"]) for d in level if d["directive"] == name]:
                return found if name in ADDS_UP else found[-1:]
        return []

    def one(self, name: str, default: str) -> str:
        found = self.all(name)
        return " ".join(found[-1]) if found else default

    @property
    def own(self) -> dict[str, list[str]]:
        """What stands in the location itself."""
        return {d["directive"]: list(d["args"]) for d in self.levels[0]}


def examine(path: str) -> Iterator[Finding]:
    """Every check of every server in the file that passes requests on."""
    parsed = crossplane.parse(
        path, combine=True, catch_errors=True, check_ctx=False, check_args=False
    )
    for error in parsed["errors"]:
        where = f"{error['file']}:{error['line']}" if error["line"] else str(error["file"])
        text = f"{where}: {error['error']}"
        yield Finding("nginx", "fail", text, "Correct it; `nginx -t` says more.")
    tree: list[Directive] = [d for config in parsed["config"] for d in config["parsed"]]
    http = next((d["block"] for d in tree if d["directive"] == "http"), tree)
    servers = [d["block"] for d in http if d["directive"] == "server" and "block" in d]
    passing = [s for s in servers if any("proxy_pass" in _at(s, http, p).own for p in PATHS)]
    if not passing:
        mend = "Name nginx's main file (/etc/nginx/nginx.conf), which includes the others."
        yield Finding("nginx", "fail", f"{path} passes nothing on to an arena", mend)
    for server in passing:
        wrong = [*_server(server, http), *_upstreams(http)]
        yield from (Finding("nginx", *found) for found in wrong)
        if not wrong:
            yield Finding("nginx", "ok", f"{path} passes an arena on as it should be")


Wrong = tuple[str, str, str]
"""status, message, how to mend it"""


def _server(server: list[Directive], http: list[Directive]) -> Iterator[Wrong]:
    places = {path: _at(server, http, path) for path in PATHS}
    for path, place in places.items():
        if "proxy_pass" not in place.own:
            yield "fail", f"{path} is not passed on", "Pass everything on but what operators see."
            continue
        yield from _forwarded(path, place)
        yield from _repeated(path, place)
        shortest = SHORTEST_READ_S.get(path, 0)
        if _seconds(place.one("proxy_read_timeout", "60s")) < shortest:
            mend = f"proxy_read_timeout {shortest:.0f}s or more."
            yield "fail", f"{path} is cut off when nothing comes for a while", mend
    yield from _events(places[EVENTS])
    size = _size(places["/api/arena/battles"].one("client_max_body_size", "1m"))
    if 0 < size < SMALLEST_BODY:
        yield "fail", "long prompts are refused by their size", "client_max_body_size 2m;"
    elif not size:
        yield "warn", "bodies of any size are taken", "client_max_body_size 2m;"
    for path in FOR_OPERATORS:
        if "proxy_pass" in _at(server, http, path).own:
            mend = f"location = {path} {{ return 403; }}"
            yield "warn", f"{path}, which is for operators, is passed on", mend


def _forwarded(path: str, place: Place) -> Iterator[Wrong]:
    sent = {args[0].lower(): args[-1] for args in place.all("proxy_set_header")}
    value = sent.get("x-forwarded-for", "")
    if not value:
        yield (
            "fail",
            f"{path}: the replica is not told the visitor's address, and takes visitors for operators",
            "proxy_set_header X-Forwarded-For $remote_addr; a location with any proxy_set_header "
            "of its own has none of those around it.",
        )
    elif value == "$proxy_add_x_forwarded_for":
        mend = "proxy_set_header X-Forwarded-For $remote_addr; unless a proxy you trust is before."
        yield "warn", f"{path}: visitors may claim another address", mend
    if place.one("proxy_http_version", "1.0") != "1.1":
        mend = 'proxy_http_version 1.1; proxy_set_header Connection "";'
        yield "warn", f"{path}: a new connection to the replica for each request", mend


def _repeated(path: str, place: Place) -> Iterator[Wrong]:
    again = place.one("proxy_next_upstream", "error timeout").split()
    if "non_idempotent" in again:
        text = f"{path}: what a replica may have begun is done again by another"
        yield "fail", text, "Take non_idempotent out of proxy_next_upstream."
    if "http_503" in again:
        text = f"{path}: a replica without room for a battle is left alone for everything"
        yield "warn", text, "Take http_503 out of proxy_next_upstream."
    if place.one("proxy_cache", "off") != "off":
        yield "fail", f"{path}: answers are kept and told to others", "proxy_cache off;"


def _events(place: Place) -> Iterator[Wrong]:
    ignored = [name.lower() for name in place.one("proxy_ignore_headers", "").split()]
    if "x-accel-buffering" in ignored and place.one("proxy_buffering", "on") != "off":
        yield "fail", "events are held back until a buffer is full", "proxy_buffering off;"
    types = place.one("gzip_types", "text/html").split()
    if place.one("gzip", "off") == "on" and {"*", "text/event-stream"} & set(types):
        mend = "Leave text/event-stream out of gzip_types."
        yield "fail", "events are compressed, which can hold them back", mend


def _upstreams(http: list[Directive]) -> Iterator[Wrong]:
    for upstream in (d for d in http if d["directive"] == "upstream"):
        inside = {d["directive"] for d in upstream["block"]}
        several = sum(d["directive"] == "server" for d in upstream["block"]) > 1
        if several and not inside & STICKY:
            text = f"the upstream {upstream['args'][0]} leads one page to different replicas"
            mend = "hash by a cookie, as arena/deploy/nginx/nginx.conf does, or ip_hash;"
            yield "fail", text, mend


def _at(server: list[Directive], http: list[Directive], path: str) -> Place:
    """Where nginx would answer the path: an exact location, else the longest prefix if it says
    ^~, else the first expression that fits, else the longest prefix."""
    found: Directive | None = None
    for location in (d for d in server if d["directive"] == "location"):
        *how, what = location["args"]
        if how == ["="] and what == path:
            return Place((location["block"], server, http))
        if how in ([], ["^~"]) and path.startswith(what):
            if found is None or len(what) > len(found["args"][-1]):
                found = location
    if found is None or found["args"][0] != "^~":
        found = _by_expression(server, path) or found
    return Place((found["block"], server, http) if found else (server, http))


def _by_expression(server: list[Directive], path: str) -> Directive | None:
    for location in (d for d in server if d["directive"] == "location"):
        *how, what = location["args"]
        if how in (["~"], ["~*"]):
            try:
                if re.search(what, path, re.IGNORECASE if how == ["~*"] else 0):
                    return location
            except re.error:
                continue
    return None


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+)(ms|[smhd]?)", text)
    return int(match[1]) * SECONDS[match[2]] if match else float("inf")


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+)([kmg]?)", text.lower())
    return int(match[1]) * UNITS[match[2]] if match else SMALLEST_BODY
