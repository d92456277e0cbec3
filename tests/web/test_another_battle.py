"""From one battle to another on one page: nothing of the one before stays, in a real Chromium on
the real app. What a pane shows is held against the replies that the API tells of its battle."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Any

import pytest

from arena.core.battle.rules import MAX_TURNS
from tests.fake_ollama import FakeModel, FakeOllama
from tests.playing import MODELS
from tests.running import App, running, wait_until
from tests.web.test_links import battle, played
from tests.web.test_page import BETTER, OPEN, VOTE_OUT, ask, enter, new_page, vote

pytestmark = pytest.mark.slow

FOLLOW_UP = "#follow-up textarea, #follow-up input"
DECIDED = ".unmasked h2"
MOVES = "**/run/predict*"
"""Whatever the page asks, which says its own address too."""
UUID = "11111111-1111-4111-8111-111111111111"


def said(number: int) -> str:
    """A reply of several blocks, each with its own word, which no other reply has."""
    blocks = [f"Paragraph r{number}p{p}. {'It goes on. ' * (9 + 3 * number % 7)}" for p in range(4)]
    blocks.insert(1, f"```python\nr{number}code = 1\nprint(r{number}printed)\n```")
    blocks.insert(3, f"| Name | Size |\n|---|---|\n| r{number}cell | 2 |")
    blocks.insert(4, f"- r{number}item\n- r{number}other")
    return "\n\n".join([*blocks[number % 3 :], f"So ends r{number}end."])


def words(text: str) -> list[str]:
    return re.findall(r"r\d+(?:p\d|code|printed|cell|item|other|end)", text)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    numbers = count()
    models = [FakeModel(name, text=lambda *_: said(next(numbers))) for name in MODELS]
    with FakeOllama.in_thread(models, speed=5, warm=True) as host:
        options = {"ARENA_OPENS_PER_MINUTE": "0", "ARENA_MAX_TOKENS": "2000", "ARENA_GRACE": "600"}
        with running(tmp_path_factory.mktemp("other"), OLLAMA_HOST=host.url, **options) as app:
            yield app
            assert "Traceback" not in app.printed, app.printed


@pytest.fixture
def page(browser: Any, app: App) -> Iterator[Any]:
    with new_page(browser, locale="en-GB") as page:
        enter(page, app)
        yield page


def shown(page: Any, seat: str) -> list[str]:
    return words(page.text_content(f"#pane-{seat.lower()} .reply"))


def shows_its_own_replies(page: Any, app: App, id: str = "") -> None:
    """Those of this battle, or of the one in its address, once each has come to its end."""
    replies = app.get(f"api/arena/battles/{id or battle(page)}")["replies"]
    for seat, texts in replies.items():
        told = [word for text in texts for word in words(text)]
        reply = f"#pane-{seat.lower()} .reply"
        page.wait_for_selector(f"{reply}:has-text('{told[-1]}')", state="attached")
        assert shown(page, seat) == told, seat


def again(page: Any) -> str:
    """The same prompt in another battle, which is open for votes; its id."""
    before = battle(page)
    page.click("#same-prompt")
    page.wait_for_function(f"!location.search.includes('{before}')")
    page.wait_for_selector(VOTE_OUT)
    return battle(page)


def test_back_and_forward_show_each_battle_with_its_own_replies(page: Any, app: App) -> None:
    first = played(page, "What is to be read?")
    shows_its_own_replies(page, app)
    again(page)
    shows_its_own_replies(page, app)
    page.go_back()
    page.wait_for_selector(DECIDED)
    assert battle(page) == first
    shows_its_own_replies(page, app)
    page.go_forward()
    page.wait_for_selector(VOTE_OUT)
    shows_its_own_replies(page, app)


def test_a_battle_that_is_left_while_it_is_written_leaves_nothing(page: Any, app: App) -> None:
    played(page, "What is first?")
    page.click("#same-prompt")
    page.wait_for_selector("#pane-a .chip[data-state=writing]")
    page.wait_for_selector("#pane-a .answer p")
    for _ in range(3):
        page.go_back()
        page.go_forward()
    page.go_back()
    page.wait_for_selector(DECIDED)
    shows_its_own_replies(page, app)
    page.go_forward()
    page.wait_for_selector(VOTE_OUT)
    shows_its_own_replies(page, app)


def test_a_battle_that_only_this_browser_has_comes_alone(page: Any, app: App) -> None:
    first = played(page, "What is kept?")
    again(page)
    gone = f"{app.url}/api/arena/battles/{first}"
    page.route(f"{gone}**", lambda route: route.fulfill(status=404, body="{}"))
    page.go_back()
    page.wait_for_selector("html[data-kept=true] #panes strong")
    shows_its_own_replies(page, app)
    page.go_forward()
    page.wait_for_selector(VOTE_OUT)
    shows_its_own_replies(page, app)


def test_a_battle_of_ones_own_list_comes_alone(page: Any, app: App) -> None:
    first = played(page, "What is listed?")
    again(page)
    page.click("#new-battle")
    page.wait_for_selector(f"#send{OPEN}")
    page.click(f"#mine-list a[href*='{first}']")
    page.wait_for_selector(DECIDED)
    shows_its_own_replies(page, app)


def to(page: Any, id: str) -> None:
    """To the battle's address, as Back and Forward come to it."""
    page.evaluate(
        """id => {
          history.pushState(null, "", `?battle=${id}`);
          dispatchEvent(new PopStateEvent("popstate"));
        }""",
        id,
    )


