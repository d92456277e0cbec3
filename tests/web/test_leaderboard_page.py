"""The Leaderboard tab in a real browser: it fits every width, updates by itself, and keeps what
the reader chose."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pandas as pd
import pytest
import uvicorn
from fastapi import FastAPI

from arena.play.admission import RefereeRules
from arena.server.serving import listen, url_of
from arena.web import leaderboard_tab, ui
from arena.web.api import standings
from arena.web.callers import Callers
from tests.web import boards
from tests.web.calling import key

pytestmark = pytest.mark.slow

PATIENCE_MS = 60_000
SIZES = {3: 12, 30: 2000}
"""Contenders → battles."""
LONG = "an-exceedingly-long-name-of-a-contender/" + "x" * 60
DRAWN = "#board-days .js-plotly-plot"
UNDER_ARROWS = """() => [...document.querySelectorAll("#board .wrap-inner input")].filter((menu) => {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = getComputedStyle(menu).font;
  const end = menu.getBoundingClientRect().left + pen.measureText(menu.value).width;
  const arrow = menu.closest(".wrap").querySelector("svg");
  return menu.checkVisibility() && end > arrow.getBoundingClientRect().left;
}).map((menu) => menu.value)"""
"""Menus whose choice runs below their arrow."""

TOO_WIDE = """[...document.querySelectorAll("#board *")].filter((part) =>
  part.getBoundingClientRect().right > innerWidth + 1 && !part.closest(".board-scroll, .board-plot")
).map((part) => part.outerHTML.slice(0, 120))"""


@cache
def cast(contenders: int) -> Any:
    names = [f"contender-{n}:8b" for n in range(contenders - 2)] + [LONG, "<b>bold</b>"]
    return boards.votes({name: n / 10 for n, name in enumerate(names)}, SIZES[contenders])


@pytest.fixture(scope="module")
def site() -> Iterator[SimpleNamespace]:
    """A page with a Leaderboard tab in a thread of its own; its `scoreboard` is the test's to move."""
    scoreboard = boards.Scoreboard(cast(3))
    sock = listen("127.0.0.1", 0)
    servers: list[uvicorn.Server] = []
    ready = threading.Event()

    async def serve() -> None:
        app = FastAPI()
        referee: Any = SimpleNamespace(scoreboard=scoreboard, key=key, rules=RefereeRules())
        app.include_router(standings.routes(referee), prefix="/api/arena")
        with gr.Blocks(analytics_enabled=False) as page, gr.Tabs():
            with gr.Tab("Arena"):
                gr.Markdown("A battle")
            with gr.Tab("Leaderboard") as tab:
                leaderboard_tab.build(tab, scoreboard, Callers(key))  # type: ignore[arg-type]
        servers.append(
            uvicorn.Server(uvicorn.Config(ui.mount(app, page), log_level="warning", ws="none"))
        )
        ready.set()
        await servers[0].serve(sockets=[sock])

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    yield SimpleNamespace(url=url_of(sock), scoreboard=scoreboard)
    servers[0].should_exit = True
    thread.join(30)
    sock.close()


def opened(
    browser: Any, site: SimpleNamespace, width: int = 1440, theme: str = "light", **options: Any
) -> Any:
    page = browser.new_context(viewport={"width": width, "height": 800}, **options).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.clock.install()
    page.goto(f"{site.url}/?__theme={theme}")
    page.get_by_role("tab", name="Leaderboard").click()
    page.wait_for_selector(DRAWN)
    return page


def shows(page: Any, text: str) -> None:
    page.wait_for_function(
        "text => document.querySelector('#board-status').innerText.includes(text)", arg=text
    )


def lands(site: SimpleNamespace, page: Any) -> None:
    """One vote more, and the page has drawn it."""
    cast = site.scoreboard.cast
    site.scoreboard.cast = pd.concat([cast, cast.tail(1)], ignore_index=True)
    site.scoreboard.number += 1
    shows(page, f"{len(site.scoreboard.cast):,} votes")


