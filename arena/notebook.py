"""The arena in a notebook: served from a thread, shown in the cell, stopped by its handle.

It does not know what is served; that is `compose`'s.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from arena import battles, frames
from arena import settings as config
from arena.compose import APART, House
from arena.core.standings.review import Review

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from arena.server.serving import Server


@dataclass(frozen=True, slots=True, repr=False)
class Page:
    """A running arena. `url` is where a browser on this machine finds it, `share_url` the
    public link, empty if none was asked for or could be had."""

    url: str
    share_url: str
    _server: Server
    _house: House

    def battle(self, prompt: str, **choices: Any) -> battles.Battle:
        """As `arena.battle`, on the hosts of this page and into its ledger."""
        return battles.Battle(self._playing, battles.Asked(prompt, **choices))

    async def abattle(self, prompt: str, **choices: Any) -> battles.AsyncBattle:
        """As `arena.abattle`, on the hosts of this page and into its ledger."""
        opening = battles.AsyncBattle(self._playing)
        return await opening.opened(battles.Asked(prompt, **choices))

    def votes(self, columns: Iterable[str] = (), **choices: Any) -> pd.DataFrame:
        """As `arena.votes`, of this page's ledger."""
        return frames.votes(columns, **choices, **self._ledger)

    def leaderboard(self, **choices: Any) -> pd.DataFrame:
        """As `arena.leaderboard`, of this page's ledger."""
        return frames.leaderboard(**choices, **self._ledger)

    def plot_leaderboard(self, **choices: Any) -> Figure:
        """As `arena.plot_leaderboard`, of this page's ledger."""
        return frames.plot_leaderboard(**choices, **self._ledger)

    def review(self, **choices: Any) -> Review:
        """As `arena.review`, of this page's ledger."""
        return frames.review(**choices, **self._ledger)

    def stop(self) -> None:
        """Stop serving; votes are kept. A second call does nothing."""
        frames.SERVED.discard(self._house.settings.database_url)
        self._server.stop()

    @property
    def _playing(self) -> battles.Playing:
        return battles.Playing(self._house, self._server.loop)

    @property
    def _ledger(self) -> dict[str, Any]:
        return {"DATABASE_URL": self._house.settings.database_url}

    def __repr__(self) -> str:
        return f"Progressive Arena at {self.share_url or self.url}"


def launch(*, port: int = 0, share: bool = False, height: int = 900, **settings: Any) -> Page:
    """Serve the arena from a thread of this process and return its handle; in a
    notebook the page is shown below the cell.

    port: 0 takes any free one. share: also ask Gradio for a public link; needed where the
    notebook runs on another machine than the browser. settings: any key of the settings table,
    for example OLLAMA_HOST="10.0.0.5". Raises ConfigError."""
    loaded = config.given({"ARENA_PORT": port, **settings})
    from arena.server import serving
    from arena.server.application import build_app, exposure

    house = House(loaded)
    house.check()
    print(f"Votes are kept in {house.ledger.place}. {config.older_votes(loaded)}".rstrip())
    for warning in filter(None, (*config.misspelt(), exposure(loaded, share))):
        print(warning)
    sock = serving.listen(loaded.bind, loaded.port)
    stopping = serving.Stopping(house.stores.feed.close, house.drain, loaded.stop_s)
    app = build_app(house, shared=share, channel="notebook")
    server = serving.Server(app, sock, stopping, loaded.proxies)
    server.start()
    if house.stores.apart:
        print(". ".join(APART))
    share_url = ""
    if share:
        try:
            share_url = serving.share(sock)
        except serving.NoPublicLink as error:
            print(error)
    page = Page(serving.url_of(sock), share_url, server, house)
    frames.SERVED.add(loaded.database_url)
    _show(page, height)
    return page


def _show(page: Page, height: int) -> None:
    """Inline, where this runs in a notebook's kernel; nothing elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or not hasattr(shell, "kernel"):
        return
    from IPython.display import IFrame, display

    frame = IFrame(page.share_url or page.url, "100%", height, extras=['allow="clipboard-write"'])
    display(frame)  # type: ignore[no-untyped-call]
