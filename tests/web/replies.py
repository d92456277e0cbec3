"""The scripts that draw replies, alone on an empty page in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio

import arena.web
from arena.web.arena_tab import katex
from arena.web.drawing import drawn

SCRIPTS = ("words.js", "blocks.js", "inline.js", "maths.js", "replies.js")
ORIGIN = "http://localhost:9/"
ASSETS = Path(gradio.__file__).parent / "templates" / "frontend"
SHOW = """
learned();
globalThis.show = (pieces) => {
  const box = document.querySelector('.reply');
  box.replaceChildren();
  const replies = new Replies(box);
  let text = '';
  for (const piece of pieces) {
    text += piece;
    while (!replies.draw([text], ['?']));
  }
  globalThis.replies = replies;
};
"""


@contextmanager
def sheet(browser: Any) -> Iterator[Any]:
    """A page with nothing on it but one pane, and `show` to draw a reply that came in pieces."""
    web = Path(arena.web.__file__).parent
    sources = [(web / name).read_text(encoding="utf-8") for name in SCRIPTS]
    script = "\n".join([f"const KATEX = {json.dumps(katex())};", *sources, SHOW])
    style = (web / "style.css").read_text(encoding="utf-8")
    html = (
        f"<!doctype html><meta charset=utf-8><style>{style}</style><body class=gradio-container>"
        f"{drawn('words')}<div class=reply style='height:400px;width:400px'></div><script>{script}</script>"
    )

    def answer(route: Any) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path:
            route.fulfill(path=ASSETS / path)
        else:
            route.fulfill(body=html, content_type="text/html")

    page = browser.new_page()
    page.route(f"{ORIGIN}**", answer)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(ORIGIN)
    yield page
    page.close()
    assert not errors, errors


def show(page: Any, *pieces: str) -> Any:
    """Draw these as one reply; returns the locator of what it became."""
    page.evaluate("pieces => show(pieces)", pieces)
    return page.locator(".answer")


def markup(page: Any, pieces: Sequence[str]) -> str:
    """The elements without the attributes that every block has, on one line; formulas as they
    were written, since they are drawn when there is time."""
    told: str = page.evaluate(
        """pieces => {
          show(pieces);
          const shown = document.querySelector('.answer');
          const drawn = shown.cloneNode(true);
          const formulas = shown.querySelectorAll('.maths');
          for (const [n, each] of drawn.querySelectorAll('.maths').entries()) {
            each.textContent = formulas[n].tex;
          }
          for (const each of drawn.querySelectorAll('button.copy')) each.remove();
          return drawn.innerHTML.replaceAll(' dir="auto"', '');
        }""",
        pieces,
    )
    return told
