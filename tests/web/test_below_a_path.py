"""Everything once more below a path, behind nginx and on two replicas: a battle with an image, its
address, what is kept of it here, what is shared of it, and the page on a page of others."""

from __future__ import annotations

import asyncio
import io
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.checks.replicas import behind
from tests.checks.test_deploy_check import BELOW
from tests.docs.pages import blocks
from tests.docs.test_pages import OPERATORS
from tests.fake_ollama import FakeModel, FakeOllama
from tests.playing import MODELS
from tests.postgresql import Postgresql
from tests.redis_server import RedisServer
from tests.running import running
from tests.web.calling import A, opened, voting
from tests.web.test_api_terms import judged, png
from tests.web.test_embedding import ARENA, ELSEWHERE, site
from tests.web.test_links import battle
from tests.web.test_page import BETTER, VOTE_OUT, ask, vote

pytest_plugins = ["tests.postgresql", "tests.redis_server"]
pytestmark = pytest.mark.slow

PATH = "/arena"
SEEING = [FakeModel(name, text="Red.", capabilities=("completion", "vision")) for name in MODELS]
SETTINGS = {"ARENA_ROOT_PATH": PATH, "ARENA_OPENS_PER_MINUTE": "0", "ARENA_PROXIES": "127.0.0.1"}


def test_a_browser_plays_finds_again_shares_and_embeds_below_a_path(
    browser: Any, tmp_path: Path
) -> None:
    """Whether the proxy takes the path away or passes it on."""
    page = browser.new_page(locale="en-GB")
    missed: list[str] = []
    page.on("response", lambda got: missed.append(got.url) if got.status >= 400 else None)
    with (
        FakeOllama.in_thread(SEEING, speed=20, warm=True) as host,
        running(tmp_path, OLLAMA_HOST=host.url, ARENA_EMBED=f"{ELSEWHERE}:*", **SETTINGS) as app,
    ):
        for server in (BELOW, BELOW.replace("http://arena/;", "http://arena;")):
            folder = tmp_path / str(len(app.votes()))
            with behind(folder, [app.url.removeprefix("http://")], server) as url:
                page.goto(f"{url}{PATH}/")
                page.wait_for_selector("#send:not([disabled])")
                image = {"name": "a.png", "mimeType": "image/png", "buffer": b64decode(png())}
                page.set_input_files("#images", [image])
                page.wait_for_selector("#images-chosen img", state="attached")
                ask(page, "What is below a path?")
                vote(page, VOTE_OUT)
                vote(page, BETTER)
                page.wait_for_selector(".unmasked h2")
                here = battle(page)
                assert page.url.startswith(f"{url}{PATH}/?battle=")
                page.wait_for_function("document.querySelector('#asked-images img').naturalWidth")
                page.click("#share")
                page.click("#share-make")
                page.wait_for_selector("#share-link:visible")
                link = page.input_value("#share-link")
                assert link.startswith(f"{url}{PATH}/b/") and here not in link
                page.click("#share-close")
                page.click("#new-battle")
                page.click(f"#mine-list a[href*='{here}']")
                page.wait_for_selector(".unmasked h2")
                reader = browser.new_page(java_script_enabled=False)
                reader.goto(link)
                shown = reader.locator("meta[property='og:image']").get_attribute("content")
                assert shown == f"{link}.png"
                assert "What is below a path?" in reader.inner_text("main")
                reader.locator("main a").last.click()
                assert reader.url == f"{url}{PATH}/"
                reader.context.close()
                # What is asked of the path on a page of others is what was asked of it here.
                for block in blocks(OPERATORS, "html") if server == BELOW else ():
                    embedded(browser, folder, block.text.replace(ARENA, f"{url}{PATH}"))
    page.close()
    assert not missed


