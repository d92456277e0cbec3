"""What commands ask of a running arena over HTTP; every failure becomes one kind line.

It does not know what is asked, only how: JSON there and back, problem JSON in trouble, and a
battle's events as they come.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx

from arena.addresses import reached_at
from arena.cli.terminal import called
from arena.core.errors import ArenaError
from arena.settings import Settings

SILENT_S = 60.0
"""No sign of life for so long means that an arena is gone; it gives one each few seconds."""


class Elsewhere(ArenaError):
    """Nothing that answers like an arena is at the address."""

    status = 502
    title = "No arena"


class Refused(ArenaError):
    """The arena said no, in its own words."""

    title = "The arena refused"


def local_arena(settings: Settings) -> str:
    """Where the arena of these settings is, if it runs on this machine."""
    return f"http://{reached_at(settings.bind)}:{settings.port}"


class Arena:
    """A running arena by its URL."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        url = url.strip().rstrip("/")
        self.url = url if "://" in url else f"http://{url}"
        self._http = http

    async def get(self, path: str) -> dict[str, Any]:
        return await self._json("GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._json("POST", path, body)

    async def _json(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        try:
            response = await self._http.request(method, self.url + path, json=body)
            answer = response.json()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._gone(f"does not answer ({type(error).__name__})") from error
        except ValueError:
            raise self._gone("answers, but not as an arena does") from None
        if response.is_error and isinstance(answer, dict) and "detail" in answer:
            raise Refused(f"{self.url}: {answer['detail']}")
        if response.is_error or not isinstance(answer, dict):
            raise self._gone("answers, but not as an arena does")
        return answer

    async def follow(self, battle: str) -> AsyncGenerator[dict[str, Any], None]:
        """The bodies of a battle's events from its start: {"state": …}, {"pieces": […]}."""
        address = f"{self.url}/api/arena/battles/{battle}/events"
        try:
            async with self._http.stream("GET", address, timeout=SILENT_S) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line[6:])
        except httpx.HTTPError as error:
            raise self._gone(f"broke off ({type(error).__name__})") from error

    def _gone(self, what: str) -> Elsewhere:
        return Elsewhere(
            f"{self.url} {what}. Start the arena with `{called()}`, or name another with --url."
        )
