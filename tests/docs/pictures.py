"""Takes the pictures in these pages from the real app: `python -m tests.docs.pictures`.

Replies are those of the model that comes with the arena. The votes on the leaderboard are
simulated, and its contenders have no real names.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from playwright.sync_api import sync_playwright

from arena.bench import simulated
from arena.compose.ledgers import ledger_of
from arena.settings import load
from tests.conftest import BROWSERS, FLAGS
from tests.docs.pages import ROOT
from tests.fake_ollama import FakeModel, FakeOllama
from tests.running import running

FOLDER = ROOT / ".github"
SIZE = {"width": 1280, "height": 860}
PROMPT = "Why is the sky blue? Answer in three sentences."
VOTES, SEED = 2700, 7
NAMES = [f"model-{n:02}:8b-instruct" for n in range(6)]
PATIENCE_MS = 120_000


def votes() -> pd.DataFrame:
    """Simulated ones, by contenders that each have a speed and a length of their own."""
    drawn = simulated.votes(VOTES, len(NAMES), SEED)
    chance = np.random.default_rng(SEED)
    for side in "ab":
        n = drawn[f"model_{side}"].str.extract(r"(\d+)", expand=False).astype(int)
        drawn[f"tokens_per_s_{side}"] = 40 + 25 * n + chance.normal(scale=4, size=len(n))
        drawn[f"ttft_ms_{side}"] = 180 + 30 * n + chance.normal(scale=15, size=len(n))
        drawn[f"output_tokens_{side}"] = (
            (380 - 40 * n + chance.normal(scale=30, size=len(n))).round().astype(int)
        )
    return drawn


async def cast(database: Path) -> None:
    """Those votes, in a ledger of their own."""
    like = replace(simulated.rehearsed("like"), study="", excluded_reason="")
    async with ledger_of(load({"DATABASE_URL": f"sqlite:///{database}"}, None), "made") as ledger:
        await ledger.add(simulated.rows(votes(), like))


def battle(page: Any, folder: Path) -> None:
    """The first round of one, when it can be voted on."""
    page.wait_for_selector("#send:not([disabled])", timeout=PATIENCE_MS)
    page.fill("#prompt textarea", PROMPT)
    page.press("#prompt textarea", "Enter")
    page.wait_for_selector("[id^=vote-out-]:not([disabled]):visible", timeout=PATIENCE_MS)
    page.screenshot(path=folder / "screenshot.png")


def leaderboard(page: Any, folder: Path) -> None:
    page.get_by_role("tab", name="Leaderboard").click()
    page.set_viewport_size({**SIZE, "height": 1320})
    page.wait_for_selector("#board-status:has-text('updates by itself')", timeout=PATIENCE_MS)
    page.wait_for_selector("#board-days .js-plotly-plot", timeout=PATIENCE_MS)
    page.wait_for_load_state("networkidle", timeout=PATIENCE_MS)
    page.screenshot(path=folder / "leaderboard.png")


def main(folder: Path = FOLDER) -> None:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        sys.exit("Chromium is missing. Install it: apt-get install chromium-headless-shell")
    with tempfile.TemporaryDirectory() as name:
        fresh, full = Path(name) / "fresh", Path(name) / "full"
        fresh.mkdir()
        full.mkdir()
        asyncio.run(cast(full / "arena.db"))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
            with running(fresh, ARENA_MAX_TOKENS="160") as app:
                page.goto(app.url)
                battle(page, folder)
            with FakeOllama.in_thread([FakeModel(name) for name in NAMES], warm=True) as host:
                with running(full, OLLAMA_HOST=host.url, ARENA_MODELS=",".join(NAMES)) as app:
                    page.goto(app.url)
                    leaderboard(page, folder)
            browser.close()


if __name__ == "__main__":
    main()