def embedded(browser: Any, folder: Path, block: str) -> None:
    """A round of a battle on a page of another origin that has this in it."""
    theirs = folder / "theirs"
    theirs.mkdir(exist_ok=True)
    (theirs / "index.html").write_text(f"<!doctype html><title>Theirs</title>{block}")
    page = browser.new_context().new_page()
    with site(theirs) as port:
        page.goto(f"{ELSEWHERE}:{port}/")
        page.frame_locator("iframe").locator("#send:not([disabled])").wait_for()
        frame = page.frames[-1]
        ask(frame, "And within another page?")
        vote(frame, VOTE_OUT)
        frame.wait_for_selector(BETTER)
    page.context.close()


def test_what_one_replica_opened_the_other_votes_on_shows_and_withdraws(
    tmp_path: Path, redis_server: RedisServer, postgresql: Postgresql
) -> None:
    database = postgresql.url(postgresql.new_schema())
    stores = {"DATABASE_URL": database, "REDIS_URL": redis_server.url}
    with ExitStack() as stack:
        host = stack.enter_context(FakeOllama.in_thread(SEEING, speed=20, warm=True))
        apps = []
        for number in (1, 2):
            folder = tmp_path / str(number)
            folder.mkdir()
            settings = SETTINGS | stores | {"OLLAMA_HOST": host.url}
            apps.append(stack.enter_context(running(folder, **settings)))
        addresses = [app.url.removeprefix("http://") for app in apps]
        front = stack.enter_context(behind(tmp_path / "nginx", addresses, BELOW))
        replicas = [f"{app.url}{PATH}" for app in apps]
        # In a thread of its own: a browser of another test may hold an event loop in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, shared(replicas, f"{front}{PATH}")).result()
        assert not [app.printed for app in apps if "Traceback" in app.printed]


async def shared(replicas: list[str], front: str) -> None:
    async with (
        httpx.AsyncClient(base_url=replicas[0], trust_env=False, timeout=30) as one,
        httpx.AsyncClient(base_url=replicas[1], trust_env=False, timeout=30) as other,
        httpx.AsyncClient(trust_env=False, timeout=30) as anybody,
    ):
        session = (await one.post(f"{A}/session")).json()["session"]
        for client in (one, other):
            client.headers["Arena-Session"] = session
        path = await opened(one, images=[png()])
        name = path.rsplit("/", 1)[-1]
        await voting(other, path)

        async def everywhere(at: str) -> list[tuple[int, str, bytes]]:
            """Of both replicas, and of nginx, which asks them in turn."""
            found = [await anybody.get(f"{base}/{at}") for base in (*replicas, front, front)]
            return [(got.status_code, got.headers["content-type"], got.content) for got in found]

        for route in (f"b/{name}", f"b/{name}.png", f"{path.lstrip('/')}/link"):
            answers = await everywhere(route)
            assert {status for status, *_ in answers} == {404}, "before it is decided and shared"
            assert not [m for m in MODELS for _, _, body in answers if m.encode() in body]
        assert (await other.put(f"{path}/link", json={})).status_code == 409
        assert (await judged(other, path))["phase"] == "decided"
        link = (await one.put(f"{path}/link", json={})).json()["link"]
        routes = [f"b/{link}", f"b/{link}.png", f"{path.lstrip('/')}/link"]

        for status, kind, body in await everywhere(routes[0]):
            assert status == 200 and kind.startswith("text/html")
            assert b"data:image/jpeg;base64," in body and b"Why?" in body
            assert all(m.encode() in body for m in MODELS)
        previews = await everywhere(routes[1])
        assert len(set(previews)) == 1 and previews[0][:2] == (200, "image/png")
        assert Image.open(io.BytesIO(previews[0][2])).size == (1200, 630)
        images = await everywhere(f"{path.lstrip('/')}/images/1")
        assert len(set(images)) == 1 and images[0][:2] == (200, "image/jpeg")

        assert (await other.delete(f"{path}/link")).is_success
        for route in routes:
            assert {status for status, *_ in await everywhere(route)} == {404}
