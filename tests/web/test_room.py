"""Room to read, and who gets it: a long battle in a real Chromium, by keyboard, by the tree that
screen readers get, on a phone, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from arena.core.battle.rules import MAX_TURNS
from arena.web.gate import Admitted
from tests.fake_ollama import FakeModel, FakeOllama, FakeOllamaThread
from tests.playing import MODELS
from tests.running import App, running
from tests.web.axe import findings
from tests.web.test_gate import behind, client
from tests.web.test_page import (
    BETTER,
    PATIENCE_MS,
    PROMPT,
    VOTE_OUT,
    ask,
    battle_id,
    enter,
    open_tab,
    until,
    vote,
)

pytestmark = pytest.mark.slow

DESK, PHONE = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
NARROW = {"width": 345, "height": 740}
"""Too narrow for all tabs."""
LONG = "## A heading\n\n#### One that skips a level\n\n- [x] done\n\n" + "Word after word. " * 300
SHORT = "It is **short**."
REPLY = "#panes > [data-live=true] .reply"
FOLLOW_UP = "#follow-up :is(textarea, input)"
BURST = """[...document.querySelectorAll(".act")].filter((button) =>
  button.checkVisibility() && button.scrollWidth > button.clientWidth + 1
).map((button) => button.innerText)"""
"""Buttons that what is written on them runs out of."""


class Site(NamedTuple):
    app: App
    host: FakeOllamaThread


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Whoever is asked for little writes little."""

    def written(messages: Any, options: Any) -> str:
        asked = messages[-1]["content"]
        return SHORT if "short" in asked else LONG

    models = [FakeModel(name, text=written, tokens_per_s=2000) for name in MODELS]
    with FakeOllama.in_thread(models, warm=True) as host:
        options = {"OLLAMA_HOST": host.url, "ARENA_MAX_TOKENS": "3000"}
        options |= {"ARENA_OPENS_PER_MINUTE": "0", "ARENA_GRACE": "0.5"}
        with running(tmp_path_factory.mktemp("room"), **options) as app:
            yield Site(app, host)
            assert "Traceback" not in app.printed, app.printed


