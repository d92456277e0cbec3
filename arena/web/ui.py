"""The shell of the page: its theme, its tabs, and how it wants to be mounted.

It does not know what the tabs do; they talk to the referee.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from fastapi import FastAPI
from gradio.blocks import BlocksConfig
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount

from arena.web import (
    ahead,
    arena_tab,
    calls,
    embedding,
    hosts_tab,
    leaderboard_tab,
    lean,
    raters_tab,
)
from arena.web.callers import Callers
from arena.web.front import Front
from arena.web.headers import Headers, Lasting, of_page
from arena.web.prefix import Prefix
from arena.web.theme import theme
from arena.web.unfailing import Unfailing
from arena.web.words import I18N, label

if TYPE_CHECKING:
    from arena.core.hosts.overview import Overview
    from arena.play.referee import Referee

TITLE = "Progressive Arena"
COMPRESSION = 5
"""Of pages and answers; event streams are left as they are, as they would wait for a block."""

SESSIONS = 1000
"""Pages of which Gradio remembers that they are open; by default ten times as many, and it is not
told when one is closed; all are gone through every second. A page that shows more than it was built
with asks again and again, so it is not among the oldest."""

NOTHING: dict[str, Any] = {}

STYLES = ("style.css", "study.css", "hosts.css", "leaderboard.css")

MASTHEAD = f"""
<header class="masthead">
<span class="mark" aria-hidden="true"><i></i><i></i><i></i></span>
<h1>{TITLE}</h1>
</header>
"""


class _Config(BlocksConfig):
    """Of each open page Gradio keeps a copy, and beside it what each component shows, to make a
    link to how the page stands. Nothing here makes such links, and they would hold what a battle
    said: 200 kB a page, and most of what opening one costs."""

    def __copy__(self) -> BlocksConfig:
        copied: BlocksConfig = super().__copy__()  # type: ignore[no-untyped-call]
        copied.__class__ = _ConfigOfSession
        return copied


class _ConfigOfSession(BlocksConfig):
    @staticmethod
    def config_for_block(*_of: Any) -> dict[str, Any]:
        """One for all: an empty dict each would be half of what a page takes."""
        return NOTHING


class Page(gr.Blocks):
    """Takes no files: Gradio would fetch whatever address stands for one, and keep what it gets."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.default_config = _Config(self)

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], *how: Any, **more: Any
    ) -> Any:
        return await super().preprocess_data(block_fn, _without_files(inputs), *how, **more)


def _without_files(value: Any) -> Any:
    """Gradio knows one by its `meta`, which nothing of ours has."""
    if isinstance(value, dict):
        return {key: _without_files(each) for key, each in value.items() if key != "meta"}
    return [_without_files(each) for each in value] if isinstance(value, list) else value


def build(
    referee: Referee,
    overview: Callable[[], Awaitable[Overview]] | None = None,
    *,
    channel: str = "web",
) -> gr.Blocks:
    """The page, not yet mounted. overview: what operators may see; without it there is no tab
    for them. channel: what its votes are recorded with."""
    page = Page(title=TITLE, analytics_enabled=False)
    page.state_session_capacity = SESSIONS
    page.i18n_instance = I18N  # Gradio makes the page's data of it before it reads the option.
    with page:
        gr.HTML(MASTHEAD, apply_default_css=False, js_on_load=None)
        with gr.Tabs():
            with gr.Tab(label("tabs.arena"), id="arena"):
                arena_tab.build(referee, channel)
            with gr.Tab(label("tabs.leaderboard"), id="leaderboard") as leaderboard:
                callers, release = Callers(referee.key), referee.rules.release
                leaderboard_tab.build(leaderboard, referee.scoreboard, callers, release)
            if overview:
                with gr.Tab(label("tabs.hosts"), id="hosts") as hosts:
                    hosts_tab.build(hosts, overview)
                with gr.Tab(label("tabs.raters"), id="raters") as raters:
                    raters_tab.build(raters, referee.scoreboard)
    return page


def mount(app: FastAPI, page: gr.Blocks, root_path: str = "", embed: Sequence[str] = ()) -> FastAPI:
    """The app with the page at its root. root_path: below which a proxy shows it, as /arena.
    embed: origins of pages that may show it. What could tell who is who is off: error texts, run
    history and the monitoring page."""
    here = Path(__file__).parent
    style = "\n".join((here / name).read_text(encoding="utf-8") for name in STYLES)
    files = ahead.of_page(page, style, arena_tab.script())
    ahead.install(app, files)
    embedding.install(app)
    versions = dict(files.versions)
    app.add_middleware(Lasting, versions=versions)
    app.add_middleware(Headers, change=partial(of_page, more=embedding.framed(embed)))
    app.add_middleware(Front, title=TITLE, ahead=files)
    app.add_middleware(GZipMiddleware, compresslevel=COMPRESSION)
    if root_path:
        app.add_middleware(Prefix, root_path=root_path)
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        page,
        path="",
        root_path=root_path or None,
        theme=theme(),
        i18n=I18N,
        footer_links=[],
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
    )
    versions["/theme.css"] = page.theme_hash
    lean.trim(page.config)
    page.config["i18n_translations"] = {}  # `Front` puts in those of one language.
    apps = (at.app for at in mounted.routes if isinstance(at, Mount))
    (gradio,) = (app for app in apps if isinstance(app, FastAPI))
    # A redirect to the path without its slash would lead to wherever the Host header says.
    gradio.router.redirect_slashes = False
    gradio.add_middleware(Unfailing)
    calls.shorten(mounted, gradio, page)
    return mounted
