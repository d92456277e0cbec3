"""A rater's way through a study on a phone: from the link to the code at the end."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from arena.adapters.images import cleaned
from arena.adapters.ledger import SqlLedger
from arena.core.study.design import Texts
from arena.play.images import kept_for_good
from tests.running import App, running
from tests.web.axe import findings
from tests.web.test_api_terms import png
from tests.web.test_studies import STUDY, begun

PATIENCE_MS = 30_000
IMAGE = "0" * 64
TERMS = f"https://panel.example/{'terms' * 20}?of=us&at=0"
LED = replace(
    STUDY,
    items=(STUDY.items[0], replace(STUDY.items[1], images=(IMAGE,))),
    raters=1,
    after=replace(STUDY.after, grades=3, marks=("false",)),
    texts=Texts(
        f"Say which is better. Read {TERMS}. And not javascript:alert(1)",
        f"Votes are published.\nSee ({TERMS}).",
        "Thank you!",
    ),
)
HIDDEN = ("beech", "cedar", "good reply", "bad reply")
PAST = """(part) => {
  const text = document.createRange();
  text.selectNodeContents(part);
  return text.getBoundingClientRect().right - innerWidth;
}"""
"""By how much its text is cut."""
NOWHERE = "127.0.0.1:9"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Its host does not answer: what was written ahead needs none."""
    with running(tmp_path_factory.mktemp("led"), ready=False, OLLAMA_HOST=NOWHERE) as app:
        assert app.url
        # In a thread: the browser has the event loop of this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, prepare(f"sqlite:///{app.database}")).result()
        yield app
        assert "Traceback" not in app.printed, app.printed


async def prepare(url: str) -> None:
    ledger = SqlLedger(url)
    await ledger.open()
    await kept_for_good(ledger, {IMAGE: cleaned(b64decode(png()))})
    await begun(ledger, LED)
    await ledger.close()


@pytest.mark.slow
def test_a_rater_is_led_from_the_link_to_the_code(browser: Any, app: App) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    shut_out: list[str] = []
    page.goto(f"{app.url}/?study=trees&PROLIFIC_PID=p7&STUDY_ID=s")
    page.wait_for_selector("#study-go:visible")
    shut_out += findings(page, "instructions and consent")
    assert "Say which is better." in page.inner_text("#study-sheet")
    assert "Votes are published." in page.inner_text("#study-consent")
    for part in ("#study-text", "#study-consent"):
        assert page.eval_on_selector(part, PAST) <= 0, "an address is read to its end"
        (link,) = page.locator(f"{part} a").all()
        assert link.get_attribute("href") == link.inner_text() == TERMS
        assert "noopener" in link.get_attribute("rel")
    assert not page.is_visible("#prompt")
    assert "rater=p7" in page.input_value("#study-link")
    link, go = (page.locator(part).bounding_box() for part in ("#study-link", "#study-go"))
    assert go["y"] - link["y"] - link["height"] >= 8, "two things to touch do not touch"
    page.click("#study-go")

    for number in range(4):
        better = page.wait_for_selector("[id^=better-]:not([disabled]):visible")
        assert not overflows(page)
        shown = page.locator("#asked-images img").all()
        assert [image.is_visible() for image in shown] == [True] * ("Question 1" in asked(page))
        assert page.inner_text("#study-count") == f"{max(0, number - 1)} of 3"
        if number == 0:
            shut_out += findings(page, "practice")
        if number == 1:  # A break, and back by the link on another day.
            page.click("#study-break")
            page.wait_for_selector("#study-sheet:visible")
            shut_out += findings(page, "a break")
            link = page.input_value("#study-link")
            page.goto(link)
            page.click("#study-go")
            better = page.wait_for_selector("[id^=better-]:not([disabled]):visible")
        better.click()
        page.wait_for_selector("#study-after:visible")
        assert not overflows(page)
        assert not [name for name in HIDDEN if name in page.content()]
        if number == 1:
            shut_out += findings(page, "reasons, grades and marks")
            assert "1 is the worst, 3 the best" in page.inner_text("#study-questions")
        page.click("#study-questions [data-name=reasons] >> nth=0")
        page.click("#study-questions [data-name='grade A'][data-value='2']")
        if number == 1:
            page.fill("#study-questions textarea", "Shorter.")
        page.click("#study-next")

    page.wait_for_selector("#study-code:visible")
    assert page.inner_text("#study-code output") == "C0DE"
    assert "Thank you!" in page.inner_text("#study-sheet")
    assert page.get_attribute("#study-back a", "href") == LED.completion.link
    shut_out += findings(page, "the end")
    # Whoever comes when nothing is left is told so, and not that they did 0 of 0.
    page.goto(f"{app.url}/?study=trees&PROLIFIC_PID=p8")
    page.wait_for_selector("#study-sheet:visible")
    assert not page.is_visible("#study-go") and page.inner_text("#study-text")
    assert not page.is_visible("#study-bar") and not page.is_visible("#study-count")
    assert not errors and not shut_out
    context.close()

    votes = app.votes()
    assert Counter(row["excluded_reason"] for row in votes) == {
        "practice": 1,
        "attention": 1,
        "": 2,
    }
    assert {row["rater"] for row in votes} == {"p7"} and {row["channel"] for row in votes} == {
        "web"
    }
    assert all(row["dwell_ms"] >= 700 for row in votes), "nobody judges what just came"


def asked(page: Any) -> str:
    return str(page.text_content("#asked-line"))


def overflows(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"))
