"""Progressive Arena: language models answer blind, the weakest is voted out, one is champion.

The flow, and its home:

    prompt → a battle is opened, contenders are drawn and seated    referee.open → core.battle.matchup
    live contenders answer side by side, held back to one pace      stage → adapters.hosts
    vote → elimination → next round                                 core.battle
    the vote is made durable                                        adapters.ledger
    champion → reveal                                               core.battle.view, drawn by web
    standings, derived from the votes, never stored                 core.standings.leaderboard

In a notebook: `import arena; page = arena.launch()`, later `page.stop()`; `arena.battle("…")` plays
a battle without a page; `arena.votes()`, `arena.leaderboard()`, `arena.review()` and `arena.plot_leaderboard()` are of
the ledger, `page.votes()` and so on of the ledger of that page.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arena.battles import AsyncBattle, Battle, abattle, battle
    from arena.frames import leaderboard, plot_leaderboard, review, votes
    from arena.notebook import Page, launch
    from arena.studies import StudyFrames, study

_HOMES = {
    "battles": ("AsyncBattle", "Battle", "abattle", "battle"),
    "frames": ("leaderboard", "plot_leaderboard", "review", "votes"),
    "notebook": ("Page", "launch"),
    "studies": ("StudyFrames", "study"),
}

__all__ = [
    "AsyncBattle",
    "Battle",
    "Page",
    "StudyFrames",
    "abattle",
    "battle",
    "launch",
    "leaderboard",
    "plot_leaderboard",
    "review",
    "study",
    "votes",
]


def __dir__() -> list[str]:
    """What a notebook offers on Tab."""
    return __all__


def __getattr__(name: str) -> Any:
    # The engine's process imports this package too and must start without Gradio.
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"arena.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
