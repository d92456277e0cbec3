"""Headers of responses: whatever a model writes cannot make the browser ask another machine.

It knows only HTTP; the page itself is drawn elsewhere.
"""

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REPLICA = "X-Arena-Replica"
"""Names who answered, without any meaning."""

POLICY = (
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; frame-src 'none'; form-action 'self'"
)


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


def _is_html(headers: MutableHeaders) -> bool:
    return headers.get("content-type", "").startswith("text/html")
