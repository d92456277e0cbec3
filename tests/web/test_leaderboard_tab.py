"""When the Leaderboard tab asks for what and what it answers, and that it tells nothing unasked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import cache
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pandas as pd
import pytest
from gradio.blocks import Block

from arena.core.errors import LedgerFault
from arena.web import leaderboard_tab
from arena.web.callers import Callers
from tests.web import boards
from tests.web.boards import Scoreboard
from tests.web.calling import key

HERE = SimpleNamespace(client=SimpleNamespace(host="127.0.0.1"), headers={})
CAST = boards.votes({"llama": 1.0, "mistral": 0.2, "phi": -0.8}, 60)


class Page:
    """The tab as a browser holds it: the value of each component, by its element id, and what
    became visible."""

    def __init__(self, scoreboard: Scoreboard) -> None:
        self.demo, asked = built()
        asked.scoreboard = scoreboard
        self.parts = {b.elem_id: b for b in self.demo.blocks.values() if b.elem_id}
        self.shown: dict[str, Any] = {k: getattr(b, "value", None) for k, b in self.parts.items()}
        self.visible: dict[str, bool] = {}

    async def _ask(self, event: str, element: str = "") -> dict[str, Any] | None:
        (handler,) = {
            fn
            for fn in self.demo.fns.values()
            for target, name in fn.targets
            if name == event and fn.fn and (not element or target == self.parts[element]._id)
        }
        values = {part: self.shown[part.elem_id] for part in handler.inputs}
        answer = await handler.fn(values, HERE) if handler.inputs else handler.fn()  # type: ignore[misc]
        if not all(isinstance(part, Block) for part in answer):
            assert answer == gr.skip()
            return None
        return {part.elem_id: value for part, value in answer.items()}

    async def after(self, event: str, element: str = "") -> dict[str, Any] | None:
        """What the answer to an event changes; None if it changes nothing."""
        changed = await self._ask(event, element)
        for name, value in (changed or {}).items():
            update = value if isinstance(value, dict) and "__type__" in value else {"value": value}
            self.visible[name] = update.get("visible", self.visible.get(name, True))
            if "value" in update:
                self.shown[name] = update["value"]
        return changed

    async def opened(self) -> dict[str, Any]:
        """All that is shown once the tab was selected and is drawn."""
        await self.after("select")
        if self.shown["board-drawn"]:
            await self.after("panels")
        return self.shown


class Asked:
    """The scoreboard that the page asks in this test, as the page is built but once."""

    scoreboard: Scoreboard

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scoreboard, name)


@cache
def built() -> tuple[gr.Blocks, Asked]:
    asked = Asked()
    with gr.Blocks() as demo, gr.Tabs(), gr.Tab("Leaderboard") as tab:
        leaderboard_tab.build(tab, asked, Callers(key))  # type: ignore[arg-type]
    return demo, asked


def on(scoreboard: Scoreboard, do: Callable[[Page], Coroutine[Any, Any, None]]) -> None:
    """Within an event loop, for outside of one Gradio opens another and never closes it."""

    async def run() -> None:
        await do(Page(scoreboard))

    asyncio.run(run())


# Blindness -------------------------------------------------------------------------------------


def test_no_name_is_in_the_page_and_no_event_brings_one_until_the_tab_is_opened() -> None:
    async def do(page: Page) -> None:
        config = json.dumps(page.demo.get_config_file(), default=str)
        assert not [name for name in ("llama", "mistral", "newcomer") if name in config]
        answering = [fn for fn in page.demo.fns.values() if page.parts["leaderboard"] in fn.outputs]
        triggers = {event for fn in answering for _, event in fn.targets}
        assert triggers == {"select", "tick", "panels", "input", "change", "then"}

    on(Scoreboard(CAST), do)


def test_no_event_waits_in_the_queue_or_is_offered_to_the_public() -> None:
    async def do(page: Page) -> None:
        assert not any(fn.queue for fn in page.demo.fns.values())
        assert {fn.api_visibility for fn in page.demo.fns.values() if fn.fn} == {"private"}

    on(Scoreboard(CAST), do)


def test_the_page_asks_for_news_only_while_the_tab_is_looked_at() -> None:
    async def do(page: Page) -> None:
        script = page.parts["board-drawn"].js_on_load
        assert "!document.hidden && document.getElementById" in script
        assert "if (!seen()) return;" in script

    on(Scoreboard(CAST), do)


# Drawing ---------------------------------------------------------------------------------------


def test_the_standings_come_first_and_the_rest_after_them() -> None:
    async def do(page: Page) -> None:
        await page.after("select")
        assert "llama" in page.shown["leaderboard"] and page.visible["board-body"]
        assert "Counting the votes" in page.shown["board-status"]
        assert page.shown["board-speed"] is None and " s</td>" not in page.shown["leaderboard"]
        await page.after("panels")
        assert "Counting the votes" not in page.shown["board-status"]
        assert page.shown["board-speed"] and " s</td>" in page.shown["leaderboard"]

    on(Scoreboard(CAST), do)


def test_every_part_is_drawn() -> None:
    async def do(page: Page) -> None:
        shown = await page.opened()
        says = {
            "board-status": "<b>60 votes</b> · 3 contenders · updates by itself",
            "leaderboard": "newcomer",
            "board-sure": "above <b>phi</b>",
            "board-meetings": "Head to head",
            "board-front": "tokens/s",
            "board-when": "60 votes in",
            "board-aside": "All votes count",
            "board-effects": "Staying on",
            "leaderboard-method": "Bradley–Terry",
            "board-files": "api/arena/export?format=dpo",
        }
        assert [k for k, said in says.items() if said not in shown[k]] == []
        charts = ("leaderboard-chart", "board-speed", "board-lengths", "board-days")
        assert all(shown[chart].data for chart in charts)

    on(Scoreboard(CAST), do)


def test_what_is_drawn_already_is_not_drawn_again() -> None:
    scoreboard = Scoreboard(CAST)

    async def do(page: Page) -> None:
        await page.opened()
        asked = len(scoreboard.asked)
        assert await page.after("select") is None
        assert await page.after("tick") is None
        assert len(scoreboard.asked) == asked

    on(scoreboard, do)


def test_a_vote_that_lands_is_drawn_without_a_word_of_counting() -> None:
    scoreboard = Scoreboard(CAST)

    async def do(page: Page) -> None:
        await page.opened()
        scoreboard.cast, scoreboard.number = boards.votes({"llama": 0.0, "qwen": 1.0}, 7), 2
        await page.after("tick")
        assert page.shown["board-status"].count("7 votes") == 1
        assert "Counting" not in page.shown["board-status"]
        assert "qwen" in page.shown["leaderboard"]

    on(scoreboard, do)


def test_an_update_leaves_the_choice_alone() -> None:
    async def do(page: Page) -> None:
        page.shown["board-topic"] = "code"
        await page.opened()
        await page.after("panels")
        assert page.shown["board-topic"] == "code"

    on(Scoreboard(CAST), do)


def test_the_menus_offer_what_there_is() -> None:
    async def do(page: Page) -> None:
        await page.after("select")
        changed = await page.after("panels")
        assert changed is not None
        assert [v for _, v in changed["board-language"]["choices"]] == ["", "de", "en"]
        assert [v for _, v in changed["board-study"]["choices"]] == [""]
        assert all(
            shown.lstrip("\u2060") in (v, shown) for shown, v in changed["board-topic"]["choices"]
        )

    cast = CAST.assign(language=["de"] + ["en"] * (len(CAST) - 1))
    on(Scoreboard(cast), do)


def test_the_choice_decides_which_votes_are_asked_for() -> None:
    scoreboard = Scoreboard(CAST)

    async def do(page: Page) -> None:
        page.shown |= {"board-topic": "code", "board-ties": "drop"}
        await page.opened()
        assert {query.slice.topic for query in scoreboard.asked} == {"code"}
        assert scoreboard.asked[0].method.ties == "drop"
        count = (CAST["topic"] == "code").sum()
        assert (
            f"<b>{count} votes</b> · 3 contenders · topic “code” · ties left out"
            in (page.shown["board-status"])
        )
        assert "format=csv&amp;topic=code&amp;ties=drop" in page.shown["board-files"]

    on(scoreboard, do)


def test_corrected_ratings_say_what_they_are_corrected_for() -> None:
    async def do(page: Page) -> None:
        page.shown["board-correct"] = ["order"]
        await page.opened()
        assert "corrected for Seat and Staying on" in page.shown["leaderboard-method"]
        assert page.shown["board-effects"].count("corrected for</span>") == 2

    on(Scoreboard(CAST), do)


def test_what_was_kept_of_a_choice_holds_again_but_for_what_cannot_be_chosen() -> None:
    kept = {"topic": "code", "ties": "davidson", "bad": "davidson", "since": 7, "retired": True}

    async def do(page: Page) -> None:
        page.shown["board-drawn"] = {"kept": kept}
        await page.after("select")
        names = ("topic", "ties", "bad", "since", "retired")
        held = {name: page.shown[f"board-{name}"] for name in names}
        assert held == {
            "topic": "code",
            "ties": "davidson",
            "bad": "tie",
            "since": "",
            "retired": True,
        }
        assert "Davidson" in page.shown["leaderboard-method"]

    on(Scoreboard(CAST), do)


def test_clearing_brings_back_all_votes() -> None:
    async def do(page: Page) -> None:
        page.shown |= {
            "board-topic": "code",
            "board-rater": "rater-1",
            "board-correct": ["style"],
            "board-since": "2026-05-02",
            "board-bad": "drop",
            "board-retired": True,
        }
        await page.after("select")
        await page.after("click", "board-clear")
        assert page.shown["board-retired"] is False
        await page.after("then")
        assert "<b>60 votes</b> · 3 contenders · " in page.shown["board-status"]
        assert 'format=csv"' in page.shown["board-files"]

    on(Scoreboard(CAST), do)


# Nothing to show, and faults -------------------------------------------------------------------


def test_without_votes_the_tab_says_what_will_be_there_and_shows_nothing_else() -> None:
    async def do(page: Page) -> None:
        await page.opened()
        assert "No votes yet" in page.shown["board-message"] and page.visible["board-message"]
        assert not page.visible["board-body"]

    on(Scoreboard(pd.DataFrame()), do)


def test_a_choice_without_votes_is_named() -> None:
    async def do(page: Page) -> None:
        page.shown["board-topic"] = "<law>"
        await page.after("select")
        assert "topic “&lt;law&gt;”" in page.shown["board-message"]
        assert "<law>" not in json.dumps(page.shown["board-message"])

    on(Scoreboard(CAST), do)


def test_votes_that_rate_nobody_are_shown_without_charts() -> None:
    async def do(page: Page) -> None:
        page.shown["board-ties"] = "drop"
        await page.opened()
        assert page.visible["board-body"] and not page.visible["leaderboard-chart"]
        assert "Not rated yet" in page.shown["leaderboard"]
        assert "50 %" in page.shown["board-meetings"]
        assert "no two contenders" in page.shown["board-sure"]
        assert "Nobody has a rating" in page.shown["board-unrated"]

    on(Scoreboard(CAST.assign(winner="tie")), do)


def test_votes_held_back_are_told_even_where_there_is_nothing_else() -> None:
    scoreboard = Scoreboard(CAST.head(0))
    scoreboard.held_back = 2

    async def do(page: Page) -> None:
        await page.after("select")
        assert "<b>2 votes</b> of battles still under way are held" in page.shown["board-message"]
        assert "so that nobody learns who is who" in page.shown["board-message"]

    on(scoreboard, do)


def test_a_fault_is_told_in_words_and_mended_at_the_next_look() -> None:
    scoreboard = Scoreboard(CAST)
    scoreboard.fault = LedgerFault("The ledger arena at db.example cannot be used.")

    async def do(page: Page) -> None:
        await page.after("select")
        told = page.shown["board-message"]
        assert "Please try again in a moment" in told and "db.example" not in told
        assert not page.visible["board-body"]
        scoreboard.fault = None
        await page.after("tick")
        assert page.visible["board-body"] and not page.visible["board-message"]

    on(scoreboard, do)


def test_a_fault_beside_the_standings_leaves_them_there() -> None:
    scoreboard = Scoreboard(CAST)

    async def do(page: Page) -> None:
        await page.after("select")
        scoreboard.fault = RuntimeError("secret")
        await page.after("panels")
        assert page.visible["board-body"] and "llama" in page.shown["leaderboard"]
        assert "Some of this page" in page.shown["board-message"]
        assert "secret" not in json.dumps([page.shown["board-message"], page.shown["board-status"]])
        assert page.shown["board-drawn"] is None

    on(scoreboard, do)


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        ({"board-since": "nonsense"}, "nonsense is no time"),
        ({"board-since": "2026-06-02", "board-until": "2026-06-01"}, "end after it begins"),
        ({"board-topic": "x" * 999}, "Choose one from its menu"),
        ({"board-topic": ["x"]}, "Choose one from its menu"),
        ({"board-ties": "<b>"}, "ties cannot be &#39;&lt;b&gt;&#39;"),
    ],
)
def test_a_choice_that_cannot_be_is_answered_in_words(forged: dict[str, Any], said: str) -> None:
    async def do(page: Page) -> None:
        page.shown |= forged
        await page.after("select")
        assert "This choice cannot be shown" in page.shown["board-message"]
        assert said in page.shown["board-message"]

    on(Scoreboard(CAST), do)
