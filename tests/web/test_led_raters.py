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
from urllib.parse import urlencode

import pytest

from arena.adapters.ledger import SqlLedger
from arena.core.battle.entities import Contender
from arena.core.study.design import Questions, Study
from arena.core.study.written import Written, elsewhere
from arena.play.studies import open_study
from tests.running import App, running
from tests.web.test_another_battle import said, shows_its_own_replies
from tests.web.test_page import (
    BETTER,
    VOTE_OUT,
    is_told_to_sign_in,
    new_page,
    signed_in,
    signed_out,
)
from tests.web.test_studies import STUDY

NOWHERE = "127.0.0.1:9"
ITEMS = tuple(replace(item, turns=item.turns[:1]) for item in STUDY.items)
PLAIN = replace(
    STUDY, name="plain", items=ITEMS, raters=20, practice=None, attention=(), after=Questions()
)
ASKED = replace(PLAIN, name="asked", after=STUDY.after)
MANY = replace(
    PLAIN,
    name="many",
    contenders=(*PLAIN.contenders, *(Contender(f"oak {n}", f"oak {n}") for n in range(4))),
    format="knockout",
    size=8,
)


async def prepare(url: str) -> None:
    ledger = SqlLedger(url)
    await ledger.open()
    for study in (PLAIN, ASKED, MANY):
        await ledger.keep(study.name, written(study))
        await open_study(ledger, study, datetime.now(UTC))
    await ledger.close()


