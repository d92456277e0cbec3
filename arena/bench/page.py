"""The page in a real browser: what loading it takes beside a bare Gradio page, and whether it still
answers while three replies stream in, on this processor and on one as slow as a phone's.

Replies are fed to the page's own scripts as the event stream would bring them. It does not know how
figures are drawn.
"""

import asyncio
import importlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from arena.bench import Told
from arena.bench.launched import arena, cores, host, launched
from arena.core.battle.view import Pane, State
from arena.core.errors import ArenaError

ARENA, PLAIN = "arena", "plain Gradio"
COLD, WARM, FAR = "cold", "warm", "cold, 50 kB/s and 400 ms away"
FAR_BYTES_S, FAR_MS = 50_000, 400
READY = {ARENA: "#send:not([disabled])", PLAIN: "textarea"}
BESIDE = ("-m", "arena.bench.served", "tokens")
BROWSERS = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-background-networking", "--no-first-run"]
SEATS = "ABC"
TOKEN = 4
"""Characters, about."""

KEY_S = 0.1
PATIENCE_MS = 120_000
SETTLED_MS = 1000
VOTE = "[id^=vote-out-]:not([disabled])"

KINDS = {
    "prose": (
        "## On the {n}th morning\n\n",
        "The sea was **calm**, and light came slowly over the *hills*, as it does in autumn;\n",
        "whoever was awake saw `{n}` ships, counted them again, and went home for breakfast.\n\n",
        "- first a boat with one sail\n- then [another](https://example.org/{n}), larger\n\n",
    ),
    "code": (
        "Step {n}:\n\n",
        "```python\ndef step_{n}(value: int) -> int:\n    return value * {n}  # once more\n```\n\n",
        '```sh\nfor file in *.txt; do echo "$file"; done\n```\n\n',
    ),
    "tables": (
        "| Name | Size | What it is for |\n|:---|---:|---|\n",
        *["| **number {n}** | {n} | `code` and some words that take a line |\n"] * 12,
        "\nThat was table {n}.\n\n",
    ),
    "mathematics": (
        "For $x_{{{n}}}$ with \\(a \\ne 0\\) we have\n\n",
        "$$x_{{1,2}} = \\frac{{-b \\pm \\sqrt{{b^2 - 4ac_{{{n}}}}}}}{{2a}}$$\n\n",
        "and so $\\sum_{{i=1}}^{{{n}}} i = \\frac{{n(n+1)}}{{2}}$, as was to be shown.\n\n",
    ),
}


class NoBrowser(ArenaError):
    title = "No browser"


@dataclass(frozen=True, slots=True)
class Plan:
    """tokens: of a reply, so many a second. slowed: how many times slower the processor is made,
    one scene after the other. repeat: how often each page is loaded."""

    tokens: int
    rate: int
    slowed: tuple[int, ...]
    repeat: int


@dataclass(frozen=True, slots=True)
class Load:
    """Medians. bytes: as they came over the wire. seconds: until a prompt can be typed and sent."""

    program: str
    scene: str
    requests: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Stream:
    """longest: task, in seconds; over: how many took more than 100 ms. key: from a press of a key
    to the next picture, at most; lost: presses that were never answered."""

    kind: str
    slowed: int
    longest: float
    over: int
    keys: int
    key_p95: float
    key: float
    lost: int


async def measured(plan: Plan, told: Told) -> tuple[list[Load], list[Stream]]:
    loads, streams = [], []
    scenes = [(kind, slowed) for slowed in plan.slowed for kind in KINDS]
    with TemporaryDirectory() as folder:
        async with (
            _chromium() as browser,
            host(10, 100.0) as models,
            arena(folder, [models.url]) as ours,
            launched(*BESIDE, models.url, on=cores()[0]) as other,
        ):
            for scene in (COLD, WARM, FAR):
                for program, url in ((ARENA, ours.url), (PLAIN, other.url)):
                    told(f"Loading {program}, {scene}", 0.0)
                    loads.append(await _loaded(browser, program, url, scene, plan.repeat))
            for done, (kind, slowed) in enumerate(scenes):
                told(f"Streaming {kind}, {slowed}× slower", done / len(scenes))
                streams.append(await _stream(browser, ours.url, plan, kind, slowed))
    return loads, streams