def test_what_is_seen_of_a_battle_goes_before_the_next_has_come(page: Any, app: App) -> None:
    first = played(page, "What was asked before?")
    again(page)
    page.click("#pane-a .pane-toggle")
    vote(page, VOTE_OUT, 1)
    page.wait_for_selector(f"#undo{OPEN}")
    page.wait_for_function("document.querySelector('#told').textContent")
    held: list[Any] = []
    page.route(f"{app.url}/api/arena/battles/{first}/events", lambda route: held.append(route))  # noqa: PLW0108
    to(page, first)
    for told in ("told", "status", "round-label", "asked-line", "asked-text", "seats"):
        assert not page.text_content(f"#{told}"), told
    assert not page.locator("#panes > [data-seated=true]").count()
    assert not page.locator(f":is(#verdicts, #next) button:not(#new-battle){OPEN}").count()
    while not held:
        page.wait_for_timeout(10)
    held[0].continue_()
    page.wait_for_selector(DECIDED)
    assert page.get_attribute("#pane-a", "data-open") == "false"
    shows_its_own_replies(page, app)


def test_what_is_not_read_to_its_end_is_told_of_each_battle(page: Any, app: App) -> None:
    """Also where the replies are of one length, the second unread as the first was read."""
    ask(page, "Is it read?")
    page.wait_for_selector(VOTE_OUT)
    first = battle(page)
    page.eval_on_selector_all("#panes .reply", "all => all.forEach((e) => e.scrollTo(0, 1e6))")
    page.wait_for_function("!document.querySelector('#panes [data-unread=true]')")
    same = re.compile(rf".*/api/arena/battles/{UUID}/events")
    page.route(
        same, lambda route: route.continue_(url=f"{app.url}/api/arena/battles/{first}/events")
    )
    to(page, UUID)
    page.wait_for_selector(VOTE_OUT)
    page.wait_for_selector("#panes > [data-unread=true]")


