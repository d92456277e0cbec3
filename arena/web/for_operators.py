"""Parts of the page that only operators may ask for. It does not know what they show."""

from collections.abc import Awaitable, Callable
from html import escape

import gradio as gr

from arena.core.errors import ArenaError
from arena.web import operators
from arena.web.words import Words, spoken


def only(ask: Callable[[Words], Awaitable[str]]) -> Callable[[gr.Request], Awaitable[str]]:
    """What Gradio calls: it answers with the HTML that is asked for, or with why there is none."""

    async def show(request: gr.Request) -> str:
        words = spoken(request.headers)
        try:
            if not operators.is_operator(request):
                raise operators.OperatorsOnly
            return await ask(words)
        except ArenaError as error:
            title, reason = escape(words.said(error.title)), escape(words.said(str(error)))
            return f"<p><b>{title}.</b> {reason}</p>"

    return show
