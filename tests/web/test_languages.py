"""The page in a real browser in other languages than English: no word of English is left on it,
on any tab and in any state, and what has no file is English altogether."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fake_ollama import FakeModel, FakeOllama
from tests.playing import MODELS
from tests.running import App, running
from tests.web.test_page import OPEN, PATIENCE_MS, PROMPT, VOTE_OUT, enter, open_tab

pytestmark = pytest.mark.slow

SEEN = """() => {
  const shown = (element) => element.checkVisibility?.() ?? true;
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    if (!shown(element) || element.closest("script, style, code, kbd, .reply > *")) continue;
    for (const name of ["aria-label", "title", "placeholder"]) {
      const said = !(name === "title" && element.matches("input")) && element.getAttribute(name);
      if (said) found.push(said);
    }
    for (const node of element.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) found.push(node.textContent);
    }
  }
  return found.map((text) => text.trim()).filter(Boolean);
}"""
"""Every text that is seen or read aloud, but for what models write and for the values of boxes."""

OURS = {"Progressive", "Arena", "Ollama", "OLLAMA_HOST", *re.findall("[a-z]+", " ".join(MODELS))}
ABBREVIATIONS = set(
    "UTC CPU GPU GB VRAM CSV Parquet JSON Lines LMArena pandas DuckDB DPO LaTeX Bradley Terry http".split()
)
WORD = re.compile(r"[A-Za-z]{2,}")
ENGLISH = re.compile(
    r"\b(the|and|of|is|are|not|your|you|with|votes?|by|every|model|reply|replies|round|which|best|"
    r"read|copy|rank|won|lost|token|last|first|all|none|new|updates|loading|waiting|host is)\b"
)
"""What no German sentence has, unless it begins with a capital."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    models = [FakeModel(name, text="1 2 3. " * 20) for name in MODELS]
    with FakeOllama.in_thread(models, speed=20, warm=True) as host:
        options = {"OLLAMA_HOST": host.url, "ARENA_PACE": "5000", "ARENA_OPENS_PER_MINUTE": "0"}
        with running(tmp_path_factory.mktemp("languages"), **options) as app:
            yield app


def opened(browser: Any, app: App, language: str) -> Any:
    page = browser.new_context(locale=language).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    enter(page, app)
    return page


def states(page: Any) -> Iterator[str]:
    """Every state of the page, one after the other, each with a name."""
    yield "idle"
    page.click("#send")
    page.wait_for_function("document.querySelector('#status').innerText.length > 5")
    yield "a prompt that cannot be used"
    page.fill(PROMPT, "1 + 1 = ?")
    page.press(PROMPT, "Enter")
    page.wait_for_selector(VOTE_OUT)
    yield "voting"
    page.locator(VOTE_OUT).nth(0).click()
    page.wait_for_selector(f"[id^=better-]{OPEN}")
    yield "the final"
    page.locator(f"#bad{OPEN}").click()
    page.wait_for_selector("#reveal table")
    yield "the reveal"
    open_tab(page, "leaderboard")
    page.wait_for_selector("#board-days .js-plotly-plot")
    page.locator("#board-choice button").first.click()
    page.wait_for_selector("#board-topic input")
    yield "the leaderboard"
    open_tab(page, "hosts")
    page.wait_for_selector("#hosts table")
    yield "the hosts"
    open_tab(page, "raters")
    page.wait_for_selector("#raters .host")
    yield "the raters"


BURST = """() => {
  const { left, right } = document.querySelector(".unmasked").getBoundingClientRect();
  return [...document.querySelectorAll(".unmasked :is(td, th)")].filter((cell) => {
    const text = document.createRange();
    text.selectNodeContents(cell);
    const [own, said] = [cell, text].map((one) => one.getBoundingClientRect());
    if (!cell.checkVisibility()) return false;
    return own.left < left || own.right > right || said.left < own.left - 1 || said.right > own.right + 1;
  }).map((cell) => `${innerWidth} ${cell.innerText}`);
}"""
"""Cells of the reveal that lie outside it, or whose text lies outside them."""


