"""What a rater who is led reads, and what becomes of it where the server refuses or is away; in a
real Chromium on the real app, with replies of several blocks that were written ahead."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from arena.adapters.ledger import SqlLedger
from arena.core.study.design import Questions, Study
from arena.core.study.written import Written, elsewhere
from arena.play.studies import open_study
from tests.running import App, running
from tests.web.test_another_battle import said, shows_its_own_replies
from tests.web.test_page import BETTER, PATIENCE_MS
from tests.web.test_studies import NAMES, STUDY

NOWHERE = "127.0.0.1:9"
ITEMS = tuple(replace(item, turns=item.turns[:1]) for item in STUDY.items)
PLAIN = replace(
    STUDY, name="plain", items=ITEMS, raters=20, practice=None, attention=(), after=Questions()
)
ASKED = replace(PLAIN, name="asked", after=STUDY.after)


async def prepare(url: str) -> None:
    ledger = SqlLedger(url)
    await ledger.open()
    for study in (PLAIN, ASKED):
        await ledger.keep(study.name, written(study))
        await open_study(ledger, study, datetime.now(UTC))
    await ledger.close()


def written(study: Study) -> list[Written]:
    replies = enumerate(product(study.items, NAMES))
    return [
        Written(item.id, name, item.asked, (elsewhere(said(number)),))
        for number, (item, name) in replies
    ]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    options = {"OLLAMA_HOST": NOWHERE, "ARENA_OPENS_PER_MINUTE": "0"}
    with running(tmp_path_factory.mktemp("led"), ready=False, **options) as app:
        assert app.url
        # In a thread: the browser has the event loop of this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, prepare(f"sqlite:///{app.database}")).result()
        yield app
        assert "Traceback" not in app.printed, app.printed


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, errors


def begun(page: Any, app: App, study: str, rater: str) -> list[str]:
    """The rater's link is followed and its first battle open; the battles that are followed from
    now on, in order."""
    followed: list[str] = []

    def note(request: Any) -> None:
        if found := re.search(r"battles/([^/]+)/events", request.url):
            followed.append(found[1])

    page.on("request", note)
    page.goto(f"{app.url}/?study={study}&rater={rater}")
    page.click("#study-go")
    page.wait_for_selector(BETTER)
    return followed


@pytest.mark.parametrize("study", ["plain", "asked"])
def test_each_battle_of_a_study_shows_its_own_replies_alone(
    page: Any, app: App, study: str
) -> None:
    followed = begun(page, app, study, "reader")
    for number in range(1, 4):
        page.wait_for_function(
            "n => document.querySelector('#study-count').textContent.startsWith(n)",
            arg=f"{number - 1} of",
        )
        page.wait_for_selector(BETTER)
        assert len(followed) == number
        shows_its_own_replies(page, app, followed[-1])
        page.locator(BETTER).first.click()
        if study == "asked":
            page.wait_for_selector("#study-after:visible")
            shows_its_own_replies(page, app, followed[-1])
            page.click("#study-next")
