"""Progressive Arena: language models answer blind, the weakest is voted out, one is champion.

The flow, and its home:

    prompt → a battle is opened, contenders are drawn and seated    referee.open → core.battle.matchup
    live contenders answer side by side, held back to one pace      stage → adapters.hosts
    vote → elimination → next round                                 core.battle
    the vote is made durable                                        adapters.ledger
    champion → reveal                                               core.battle.view, drawn by web
    standings, derived from the votes, never stored                 core.standings.leaderboard

In a notebook: `import arena; page = arena.launch()`, later `page.stop()`; `arena.votes()` and
`arena.leaderboard()` are DataFrames, whether or not a page is running.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arena.frames import leaderboard, votes
    from arena.notebook import Page, launch

__all__ = ["Page", "launch", "leaderboard", "votes"]

_HOMES = {"Page": "notebook", "launch": "notebook", "leaderboard": "frames", "votes": "frames"}


def __getattr__(name: str) -> Any:
    # The engine's process imports this package too and must start without Gradio.
    if name in _HOMES:
        return getattr(import_module(f"arena.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
