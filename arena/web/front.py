"""What the page says before any script runs: to chat programs that preview its address, to
browsers without JavaScript, in the tab, and to Gradio, of which language it is. Gradio's own page
would speak of Gradio there, and goes by the first language of a browser alone. And which files the
page will ask for, so that none waits for another.

It does not know what the scripts draw.
"""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.web.ahead import Ahead
from arena.web.drawing import drawn
from arena.web.headers import is_page
from arena.web.words import NO_WORDS, Words, for_gradio, spoken

FOR_GRADIO = {"zh": "zh-CN"}
"""The names under which Gradio has its own words, where they are not ours."""

HTML, HEAD, APP = re.compile(rb'<html\s+lang="en"'), b"<head>", b"<gradio-app"
HEADS_END = b"</head>"
CONFIG = b"<script>window.gradio_config"
GRADIOS = re.compile(rb'\s*<meta (?:property="og:|name="twitter:)[^>]*>')
NOTHING = Ahead((), (), "")
MANIFEST = b'<link rel="manifest" href="/manifest.json" />'


class Front:
    """Changes the page, which comes in one piece; all else passes untouched. title: its name."""

    def __init__(self, app: ASGIApp, title: str, ahead: Ahead = NOTHING) -> None:
        self._app = app
        self._title = title
        self._ahead = ahead

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None

        async def changed(message: Message) -> None:
            nonlocal start
            if is_page(message):
                start = message
                return
            if start:
                words = spoken(Headers(scope=scope))
                body = in_language(message.get("body", b""), words, self._title, self._ahead)
                headers = MutableHeaders(scope=start)
                headers["Content-Length"] = str(len(body))
                headers.add_vary_header("Accept-Language")
                await send(start)
                start, message = None, {**message, "body": body}
            await send(message)

        await self._app(scope, receive, changed if scope["type"] == "http" else send)


def in_language(page: bytes, words: Words, title: str, ahead: Ahead = NOTHING) -> bytes:
    """Gradio's page in our words; other pages as they are."""
    head, config, rest = page.partition(CONFIG)
    if not config:
        return page
    opened = f'<html lang="{words.language}" dir="{words.direction}"'
    head = HTML.sub(opened.encode(), GRADIOS.sub(b"", head), count=1)
    name = FOR_GRADIO.get(words.language, words.language)
    versions = {address.removeprefix("/"): version for address, version in ahead.versions.items()}
    told = {"title": title, "gradios": name, "scripts": ahead.scripts, "versions": versions}
    ours = HEAD + drawn("head", words, **told).encode()
    body = drawn("noscript", words, title=title).encode()
    rest = rest.replace(NO_WORDS, for_gradio(words), 1)
    rest = rest.replace(MANIFEST, b"", 1).replace(APP, body + APP, 1)
    sheet = drawn("sheet", versions=versions, styles=ahead.styles).encode()
    rest = rest.replace(HEADS_END, sheet + HEADS_END, 1)
    return head.replace(HEAD, ours, 1) + config + rest