def written(study: Study) -> list[Written]:
    replies = enumerate(product(study.items, study.contenders))
    return [
        Written(item.id, contender.name, item.asked, (elsewhere(said(number)),))
        for number, (item, contender) in replies
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
    with new_page(browser, locale="en-GB") as page:
        yield page


VOTE = f":is({BETTER}, {VOTE_OUT})"


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
    page.wait_for_selector(VOTE)
    return followed


@pytest.mark.parametrize("study", ["plain", pytest.param("asked", marks=pytest.mark.slow)])
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


@pytest.mark.slow
def test_a_study_of_as_many_contenders_as_there_are_letters_is_judged_to_its_end(
    page: Any, app: App
) -> None:
    followed = begun(page, app, "many", "of eight")
    for number in range(1, 8):
        page.wait_for_selector(f"#round-label:has-text('Round {number}')")
        page.wait_for_selector(VOTE)
        shows_its_own_replies(page, app, followed[0])
        entered = page.locator("#panes > [data-seated=true]:visible .pane-name").all_inner_texts()
        assert entered == [f"Model {letter}" for letter in "ABCDEFGH"[: number + 1]]
        last = "ABCDEFGH"[number]
        assert page.get_attribute(f"#pane-{last.lower()} .reply", "aria-label").endswith(last)
        page.locator(VOTE).first.click()
    page.wait_for_selector("#study-count:has-text('1 of')")
    votes = [row for row in app.votes() if row["battle_id"] == followed[0]]
    assert {row["round"] for row in votes} == set(range(1, 8))


STUDIES = "**/api/arena/studies/**"
AWAY = "The arena does not answer."
REFUSALS = {
    "busy": {"status": 503, "body": '{"detail": "Not now."}'},
    "proxy": {"status": 502, "body": "<h1>Bad gateway</h1>"},
    "broken": {"status": 500, "body": "{}"},
    "other page": {"status": 200, "body": "<h1>Welcome to this network</h1>"},
}


def refused(page: Any, how: str) -> None:
    def answer(route: Any) -> None:
        route.abort() if how == "gone" else route.fulfill(**REFUSALS[how])

    page.route(STUDIES, answer)


def is_away(page: Any) -> None:
    page.wait_for_selector(f"#study-title:text-is('{AWAY}')")
    assert not page.is_visible("#prompt") and not page.is_visible("#study-break")


@pytest.mark.slow
@pytest.mark.parametrize("how", [*REFUSALS, "gone"])
def test_a_rater_who_comes_while_the_arena_is_away_is_led_when_it_is_back(
    page: Any, app: App, how: str
) -> None:
    refused(page, how)
    page.goto(f"{app.url}/?study=plain&rater=early-{how}")
    is_away(page)
    page.unroute(STUDIES)
    page.wait_for_selector("#study-go:visible")
    assert page.text_content("#study-title") == "plain"
    page.click("#study-go")
    page.wait_for_selector(BETTER)


@pytest.mark.slow
def test_a_sign_in_that_has_ended_is_told_as_that(page: Any, app: App) -> None:
    page.goto(app.url)
    page.wait_for_selector("#prompt:visible")
    page.route("**/api/arena/**", lambda route: route.fulfill(status=401, body="{}"))
    page.wait_for_selector("#banner-headline:text-is('You are no longer signed in.')")
    with page.expect_navigation():
        page.click("#banner-sign-in")
    page.goto(f"{app.url}/?study=asked&rater=out")
    page.wait_for_selector("#study-title:text-is('You are no longer signed in.')")
    assert "Load the page again" in page.inner_text("#study-text")
    assert "by itself" not in page.inner_text("#study-text")
    page.unroute("**/api/arena/**")
    page.click("#study-go")
    page.wait_for_selector(BETTER)
    signed_out(page)
    page.locator(BETTER).first.click()
    is_told_to_sign_in(page)
    signed_in(page)
    page.click("#study-go")
    page.locator(BETTER).first.click()
    page.wait_for_selector("#study-after:visible")
    page.fill("#study-questions textarea", "Shorter.")
    signed_out(page)
    page.click("#study-next")
    page.wait_for_selector("#study-unsent:has-text('no longer signed in')")
    signed_in(page)
    page.wait_for_selector("#study-after:visible")
    assert page.input_value("#study-questions textarea") == "Shorter."


@pytest.mark.slow
def test_a_rater_on_the_way_is_led_on_when_the_arena_is_back(page: Any, app: App) -> None:
    followed = begun(page, app, "plain", "midway")
    refused(page, "busy")
    page.locator(BETTER).first.click()
    is_away(page)
    assert "Not now." in page.inner_text("#study-text")
    page.unroute(STUDIES)
    page.wait_for_selector("#study-go:visible")
    assert "Not now." not in page.inner_text("#study-sheet")
    page.click("#study-go")
    page.wait_for_selector(BETTER)
    shows_its_own_replies(page, app, followed[-1])


@pytest.mark.slow
def test_an_agreement_that_is_refused_is_told_and_can_be_given_again(page: Any, app: App) -> None:
    page.goto(f"{app.url}/?study=plain&rater=refused")
    page.wait_for_selector("#study-go:visible")
    page.route(
        "**/consent", lambda route: route.fulfill(status=429, body='{"detail": "Too many."}')
    )
    page.click("#study-go")
    page.wait_for_selector("#study-text:has-text('Too many.')")
    page.unroute("**/consent")
    page.click("#study-go")
    page.wait_for_selector(BETTER)


@pytest.mark.slow
def test_a_rater_takes_part_whatever_the_link_brings_besides(page: Any, app: App) -> None:
    begun(page, app, "plain", f"panel&STUDY_ID=s&token={'t' * 3000}")


@pytest.mark.slow
def test_a_study_that_is_but_a_name_is_played_as_any_battle_after_an_outage_too(
    page: Any, app: App
) -> None:
    refused(page, "busy")
    page.goto(f"{app.url}/?study=label&prompt=Why%3F")
    is_away(page)
    page.unroute(STUDIES)
    page.wait_for_selector("#prompt:visible")
    assert not page.is_visible("#study-sheet")
    assert "label" in page.inner_text("#purpose")
    assert page.input_value("#prompt textarea") == "Why?"


@pytest.mark.slow
def test_a_link_whose_rater_can_be_none_says_so_and_leads_nobody_elsewhere(
    page: Any, app: App
) -> None:
    for name in ("a/b", "..", "tab\there", "hid\u200bden"):
        page.goto("about:blank")  # Another address, not another page, would be told by an event.
        page.goto(f"{app.url}/?{urlencode({'study': 'plain', 'rater': name})}")
        page.wait_for_selector("#study-title:text-is('This link cannot be used')")
        assert "1 to 64" in page.inner_text("#study-text")
        assert not page.is_visible("#prompt") and not page.is_visible("#study-go")
    page.goto(f"{app.url}/?study=plain")
    page.click("#study-go")
    page.wait_for_selector(BETTER)


@pytest.mark.slow
def test_what_was_said_of_a_battle_is_kept_until_the_server_has_it(page: Any, app: App) -> None:
    """However often it is refused, and by whom."""
    begun(page, app, "asked", "says")
    page.locator(BETTER).first.click()
    page.wait_for_selector("#study-after:visible")
    page.click("#study-questions [data-name=reasons] >> nth=0")
    page.click("#study-questions [data-name='grade A'][data-value='2']")
    page.fill("#study-questions textarea", "Shorter.")
    for how in (*REFUSALS, "gone"):
        refused(page, how)
        page.evaluate("document.querySelector('#study-unsent').replaceChildren()")
        with page.expect_request("**/remarks"):
            page.click("#study-next")
        page.wait_for_selector("#study-unsent:visible")
        assert "not been kept" in page.inner_text("#study-unsent"), how
        assert page.locator("#study-questions [aria-pressed=true]").count() == 2, how
        assert page.input_value("#study-questions textarea") == "Shorter.", how
        page.unroute(STUDIES)
    with page.expect_response("**/remarks") as answer:
        page.click("#study-next")
    assert answer.value.ok
    assert answer.value.request.post_data_json["comment"] == "Shorter."
    page.wait_for_selector(BETTER)
    page.locator(BETTER).first.click()
    page.wait_for_selector("#study-after:visible")
    assert not page.is_visible("#study-unsent")


@pytest.mark.slow
def test_what_was_said_of_a_battle_is_sent_once_however_often_it_is_pressed(
    page: Any, app: App
) -> None:
    followed = begun(page, app, "asked", "presses")
    page.locator(BETTER).first.click()
    page.wait_for_selector("#study-after:visible")
    page.click("#study-questions [data-name=reasons] >> nth=0")
    held: list[Any] = []
    page.route("**/remarks", lambda route: held.append(route))  # noqa: PLW0108
    page.click("#study-next")
    page.evaluate("document.querySelector('#study-after').requestSubmit()")
    page.wait_for_function("document.querySelector('#study-next').disabled")
    for remark in held:
        remark.continue_()
    page.wait_for_selector(BETTER)
    assert len(held) == 1 and len(followed) == 2


@pytest.mark.slow
def test_what_is_asked_of_a_battle_is_asked_until_it_was_answered(page: Any, app: App) -> None:
    """Through a break and reloads, which leave what was typed and chosen, and the last battle of
    all; whoever says nothing is not asked again."""
    followed = begun(page, app, "asked", "breaks")
    sent: list[dict[str, Any]] = []

    def note(request: Any) -> None:
        if request.url.endswith("/remarks"):
            sent.append(request.post_data_json)

    page.on("request", note)
    comment = "#study-questions textarea"
    for number in range(4):
        page.locator(BETTER).first.click()
        page.wait_for_selector("#study-after:visible")
        if number in (0, 3):
            page.fill(comment, "Half a word")
            page.click("#study-questions [data-name=reasons] >> nth=0")
            page.click("#study-questions [data-name='grade A'][data-value='2']")
            page.click("#study-break")
            page.wait_for_selector("#study-after", state="hidden")
            page.click("#study-go")
            page.wait_for_selector("#study-after:visible")
            assert page.input_value(comment) == "Half a word"
            for _ in "12":
                page.reload()
                page.wait_for_selector("#study-after:visible")
                shows_its_own_replies(page, app, followed[-1])
                assert page.input_value(comment) == "Half a word"
                assert page.locator("#study-questions [aria-pressed=true]").count() == 2
            page.fill(comment, "A whole one.")
        page.click("#study-next")
        page.wait_for_selector("#study-after", state="hidden")
        page.wait_for_selector(f"{BETTER}, #study-code:visible")
        if number == 1:
            page.reload()
            page.click("#study-go")
            page.wait_for_selector(BETTER)
    assert [remark["comment"] for remark in sent] == ["A whole one.", "", "", "A whole one."]
    assert [remark["grades"] for remark in sent] == [{"A": 2}, {}, {}, {"A": 2}]
    assert [remark["battle"] for remark in sent] == [*dict.fromkeys(followed)]
