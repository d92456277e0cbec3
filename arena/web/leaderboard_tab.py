"""The Leaderboard tab: which votes are asked for, the standings, and all that stands beside them.

It keeps itself up to date while somebody looks at it. It does not know how standings are
computed. Nothing of them is in the page before the tab is opened, so that a battle that is still
blind shares its page with no contender's name.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd
from gradio.blocks import Block

from arena.core.errors import ArenaError
from arena.core.standings.board import Board, Panels
from arena.play.release import Release
from arena.play.scoreboard import Scoreboard
from arena.web.callers import Callers
from arena.web.drawing import shown
from arena.web.leaderboard import (
    certainty,
    charts,
    controls,
    effects,
    meetings,
    notes,
    scrutiny,
    table,
)
from arena.web.operators import is_operator
from arena.web.words import Words, everywhere, label, spoken

log = logging.getLogger(__name__)

Values = Mapping[Block, Any]
Updates = dict[Block, Any]
Parts = Mapping[str, Any]
"""Where each part of the board is drawn. `drawn` shows nothing: its value says of which votes and
which choice the page is, and its script asks for what is newer."""

html = partial(gr.HTML, apply_default_css=False, js_on_load=None)
plot = partial(gr.Plot, show_label=False, container=False, elem_classes="board-plot")


def build(
    tab: gr.Tab, scoreboard: Scoreboard, callers: Callers, release: Release = Release()
) -> None:
    """Fill `tab`, which must be open (`with gr.Tab(…) as tab:`). release: what others than
    operators may download."""
    with gr.Column(elem_id="board"):
        with gr.Row(elem_id="board-head"):
            html(_all("title", "h2"))
            status = html(_all("counting"), elem_id="board-status")
        there = controls.build_open()
        with gr.Accordion(label("board.choice"), open=False, elem_id="board-choice"):
            chosen = controls.build(callers, there)
        parts = _parts(status)
    handlers = Handlers(scoreboard, chosen, parts, release)
    quietly: dict[str, Any] = {
        "queue": False,
        "show_progress": "hidden",
        "api_visibility": "private",
    }
    asked = {*chosen.parts.values(), parts["drawn"]}
    drawn = {*parts.values(), *chosen.parts.values()}
    gr.on(
        [tab.select, parts["drawn"].tick, *chosen.changes],
        handlers.draw,
        asked,
        drawn,
        trigger_mode="always_last",
        js=chosen.keeping(asked),
        **quietly,
    )
    parts["drawn"].panels(handlers.fill, asked, drawn, trigger_mode="always_last", **quietly)
    parts["reviewers"].expand(handlers.scrutinise, asked, parts["scrutiny"], **quietly)
    emptied = chosen.clear.click(
        chosen.cleared, None, [*chosen.parts.values()], js=controls.FORGET, **quietly
    )
    emptied.then(handlers.draw, asked, drawn, **quietly)


def _parts(status: gr.HTML) -> Parts:
    part: dict[str, Any] = {"status": status}
    part["message"] = html("", elem_id="board-message", visible=False)
    with gr.Column(elem_id="board-body", visible=False) as part["body"]:
        part["apart"] = html("", elem_id="board-apart")
        with gr.Column(elem_classes="board-card"):
            part["table"] = html("", js_on_load=_script("standings.js"), elem_id="leaderboard")
        with gr.Row(elem_classes="board-row", equal_height=True):
            with _card("ratings"):
                part["ratings"] = plot(elem_id="leaderboard-chart")
                part["unrated"] = html("", elem_id="board-unrated")
            with _card("sure"):
                part["sure"] = html("", elem_id="board-sure")
        with _card("meetings"):
            part["meetings"] = html("", elem_id="board-meetings")
        with gr.Row(elem_classes="board-row", equal_height=True):
            with _card("speed"):
                part["speed"] = plot(elem_id="board-speed")
                part["front"] = html(_all("counting"), elem_id="board-front")
            with _card("lengths"):
                part["lengths"] = plot(elem_id="board-lengths")
                part["unmeasured"] = html(_all("counting"), elem_id="board-unmeasured")
        with gr.Row(elem_classes="board-row", equal_height=True):
            with _card("effects"):
                part["effects"] = html(_all("counting"), elem_id="board-effects")
            with gr.Column(elem_classes="board-column", min_width=300):
                with _card("days"):
                    part["days"] = plot(elem_id="board-days")
                    part["when"] = html(_all("counting"), elem_id="board-when")
                with _card("aside"):
                    part["aside"] = html("", elem_id="board-aside")
        fold = label("board.scrutiny.fold")
        with gr.Accordion(fold, open=False, elem_id="board-reviewers") as part["reviewers"]:
            part["scrutiny"] = html(_all("scrutiny.counting"), elem_id="board-scrutiny")
        with gr.Row(elem_classes="board-row", equal_height=True):
            with _card("method"):
                part["method"] = html("", elem_id="leaderboard-method")
            with _card("files"):
                part["files"] = html("", elem_id="board-files")
    looks: dict[str, Any] = {
        "html_template": "<span></span>",
        "js_on_load": _script("leaderboard.js"),
    }
    part["drawn"] = html(None, elem_id="board-drawn", **looks)
    return part


def _script(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


@contextmanager
def _card(name: str) -> Iterator[None]:
    with gr.Column(elem_classes="board-card", min_width=300):
        html(shown("card", name=name), elem_classes="board-title")
        yield


def _all(key: str, tag: str = "p") -> str:
    return everywhere(f"{tag}-{key}", lambda words: f"<{tag}>{words(f'board.{key}')}</{tag}>")


@dataclass(frozen=True, slots=True, eq=False)
class Handlers:
    """The handlers: `draw` answers at once what can be counted quickly, `fill` the rest."""

    scoreboard: Scoreboard
    chosen: controls.Controls
    parts: Parts
    release: Release

    async def draw(self, values: Values, request: gr.Request) -> Any:
        """The standings, unless the page has them already; at first, those that this tab of the
        browser had chosen before its page was loaded again."""
        words = spoken(request.headers)
        try:
            before = values[self.parts["drawn"]]
            kept = before.get("kept") if isinstance(before, dict) else None
            back = self.chosen.again(kept) if isinstance(kept, dict) else {}
            chosen = {**values, **back}
            query, retired = self.chosen.query(chosen), bool(chosen[self.chosen.retired])
            choice = controls.link(query) + "&retired" * retired
            now = {"version": await self.scoreboard.version(), "choice": choice}
            if before == now:
                return gr.skip()
            board = await self.scoreboard.board(query)
            if not board.votes:
                return self._without(board, words) | back | {self.parts["drawn"]: now}
            release = None if is_operator(request) else self.release
            counting = not isinstance(before, dict) or before.get("choice") != choice
            # Drawing takes tens of milliseconds, for which no battle's stream should wait.
            seen = board if retired else board.without_retired()
            drawn = await asyncio.to_thread(self._standings, seen, words, counting, release)
            return drawn | back | {self.parts["drawn"]: now}
        except Exception as error:  # noqa: BLE001 -- told and logged there
            return self._failed(error, words, half=False)

    async def fill(self, values: Values, request: gr.Request) -> Any:
        """What stands beside the standings, which takes its time where votes are many."""
        words = spoken(request.headers)
        try:
            query = self.chosen.query(values)
            board, panels = await self.scoreboard.board(query), await self.scoreboard.panels(query)
            offered = self.chosen.offered(panels.choices)
            if not board.votes:
                return offered
            seen = board if values[self.chosen.retired] else board.without_retired()
            return offered | await asyncio.to_thread(self._panels, seen, panels, words)
        except Exception as error:  # noqa: BLE001 -- told and logged there
            return self._failed(error, words, half=True)

    async def scrutinise(self, values: Values, request: gr.Request) -> str:
        """When the section for reviewers is opened; it stays as it is until it is opened anew."""
        words = spoken(request.headers)
        try:
            found = await self.scoreboard.scrutiny(self.chosen.query(values))
            return await asyncio.to_thread(scrutiny.draw, found, words)
        except Exception as error:
            if not isinstance(error, ArenaError):
                log.error("the review could not be drawn", exc_info=error)
            return notes.unreadable(error, half=True, words=words)

    def _standings(
        self, board: Board, words: Words, counting: bool, release: Release | None
    ) -> Updates:
        parts = self.parts
        standings = board.standings
        met = standings[standings["votes"] > 0]
        return {
            parts["status"]: notes.status(board, counting=counting, words=words),
            parts["message"]: gr.update(visible=False),
            parts["body"]: gr.update(visible=True),
            parts["apart"]: notes.apart(standings, words),
            parts["table"]: table.draw(standings, words),
            parts["ratings"]: _figure(
                charts.ratings, standings.dropna(subset="rating"), standings, words
            ),
            parts["unrated"]: notes.without_ratings(standings, words),
            parts["sure"]: certainty.draw(board.neighbours, words),
            parts["meetings"]: meetings.draw(board.head_to_head, met["contender"].tolist(), words),
            parts["aside"]: notes.all_counted(board, words),
            parts["method"]: notes.method(board.query, words),
            parts["files"]: notes.downloads(board.query, words, release),
        }

    def _panels(self, board: Board, panels: Panels, words: Words) -> Updates:
        parts = self.parts
        standings = with_speeds(board.standings, panels.speeds)
        return {
            parts["status"]: notes.status(board, counting=False, words=words),
            parts["table"]: table.draw(standings, words),
            parts["front"]: notes.front(standings, words),
            parts["speed"]: _figure(
                charts.speed, charts.rated_with(standings, "tokens_per_s"), standings, words
            ),
            parts["lengths"]: _figure(
                charts.lengths, charts.rated_with(standings, "reply_tokens"), standings, words
            ),
            parts["unmeasured"]: notes.without_lengths(standings, words),
            parts["days"]: _figure(charts.days, panels.days, panels.days, words),
            parts["when"]: notes.busiest(panels.days, words),
            parts["effects"]: effects.draw(
                panels.order, panels.style, board.query.covariates, words
            ),
        }

    def _without(self, board: Board, words: Words) -> Updates:
        return {
            self.parts["status"]: notes.status(board, counting=False, words=words),
            self.parts["message"]: gr.update(value=notes.nothing(board, words), visible=True),
            self.parts["body"]: gr.update(visible=False),
        }

    def _failed(self, error: Exception, words: Words, *, half: bool) -> Updates:
        """What went wrong, in the place of what cannot be shown; the next look tries again."""
        if not isinstance(error, ArenaError):
            log.error("the leaderboard could not be drawn", exc_info=error)
        return {
            self.parts["status"]: "",
            self.parts["message"]: gr.update(
                value=notes.unreadable(error, half=half, words=words), visible=True
            ),
            self.parts["body"]: gr.update(visible=half),
            self.parts["drawn"]: None,
        }


def with_speeds(standings: pd.DataFrame, speeds: pd.DataFrame) -> pd.DataFrame:
    """The standings with the medians of `speeds` where they have none of their own."""
    by_name = speeds.reindex(standings["contender"]).set_index(standings.index)
    known = {str(name): standings[name].fillna(column) for name, column in by_name.items()}
    return standings.assign(**known)


def _figure(
    draw: Callable[[pd.DataFrame, Words], Any], known: pd.DataFrame, of: pd.DataFrame, words: Words
) -> Any:
    drawn = None if known.empty else draw(of, words)
    return gr.update(value=drawn, visible=drawn is not None)
