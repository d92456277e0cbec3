"""The page as a person uses it: a real Chromium, the real app, real models on the engine."""

from __future__ import annotations

import signal
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from tests.fake_ollama import FakeModel, FakeOllama, FakeOllamaThread
from tests.playing import MODELS
from tests.running import App, running, wait_until
from tests.web.test_api_terms import png

PROMPT = "#prompt textarea"
FOLLOW_UP = "#follow-up :is(textarea, input)"
OPEN = ":not([disabled]):visible"
VOTE_OUT, BETTER = f"[id^=vote-out-]{OPEN}", f"[id^=better-]{OPEN}"
PATIENCE_MS = 30_000
TELLTALES = ("smollm", "135m", "careful", "lively")


@pytest.fixture(scope="module")
def app(engine_weights: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One app on the real engine for all tests of this file."""
    folder = tmp_path_factory.mktemp("app")
    with running(folder, ARENA_MAX_TOKENS="24", ARENA_PACE="1500", ARENA_GRACE="2") as app:
        yield app
        assert "Traceback" not in app.printed and "Warning" not in app.printed, app.printed


class Staged(NamedTuple):
    """An app on a host whose models write what a test needs."""

    app: App
    host: FakeOllamaThread


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    def written(messages: Any, options: Any) -> str:
        return HOSTILE if messages[-1]["content"] == "Be evil." else "And then they sailed. " * 400

    models = [FakeModel(name, text=written) for name in MODELS]
    with FakeOllama.in_thread(models, speed=2, warm=True) as host:
        folder = tmp_path_factory.mktemp("staged")
        settings = {"ARENA_PACE": "5000", "ARENA_GRACE": "0.5", "ARENA_MAX_TOKENS": "4000"}
        with running(folder, OLLAMA_HOST=host.url, **settings) as app:
            yield Staged(app, host)
            assert "Traceback" not in app.printed, app.printed


@contextmanager
def new_page(browser: Any, **how: str) -> Iterator[Any]:
    """Whatever goes wrong in its scripts fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **how)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, errors


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    with new_page(browser) as page:
        yield page


def enter(page: Any, app: App) -> None:
    page.goto(app.url)
    page.wait_for_selector("#send:not([disabled])")


TABS = ("arena", "leaderboard", "hosts", "raters")


def open_tab(page: Any, tab: str) -> None:
    """Of `TABS`; from the menu of those that do not fit where it is there."""
    at = page.locator(f"[role=tab][data-tab-id={tab}]")
    if not at.count():
        name = page.locator(".visually-hidden > button").nth(TABS.index(tab)).text_content()
        page.click(".overflow-menu > button")
        at = page.locator(".overflow-dropdown button").get_by_text(name, exact=True)
    at.click()


def ask(page: Any, prompt: str, format: str = "elimination") -> None:
    page.check(f"#format input[value={format}]")
    page.fill(PROMPT, prompt)
    page.press(PROMPT, "Enter")


def vote(page: Any, selector: str, index: int = 0) -> str:
    """Click the index-th button of these once it is live, and return the seat's letter."""
    page.wait_for_selector(selector)
    button = page.locator(selector).nth(index)
    seat = button.get_attribute("id")[-1].upper()
    button.click()
    return seat


def battle_id(page: Any) -> str:
    return page.evaluate("sessionStorage.getItem('arena-battle')")


