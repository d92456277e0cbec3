"""The arena on pages of others, in a real Chromium: a frame, and Gradio's element."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from arena.web.embedding import framed
from tests.docs.pages import blocks
from tests.docs.test_pages import OPERATORS
from tests.fake_ollama import FakeOllama
from tests.running import App, running
from tests.web.calling import HOSTED
from tests.web.test_page import BETTER, VOTE_OUT, ask, vote

ELSEWHERE = "http://elsewhere.localhost"
ARENA = "https://arena.example.org"


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """A site of these files on this machine; its port."""
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))
    )
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield str(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("embedded")
    with FakeOllama.in_thread(HOSTED, speed=20, warm=True) as host:
        with running(folder, OLLAMA_HOST=host.url, ARENA_EMBED=f"{ELSEWHERE}:*") as app:
            yield app


@pytest.fixture(scope="module")
def elsewhere(app: App, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A site that has each page of ours on embedding, by its number; its port."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for number, block in enumerate(blocks(OPERATORS, "html")):
        html = f"<!doctype html><title>Ours</title>{block.text.replace(ARENA, app.url)}"
        (folder / f"{number}.html").write_text(html)
    with site(folder) as port:
        yield port


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(blocks(OPERATORS, "html"))))
def test_a_whole_battle_is_played_on_a_page_of_another_origin(
    browser: Any, app: App, elsewhere: str, number: int
) -> None:
    context = browser.new_context()
    page = context.new_page()
    before = len(app.votes())
    page.goto(f"{ELSEWHERE}:{elsewhere}/{number}.html")
    inside = page.frame_locator("iframe")
    inside.locator("#send:not([disabled])").wait_for()
    frame = page.frames[-1]
    assert page.locator("iframe").bounding_box()["height"] >= 600
    ask(frame, "Who is shown here?")
    for selector in (VOTE_OUT, BETTER):
        vote(frame, selector)
    frame.wait_for_selector(".unmasked h2")
    # A browser keeps no cookie for a site within another one, so the page holds the session.
    assert not context.cookies(app.url)
    votes = app.votes()[before:]
    assert len(votes) == 3 and len({row["rater"] for row in votes}) == 1 and votes[0]["rater"]
    context.close()


@pytest.mark.slow
def test_a_page_that_was_not_allowed_shows_nothing(browser: Any, app: App, elsewhere: str) -> None:
    page = browser.new_page()
    with page.expect_console_message(lambda said: "frame-ancestors" in said.text):
        page.goto(f"http://other.localhost:{elsewhere}/0.html")
    page.frames[-1].wait_for_url("chrome-error:**", wait_until="commit")
    page.close()


def test_notebooks_here_may_show_the_page_and_others_by_name() -> None:
    assert "'self' http://localhost:*" in framed() and "*" not in framed().split()
    assert framed(["https://lab.example.org"]).endswith(" https://lab.example.org")


@pytest.mark.slow
def test_the_script_for_pages_elsewhere_is_served_to_them(app: App) -> None:
    got = httpx.get(f"{app.url}/gradio.js", trust_env=False)
    assert got.headers["content-type"].startswith("text/javascript")
    assert got.headers["access-control-allow-origin"] == "*"