def test_what_is_typed_for_a_battle_is_sent_in_no_other(page: Any, app: App) -> None:
    ask(page, "Which one is not asked on?")
    page.wait_for_selector(VOTE_OUT)
    other = battle(page)
    page.go_back()
    page.wait_for_selector(f"#send{OPEN}")
    ask(page, "Which one is?")
    page.wait_for_selector(VOTE_OUT)
    page.fill(FOLLOW_UP, "Of this one only.")
    held: list[Any] = []
    page.route(MOVES, lambda route: held.append(route))  # noqa: PLW0108
    page.locator(VOTE_OUT).first.click()
    page.press(FOLLOW_UP, "Enter")  # It waits for its button.
    to(page, other)
    page.wait_for_selector("#panes > [data-seated=true]")
    assert page.input_value(FOLLOW_UP) == ""
    for move in held:
        move.continue_()
    page.unroute(MOVES)
    page.wait_for_selector(VOTE_OUT)
    assert app.get(f"api/arena/battles/{other}")["prompts"] == ["Which one is not asked on?"]


def test_the_link_of_a_battle_is_made_for_no_other(page: Any, app: App) -> None:
    first = played(page, "Which one is shared?")
    second = again(page)
    vote(page, VOTE_OUT)
    page.wait_for_selector(BETTER)
    vote(page, BETTER)
    page.wait_for_selector(DECIDED)
    held: list[Any] = []
    page.route(MOVES, lambda route: held.append(route))  # noqa: PLW0108
    page.click("#share")
    page.click("#share-make")
    to(page, first)
    page.wait_for_selector("#share-box", state="hidden")
    for move in held:
        move.continue_()
    page.unroute(MOVES)
    page.wait_for_selector(DECIDED)
    page.click("#share")
    assert not page.is_visible("#share-link") and page.is_visible("#share-make")
    page.click("#share-close")
    to(page, second)
    page.wait_for_selector(DECIDED)
    page.click("#share")
    link = app.get(f"api/arena/battles/{second}/link")["link"]
    assert page.input_value("#share-link") == f"{app.url}/b/{link}"


HASTY = """() => {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (then, ms, ...more) => setTimeout(then, Math.min(ms, 1000), ...more);
}"""
"""What is waited for is given up, and asked anew, after a second."""


def test_names_that_come_late_are_shown_beneath_no_other_battle(page: Any, app: App) -> None:
    first = played(page, "Who was first?")
    costs = page.text_content("#reveal .cost")
    again(page)
    vote(page, VOTE_OUT)
    page.wait_for_selector(BETTER)
    held: list[Any] = []

    def hold(route: Any) -> None:
        asks = "judgement" not in route.request.post_data and not held
        held.append(route) if asks else route.continue_()

    page.route(MOVES, hold)
    page.evaluate(HASTY)
    vote(page, BETTER)
    while not held:
        page.wait_for_timeout(10)
    page.wait_for_selector(DECIDED)
    assert page.text_content("#reveal .cost") != costs
    to(page, first)
    page.wait_for_function(
        "costs => document.querySelector('#reveal .cost')?.textContent === costs", arg=costs
    )
    page.wait_for_selector(DECIDED)
    with page.expect_response(MOVES):
        held[0].continue_()
    with page.expect_response(MOVES):
        pass
    page.wait_for_selector(DECIDED)
    page.wait_for_function(
        "costs => document.querySelector('#reveal .cost')?.textContent === costs", arg=costs
    )


def test_a_late_answer_opens_its_battle_unless_another_was_opened(page: Any, app: App) -> None:
    page.evaluate(HASTY)
    held: dict[str, Any] = {}

    def hold(route: Any) -> None:
        prompt = route.request.post_data_json["data"][0].get("prompt")
        if prompt in (None, *held):
            route.continue_()
        else:
            held[prompt] = route

    page.route(MOVES, hold)
    ask(page, "Is it late?")
    page.wait_for_selector("#status[data-kind=error]")
    held["Is it late?"].continue_()
    page.wait_for_selector(VOTE_OUT)
    page.click("#new-battle")
    page.wait_for_selector(f"#send{OPEN}")
    ask(page, "Is it sent twice?")
    page.wait_for_selector("#status[data-kind=error]")
    page.click("#send")
    page.wait_for_selector(VOTE_OUT)
    second = battle(page)
    with page.expect_response(MOVES):
        held["Is it sent twice?"].continue_()
    shows_its_own_replies(page, app)
    assert battle(page) == second


