"""Addresses: a battle that is come back to, one that is shared, and what links ask for; in a real
Chromium on the real app."""

from __future__ import annotations

import io
import re
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.fake_ollama import FakeModel, FakeOllama
from tests.playing import MODELS
from tests.running import App, running
from tests.web.test_page import BETTER, PROMPT, VOTE_OUT, ask, enter, new_page, vote

pytestmark = pytest.mark.slow

TABLE = f"|{' Wavelength |' * 9}\n|{'---|' * 9}\n|{' Considerably |' * 9}\n\n"
TEXT = f"{TABLE}# Sky\n\nIt costs $5 and $6. <b onclick=alert(1)>no</b> ![pixel](http://127.0.0.1:9/t.png) [on](http://x.test)"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    sees = ("completion", "vision")
    models = [FakeModel(name, text=TEXT, capabilities=sees) for name in MODELS]
    with FakeOllama.in_thread(models, speed=20, warm=True) as host:
        options = {"OLLAMA_HOST": host.url, "ARENA_OPENS_PER_MINUTE": "0"}
        with running(tmp_path_factory.mktemp("links"), **options) as app:
            yield app
            assert "Traceback" not in app.printed, app.printed


@pytest.fixture
def page(browser: Any, app: App) -> Iterator[Any]:
    with new_page(browser, locale="en-GB") as page:
        enter(page, app)
        yield page


def battle(page: Any) -> str:
    return page.evaluate("new URLSearchParams(location.search).get('battle')")


def played(page: Any, prompt: str) -> str:
    """A battle to its end; its id."""
    ask(page, prompt)
    vote(page, VOTE_OUT)
    page.wait_for_selector(BETTER)
    vote(page, BETTER)
    page.wait_for_selector(".unmasked h2")
    return battle(page)


def forget(page: Any, battle: str) -> None:
    """As after a day without a move: the server no longer has it, but for its link."""
    of = re.compile(f"/battles/{battle}(/events)?$")
    page.route(of, lambda route: route.fulfill(status=404, body="{}"))


