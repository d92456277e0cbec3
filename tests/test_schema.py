"""The API against its own schema: what the schema allows is answered as it says, what it does not
allow is refused, and nothing makes it fail. The calls are made up by Schemathesis."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from arena.adapters.hosts import HostTimeouts
from arena.core.hosts.overview import Overview
from arena.play.metrics import Metrics
from arena.web.api import Operable
from tests.playing import Table
from tests.web.calling import arena

SETTINGS = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 403, 404, 409, 410, 429]

[checks.negative_data_rejection]
expected-statuses = [400, 404, 405, 409, 413, 415, 422]
"""
"""400 is for what no schema can say, such as a span of time that ends before it begins."""

STREAMS = "events$"
"""Streams of battles under way have no end."""


def operable(at: Table) -> Operable:
    metrics = Metrics()
    metrics.watch(at.referee, at.pool.reports)

    async def overview() -> Overview:
        return Overview("fakes", at.pool.reports(), {}, 1.0, (), False)

    return Operable(overview, metrics.text)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A new arena in a thread of its own."""
    folder, ready, over = tmp_path_factory.mktemp("arena"), threading.Event(), asyncio.Event()
    told: dict[str, Any] = {}

    async def life() -> None:
        # Patient with hosts: hundreds of battles are opened, and none may fail.
        calm: dict[str, Any] = {"speed": 500, "slots": 8, "timeouts": HostTimeouts()}
        try:
            async with arena(folder, operable=operable, **calm) as (client, _):
                told.update(url=str(client.base_url), loop=asyncio.get_running_loop())
                ready.set()
                await over.wait()
        finally:
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(life()))
    thread.start()
    ready.wait()
    yield told["url"]
    told["loop"].call_soon_threadsafe(over.set)
    thread.join()


def schemathesis(folder: Path, url: str, *options: str) -> str:
    """What it says after all of its checks have passed."""
    file = folder / "schemathesis.toml"
    file.write_text(SETTINGS)
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(file),
        "run",
        f"{url}/openapi.json",
        "--url",
        url,
        "--checks",
        "all",
        "--no-color",
        "--warnings",
        "off",
        "--generation-deterministic",
        "--continue-on-failure",
        *options,
    ]
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, timeout=280, check=False
    )
    assert ran.returncode == 0, "\n".join(line[:300] for line in ran.stdout.splitlines())
    return ran.stdout


@pytest.mark.slow
def test_whatever_is_called_keeps_to_the_schema(
    url: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Calls that try each bound of its schema, and some that are made up."""
    made_up, tested = pytestconfig.getoption("--examples"), 0
    for choice in ("--include-path-regex", "--exclude-path-regex"):
        said = schemathesis(tmp_path, url, "-n", made_up, choice, STREAMS)
        counted = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", said)
        assert counted, said
        tested += int(counted[3])
    assert tested == int(counted[2]), "a call is left out"


def test_the_page_of_calls_has_all_it_needs_on_this_machine(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False) as client:
        page = client.get("/docs").text
        assert "://" not in page, "nothing is named that is elsewhere"
        needed = re.findall(r'(?:src|href)="([^"]+)"|url: \'([^\']+)\'', page)
        assert len(needed) == 4
        for address in filter(None, (a or b for a, b in needed)):
            if not address.startswith("data:"):
                assert client.get(f"/{address}").status_code == 200, address


@pytest.mark.slow
def test_the_page_of_calls_can_be_read_and_tried_behind_a_prefix(
    url: str, tmp_path: Path, browser: Any
) -> None:
    page = browser.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)

    def behind(route: Any) -> None:
        asked.append(route.request.url)
        path = route.request.url.removeprefix("http://arena.example/prefix/")
        route.fulfill(response=route.fetch(url=f"{url}/{path}"))

    page.route("**/*", behind)
    page.goto("http://arena.example/prefix/docs")
    page.click("[id$=api_arena_status_get] button")
    with page.expect_response("**/prefix/api/arena/status") as answer:
        page.click("button.execute")
    assert answer.value.ok
    # The example shows the same field, before anything was answered.
    page.wait_for_selector(".live-responses-table >> text=headline")
    assert not errors, errors
    # What is still under way is of no interest, also where it fails now.
    page.unroute_all(behavior="ignoreErrors")
    page.close()
    assert {address.split("/prefix/")[0] for address in asked} == {"http://arena.example"}