@pytest.mark.parametrize(("theme", "contenders"), [("light", 30), ("dark", 3)])
def test_only_boxes_scroll_sideways_and_nothing_comes_from_outside(
    browser: Any, site: SimpleNamespace, theme: str, contenders: int
) -> None:
    site.scoreboard.cast = cast(contenders)
    page = opened(browser, site, 360, theme)
    page.get_by_role("button", name="Which votes").click()
    page.wait_for_selector("#board-topic input")
    for width in (360, 447, 768, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function("width => innerWidth == width", arg=width)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert page.evaluate(TOO_WIDE) == []
        assert page.evaluate(UNDER_ARROWS) == []
    assert page.locator(".js-plotly-plot").count() == 4
    assert page.locator(".board-heat tbody tr").count() == contenders
    assert page.locator("#board b b").count() == 0, "a name is never markup"
    assert not [url for url in page.asked if not url.startswith((site.url, "data:", "blob:"))]
    page.context.close()


def test_what_was_chosen_outlasts_a_connection_that_is_lost(
    browser: Any, site: SimpleNamespace
) -> None:
    """Gradio loads the page again once the server answers."""
    site.scoreboard.cast = cast(3)
    page = opened(browser, site)
    page.get_by_role("button", name="Which votes").click()
    page.get_by_label("Ties left out").check()
    shows(page, "ties left out")
    page.route("**/gradio_api/run/**", lambda route: route.abort())
    page.route("**/gradio_api/queue/**", lambda route: route.abort())
    # Loading may be begun again before it has come to its end.
    with page.expect_event("load"):
        page.get_by_label("Style: length").check()
        page.clock.run_for(10_000)
    page.unroute_all()
    page.get_by_role("tab", name="Leaderboard").click()
    shows(page, "ties left out")
    shows(page, "corrected")
    page.get_by_role("button", name="Which votes").click()
    assert page.get_by_label("Ties left out").is_checked()
    page.locator("#board-clear").click()
    page.wait_for_function(
        "!document.querySelector('#board-status').innerText.includes('ties left out')"
    )
    page.reload()
    page.get_by_role("tab", name="Leaderboard").click()
    page.wait_for_selector(DRAWN)
    assert "ties left out" not in page.locator("#board-status").inner_text()
    page.context.close()


def test_a_vote_shows_by_itself_and_choice_scroll_and_sorting_stay(
    browser: Any, site: SimpleNamespace
) -> None:
    site.scoreboard.cast = cast(30)
    page = opened(browser, site)
    page.get_by_role("button", name="Which votes").click()
    page.get_by_label("Ties left out").check()
    shows(page, "ties left out")
    page.wait_for_selector("#leaderboard th[data-key=rank][aria-sort=ascending]")
    page.locator("#leaderboard thead").get_by_text("Lost").click()
    page.wait_for_selector("#leaderboard th[data-key=losses][aria-sort=descending]")
    heat = "document.querySelector('.board-heat')"
    page.evaluate(f"{heat}.scrollIntoView(); {heat}.scrollLeft = 40")
    place = page.evaluate(f"[scrollY, {heat}.scrollLeft]")
    lands(site, page)
    shows(page, "ties left out")
    page.wait_for_selector("#leaderboard th[data-key=losses][aria-sort=descending]")
    page.wait_for_function(
        """() => {
            const rows = [...document.querySelectorAll("#leaderboard tbody:first-of-type tr")];
            const lost = rows.map((row) => Number(row.cells[9].innerText));
            return lost.length > 5 && lost.every((n, at) => !at || n <= lost[at - 1]);
        }"""
    )
    assert page.evaluate(f"[scrollY, {heat}.scrollLeft]") == place
    assert page.get_by_label("Ties left out").is_checked()
    page.context.close()


def test_menus_that_are_left_by_the_keyboard_close_and_nothing_is_asked_beside_another_tab(
    browser: Any, site: SimpleNamespace
) -> None:
    site.scoreboard.cast = cast(3)
    page = opened(browser, site)
    page.get_by_role("button", name="Which votes").click()
    page.locator("#board-topic input").focus()
    page.wait_for_selector("#board-topic [role=listbox]")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.clock.run_for(1000)
    page.wait_for_function("document.querySelectorAll('#board-choice [role=listbox]').length <= 1")
    assert page.locator(".board-plot[role=img][aria-label^='Chart: ']").count() == 4
    with page.expect_request("**/leaderboard/version"):
        pass
    page.get_by_role("tab", name="Arena").click()
    page.asked.clear()
    page.clock.run_for(60_000)
    assert page.asked == []
    page.context.close()


def test_the_keyboard_alone_sorts_and_scrolls(browser: Any, site: SimpleNamespace) -> None:
    site.scoreboard.cast = cast(30)
    page = opened(browser, site, 800)
    page.locator("#leaderboard .board-scroll").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('#leaderboard .board-scroll').scrollLeft > 0")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#leaderboard th[data-key=contender][aria-sort=ascending]")
    assert page.evaluate("document.activeElement.innerText") == "Contender"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.context.close()