def got(url: str, method: str = "GET") -> tuple[int, str, str]:
    """As somebody who never was here: status, kind and text."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, method=method), timeout=10) as answer:
            return answer.status, answer.headers["content-type"], answer.read().decode("latin-1")
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read().decode()


def test_a_battle_has_an_address_that_back_and_another_tab_come_to(page: Any, app: App) -> None:
    ask(page, "Where is this battle?")
    page.wait_for_selector(VOTE_OUT)
    here = battle(page)
    other = page.context.new_page()
    other.goto(f"{app.url}/?battle={here}")
    other.wait_for_selector(VOTE_OUT)
    assert "Where is this battle?" in other.inner_text("#asked")
    page.go_back()
    page.wait_for_selector("#send:visible")
    page.go_forward()
    page.wait_for_selector(VOTE_OUT)
    assert battle(page) == here


def test_what_was_played_is_shared_without_its_prompt_found_again_and_can_be_removed(
    page: Any, app: App
) -> None:
    here = played(page, "Name a fruit that is red.")
    page.click("#share")
    page.uncheck("#share-prompt")
    page.click("#share-make")
    page.wait_for_selector("#share-link:visible")
    for address in (page.input_value("#share-link"), f"{app.url}/api/arena/battles/{here}/link"):
        status, _, text = got(address)
        assert status == 200 and "fruit" not in text
    page.reload()
    page.wait_for_selector(".unmasked h2")
    page.click("#new-battle")
    page.wait_for_selector("#mine-list li")
    assert not battle(page)
    kept = page.inner_text("#mine-list li")
    assert "Name a fruit that is red." in kept
    assert any(name in kept for name in MODELS)
    page.fill("#mine-search", "nothing like it")
    assert page.locator("#mine-list li").count() == 0
    page.fill("#mine-search", "RED fruit")
    page.click("#mine-list a")
    page.wait_for_selector(".unmasked h2")
    assert battle(page) == here
    forget(page, here)
    page.goto(f"{app.url}/?battle={here}")
    page.wait_for_selector("#panes strong")
    assert any(name in page.inner_text("#pane-a") for name in MODELS), "as this browser kept it"
    assert "It costs $5" in page.inner_text("#panes")
    page.click("#share")
    link = page.input_value("#share-link")
    assert got(link)[0] == 200 and not page.is_visible("#share-make")
    page.click("#share-withdraw")
    page.wait_for_selector("#share-withdraw", state="hidden")
    assert got(link)[0] == 404
    page.click("#share-close")
    assert not page.is_visible("#share"), "there is nothing left to share"
    page.unroute_all()
    page.reload()
    page.wait_for_selector(".unmasked h2")
    page.click("#new-battle")
    page.evaluate(FULL)
    there = played(page, "Name a fruit that is blue.")
    page.wait_for_function("id => localStorage[`arena-battle:${id}`]", arg=there)
    assert "blue" in page.evaluate("localStorage['arena-battles']")
    page.click("#new-battle")
    page.click("#mine-clear")
    page.wait_for_selector("#mine", state="hidden")


LINES = """(part) => {
  const text = document.createRange();
  text.selectNodeContents(part);
  return text.getClientRects().length;
}"""
"""How many lines its text takes."""

FULL = """() => {
  const old = [...Array(40).keys()].map((id) => ({ id: `old${id}`, at: 1, prompt: "Why?" }));
  const all = [...JSON.parse(localStorage["arena-battles"]), ...old];
  localStorage["arena-battles"] = JSON.stringify(all);
  let size = 100_000;
  for (let n = 0; size > 1; n = (n + 1) % 40) {
    const key = `arena-battle:old${n}`;
    try {
      localStorage[key] = (localStorage[key] ?? "") + "x".repeat(size);
    } catch {
      size /= 2;
    }
  }
}"""
"""No browser keeps more than this."""
SLOWLY = """() => {
  const now = createImageBitmap;
  const told = new Promise((resolve) => { globalThis.read = resolve; });
  globalThis.createImageBitmap = async (...asked) => { await told; return now(...asked); };
}"""
"""Images are read once the test says so."""


def photo() -> bytes:
    """With a place in it, where no pixel tells of one."""
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    made = io.BytesIO()
    Image.new("RGB", (1600, 400), "red").save(made, "JPEG", exif=exif)
    return made.getvalue()


def test_what_all_are_given_alike_is_asked_seen_and_shared_and_prints(page: Any, app: App) -> None:
    page.goto(f"{app.url}/?prompt=What+colour%3F&system=Be+brief.&temperature=0.5")
    page.wait_for_selector("#send:not([disabled])")
    assert page.input_value("#system") == "Be brief." and page.is_visible("#temperature")
    bodies: list[str] = []
    page.on("request", lambda request: bodies.append(request.post_data or ""))
    files = [{"name": "red.jpg", "mimeType": "image/jpeg", "buffer": photo()}]
    page.evaluate(SLOWLY)
    page.set_input_files("#images", [*files, {**files[0], "buffer": b"no image"}])
    page.press(PROMPT, "Enter")
    page.evaluate("globalThis.read()")
    page.wait_for_selector("#images-chosen img")
    assert "no image" in page.inner_text("#status")
    page.wait_for_selector("#send:not([disabled])")
    assert not battle(page), "nothing is asked without what could not be read"
    chosen = page.locator("#images-chosen img")
    page.set_input_files("#images", [{**files[0], "buffer": b"no image"}])
    page.wait_for_selector("#status[data-kind=error]")
    assert chosen.count() == 1, "what cannot be read takes nothing away"
    page.set_input_files("#images", files * 3)
    page.wait_for_selector("#status:has-text('at most 3')")
    assert chosen.count() == 3, "what is chosen comes to what is there"
    for left in (2, 1, 0):
        page.locator("#images-chosen button").first.click()
        page.wait_for_function(
            "n => document.querySelectorAll('#images-chosen img').length === n", arg=left
        )
    page.evaluate(SLOWLY)
    page.evaluate(LONG)
    held: list[Any] = []
    page.route("**/run/predict*", lambda route: held.append(route))  # noqa: PLW0108
    page.set_input_files("#images", files)
    page.wait_for_selector("#send[disabled]")
    page.press(PROMPT, "Enter")
    page.evaluate("globalThis.read()")
    page.wait_for_selector("#status:has-text('on their way')")
    page.evaluate("over()")
    page.wait_for_selector("#status[data-kind=error]:has-text('slow')")
    held.pop().continue_()
    page.unroute("**/run/predict*")
    page.wait_for_selector(VOTE_OUT)
    assert not page.locator("#images-chosen img").count()
    (sent,) = [body for body in bodies if "Be brief." in body]
    (drawn,) = re.findall(r'"images":\["([^"]+)"\]', sent)
    small = Image.open(io.BytesIO(b64decode(drawn)))
    assert small.size == (1024, 256) and not small.getexif()
    page.reload()
    page.wait_for_selector(VOTE_OUT)
    page.click("#asked summary")
    page.wait_for_function("document.querySelector('#asked-images img').naturalWidth === 1024")
    told = page.inner_text("#asked")
    assert "Be brief." in told and "0.5" in told
    vote(page, VOTE_OUT)
    page.wait_for_selector(BETTER)
    vote(page, BETTER)
    page.wait_for_selector(".unmasked h2")
    page.click(".unmasked .cards summary")
    assert "7.0B" in page.inner_text(".unmasked .cards")
    assert "Tokens read and written" in page.inner_text(".unmasked .cost")
    page.click("#share")
    page.click("#share-make")
    page.wait_for_selector("#share-link:visible")
    page.goto(page.input_value("#share-link"))
    assert page.evaluate("document.querySelector('.shown').naturalWidth") == 1024
    assert "Be brief." in page.inner_text("main")
    page.emulate_media(media="print")
    assert not page.is_visible(".only-screen") and page.is_visible(".shown")
    assert page.pdf().startswith(b"%PDF")


def test_a_link_says_prompt_format_and_number_of_models(page: Any, app: App) -> None:
    page.goto(f"{app.url}/?prompt=Why%3F&format=knockout&models=2&topic=code")
    page.wait_for_selector("#send:not([disabled])")
    assert page.input_value(PROMPT) == "Why?"
    assert page.is_checked("#format input[value=knockout]")
    assert page.input_value("#topic") == "code"
    page.fill("#topic", "")
    page.press(PROMPT, "Enter")
    page.wait_for_selector(BETTER)
    state = app.get(f"api/arena/battles/{battle(page)}")
    assert len(state["panes"]) == 2 and state["format"] == "knockout"
    assert "prompt=" not in page.url and "models=" not in page.url
    page.goto(app.url)
    page.wait_for_selector(BETTER)
    assert battle(page) == state["battle"], "of this tab, where the address asks for nothing else"
    page.goto(f"{app.url}/?prompt=How%3F")
    page.wait_for_selector("#send:not([disabled]):visible")
    assert page.input_value(PROMPT) == "How?" and not battle(page)


LONG = """() => {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (then, ms, ...more) => {
    if (ms > 20_000) globalThis.over = then;
    return ms > 20_000 ? 0 : setTimeout(then, ms, ...more);
  };
}"""
"""What is waited for longer than for any move without images, is waited for until `over()`."""
PLAIN = """() => {
  navigator.clipboard.writeText = async () => { throw new Error("not safe"); };
  document.addEventListener("copy", () => { globalThis.taken = document.activeElement.value; });
}"""
"""As at an address without https: the clipboard takes only what is selected."""
SHARED = """(link) => {
  const all = JSON.parse(localStorage["arena-battles"]);
  all[0].shared = link;
  localStorage["arena-battles"] = JSON.stringify(all);
}"""
"""This browser takes the latest battle to be shared by this link."""


def test_a_finished_battle_is_shared_read_by_anybody_and_withdrawn(
    page: Any, app: App, browser: Any
) -> None:
    ask(page, "Why is the sky blue?")
    page.wait_for_selector(VOTE_OUT)
    here = battle(page)
    page_of, api = f"{app.url}/b/{here}", f"{app.url}/api/arena/battles/{here}/link"
    assert [got(at)[0] for at in (page_of, f"{page_of}.png", api)] == [404, 404, 404]
    assert got(api, "PUT")[0] in (403, 422)
    vote(page, VOTE_OUT)
    page.wait_for_selector(BETTER)
    vote(page, BETTER)
    page.wait_for_selector(".unmasked h2")
    assert got(api)[0] == 404, "nothing is shared until somebody does"
    page.click("#share")
    page.click("#share-make")
    page.wait_for_selector("#share-link:visible")
    link = page.input_value("#share-link")
    assert link.startswith(f"{app.url}/b/") and here not in link
    page.click("#share-close")
    page.reload()
    page.click("#share")
    assert page.input_value("#share-link") == link, "it is known to this browser"
    page.evaluate(PLAIN)
    page.click("#share-copy")
    page.wait_for_selector("#share-said:has-text('Copied')")
    assert page.evaluate("globalThis.taken") == link

    stranger = browser.new_context(java_script_enabled=False, locale="de-DE").new_page()
    asked: list[str] = []
    stranger.on("request", lambda request: asked.append(request.url))
    stranger.goto(link)
    text = stranger.inner_text("main")
    assert "Why is the sky blue?" in text and all(name in text for name in MODELS)
    assert "It costs $5 and $6." in text and "abgewählt" in text
    assert stranger.locator(".reply h3").count() == 3
    assert (
        stranger.locator(".reply a[rel~=nofollow]").count()
        == stranger.locator(".reply a").count()
        > 2
    )
    assert not stranger.locator(".reply :is(b, img, [onclick])").count()
    assert stranger.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    stranger.set_viewport_size({"width": 360, "height": 740})
    for part in ("h1", "ol li"):
        stranger.eval_on_selector(part, "part => { part.textContent = 'hf.co/' + 'x'.repeat(80); }")
    assert stranger.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    words = stranger.locator(".reply tbody td").first.evaluate(LINES)
    assert words == 1, "no word of a table is broken"
    picture = stranger.locator("meta[property='og:image']").get_attribute("content")
    assert picture == f"{link}.png"
    assert {url for url in asked if not url.endswith("favicon.ico")} == {link}
    stranger.context.close()
    arab = browser.new_context(locale="ar").new_page()
    arab.goto(link)
    row = arab.locator("tbody tr").first
    name, letter = (row.locator(part).bounding_box()["x"] for part in ("bdi", "span"))
    assert name > letter, "lines run from right to left, also where a name begins them"
    arab.context.close()
    assert got(picture)[:2] == (200, "image/png")

    assert got(api, "DELETE")[0] == 403, "only whoever played withdraws it"
    page.click("#share-close")
    page.evaluate(SHARED, True)
    page.click("#share")
    assert page.input_value("#share-link") == page_of, "as those of earlier arenas"
    page.click("#share-withdraw")
    page.wait_for_selector("#share-make:visible")
    assert [got(at)[0] for at in (link, picture, api)] == [404, 404, 404]
    page.click("#share-close")
    page.evaluate(SHARED, link.rpartition("/")[2])
    page.click("#share")
    page.wait_for_selector("#share-made", state="hidden")
    assert page.is_visible("#share-make"), "it was withdrawn elsewhere"


def test_the_same_prompt_of_a_battle_that_only_this_browser_has_is_for_as_many(
    page: Any, app: App
) -> None:
    ask(page, "Who is still to come?", "knockout")
    page.click("#stop")
    page.wait_for_selector("html[data-arena=void]", state="attached")
    forget(page, battle(page))
    page.reload()
    page.wait_for_selector("html[data-kept=true]", state="attached")
    page.click("#same-prompt")
    page.wait_for_selector(VOTE_OUT)
    assert app.get(f"api/arena/battles/{battle(page)}")["to_come"] == 1


def test_a_battle_of_a_study_is_not_shared(page: Any, app: App) -> None:
    page.goto(f"{app.url}/?study=blue")
    page.wait_for_selector("#send:not([disabled])")
    played(page, "A question of a study")
    page.click("#share")
    page.click("#share-make")
    page.wait_for_function("document.querySelector('#share-said').textContent.includes('study')")
