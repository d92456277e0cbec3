"""By which names the arena may be asked. A page elsewhere can point a name of its own at this machine,
and would then be read and written to as if it were ours; the Host header gives it away.

It does not know what is asked for.
"""

import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.web.api.problems import HANG_UP, problem

HERE = ("localhost", "127.0.0.1", "::1")
HOST = re.compile(r"(?:\[([\da-f:.]+)\]|([\w.-]+))(?::\d+)?")


class Hostnames:
    """names: in lower case; a request for any other is refused."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _asked_for(scope) in self._names:
            await self._app(scope, receive, send)
            return
        said = (
            "This arena is not reached by that name. Use the address that it prints at its start; "
            "whoever runs it can allow more names with ARENA_NAMES."
        )
        await problem(421, "Not by this name", said, HANG_UP)(scope, receive, send)


def _asked_for(scope: Scope) -> str:
    told = HOST.fullmatch(Headers(scope=scope).get("host", "").lower())
    return (told[1] or told[2]) if told else ""
