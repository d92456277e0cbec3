"""The arena's page while it is read: real Chromium, the real app, a host whose replies are known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fake_ollama import FakeModel, FakeOllama
from tests.playing import MODELS
from tests.running import App, running

pytestmark = pytest.mark.slow

PROMPT = "#prompt textarea"
VOTE_OUT = "[id^=vote-out-]:not([disabled]):visible"
PATIENCE_MS = 30_000

LONG = "A paragraph of some length, so that it has to be scrolled.\n\n" * 60
FALSE_IDS = '<p id="status">No.</p> <div x style="position:fixed;inset:0">Sign in</div>\n\n'
REPLIES = (
    f"Plan A costs $20 a month and plan B costs $25.\n\n{LONG}",
    f"{FALSE_IDS}It was **$1,200** and `$1` is $a^2$.\n\n{LONG}",
    "> " * 1000 + "x",
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    models = [FakeModel(name, text=text) for name, text in zip(MODELS, REPLIES, strict=True)]
    with FakeOllama.in_thread(models, speed=50, warm=True) as host:
        options = {"OLLAMA_HOST": host.url, "ARENA_MAX_TOKENS": "3000"}
        with running(tmp_path_factory.mktemp("reading"), **options) as app:
            yield app


@pytest.fixture
def page(browser: Any, app: App) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(app.url)
    page.wait_for_selector("#send:not([disabled])")
    yield page
    page.close()
    assert not errors, errors


def test_the_enter_that_ends_a_composition_starts_no_battle(page: Any) -> None:
    page.fill(PROMPT, "こんにちは")
    stopped = page.evaluate(
        """() => [229, 13].map((keyCode) => {
          const event = new KeyboardEvent('keydown',
            { key: 'Enter', keyCode, bubbles: true, cancelable: true });
          if (keyCode === 13) document.querySelector('#send').addEventListener('click',
            (click) => click.stopImmediatePropagation(), { capture: true, once: true });
          return !document.querySelector('#prompt textarea').dispatchEvent(event);
        })"""
    )
    assert stopped == [False, True]
    assert page.evaluate("document.documentElement.dataset.arena") == "idle"


def test_voting_opens_with_every_reply_at_its_top_as_it_was_written(page: Any) -> None:
    page.fill(PROMPT, "كم الثمن?")
    page.press(PROMPT, "Enter")
    page.wait_for_selector("#panes .answer p >> nth=8")
    page.wait_for_selector(VOTE_OUT)
    tops = page.eval_on_selector_all(
        "#panes > [data-seated=true] .reply",
        "all => all.map((each) => [each.scrollTop, each.scrollHeight > 400])",
    )
    assert [top for top, _ in tops] == [0, 0, 0]
    assert sum(long for _, long in tops) >= 2
    assert (
        page.evaluate("getComputedStyle(document.querySelector('#asked-text')).direction") == "rtl"
    )
    shown = page.locator("#panes").inner_text()
    assert "Plan A costs $20 a month and plan B costs $25." in shown
    assert '<p id="status">No.</p>' in shown and "as it was written" in shown
    assert page.locator("#panes strong", has_text="$1,200").count() == 1
    page.wait_for_selector("#panes .katex")
    assert page.locator("#status").count() == 1
    assert not page.locator(".answer [id], .answer [style*=fixed]").count()


def test_a_page_that_shows_no_formula_loads_nothing_for_it(page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_selector("#send:not([disabled])")
    assert asked and not [url for url in asked if "katex" in url.lower()]


def test_no_look_at_the_hosts_opens_voting_before_the_replies_are_seen(page: Any) -> None:
    """The page looks at them again and again, and unlocks what may be pressed each time."""
    away = {"ready": False, "headline": "", "detail": "", "progress": None, "demo": False}
    page.route("**/api/arena/status", lambda route: route.fulfill(json=away))
    page.fill(PROMPT, "Why is it dark at night?")
    page.evaluate(
        """() => {
          const usual = requestAnimationFrame;
          const held = [];
          window.requestAnimationFrame = (call) => held.push(call);
          globalThis.show = () => {
            window.requestAnimationFrame = usual;
            held.forEach((call) => usual(call));
          };
        }"""
    )
    page.press(PROMPT, "Enter")
    page.wait_for_function("document.documentElement.dataset.arena === 'voting'")
    for _ in range(2):
        page.wait_for_event("response", lambda response: response.url.endswith("/status"))
    # The second look began after the first one had unlocked whatever it does.
    assert page.locator("[id^=vote-out-]:not([disabled])").count() == 0
    page.evaluate("show()")
    page.wait_for_selector(VOTE_OUT)
