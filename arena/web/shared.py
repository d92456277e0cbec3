"""A shared battle as a page that needs no script and prints well, and as the picture that previews
of its address show.

It does not know who shared it.
"""

import asyncio
import io
from datetime import date
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markupsafe import Markup
from PIL import Image, ImageDraw, ImageFont
from starlette.responses import HTMLResponse, RedirectResponse, Response

from arena.core.battle.sharing import Shared
from arena.core.errors import UnknownBattle
from arena.play.referee import Referee
from arena.web.drawing import drawn
from arena.web.ui import TITLE
from arena.web.words import DASH, Words, spoken

SIZE = (1200, 630)
INK, QUIET, PAPER, GOLD, ACT = "#2a2926", "#6b675f", "#f7f6f3", "#85600a", "#2f6179"
STYLE = Markup(Path(__file__).with_suffix(".css").read_text("utf-8"))  # noqa: S704 -- ours
MARKDOWN = MarkdownIt("js-default", {"html": False, "maxNesting": 20}).disable("image")


def install(app: FastAPI, referee: Referee) -> None:
    """Add `/b/{link}` and its picture, and a page for what leads to none."""

    @app.get("/b", include_in_schema=False)
    @app.get("/b/", include_in_schema=False)
    async def none(request: Request) -> HTMLResponse:
        return _gone(spoken(request.headers), "../" if request.url.path.endswith("/") else "./")

    @app.get("/b/{link}/", include_in_schema=False)
    async def slashed(link: str) -> RedirectResponse:
        return RedirectResponse(f"../{quote(link, safe='')}")

    @app.get("/b/{link}.png", include_in_schema=False)
    async def picture(link: str) -> Response:
        told = await referee.links.shown(link)
        return Response(await asyncio.to_thread(painted, told), media_type="image/png")

    @app.get("/b/{link}", name="shared", include_in_schema=False)
    async def page(link: str, request: Request) -> HTMLResponse:
        words = spoken(request.headers)
        try:
            told = await referee.links.shown(link)
        except UnknownBattle:
            return _gone(words, "../")
        address = str(request.url_for("shared", link=link))
        return HTMLResponse(await asyncio.to_thread(draw, told, words, address))


def _gone(words: Words, home: str) -> HTMLResponse:
    page = drawn("shared_gone", words, style=STYLE, home=home)
    return HTMLResponse(page, status_code=UnknownBattle.status)


def draw(told: Shared, words: Words, address: str) -> str:
    """address: whole, where the page is. Its style is ours, what models wrote is Markdown without
    HTML or pictures."""
    names = {seat.letter: seat.name for seat in told.reveal.seats}
    replies = {
        letter: [_formatted(text) for text in texts] for letter, texts in told.replies.items()
    }
    return drawn(
        "shared",
        words,
        title=TITLE,
        told=told,
        day=words.day(date.fromisoformat(told.day)),
        names=names,
        replies=replies,
        champions=[seat.name for seat in told.reveal.seats if seat.champion],
        style=STYLE,
        address=address,
        home="../",
    )


def _formatted(text: str) -> Markup:
    """The page has headings of its own above those of a reply."""
    tokens = MARKDOWN.parse(text)
    for token in tokens:
        token.tag = "h3" if token.type.startswith("heading_") else token.tag
    html = MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})
    return Markup(html)  # noqa: S704 -- HTML of models is off


def painted(told: Shared) -> bytes:
    """PNG. The font has Latin letters only; a prompt in others is left out."""
    image = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(image)
    for left, top, colour in ((80, 104, "#93b6c7"), (104, 80, ACT), (128, 116, "#bcd2dd")):
        pen.rounded_rectangle((left, top, left + 16, 140), 4, fill=colour)
    pen.text((164, 84), TITLE, INK, font=_font(46))
    top = 190
    for line in _prompt(told):
        pen.text((80, top), line, INK, font=_font(38))
        top += 52
    top = max(top + 26, 340)
    for seat in told.reveal.seats[:4]:
        colour = GOLD if seat.champion else QUIET
        place = f"{seat.place}." if seat.place else DASH
        pen.text((80, top), place, colour, font=_font(42))
        pen.text((150, top), _latin(seat.name)[:40], colour, font=_font(42))
        top += 62
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _prompt(told: Shared) -> list[str]:
    prompt = " ".join(told.prompts[0].split()) if told.prompts else ""
    if not prompt or _latin(prompt) != prompt:
        return []
    lines = wrap(prompt, 52)
    return [*lines[:2], f"{lines[2]} …"] if len(lines) > 3 else lines


def _latin(text: str) -> str:
    return text.encode("latin-1", "replace").decode("latin-1")


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _apart(self: RendererHTML, tokens: Any, index: int, options: Any, env: Any) -> str:
    """Links lead away without telling from where, and count for nobody."""
    tokens[index].attrSet("rel", "nofollow noopener noreferrer")
    return self.renderToken(tokens, index, options, env)


MARKDOWN.add_render_rule("link_open", _apart)
