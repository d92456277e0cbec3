"""The Hosts tab, for operators: each host with its state, models, speeds, faults and cost.

Nothing of it is in the page before the tab is opened. While somebody follows a battle that is not
decided, all that moves with a reply is left out (speeds, loads, slots, faults), for it could tell
who wrote it; names, sizes and what the host is stay. It does not know how hosts are watched.
"""

from collections.abc import Awaitable, Callable
from html import escape

import gradio as gr

from arena.core.errors import ArenaError
from arena.core.hosts.overview import Overview
from arena.core.hosts.placement import Share
from arena.web import operators
from arena.web.drawing import DASH, drawn

HEADERS = ("Model", "Size", "Loaded", "VRAM", "First token", "Tokens/s", "Replies")
"""Only the first two stand in a blind battle."""
LOADED = {
    Share.FULL: "on the GPU",
    Share.PART: "partly on the CPU",
    Share.NONE: "on the CPU",
    Share.UNKNOWN: "no",
}
STATES = {"open": "left alone after faults", "trial": "on trial after faults"}


def build(tab: gr.Tab, overview: Callable[[], Awaitable[Overview]]) -> None:
    """Fill `tab`, which must be open (`with gr.Tab(…) as tab:`)."""
    with gr.Row(equal_height=True):
        gr.Markdown("## Hosts")
        refresh = gr.Button("Refresh", elem_id="hosts-refresh", size="sm", scale=0, min_width=110)
    shown = gr.HTML(
        "<p>Looking at the hosts …</p>", elem_id="hosts", apply_default_css=False, js_on_load=None
    )

    async def show(request: gr.Request) -> str:
        try:
            if not operators.is_operator(request):
                raise operators.OperatorsOnly
            return draw(await overview())
        except ArenaError as error:
            return f"<p><b>{escape(error.title)}.</b> {escape(str(error))}</p>"

    for opened in (tab.select, refresh.click):
        opened(show, outputs=shown, queue=False, show_progress="hidden", api_visibility="private")


def draw(now: Overview) -> str:
    return drawn("hosts", now=now, headers=HEADERS, loaded=LOADED, states=STATES, dash=DASH)