async def _loaded(browser: Any, program: str, url: str, scene: str, repeat: int) -> Load:
    taken = [await _load(browser, program, url, scene) for _ in range(repeat)]
    requests, size, seconds = map(median, zip(*taken, strict=True))
    return Load(program, scene, int(requests), int(size), seconds)


async def _stream(browser: Any, url: str, plan: Plan, kind: str, slowed: int) -> Stream:
    page = await browser.new_page()
    await page.add_init_script(path=Path(__file__).with_suffix(".js"))
    await page.goto(url)
    await page.wait_for_function("!!globalThis.begin", timeout=PATIENCE_MS)
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("Emulation.setCPUThrottlingRate", {"rate": slowed})
    await page.wait_for_timeout(SETTLED_MS)
    await page.evaluate("told.longest = told.over = 0")
    size = plan.tokens * TOKEN
    texts = {seat: _text(kind, size, number) for number, seat in enumerate(SEATS)}
    fed = {"texts": texts, "rate": plan.rate * TOKEN, **_states()}
    await page.evaluate("fed => begin(fed)", fed)
    over = asyncio.create_task(page.wait_for_selector(VOTE, timeout=PATIENCE_MS))
    keys = 0
    while not over.done():
        pressed = time.monotonic()
        await page.keyboard.press("Shift")
        keys += 1
        await asyncio.sleep(max(0.0, KEY_S - (time.monotonic() - pressed)))
    await over
    await page.wait_for_timeout(SETTLED_MS)
    told = await page.evaluate("told")
    await page.close()
    took = sorted(ms / 1000 for ms in told["keys"])
    p95 = took[int(0.95 * (len(took) - 1))]
    return Stream(
        *(kind, slowed, told["longest"] / 1000, told["over"]),
        *(keys, p95, took[-1], keys - len(took)),
    )


async def _load(browser: Any, program: str, url: str, scene: str) -> tuple[int, int, float]:
    """Requests, bytes and seconds of one load, of the second one where it is to be warm."""
    context = await browser.new_context()
    page = await context.new_page()
    cdp = await context.new_cdp_session(page)
    await cdp.send("Network.enable")
    if scene == FAR:
        rates = {f"{way}Throughput": FAR_BYTES_S for way in ("download", "upload")}
        slow = {"offline": False, "latency": FAR_MS, **rates}
        await cdp.send("Network.emulateNetworkConditions", slow)
    sizes: list[int] = []
    cdp.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    for _ in range(2 if scene == WARM else 1):
        sizes.clear()
        started = time.monotonic()
        await page.goto(url, wait_until="commit", timeout=PATIENCE_MS)
        await page.wait_for_selector(READY[program], timeout=PATIENCE_MS)
        seconds = time.monotonic() - started
        await page.wait_for_load_state("load", timeout=PATIENCE_MS)
    await page.wait_for_timeout(SETTLED_MS)
    await context.close()
    return len(sizes), sum(sizes), seconds


def _text(kind: str, size: int, number: int) -> str:
    """Never twice the same, as nothing that was drawn before may help."""

    def parts() -> Iterator[str]:
        length = 0
        for n, part in enumerate(cycle(KINDS[kind]), 1000 * number):
            yield (made := part.format(n=n))
            length += len(made)
            if length > size:
                return

    return "".join(parts())


def _states() -> dict[str, Any]:
    panes = tuple(Pane(seat, "writing") for seat in SEATS)
    before = State("bench", 1, "elimination", "answering", 1, False, panes, ("Why?",), 0, False)
    done = tuple(replace(pane, state="complete") for pane in panes)
    after = replace(before, version=2, phase="voting", panes=done, ballot="b")
    return json.loads(json.dumps({"before": asdict(before), "after": asdict(after)}))  # type: ignore[no-any-return]


@asynccontextmanager
async def _chromium() -> AsyncIterator[Any]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        playwright = importlib.import_module("playwright.async_api")
    except ImportError:
        raise NoBrowser(
            "This bench drives a browser through Playwright, which is missing. Install it: "
            "pip install -r tests/requirements.txt"
        ) from None
    if not path:
        raise NoBrowser("This bench needs Chromium. Install it: apt-get install chromium")
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()