def burst(page: Any) -> list[str]:
    """In a narrow window and a wide one, with the names there are and long ones."""
    found = []
    page.click("#reveal .cards summary")
    for _ in range(2):
        for width in (360, 768, 905, 1280):
            page.set_viewport_size({"width": width, "height": 720})
            page.wait_for_function("width => innerWidth === width", arg=width)
            found += page.evaluate(BURST)
        page.eval_on_selector_all(
            ".unmasked td :is(b, .model)",
            "all => all.forEach((one) => { one.textContent = 'hf.co/someone/' + 'Llama_'.repeat(12); })",
        )
    return found


@pytest.mark.parametrize(("language", "told"), [("ar-EG", ("ar", "rtl")), ("de-AT", ("de", "ltr"))])
def test_no_english_is_left_on_any_tab_in_any_state(
    browser: Any, app: App, language: str, told: tuple[str, str]
) -> None:
    page = opened(browser, app, language)
    assert said(page) == [*told, told[1]]
    left: dict[str, set[str]] = {}
    for state in states(page):
        for text in page.evaluate(SEEN):
            found = WORD.findall(text) if told[0] == "ar" else ENGLISH.findall(text)
            if words := set(found) - OURS - ABBREVIATIONS:
                left.setdefault(f"{state}: {text[:80]}", set()).update(words)
        if state == "the reveal":
            assert burst(page) == []
    assert left == {}
    assert page.complaints == []
    page.context.close()


def said(page: Any) -> list[str]:
    """The language that the page says it is in, its direction, and that of a heading of ours."""
    return page.evaluate(
        """() => { const { lang, dir } = document.documentElement;
          const heading = getComputedStyle(document.querySelector('#lead h2'));
          return [lang.split('-')[0], dir, heading.direction]; }"""
    )


def test_a_page_in_a_language_that_there_is_none_of_is_in_english(browser: Any, app: App) -> None:
    page = opened(browser, app, "ja")
    assert said(page) == ["en", "ltr", "ltr"]
    assert page.inner_text("#lead h2") == "Who answers best? Judge blind."
    page.context.close()


def typed(page: Any, key: str, code: str) -> None:
    """What a keyboard of another alphabet types at that place."""
    page.evaluate(
        """([key, code]) => document.body.dispatchEvent(
          new KeyboardEvent("keydown", { key, code, bubbles: true }))""",
        [key, code],
    )


def test_two_visitors_see_one_battle_each_in_their_own_language(browser: Any, app: App) -> None:
    one = opened(browser, app, "es")
    one.fill(PROMPT, "1 + 1 = ?")
    one.press(PROMPT, "Enter")
    one.wait_for_selector(VOTE_OUT)
    other = opened(browser, app, "fr")
    battle = one.evaluate("sessionStorage.getItem('arena-battle')")
    other.evaluate("battle => sessionStorage.setItem('arena-battle', battle)", battle)
    other.reload()
    other.wait_for_selector("#pane-a .chip[data-state=complete]")
    assert one.inner_text("#status") == "¿Cuál es el más flojo?"
    assert other.inner_text("#status") == "Lequel est le plus faible\u00a0?"
    typed(one, "ذ", "Digit2")
    other.wait_for_selector("#pane-b .chip[data-state=eliminated]")
    one.wait_for_selector(f"#undo{OPEN}")
    typed(one, ".", "KeyE")  # As Dvorak's keyboards have it.
    typed(one, "ع", "KeyU")
    other.wait_for_selector("#pane-b .chip[data-state=complete]")
    one.locator("#new-battle").click()
    other.wait_for_function(
        "document.querySelector('#status').innerText.includes('terme') || "
        "document.querySelector('#status').innerText.includes('fin avant')"
    )
    one.wait_for_selector(f"#send{OPEN}")
    assert "the reveal" in states(one)
    assert burst(one) == []
    one.context.close()
    other.context.close()
