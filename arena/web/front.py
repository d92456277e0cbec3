"""What the page says before any script runs: to chat programs that preview its address, to
browsers without JavaScript, and in the tab. Gradio's own page would speak of Gradio there.

It does not know what the scripts draw.
"""

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.web.drawing import drawn

CONFIG = b"<script>window.gradio_config"
APP = b"<gradio-app"
GRADIOS = re.compile(rb'\s*<(?:meta (?:property="og:|name="twitter:)|link rel="manifest")[^>]*>')


class Front:
    """Changes the page, which comes as one piece; all else passes untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._head = drawn("head").encode()
        self._body = drawn("noscript").encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started: list[Message] = []

        async def changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    started.append(message)
                    return
            elif started:
                message["body"] = self._spoken(message.get("body", b""))
                start = started.pop()
                MutableHeaders(scope=start)["content-length"] = str(len(message["body"]))
                await send(start)
            await send(message)

        await self._app(scope, receive, changed if scope["type"] == "http" else send)

    def _spoken(self, page: bytes) -> bytes:
        head, config, rest = page.partition(CONFIG)
        if not config:
            return page
        rest = GRADIOS.sub(b"", rest).replace(APP, self._body + APP, 1)
        return GRADIOS.sub(b"", head) + self._head + config + rest
