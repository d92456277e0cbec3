"""The Raters tab, for operators: what they excluded and why, and what an audit of the votes finds.

Nothing of it is in the page before the tab is opened. It does not know how votes are audited.
"""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from arena.core.ports import Exclusion, standing
from arena.play.audits import Audit
from arena.play.scoreboard import Scoreboard
from arena.web import for_operators
from arena.web.drawing import drawn, shown
from arena.web.words import ENGLISH, Words, label

COMMAND = "arena exclude --rater … --because …"


def build(tab: gr.Tab, scoreboard: Scoreboard) -> None:
    """Fill `tab`, which must be open (`with gr.Tab(…) as tab:`)."""
    with gr.Row(equal_height=True):
        gr.HTML(shown("raters_title"), apply_default_css=False, js_on_load=None)
        search = gr.Button(
            label("raters.audit"), elem_id="raters-audit", size="sm", scale=0, min_width=110
        )
    raters = gr.HTML("", elem_id="raters", apply_default_css=False, js_on_load=None)

    async def excluded(words: Words) -> str:
        return draw(await scoreboard.exclusions(), None, words)

    async def audited(words: Words) -> str:
        return draw(await scoreboard.exclusions(), await scoreboard.audit(), words)

    quietly: dict[str, Any] = {"outputs": raters, "queue": False, "show_progress": "hidden"}
    tab.select(for_operators.only(excluded), **quietly, api_visibility="private")
    search.click(for_operators.only(audited), **quietly, api_visibility="private")


def draw(decided: Sequence[Exclusion], audit: Audit | None, words: Words = ENGLISH) -> str:
    """audit: None where none was asked for."""
    return drawn("raters", words, excluded=standing(decided), audit=audit, command=COMMAND)
