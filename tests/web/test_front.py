"""The page before its scripts: what previews, browsers without JavaScript and proxies get of it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

from tests.checks.replicas import replicas_of

METAS = re.compile(r'<meta (?:property|name)="([^"]+)" content="([^"]*)"')


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> httpx.Response:
    """The page below a path, as somebody gets it who can read it compressed."""

    async def fetched() -> httpx.Response:
        folder = tmp_path_factory.mktemp("front")
        async with replicas_of(folder, replicas=1, root_path="/arena") as (at, _):
            async with httpx.AsyncClient(trust_env=False) as client:
                return await client.get(f"http://{at[0]}/arena/")

    return asyncio.run(fetched())


def test_a_preview_names_the_arena_and_nothing_else(front: httpx.Response) -> None:
    head = front.text.partition("<script")[0]
    said = METAS.findall(head)
    names = [name for name, _ in said]
    assert len(names) == len(set(names))
    assert dict(said)["og:title"] == "Progressive Arena"
    assert "blind" in dict(said)["og:description"].lower()
    assert not re.search("gradio|{url}|http", "".join(f"{said}"), re.IGNORECASE)


def test_the_page_is_compressed(front: httpx.Response) -> None:
    assert front.headers["content-encoding"] == "gzip"
    assert int(front.headers["content-length"]) < len(front.content) / 3


def test_nothing_of_the_page_is_asked_for_outside_of_its_path(front: httpx.Response) -> None:
    addresses = re.findall(r'(?:href|src)="([^"]*)"', front.text)
    assert addresses
    assert not [at for at in addresses if at.startswith(("/", "http"))]


def test_without_javascript_the_page_says_what_it_needs(browser: Any, front: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.route("**/*", lambda route: route.fulfill(body=front.text, content_type="text/html"))
    page.goto("http://arena.test/arena/")
    assert "JavaScript" in page.inner_text("body")
    assert page.locator("noscript a").first.get_attribute("href").startswith("api/arena/")
    context.close()