def test_names_that_could_not_be_told_are_asked_for_again_but_not_at_once(page: Any) -> None:
    asked: list[float] = []

    def refuse(route: Any) -> None:
        if "judgement" in route.request.post_data:
            route.continue_()
            return
        asked.append(time.monotonic())
        answer = route.fetch()
        body = answer.json()
        if len(asked) < 3:
            body["data"] = [{"error": "Not now.", "re": body["data"][0]["re"]}, ""]
        route.fulfill(response=answer, json=body)

    ask(page, "Who is who?")
    vote(page, VOTE_OUT)
    page.wait_for_selector(BETTER)
    page.route(MOVES, refuse)
    vote(page, BETTER)
    page.wait_for_selector(DECIDED)
    assert len(asked) == 3
    assert min(later - sooner for sooner, later in pairwise(asked)) > 1.9


HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""A browser without a window shows every tab."""


def test_a_tab_that_is_not_looked_at_takes_no_connection_from_others(page: Any, app: App) -> None:
    """But where somebody is still to come, who would stop writing when nobody follows."""
    other = page.context.new_page()
    for format in ("elimination", "knockout"):
        ask(page, f"Who looks at the {format}?", format)
        page.wait_for_selector(VOTE_OUT)
        if format == "elimination":
            with page.expect_event("requestfailed", lambda request: "/events" in request.url):
                page.evaluate(HIDE, True)
        else:
            page.evaluate(HIDE, True)
        other.goto(f"{app.url}/?battle={battle(page)}")
        vote(other, VOTE_OUT)
        other.wait_for_selector(BETTER)
        if format == "knockout":
            page.wait_for_selector("html[data-round='2']")
        assert page.get_attribute("html", "data-round") == ("2" if format == "knockout" else "1")
        page.evaluate(HIDE, False)
        page.wait_for_selector(BETTER)
        vote(page, BETTER)
        page.wait_for_selector(DECIDED)
        shows_its_own_replies(page, app)
        page.click("#new-battle")


SILENT = """() => {
  const { setTimeout } = globalThis;
  globalThis.sources = [];
  globalThis.silences = [];
  globalThis.EventSource = class extends EventSource {
    constructor(url) { super(url); sources.push(this); }
    addEventListener(name, then) { super.addEventListener(name, (event) => this.deaf || then(event)); }
  };
  globalThis.setTimeout = (then, ms, ...more) => {
    if (ms === 16_000) silences.push(then);
    return ms === 16_000 ? 0 : setTimeout(then, Math.min(ms, globalThis.most ?? ms), ...more);
  };
}"""
"""What waits for the end of a silence is kept, and streams can be cut so that nobody is told."""
DEAF = "sources.at(-1).deaf = true"


def test_a_connection_that_dies_without_a_word_is_noticed(page: Any, app: App) -> None:
    page.evaluate(SILENT)
    ask(page, "Who is still there?")
    page.wait_for_selector(VOTE_OUT)
    page.wait_for_function("was => silences.length > was", arg=page.evaluate("silences.length"))
    page.evaluate(DEAF)
    votes = len(app.votes())
    vote(page, VOTE_OUT)
    wait_until(lambda: len(app.votes()) > votes, "the vote is counted")
    page.evaluate("silences.at(-1)()")
    page.wait_for_selector(BETTER)
    page.evaluate(DEAF)
    vote(page, BETTER)
    wait_until(lambda: len(app.votes()) > votes + 2, "the vote is counted")
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_selector(DECIDED)
    followed = page.evaluate("sources.length")
    page.evaluate("silences.at(-1)()")
    assert page.evaluate("sources.length") == followed, "nothing more is to come"


def test_a_vote_whose_answer_was_lost_is_not_asked_for_again(page: Any, app: App) -> None:
    page.evaluate(SILENT)
    page.evaluate("globalThis.most = 3000")
    ask(page, "Was it heard?")
    page.wait_for_selector(VOTE_OUT)
    page.route(MOVES, lambda route: route.fetch() and None)
    vote(page, VOTE_OUT)
    page.wait_for_selector(BETTER)
    assert not page.get_attribute("#status", "data-kind")


def test_a_follow_up_whose_answer_was_lost_is_not_asked_again(page: Any, app: App) -> None:
    ask(page, "Was it heard?")
    page.wait_for_selector(f"#send-follow-up{OPEN}")
    page.route(MOVES, lambda route: route.fetch() and None)
    page.fill(FOLLOW_UP, "And this? ")
    page.press(FOLLOW_UP, "Enter")
    page.wait_for_selector("#pane-a .asked-again")
    page.wait_for_function(f"!document.querySelector('{FOLLOW_UP}').value")


def test_who_was_dropped_by_lot_and_that_nothing_more_can_be_asked_is_told(
    page: Any, app: App
) -> None:
    ask(page, "Number 1?")
    for number in range(2, MAX_TURNS + 1):
        page.wait_for_selector(f"#send-follow-up{OPEN}")
        page.fill(FOLLOW_UP, f"Number {number}?")
        page.press(FOLLOW_UP, "Enter")
        page.wait_for_selector(f"#pane-a .asked-again >> text='Number {number}?'")
    page.wait_for_selector(VOTE_OUT)
    assert "No further prompt" in page.inner_text("#status")
    page.click(f"#equal{OPEN}")
    page.wait_for_selector(BETTER)
    assert page.locator("#panes .chip:has-text('dropped by lot')").count() == 1
    assert page.locator("#seats [aria-label*='dropped by lot']").count() == 1
    assert "dropped by lot" in page.text_content("#told")


def told_so_far(url: str) -> str:
    """The events of a battle until it is open for votes."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    told = ""
    with opener.open(url, timeout=10) as stream:
        while '"phase":"voting"' not in told or not told.endswith("\n\n"):
            told += stream.readline().decode()
    return told