def until(page: Any, app: App, met: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until the state of the page's battle is so, as the server has it."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not met(state := app.get(f"api/arena/battles/{battle_id(page)}")):
        assert time.monotonic() < deadline, state
        page.wait_for_timeout(50)


def round_is(page: Any, app: App, number: int) -> None:
    until(page, app, lambda state: state["round"] == number and state["phase"] == "voting")


class Wire:
    """Everything the browser received, in order: bodies, event streams and websocket frames."""

    def __init__(self, page: Any) -> None:
        self._bodies: list[Any] = []
        self._streamed: list[str] = []
        # Playwright marks what it is given, and a list's own method cannot be marked.
        page.on("response", lambda response: self._bodies.append(response))  # noqa: PLW0108
        page.on("websocket", self._tap)
        cdp = page.context.new_cdp_session(page)
        cdp.send("Network.enable")
        cdp.on("Network.eventSourceMessageReceived", lambda e: self._streamed.append(e["data"]))

    def _tap(self, websocket: Any) -> None:
        websocket.on("framereceived", lambda frame: self._streamed.append(frame))  # noqa: PLW0108

    def received(self) -> str:
        texts = [str(part) for part in self._streamed]
        for response in self._bodies:
            streams = "text/event-stream" in response.headers.get("content-type", "")
            if response.status == 200 and not (streams and "/api/arena/battles/" in response.url):
                texts.append(f"{response.url} {response.headers}")
                texts.append(response.body().decode("utf-8", "replace"))
        return "\n".join(texts).lower()


@pytest.mark.parametrize(
    "format", ["elimination", pytest.param("knockout", marks=pytest.mark.slow)]
)
def test_a_whole_battle_is_played_revealed_recorded_and_ranked(
    page: Any, app: App, format: str
) -> None:
    votes_before = len(app.votes())
    wire = Wire(page)
    enter(page, app)
    ask(page, "Name three fruits and say which is the sweetest.", format)
    if format == "elimination":
        first = vote(page, VOTE_OUT, 1)
        assert first == "B"
    else:
        first = "B" if vote(page, VOTE_OUT) == "A" else "A"
    round_is(page, app, 2)
    page.wait_for_selector(BETTER)
    received = wire.received()
    assert '"phase":"voting"' in received and "gradio_config" in received, "the wire was tapped"
    assert not [word for word in TELLTALES if word in received], "a name leaked before the end"
    assert page.locator("#reveal").inner_text().strip() == ""
    champion = vote(page, BETTER)
    page.wait_for_selector("#reveal table")
    revealed = page.locator("#reveal").inner_text()
    assert f"Model {champion} is the champion" in revealed
    assert revealed.count("smollm2:135m") >= 3 and "tokens/s" in revealed

    rows = app.votes()[votes_before:]
    expected = 3 if format == "elimination" else 2
    assert len(rows) == expected and {r["battle_id"] for r in rows} == {battle_id(page)}
    assert {r["format"] for r in rows} == {format}
    for row in rows:
        assert row["winner"] in ("model_a", "model_b")
        assert row["model_a"] in revealed and row["model_b"] in revealed
        assert row["ttft_ms_a"] > 0 and row["output_tokens_b"] > 0 and row["digest_a"]
        assert row["rater"] and row["dwell_ms"] >= 0 and row["channel"] == "web"
    last = rows[-1]
    assert last["winner"] == ("model_a" if last["seat_a"] == champion else "model_b")

    page.get_by_role("tab", name="Leaderboard").click()
    page.wait_for_selector("#leaderboard tbody tr")
    board = page.locator("#leaderboard").inner_text()
    assert "smollm2:135m careful" in board and "smollm2:135m brief" in board


@pytest.mark.slow
def test_a_follow_up_is_answered_by_the_survivors(page: Any, app: App) -> None:
    enter(page, app)
    ask(page, "Name a colour.")
    vote(page, VOTE_OUT)
    round_is(page, app, 2)
    page.fill(FOLLOW_UP, "And another one?")
    page.locator("#send-follow-up:not([disabled])").click()
    until(page, app, lambda state: len(state["prompts"]) == 2 and state["phase"] == "voting")
    page.wait_for_selector(BETTER)
    page.locator(f"#equal{OPEN}").click()
    page.wait_for_selector("#reveal table")
    assert "joint champions" in page.locator("#reveal").inner_text()


@pytest.mark.slow
def test_a_vote_is_taken_back_and_cast_anew_in_a_study(page: Any, app: App) -> None:
    before = len(app.votes())
    page.goto(f"{app.url}/?study=pilot%20one&topic=skies")
    page.wait_for_selector("#send:not([disabled])")
    page.wait_for_selector("#purpose:has-text('pilot one'):has-text('skies')")
    ask(page, "Why is the sky blue?")
    page.wait_for_selector(VOTE_OUT)
    assert not page.is_visible("#undo")
    first = vote(page, VOTE_OUT, 0)
    round_is(page, app, 2)
    page.wait_for_selector(f"#undo{OPEN}")
    page.keyboard.press("u")
    round_is(page, app, 1)
    second = vote(page, VOTE_OUT, 1)
    round_is(page, app, 2)
    rows = app.votes()[before:]
    assert {row["study"] for row in rows} == {"pilot one"}
    assert {row["topic"] for row in rows} == {"skies"}
    assert {row["supersedes"] for row in rows[2:]} == {rows[0]["ballot_id"]}
    live = {
        pane["seat"]
        for pane in app.get(f"api/arena/battles/{battle_id(page)}")["panes"]
        if pane["state"] == "complete"
    }
    assert live == {"A", "B", "C"} - {second} and first in live
    page.click("#new-battle")
    page.wait_for_selector(f"#send{OPEN}")


@pytest.mark.slow
def test_a_reload_comes_back_to_the_same_battle(page: Any, app: App) -> None:
    enter(page, app)
    ask(page, "Write two sentences about rain.")
    page.wait_for_selector("#pane-a .chip:is([data-state=writing], [data-state=complete])")
    mine = battle_id(page)
    page.reload()
    page.wait_for_selector(VOTE_OUT)
    assert battle_id(page) == mine
    shown = page.locator("#pane-a .answer").all_inner_texts()
    assert shown and all(shown)
    page.reload()
    page.wait_for_selector(VOTE_OUT)
    assert page.locator("#pane-a .answer").all_inner_texts() == shown


@pytest.mark.slow
def test_the_keyboard_alone_plays_a_battle(page: Any, app: App) -> None:
    enter(page, app)
    page.focus(PROMPT)
    page.keyboard.type("Say hello in 2 ways.")
    page.keyboard.press("Enter")
    page.wait_for_selector(VOTE_OUT)
    page.keyboard.press("3")
    round_is(page, app, 2)
    page.wait_for_selector(BETTER)
    page.keyboard.press("b")
    page.wait_for_selector("#reveal table")
    assert "None of the last replies was good enough" in page.locator("#reveal").inner_text()
    page.keyboard.press("n")
    page.wait_for_selector("#send:not([disabled])")
    assert page.locator("#reveal").is_hidden()


@pytest.mark.slow
def test_two_tabs_are_two_battles_and_a_double_click_is_one_vote(
    browser: Any, page: Any, app: App
) -> None:
    enter(page, app)
    other = page.context.new_page()
    other.set_default_timeout(PATIENCE_MS)
    enter(other, app)
    ask(page, "Name a bird.")
    ask(other, "Name a fish.")
    page.wait_for_selector(VOTE_OUT)
    other.wait_for_selector(VOTE_OUT)
    assert battle_id(page) != battle_id(other)
    page.locator("#vote-out-c").dblclick()
    round_is(page, app, 2)
    mine = [row for row in app.votes() if row["battle_id"] == battle_id(page)]
    assert len(mine) == 2
    assert other.locator(VOTE_OUT).count() == 3


def test_a_prompt_that_cannot_be_used_is_answered_in_words(page: Any, app: App) -> None:
    enter(page, app)
    page.click("#send")
    page.wait_for_function("document.querySelector('#status').innerText.includes('empty')")
    page.fill(PROMPT, "x" * 6001)
    page.click("#send")
    page.wait_for_function("document.querySelector('#status').innerText.includes('6,001')")
    assert page.input_value(PROMPT) == "x" * 6001, "what was typed is kept"
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.focus(PROMPT)
    page.evaluate(
        """() => {
          const enter = { key: "Enter", bubbles: true, cancelable: true };
          for (const _ of [1, 2]) {
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown", enter));
          }
        }"""
    )
    page.wait_for_selector("#send:not([disabled])")
    assert len([url for url in asked if "predict" in url]) == 2, "and may be sent at once"


CALLS = "**/{api/arena,gradio_api/run}/**"


def signed_out(page: Any) -> None:
    """As the gate answers."""
    page.route(CALLS, lambda route: route.fulfill(status=401, body='{"title": "Not signed in"}'))


def is_told_to_sign_in(page: Any) -> None:
    page.wait_for_selector("#status:has-text('you are no longer signed in')")
    page.wait_for_selector("#banner-sign-in:visible:focus")


def signed_in(page: Any) -> None:
    page.unroute(CALLS)
    with page.expect_navigation():
        page.click("#banner-sign-in")


@pytest.mark.slow
def test_what_was_typed_stays_when_a_lost_request_loads_the_page_again(page: Any, app: App) -> None:
    lost: list[str] = []

    def lose(route: Any) -> None:
        lost.append(route.request.url)
        route.abort("connectionreset") if len(lost) in (1, 3) else route.continue_()

    page.goto(f"{app.url}/?topic=law")
    page.wait_for_selector("#send:not([disabled])")
    page.route("**/run/predict*", lose)
    page.click("#options summary")
    page.select_option("#models", "2")
    page.fill("#system", "Be brief.")
    page.fill("#topic", "skies")
    image = {"name": "a.png", "mimeType": "image/png", "buffer": b64decode(png())}
    page.set_input_files("#images", image)
    page.wait_for_selector("#images-chosen img")
    ask(page, "A long prompt.", "knockout")
    with page.expect_event("load"):
        pass
    page.wait_for_selector("#images-chosen img")
    page.wait_for_selector("#status:has-text('did not answer')")
    assert page.input_value(PROMPT) == "A long prompt."
    assert page.is_checked("#format input[value=knockout]")
    assert page.input_value("#models") == "2" and page.input_value("#system") == "Be brief."
    assert page.input_value("#topic") == "skies"
    page.click("#images-chosen button")  # No model here sees.
    page.click("#send")
    page.wait_for_selector(BETTER)
    page.fill(FOLLOW_UP, "And at night?")
    page.press(FOLLOW_UP, "Enter")
    with page.expect_event("load"):
        pass
    page.wait_for_selector(BETTER)
    assert page.input_value(FOLLOW_UP) == "And at night?"
    assert page.input_value(PROMPT) == ""
    signed_out(page)
    page.press(FOLLOW_UP, "Enter")
    is_told_to_sign_in(page)
    signed_in(page)
    page.wait_for_selector(BETTER)
    assert page.input_value(FOLLOW_UP) == "And at night?"
    page.click("#new-battle")
    page.fill("#system", "Be brief.")
    page.goto("about:blank")
    page.goto(f"{app.url}/?topic=law")
    page.wait_for_selector(f"#send{OPEN}")
    assert not page.input_value("#system"), "whoever comes anew begins anew"
    assert page.input_value("#topic") == "law"


@pytest.mark.slow
def test_nothing_overflows_and_nothing_comes_from_outside(browser: Any, app: App) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    response = page.goto(f"{app.url}/?__theme=dark")
    assert "connect-src 'self'" in response.headers["content-security-policy"]
    page.wait_for_selector("#send:not([disabled])")
    ask(page, "Name a tree.")
    page.wait_for_selector(VOTE_OUT)
    for width in (360, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function("width => innerWidth == width", arg=width)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width
    context.close()
    assert not [url for url in asked if not url.startswith((app.url, "data:", "blob:"))]


HOSTILE = """<img src=x onerror="window.hacked=1"> <script>window.hacked=2</script>

<iframe srcdoc="<script>parent.hacked=3</script>"></iframe> <svg onload="window.hacked=4"></svg>

[click](javascript:window.hacked=5) ![pixel](http://127.0.0.1:9/tracker.png)

**bold** and $x^2$
"""


@pytest.mark.slow
def test_what_a_model_writes_is_never_executed_nor_fetched(page: Any, staged: Staged) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    enter(page, staged.app)
    ask(page, "Be evil.")
    page.wait_for_selector(VOTE_OUT)
    page.wait_for_selector("#pane-a strong")
    page.wait_for_selector("#pane-a .katex")
    links = page.eval_on_selector_all("#pane-a a", "all => all.map(a => a.href)")
    assert not [href for href in links if href.startswith("javascript:")]
    assert page.evaluate("window.hacked") is None
    assert not [url for url in asked if "tracker.png" in url]


@pytest.mark.slow
def test_closing_the_tab_stops_the_models(page: Any, staged: Staged) -> None:
    stats = staged.host.stats
    before = len(stats.cancelled)
    enter(page, staged.app)
    ask(page, "Tell a long story.")
    page.wait_for_selector("#pane-a .chip[data-state=writing]")
    page.close()
    wait_until(lambda: len(stats.cancelled) == before + 3, "no model writes any more")


@pytest.mark.slow
def test_a_vote_that_was_acknowledged_outlives_a_kill(page: Any, tmp_path: Any) -> None:
    with FakeOllama.in_thread(speed=50, warm=True) as host:
        with running(tmp_path, OLLAMA_HOST=host.url, ARENA_PACE="5000") as app:
            enter(page, app)
            ask(page, "Name a metal.")
            vote(page, VOTE_OUT)
            page.wait_for_selector("#pane-a .chip[data-state=eliminated]")
            app.stop(signal.SIGKILL)
            assert len(app.votes()) == 2


@pytest.mark.slow
def test_a_host_that_is_away_is_told_and_comes_back_by_itself(browser: Any, tmp_path: Any) -> None:
    with FakeOllama.in_thread([FakeModel(name) for name in MODELS], speed=50) as host:
        host.stop()
        with running(tmp_path, ready=False, OLLAMA_HOST=host.url) as app:
            page = browser.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.goto(app.url)
            page.wait_for_function(
                "document.querySelector('#banner')?.innerText.includes('does not answer')"
            )
            assert page.locator("#send").is_disabled()
            assert "does not answer" in app.printed
            host.start()
            page.wait_for_selector("#send:not([disabled])")
            page.close()
