"""The page in its visitor's language from its first byte: what the browser is told before a script
runs, and which language Gradio takes it for.

Gradio goes by the first language of a browser alone, and only by names that it knows itself; the
page goes by all that are accepted. It does not know what the page says.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.web.words import Words, spoken

FOR_GRADIO = {"zh": "zh-CN"}
"""The names under which Gradio has its own words, where they are not ours."""
PLAIN = (b'<html\n\tlang="en"', b"<head>")


class InTheirLanguage:
    """Changes the page's HTML, which comes in one piece; all else passes untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None

        async def told(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_html(message):
                start = message
                return
            if start:
                body = in_language(message.get("body", b""), spoken(Headers(scope=scope)))
                headers = MutableHeaders(scope=start)
                headers["Content-Length"] = str(len(body))
                headers.add_vary_header("Accept-Language")
                await send(start)
                start, message = None, {**message, "body": body}
            await send(message)

        await self._app(scope, receive, told if scope["type"] == "http" else send)


def in_language(html: bytes, words: Words) -> bytes:
    name = FOR_GRADIO.get(words.language, words.language)
    script = (
        f'<script>Object.defineProperty(navigator, "language", {{ value: "{name}" }});</script>'
    )
    plain, head = PLAIN
    opened = f'<html lang="{words.language}" dir="{words.direction}"'
    if plain not in html:
        return html
    return html.replace(plain, opened.encode(), 1).replace(head, head + script.encode(), 1)


def _is_html(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith("text/html")