def test_what_is_read_stays_through_a_lost_connection(page: Any, app: App) -> None:
    ask(page, "What stays?")
    page.wait_for_selector(VOTE_OUT)
    id = battle(page)
    events = f"{app.url}/api/arena/battles/{id}/events"
    body = told_so_far(events)
    answers = [{"body": body, "content_type": "text/event-stream"}, {"status": 503}]

    def answer(route: Any) -> None:
        route.fulfill(**answers.pop(0)) if answers else route.continue_()

    page.route(events, answer)
    page.set_viewport_size({"width": 1280, "height": 500})
    page.reload()
    page.wait_for_selector(VOTE_OUT)
    since = time.monotonic()
    page.click("#pane-a .pane-toggle")
    page.evaluate("document.querySelector('#pane-b .reply').scrollTo(0, 40)")
    page.evaluate("document.querySelector('#pane-a .answer > *').dataset.read = true")
    page.fill(FOLLOW_UP, "Half a question")
    page.wait_for_selector("#status[data-kind=error]")
    page.wait_for_selector("#status:not([data-kind=error])")
    page.wait_for_selector(VOTE_OUT)
    assert not answers
    assert page.locator("#pane-a .answer > [data-read]").count() == 1
    assert page.get_attribute("#pane-a", "data-open") == "true"
    assert page.evaluate("document.querySelector('#pane-b .reply').scrollTop") == 40
    assert page.input_value(FOLLOW_UP) == "Half a question"
    shows_its_own_replies(page, app)
    read = time.monotonic() - since
    vote(page, VOTE_OUT)
    page.wait_for_selector(BETTER)
    assert app.votes()[-1]["dwell_ms"] >= 1000 * read