def test_a_filter_may_be_called_what_gradio_calls_its_own(
    browser: Any, site: SimpleNamespace
) -> None:
    site.scoreboard.cast = cast(3)
    page = opened(browser, site)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.get_by_role("button", name="Which votes").click()
    page.locator("#board-topic input").click()
    page.get_by_role("option", name="code").click()
    shows(page, "topic “code”")
    assert complaints == []
    page.context.close()


SEEN = "[...document.querySelectorAll('.board-table tbody tr:not(.board-group)')].filter((r) => r.offsetParent).map((r) => r.cells[1].dataset.by)"


def test_on_a_phone_names_are_searched_cards_open_the_retired_wait_and_all_columns_are_there(
    browser: Any, site: SimpleNamespace
) -> None:
    site.scoreboard.cast = cast(3)
    site.scoreboard.retired = frozenset()
    page = opened(browser, site, 360)
    names = page.evaluate(SEEN)
    box, table = "document.querySelector('.board-scroll')", "document.querySelector('.board-table')"
    assert page.evaluate(f"{table}.scrollWidth <= {box}.clientWidth"), "it fits a phone"
    page.fill("#board-find", names[1].upper())
    assert page.evaluate(SEEN) == [names[1]]
    page.fill("#board-find", "nobody is called that")
    assert page.evaluate(SEEN) == [] and page.locator(".board-none").is_visible()
    page.fill("#board-find", "")
    page.locator(".board-table tbody button").first.focus()
    page.keyboard.press("Enter")
    card = page.inner_text(".board-model")
    assert names[0] in card and "Win rate" in card, "also what has no room in the table"
    page.keyboard.press("Escape")
    page.wait_for_selector(".board-model", state="hidden")
    site.scoreboard.retired = frozenset({names[0]})
    lands_quietly(site, page)
    page.wait_for_function(f"!({SEEN}).includes({names[0]!r})")
    page.locator("#board-retired input").check()
    page.wait_for_function(f"({SEEN}).includes({names[0]!r})")
    site.scoreboard.retired = frozenset()
    page.get_by_role("button", name="For reviewers").click()
    page.wait_for_selector("#board-scrutiny table")
    cells = "#board-scrutiny tr:nth-child(1) > *"
    widths = page.eval_on_selector_all(cells, "all => all.map((cell) => cell.offsetWidth)")
    assert len(widths) == 3 * 2 * 5 and min(widths) > 0
    assert page.evaluate(TOO_WIDE) == []
    page.context.close()


def lands_quietly(site: SimpleNamespace, page: Any) -> None:
    """There is news, and the page has asked for it."""
    site.scoreboard.number += 1
    page.clock.run_for(5000)


ENDS = """(text) => [0, text.getNumberOfChars() - 1].map((at) => text.getExtentOfChar(at).x)"""
"""Where the first and the last letter of a title of a chart are."""


def test_in_arabic_who_is_named_first_is_read_first_and_nothing_lies_on_the_charts_numbers(
    browser: Any, site: SimpleNamespace
) -> None:
    site.scoreboard.cast = boards.votes({"phi3:mini": 1.0, "mistral:7b": 0.0}, 60)
    page = opened(browser, site, locale="ar")
    page.locator("#board-reviewers > button").click()
    page.wait_for_selector("#board-scrutiny table")
    for pair in ("#board-sure li >> b", "#board-scrutiny tr >> nth=1 >> bdi"):
        named = page.locator(pair)
        assert named.all_inner_texts() == ["phi3:mini", "mistral:7b"]
        first, second = (named.nth(at).bounding_box()["x"] for at in (0, 1))
        assert first > second, pair
    right = "(one) => one.getBoundingClientRect().right"
    line = page.locator("#board-front li span").first
    assert line.evaluate(right) - line.locator("b").evaluate(right) < 1
    title = page.locator("#leaderboard-chart .xtitle")
    assert title.text_content().endswith("٪")
    first, last = title.evaluate(ENDS)
    assert first > last
    for chart in ("#board-speed", "#board-days"):
        numbers = page.locator(f"{chart} .ytick text")
        left = min(one.bounding_box()["x"] for one in numbers.all())
        title = page.locator(f"{chart} .ytitle").bounding_box()
        assert title["x"] + title["width"] <= left, chart
        assert left >= page.locator(chart).bounding_box()["x"], chart
    page.context.close()
