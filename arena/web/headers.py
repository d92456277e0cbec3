"""Headers of responses: whatever a model writes cannot make the browser ask another machine.

What has another address as soon as it changes, browsers keep. It knows only HTTP; the page itself
is drawn elsewhere.
"""

from collections.abc import Callable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REPLICA = "X-Arena-Replica"
"""Names who answered, without any meaning."""

POLICY = (
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; frame-src 'none'; form-action 'self'"
)

ASSETS = "/assets/"
"""Gradio's files, whose names change with what is in them."""

FOR_GOOD = "max-age=31536000, immutable"


def is_page(message: Message) -> bool:
    """Whether a response of HTML begins so."""
    return message["type"] == "http.response.start" and _is_html(MutableHeaders(scope=message))


def of_page(headers: MutableHeaders, more: str = "") -> None:
    """Those of HTML; all else, event streams above all, passes untouched. more: of the policy."""
    if _is_html(headers):
        headers["Content-Security-Policy"] = f"{POLICY}; {more}" if more else POLICY
        headers["Referrer-Policy"] = "no-referrer"
        headers["X-Content-Type-Options"] = "nosniff"


class Headers:
    """change: what it does to the headers of each response."""

    def __init__(self, app: ASGIApp, change: Callable[[MutableHeaders], None] = of_page) -> None:
        self._app = app
        self._change = change

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._change(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class Lasting:
    """Lets browsers keep for good what lies at an address that tells its version. versions: those
    that are served now, by paths. Not `public`: behind a gate, what is in front keeps nothing."""

    def __init__(self, app: ASGIApp, versions: Mapping[str, str]) -> None:
        self._app = app
        self._versions = versions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                MutableHeaders(scope=message)["Cache-Control"] = FOR_GOOD
            await send(message)

        lasts = scope["type"] == "http" and self._lasts(scope)
        await self._app(scope, receive, with_headers if lasts else send)

    def _lasts(self, scope: Scope) -> bool:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        version = self._versions.get(path)
        asked = scope["query_string"].decode("latin-1")
        return path.startswith(ASSETS) or (version is not None and asked == f"v={version}")


def _is_html(headers: MutableHeaders) -> bool:
    return headers.get("content-type", "").startswith("text/html")
