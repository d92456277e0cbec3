"""The shell of the page: its theme, its tabs, and how it wants to be mounted.

It does not know what the tabs do; they talk to the referee.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from arena.web import arena_tab, hosts_tab, leaderboard_tab
from arena.web.callers import Callers
from arena.web.theme import theme

if TYPE_CHECKING:
    from arena.core.hosts.overview import Overview
    from arena.play.referee import Referee

TITLE = "Progressive Arena"
STYLES = ("style.css", "hosts.css", "leaderboard.css")

# The style sheet goes here as it is; passed as `css_paths`, Gradio would split its selectors.
HEAD = """
<style>{style}</style>
"""

MASTHEAD = f"""
<header class="masthead">
<span class="mark" aria-hidden="true"><i></i><i></i><i></i></span>
<h1>{TITLE}</h1>
</header>
"""


def build(
    referee: Referee,
    overview: Callable[[], Awaitable[Overview]] | None = None,
    *,
    channel: str = "web",
) -> gr.Blocks:
    """The page, not yet mounted. overview: what operators may see; without it there is no tab
    for them. channel: what its votes are recorded with."""
    page = gr.Blocks(title=TITLE, analytics_enabled=False)
    with page:
        gr.HTML(MASTHEAD, apply_default_css=False, js_on_load=None)
        with gr.Tabs():
            with gr.Tab("Arena", id="arena"):
                arena_tab.build(referee, channel)
            with gr.Tab("Leaderboard", id="leaderboard") as leaderboard:
                leaderboard_tab.build(leaderboard, referee.scoreboard, Callers(referee.key))
            if overview:
                with gr.Tab("Hosts", id="hosts") as hosts:
                    hosts_tab.build(hosts, overview)
    return page


def mount_options() -> dict[str, Any]:
    """Keyword arguments for `gr.mount_gradio_app`. What could tell who is who is off: error
    texts, run history and the monitoring page."""
    here = Path(__file__).parent
    style = "\n".join((here / name).read_text(encoding="utf-8") for name in STYLES)
    return {
        "theme": theme(),
        "head": HEAD.format(style=style),
        "footer_links": [],
        "show_error": False,
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
    }
