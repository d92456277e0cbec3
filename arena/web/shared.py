"""A shared battle as a page that needs no script and prints well, and as the picture that previews
of its address show.

It does not know who shared it.
"""

import asyncio
import io
import re
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from textwrap import wrap
from typing import Any
from unicodedata import normalize
from urllib.parse import quote

import gradio as gr
from fastapi import FastAPI, Request
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.emphasis import tokenize as emphasis
from markupsafe import Markup
from PIL import Image, ImageDraw, ImageFont
from starlette.responses import HTMLResponse, RedirectResponse, Response

from arena.core.battle.sharing import Shared
from arena.core.errors import UnknownBattle
from arena.play.referee import Referee
from arena.web.drawing import drawn
from arena.web.ui import TITLE
from arena.web.words import DASH, ENGLISH, Words, spoken

SIZE = (1200, 630)
INK, QUIET, PAPER, GOLD, ACT = "#2a2926", "#6b675f", "#f7f6f3", "#85600a", "#2f6179"
FONT = Path(gr.__file__).parent / (
    "templates/frontend/static/fonts/SourceSansPro/SourceSansPro-Regular.woff2"
)
STYLE = Markup(Path(__file__).with_suffix(".css").read_text("utf-8"))  # noqa: S704 -- ours
MARKDOWN = MarkdownIt("js-default", {"html": False, "maxNesting": 20, "breaks": True})
# Between single dollars only what is written as no price is.
MATHS = re.compile(
    r"\\\(.{1,1000}?\\\)|\\\[.{1,1000}?\\\]|\$\$.{1,1000}?\$\$"
    r"|\\begin\{(\w+\*?)\}.{1,1000}?\\end\{\1\}"
    r"|(?<![\w$\\])\$(?=[^$\n]{0,500}[\\^_]|[a-zA-Z(|](?![^$\n]{0,500}[a-zA-Z]{3}))"
    r"(?![\s$])(?:\\[^\n]|[^\\$\n]){1,500}(?<!\s)\$(?![\w$])",
    re.DOTALL,
)
SPACELESS = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""A letter of a script that puts no spaces between words."""


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
    """PNG. A prompt that the font cannot write is left out."""
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
        known = "".join(filter(_is_known, normalize("NFC", seat.name))).strip()
        name = known or ENGLISH("arena.model", letter=seat.letter)
        pen.text((150, top), _fitted(name, 42, SIZE[0] - 230), colour, font=_font(42))
        top += 62
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _prompt(told: Shared) -> list[str]:
    prompt = normalize("NFC", " ".join(told.prompts[0].split())) if told.prompts else ""
    if not all(map(_is_known, prompt)):
        return []
    lines = wrap(prompt, 52)
    shown = [*lines[:2], f"{lines[2]} …"] if len(lines) > 3 else lines
    return [_fitted(line, 38, SIZE[0] - 160) for line in shown]


def _fitted(text: str, size: int, room: int) -> str:
    if _font(size).getlength(text) <= room:
        return text
    while _font(size).getlength(f"{text}…") > room:
        text = text[:-1]
    return f"{text}…"


@cache
def _font(size: int) -> Any:
    """Gradio's own, which has Latin, Greek and Cyrillic letters; Pillow's, without accents, should
    it be gone from there."""
    try:
        return ImageFont.truetype(FONT, size)
    except OSError:
        return ImageFont.load_default(size)


@lru_cache(1000)
def _is_known(sign: str) -> bool:
    """Whether the font has it: all others are one box."""
    drawn, box = (_font(38).getmask(text) for text in (sign, "\uffff"))
    return (drawn.size, bytes(drawn)) != (box.size, bytes(box))


def _apart(self: RendererHTML, tokens: Any, index: int, options: Any, env: Any) -> str:
    """Links lead away without telling from where, and count for nobody."""
    tokens[index].attrSet("rel", "nofollow noopener noreferrer")
    return self.renderToken(tokens, index, options, env)


def _maths(state: StateInline, silent: bool) -> bool:
    """A formula stands as it was written, as no script draws it."""
    found = MATHS.match(state.src, state.pos, state.posMax)
    if found and not silent:
        token = state.push("code_inline", "code", 0)
        token.content = found[0]
        token.attrSet("class", "maths")
    state.pos = found.end() if found else state.pos
    return bool(found)


def _emphasis(state: StateInline, silent: bool) -> bool:
    """As in CommonMark, and between letters of scripts without spaces, as the page has it."""
    start, known = state.pos, len(state.delimiters)
    found = emphasis(state, silent)
    before, after = state.src[max(start - 1, 0) : start], state.src[state.pos : state.pos + 1]
    for mark in state.delimiters[known:]:
        mark.open |= bool(SPACELESS.match(before) and after.strip())
        mark.close |= bool(SPACELESS.match(after) and before.strip())
    return found


MARKDOWN.disable("image").add_render_rule("link_open", _apart)
MARKDOWN.inline.ruler.before("escape", "maths", _maths)
MARKDOWN.inline.ruler.at("emphasis", _emphasis)
