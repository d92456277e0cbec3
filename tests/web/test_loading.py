"""What loading the page takes: which files a browser asks for, in what order, and what it keeps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest

from arena.web import ahead, lean
from arena.web.words import WORDS
from tests.fake_ollama import FakeOllama
from tests.running import App, running
from tests.web.calling import HOSTED

PATH = "/arena"
READY = "#send:not([disabled])"
MOST_REQUESTS = 54
"""Those of a bare Gradio page, and 15 % more."""

SHEET = re.compile(r'href="(style\.css\?v=(\w+))"')
MODULE = re.compile(r'<link rel="modulepreload" href="(assets/[^"]+)" />')


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Below a path."""
    with FakeOllama.in_thread(HOSTED, speed=20, warm=True) as host:
        folder = tmp_path_factory.mktemp("loading")
        with running(folder, OLLAMA_HOST=host.url, ARENA_ROOT_PATH=PATH) as app:
            yield app


def at(app: App, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{app.url}{PATH}/{path}", headers=headers, trust_env=False)


def address_of_the_sheet(app: App) -> str:
    found = SHEET.search(at(app, "").text)
    assert found
    return found[1]


def asked_for(browser: Any, app: App) -> list[str]:
    """Addresses below the path until the page is ready and has settled."""
    page = browser.new_page(locale="en-GB")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{app.url}{PATH}/")
    page.wait_for_selector(READY)
    page.wait_for_load_state("networkidle")
    page.close()
    return [url.removeprefix(f"{app.url}{PATH}/") for url in asked]


def test_a_browser_asks_for_no_more_than_it_is_told_ahead(browser: Any, app: App) -> None:
    asked = asked_for(browser, app)
    assert len(asked) <= MOST_REQUESTS
    assert len(set(asked)) == len(asked), "nothing is asked for twice"
    modules = [url for url in asked if re.fullmatch(r"assets/.*\.js", url)]
    assert sorted(modules) == sorted(MODULE.findall(at(app, "").text))
    sheets = [url for url in asked if ".css" in url]
    own = [url for url in sheets if not re.match(r"assets/index-|theme\.css\?", url)]
    assert own == [address_of_the_sheet(app)]


def test_the_sheet_has_the_styles_of_all_tabs_and_of_gradio(app: App) -> None:
    sheet = at(app, address_of_the_sheet(app)).text
    assert all(f".{name}" in sheet for name in ("reply", "board-table", "host-models"))
    left_out = re.findall(r'href="assets/([^"]+\.css)" disabled', at(app, "").text)
    assert left_out
    assert all((ahead.ASSETS / name).read_text("utf-8") in sheet for name in left_out)


def test_our_style_stands_where_gradio_would_put_it() -> None:
    with gr.Blocks() as page:
        gr.Textbox()
        gr.Dropdown(visible=False)
    files = ahead.of_page(page, "/* ours */")
    before, ours, after = files.sheet.partition("/* ours */")
    assert ours

    def holds(sheet: str, script: str) -> bool:
        names = [name for name in files.styles if name.startswith(script)]
        return any((ahead.ASSETS / name).read_text("utf-8") in sheet for name in names)

    assert holds(before, "core-") and not holds(after, "core-")
    assert holds(after, "Blocks-") and not holds(before, "Blocks-")
    with gr.Blocks() as other:
        gr.Textbox()
    assert ahead.of_page(other, "/* ours */").styles == files.styles, "what is not shown can wait"


def test_files_that_are_written_in_another_way_are_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.html").write_text("<script src=./other.js></script>")
    monkeypatch.setattr(ahead, "FRONTEND", tmp_path)
    with gr.Blocks() as page:
        gr.Textbox()
    assert ahead.of_page(page, "ours") == ahead.Ahead((), (), "ours")


def test_a_browser_keeps_what_has_another_address_once_it_changes(app: App) -> None:
    page = at(app, "").text
    theme = re.search(r'"theme_hash":"(\w+)"', page)
    assert theme
    sheet = address_of_the_sheet(app)
    for lasts in (sheet, f"theme.css?v={theme[1]}", MODULE.findall(page)[0]):
        assert "immutable" in at(app, lasts).headers["cache-control"], lasts
    for changes in ("", "style.css", f"{sheet}0", "theme.css?v=0", "assets/none.js"):
        assert "immutable" not in at(app, changes).headers.get("cache-control", ""), changes
    assert at(app, f"{sheet}0").text == at(app, sheet).text


@pytest.mark.parametrize("language", WORDS)
def test_the_page_has_the_words_of_one_language(app: App, language: str) -> None:
    page = at(app, "", **{"Accept-Language": language}).text
    for other, words in WORDS.items():
        said = words("arena.prompt_hint")
        assert (said in page) == (other == language), other


def test_our_script_is_a_file_that_browsers_keep(app: App) -> None:
    page = at(app, "").text
    assert "EventSource" not in page, "it does not travel with every page"
    head = page.partition("<script>window.gradio_config")[0]
    found = re.search(r'<script src="(arena\.js\?v=\w+)" defer></script>', head)
    assert found, "it is there before Gradio's scripts run"
    script = at(app, found[1])
    assert "EventSource" in script.text and script.headers["content-type"].startswith("text/java")
    assert "immutable" in script.headers["cache-control"]
    assert "immutable" not in at(app, "arena.js").headers.get("cache-control", "")


def test_components_are_told_without_what_gradios_scripts_need_not_know(app: App) -> None:
    told = re.search(r"window\.gradio_config = (\{.*?\});</script>", at(app, "").text)
    assert told
    config = json.loads(told[1])
    assert config["components"]
    for component in config["components"]:
        assert not {*lean.UNREAD, *lean.UNSAID} & {*component, *component["props"]}
        assert component["props"].get("visible") is not True
    assert {each["api_visibility"] for each in config["dependencies"]} == {"private"}


def test_what_a_component_says_of_itself_stays() -> None:
    said = {"visible": False, "buttons": ["copy"], "elem_classes": ["card"], "label": "Name"}
    config = {"components": [{"id": 1, "props": {**said, "css_template": "", "name": "html"}}]}
    lean.trim(config)
    assert config == {"components": [{"id": 1, "props": said}]}
