"""What all tests share: which run by default, and where a browser is.

A test whose browser or engine is missing is skipped with the reason; on CI that is a failure.
"""

from __future__ import annotations

import gc
import math
import os
import shutil
import signal
import ssl
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["tests.engine_fixtures", "tests.postgresql", "tests.redis_server"]

ON_CI = os.environ.get("CI", "").lower() in ("1", "true")
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
NEITHER = (
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"),
    *("AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync"),
    *("DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades"),
    *("LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints"),
    *("PaintHolding", "PreconnectToSearch", "ThirdPartyStoragePartitioning"),
)
"""What each window has beside its page, which costs as much as the page: suggestions below an
address bar that nobody sees. And what Playwright leaves out, as the last such list is the one."""
FLAGS = [
    f"--disable-features={','.join(NEITHER)}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in the background of a script. What the tests start would inherit it, and not end by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


# What every worker and many a program of the tests imports is compiled once, also where Python is
# told to keep nothing.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


create_default_context = ssl.create_default_context
create_once = cache(create_default_context)


def context(*purpose: Any, **given: Any) -> ssl.SSLContext:
    """The authorities of the world are read once: every client of HTTP does, though it speaks to
    this machine alone, and it takes as long as a whole test."""
    known = Path(given.get("cafile") or "").name == "cacert.pem"
    return (create_once if known else create_default_context)(*purpose, **given)


ssl.create_default_context = context


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Without xdist (-p no:xdist) its options in pyproject.toml are taken and mean nothing."""
    parser.addoption("--kills", default="2", help="how often test_kills kills an arena")
    parser.addoption("--players", default="6", help="how many play there meanwhile")
    parser.addoption("--prompts", default="4", help="of the study that test_crowd judges")
    parser.addoption("--examples", default="4", help="made up for each call of the API")
    parser.addoption("--follow-ups", default="15", help="that test_room sends from a phone")
    if not pluginmanager.hasplugin("xdist"):
        parser.addoption("--numprocesses", "--dist")
        parser.addoption("--no-loadscope-reorder", action="store_true")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests run on CI, or when they are asked for by a marker or by name. The files with
    most of them begin, as files are shared out in their order: one that is begun last is waited
    for. Those that are given time of their own wait for what they kill, so two that work go with
    each, or the cores would be idle and then too few. After them come those in a browser, which
    take longer than others. What long tests reach is not measured: being traced takes them several
    times as long, and they are about whole programs."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    long, given = Counter(item.path for item in slow), Counter[Path]()
    for item in slow:
        patience = item.get_closest_marker("timeout")
        given[item.path] = max(given[item.path], patience.args[0] if patience else 0)
    wait, work = [], []
    for path in sorted(long, key=lambda path: (-given[path], -long[path])):
        (wait if given[path] else work).append(path)
    turn = {path: 3 * at for at, path in enumerate(wait)}
    turn |= {path: at // 2 * 3 + at % 2 + 1 for at, path in enumerate(work)}
    browsing = {item.path for item in items if "browser" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: (turn.get(item.path, math.inf), item.path not in browsing))
    if config.pluginmanager.hasplugin("_cov"):
        for item in items:
            if untraced(item):
                item.add_marker("no_cover")
    if ON_CI or config.option.markexpr or any("::" in arg for arg in config.args):
        return
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """pytest-cov reads its options twice in a worker of xdist, as if it were the one that shares
    out too, and follows twice what is run. What is followed for nobody would go on where nothing is
    to be followed, and takes hard work three times as long."""
    following = session.config.pluginmanager.getplugin("_cov")
    if following and following.cov_controller and hasattr(session.config, "workerinput"):
        following.cov_controller.pause()


def pytest_collectstart() -> None:
    """As where the arena starts, there is no garbage among what is imported."""
    gc.disable()


def pytest_collection_finish() -> None:
    """And it stays; looking it through again and again takes a tenth of all tests' time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 20, 20)
    gc.enable()


def untraced(item: pytest.Item) -> bool:
    """Also of what makes its examples up: there are a hundred, and each goes the same ways."""
    made_up = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    return made_up or any(map(item.get_closest_marker, ("slow", "untraced")))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """More than there are cores, as most tests wait more than they work."""
    return (os.cpu_count() or 1) + 2


def missing(what: str, how_to_get_it: str) -> None:
    """Skip the test for want of something; fail on CI, where nothing may be missing."""
    (pytest.fail if ON_CI else pytest.skip)(f"{what} is missing. {how_to_get_it}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium, driven by Playwright. Not kept for the session: Playwright holds an event
    loop in this thread, where other tests run their own."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        missing("Chromium", "Install it: apt-get install chromium-headless-shell")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