def opened(browser: Any, size: dict[str, int], scheme: str = "light", **options: Any) -> Any:
    context = browser.new_context(viewport=size, color_scheme=scheme, **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


@pytest.fixture
def desk(browser: Any, site: Site) -> Iterator[Any]:
    page = opened(browser, DESK)
    enter(page, site.app)
    yield page
    page.context.close()


@pytest.mark.parametrize(("size", "language"), [(DESK, "en-GB"), (NARROW, "de-DE")])
def test_no_state_of_the_page_shuts_anybody_out(
    browser: Any, site: Site, size: dict[str, int], language: str
) -> None:
    """What axe-core finds, light and dark."""
    page = opened(browser, size, locale=language)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    found: list[str] = []

    def look(state: str) -> None:
        found.extend(findings(page, state))
        found.extend(f"{state}: {text}" for text in page.evaluate(BURST))

    enter(page, site.app)
    look("idle")
    site.host.fault("slow", rate=20, times=3)
    ask(page, "Tell me something long.")
    page.wait_for_selector(".answer")
    look("writing")
    page.click("#stop")
    page.wait_for_selector("#status[data-kind=notice]")
    look("stopped")
    # Who was not yet asked when it was stopped would be slow in the next one.
    site.host.clear_faults()
    page.click("#new-battle")
    ask(page, "Tell me something long.")
    page.wait_for_selector(VOTE_OUT)
    look("voting")
    vote(page, VOTE_OUT, 1)
    page.wait_for_selector(BETTER)
    look("final")
    vote(page, BETTER)
    page.wait_for_selector(".unmasked h2")
    look("reveal")
    open_tab(page, "leaderboard")
    page.locator(".board-table >> visible=true").first.wait_for()
    page.click("#board-reviewers > button")
    page.wait_for_selector("#board-scrutiny table")
    look("leaderboard")
    for tab, shown in {"hosts": ".host-models", "raters": "#raters .host"}.items():
        open_tab(page, tab)
        page.locator(f"{shown} >> visible=true").first.wait_for()
        look(tab)
    page.click("#raters-audit")
    page.locator("#raters .host").nth(1).wait_for()
    look("audit")
    if size is NARROW:
        page.click(".overflow-menu > button")
        look("the menu of tabs that do not fit")
        assert page.get_attribute(".overflow-menu > button", "aria-label") == "Weitere Tabs"
    page.context.close()
    assert found == []
    assert not said


def test_long_replies_have_the_height_there_is_tell_what_was_not_read_and_scroll_together(
    desk: Any,
) -> None:
    ask(desk, "Tell me something long.")
    desk.wait_for_selector(VOTE_OUT)
    heights = desk.eval_on_selector_all(REPLY, "all => all.map((each) => each.clientHeight)")
    assert min(heights) > 500
    assert desk.locator("#equal").bounding_box()["y"] < DESK["height"]
    rests = desk.locator("#panes .pane-rest:visible")
    assert rests.count() == 3
    desk.eval_on_selector("#pane-b .reply", "(box) => box.scrollTo(0, box.scrollHeight)")
    desk.wait_for_selector("#pane-b .pane-rest", state="hidden")
    assert rests.count() == 2
    rests.first.click()
    desk.wait_for_function("document.querySelector('#pane-a .reply').scrollTop > 100")
    assert desk.evaluate("document.querySelector('#pane-c .reply').scrollTop") == 0
    desk.click("#together")
    desk.hover("#pane-a .reply")
    desk.mouse.wheel(0, 200)
    desk.wait_for_function(
        """() => {
          const [a, c] = ['a', 'c'].map((seat) => document.querySelector(`#pane-${seat} .reply`));
          return a.scrollTop > 250 && Math.abs(a.scrollTop - c.scrollTop) < 3;
        }"""
    )
    toggle = desk.locator("#pane-a .pane-toggle")
    toggle.click()
    assert toggle.get_attribute("aria-expanded") == "true"
    scrolled, shown = desk.eval_on_selector(
        "#pane-a .reply", "(box) => [box.scrollHeight, box.clientHeight]"
    )
    assert scrolled == shown > heights[0]
    assert vote(desk, VOTE_OUT) == "A", "and whoever has not read on may vote"
    desk.wait_for_selector(BETTER)
    vote(desk, BETTER)
    desk.wait_for_selector(".unmasked h2")
    desk.reload()
    desk.wait_for_selector(".unmasked h2")
    desk.wait_for_function(
        """() => {
          const box = document.querySelector("#pane-b .reply");
          return box.scrollHeight > box.clientHeight && box.scrollTop === 0;
        }"""
    )


def test_the_focus_stays_in_the_battle_and_only_its_events_are_announced(desk: Any) -> None:
    focused = "document.activeElement.id"
    ask(desk, "A short one.")
    desk.wait_for_selector(VOTE_OUT)
    desk.wait_for_selector("#pane-c .pane-rest", state="hidden")
    assert not desk.locator("#panes .pane-rest:visible").count(), "replies that are seen whole"
    assert desk.evaluate(focused) == "status"
    live = "[aria-live]:not([aria-live=off]), [role=log], [role=alert], [role=status]"
    ids = desk.eval_on_selector_all(
        f"#battle :is({live}):not(dialog *), #line :is({live})", "all => all.map((one) => one.id)"
    )
    assert sorted(ids) == ["status", "told"]
    assert "Model C: complete" in desk.inner_text("#told")
    desk.locator(VOTE_OUT).nth(1).focus()
    desk.keyboard.press("Enter")
    desk.wait_for_selector(BETTER)
    assert desk.evaluate(focused) == "status"
    assert desk.text_content("#told") == "Model B: eliminated"
    desk.keyboard.press("1")
    desk.wait_for_selector(".unmasked h2")
    desk.wait_for_function("document.activeElement.tagName === 'H2'")


def test_a_round_that_drags_on_is_stopped_without_a_result(desk: Any, site: Site) -> None:
    site.host.fault("slow", rate=20, times=3)
    ask(desk, "Tell me something long.")
    desk.wait_for_selector("#pane-a .answer >> text='A heading'")
    before = len(site.app.votes())
    desk.click("#stop")
    desk.wait_for_selector("#status[data-kind=notice]")
    assert "no result" in desk.inner_text("#status")
    assert "A heading" in desk.inner_text("#pane-a")
    until(desk, site.app, lambda state: state["phase"] == "void")
    assert len(site.app.votes()) == before
    assert desk.locator("#same-prompt").is_visible() and not desk.locator("#stop").is_visible()


HELD_MS = """() => new Promise((resolve) => {
  let since = 0;
  new MutationObserver(() => {
    if (!since && document.documentElement.dataset.round === "2") since = performance.now();
    if (since && !document.querySelector("#equal").disabled) resolve(performance.now() - since);
  }).observe(document.documentElement, { subtree: true, attributes: true });
  document.querySelector("#vote-out-b").click();
})"""
"""Votes one out; for how long the next round is there before it can be voted on."""


def test_whoever_presses_twice_votes_once(desk: Any, site: Site) -> None:
    """Also where the next round comes between: its buttons stand in the same places."""
    ask(desk, "A short one.")
    desk.wait_for_selector(VOTE_OUT)
    desk.dispatch_event("#vote-out-a", "click", {"detail": 2})
    assert desk.evaluate(HELD_MS) >= 700
    panes = site.app.get(f"api/arena/battles/{battle_id(desk)}")["panes"]
    assert [pane["seat"] for pane in panes if pane["state"] == "eliminated"] == ["B"]


@pytest.fixture
def phone(browser: Any, site: Site) -> Iterator[Any]:
    page = opened(browser, PHONE, is_mobile=True, has_touch=True)
    enter(page, site.app)
    yield page
    page.context.close()


def test_why_no_battle_begins_is_in_view_on_a_phone_wherever_one_is(phone: Any, site: Site) -> None:
    def in_view(kind: str) -> bool:
        box = phone.locator(f"#status[data-kind={kind}]").bounding_box()
        return bool(box["y"] >= 0 and box["y"] + box["height"] <= PHONE["height"])

    phone.press(PROMPT, "Enter")
    assert in_view("error")
    phone.click("#options summary")
    phone.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert not in_view("error")
    phone.locator("#send").dispatch_event("click")
    phone.wait_for_function(
        "document.querySelector('#status').getBoundingClientRect().top >= 0 && scrollY > 0"
    )
    assert in_view("error")
    phone.goto(f"{site.app.url}/?battle=7036cce3-9d38-4b7d-841d-252ec3256399")
    assert in_view("notice")


def test_no_verdict_comes_to_stand_where_stop_was(phone: Any, desk: Any, site: Site) -> None:
    """Who presses it as the last reply ends would judge."""
    for page in (phone, desk):
        site.host.fault("slow", rate=5, times=3)
        ask(page, "A short one.")
        stop = page.locator("#stop:visible").bounding_box()
        page.wait_for_selector(VOTE_OUT)
        site.host.clear_faults()
        corners = [
            [stop["x"] + stop["width"] * n, stop["y"] + stop["height"] * n] for n in (0.1, 0.9)
        ]
        for x, y in corners:
            assert page.evaluate(
                "([x, y]) => !document.elementFromPoint(x, y).closest('.act')", [x, y]
            )


def test_one_pane_fills_the_phone_with_its_vote_in_view_and_nothing_too_small_to_touch(
    phone: Any,
) -> None:
    phone.set_viewport_size({"width": 844, "height": 390})
    ask(phone, "Tell me something long.")
    phone.wait_for_selector(VOTE_OUT)
    phone.set_viewport_size(PHONE)
    phone.wait_for_selector("#seats button:first-child[aria-current=true]")
    box = phone.locator("#pane-a").bounding_box()
    assert box["width"] > 0.85 * PHONE["width"]
    assert phone.locator("#vote-out-a").bounding_box()["y"] < PHONE["height"] - 40
    phone.locator("#seats button").nth(2).click()
    phone.wait_for_selector("#seats button:nth-child(3)[aria-current=true]")
    assert phone.locator("#seats button[aria-current=true]").count() == 1
    phone.wait_for_function(
        "Math.abs(document.querySelector('#pane-c').getBoundingClientRect().x) < 30"
    )
    sizes = phone.eval_on_selector_all(
        "button, [role=tab], input:enabled:not([type=radio]), textarea, select, summary",
        """all => all.filter((one) => one.checkVisibility() && one.offsetHeight > 1).map((one) => {
          const { width, height } = one.getBoundingClientRect();
          return [one.id || one.className || one.textContent, width, height];
        })""",
    )
    assert sizes
    assert not [size for size in sizes if size[1] < 24 or size[2] < 24]
    assert "(F)" not in phone.inner_text("body")
    # As with five contenders.
    phone.eval_on_selector(
        "#seats", "(all) => all.append(all.lastChild.cloneNode(), all.lastChild.cloneNode())"
    )
    lines = "(line) => line.offsetHeight / parseFloat(getComputedStyle(line).lineHeight)"
    assert phone.eval_on_selector("#status", lines) < 2.5


def test_a_follow_up_sent_with_enter_on_the_phone_always_appears(
    phone: Any, site: Site, pytestconfig: pytest.Config
) -> None:
    """Also when Enter comes before the field may be used: again and again, seven a battle."""
    for number in range(int(pytestconfig.getoption("--follow-ups"))):
        if number % 7 == 0:
            if number:
                phone.click("#new-battle")
            ask(phone, "A short one.")
            phone.wait_for_selector(FOLLOW_UP, state="visible")
        question = f"short {number}?"
        phone.fill(FOLLOW_UP, question)
        phone.press(FOLLOW_UP, "Enter")
        phone.wait_for_selector(f"#pane-a .asked-again >> text='{question}'")
        turns = number % 7 + 2
        until(phone, site.app, lambda state, turns=turns: len(state["prompts"]) == turns)
        if turns < MAX_TURNS:
            phone.wait_for_selector(FOLLOW_UP, state="visible")


def looks(page: Any, selector: str) -> bytes:
    """Without the focus and the mouse upon it."""
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    drawn: bytes = page.locator(f"{selector} >> visible=true").first.screenshot()
    return drawn


def looks_chosen(page: Any, selector: str, attribute: str) -> bool:
    """Whether it looks otherwise than when it is not."""
    drawn = []
    for value in ("false", "true"):
        page.eval_on_selector(selector, f"one => one.setAttribute('{attribute}', '{value}')")
        drawn.append(looks(page, selector))
    return drawn[0] != drawn[1]


def test_whoever_wants_it_still_or_in_colours_of_their_own_gets_it_so(
    browser: Any, site: Site
) -> None:
    page = opened(browser, DESK, reduced_motion="reduce", forced_colors="active")
    enter(page, site.app)
    both = [looks(page, "#format label")]
    page.check("#format input[value=knockout]")
    both.append(looks(page, "#format label"))
    both.append(looks(page, "[role=tab]"))
    open_tab(page, "leaderboard")
    retired = "#board input[type=checkbox]"
    page.locator(retired).first.wait_for()
    both += [looks(page, "[role=tab]"), looks(page, retired)]
    page.locator(retired).first.click()
    both.append(looks(page, retired))
    assert [one != other for one, other in zip(both[::2], both[1::2], strict=True)] == [True] * 3
    open_tab(page, "arena")
    ask(page, "A short one.")
    page.wait_for_selector(VOTE_OUT)
    assert looks_chosen(page, "#together", "aria-pressed")
    page.set_viewport_size(PHONE)
    assert looks_chosen(page, "#seats button", "aria-current")
    page.set_viewport_size(DESK)
    vote(page, VOTE_OUT)
    page.wait_for_selector(BETTER)
    vote(page, BETTER)
    page.wait_for_selector(".unmasked h2")
    assert (
        page.evaluate(
            "document.getAnimations().filter((one) => one.playState === 'running').length"
        )
        == 0
    )
    page.context.close()


def test_whoever_signs_in_types_at_once_and_by_night_it_is_dark(browser: Any) -> None:
    visitor = client(behind(Admitted(password="open sesame")))
    page = browser.new_context(color_scheme="dark").new_page()
    page.route("**/*", lambda route: route.fulfill(body=asked, content_type="text/html"))
    asked = visitor.post("/gate", data={"word": "sesame", "after": "/"}).text
    page.goto("http://arena.test/")
    page.wait_for_selector("[name=word]:focus")
    page.keyboard.type("open sesame")
    assert page.input_value("[name=word]") == "open sesame"
    shade = "(one) => Math.max(...getComputedStyle(one).backgroundColor.match(/[0-9]+/g))"
    assert page.eval_on_selector("body", shade) < 60 > page.eval_on_selector("input", shade)
    assert findings(page, "signing in") == []
    page.context.close()
