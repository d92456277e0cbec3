"""The Hosts tab, for operators: each host with its state, models, speeds, faults and cost.

Nothing of it is in the page before the tab is opened. While somebody follows a battle that is not
decided, all that moves with a reply is left out (speeds, loads, slots, faults), for it could tell
who wrote it; names, sizes and what the host is stay. It does not know how hosts are watched.
"""

from collections.abc import Awaitable, Callable

import gradio as gr

from arena.core.hosts.overview import Overview
from arena.web import for_operators
from arena.web.drawing import drawn, shown
from arena.web.words import DASH, ENGLISH, Words, label

COLUMNS = ("model", "size", "loaded", "vram", "first_token", "speed", "replies")
"""Only the first two stand in a blind battle."""


def build(tab: gr.Tab, overview: Callable[[], Awaitable[Overview]]) -> None:
    """Fill `tab`, which must be open (`with gr.Tab(…) as tab:`)."""
    with gr.Row(equal_height=True):
        gr.HTML(shown("hosts_title"), apply_default_css=False, js_on_load=None)
        refresh = gr.Button(
            label("hosts.refresh"), elem_id="hosts-refresh", size="sm", scale=0, min_width=110
        )
    hosts = gr.HTML(shown("hosts_wait"), elem_id="hosts", apply_default_css=False, js_on_load=None)

    async def show(words: Words) -> str:
        return draw(await overview(), words)

    asked = for_operators.only(show)
    for opened in (tab.select, refresh.click):
        opened(asked, outputs=hosts, queue=False, show_progress="hidden", api_visibility="private")


def draw(now: Overview, words: Words = ENGLISH) -> str:
    return drawn("hosts", words, now=now, columns=COLUMNS, dash=DASH)
