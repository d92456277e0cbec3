"""A study judged by a crowd that was planted, through the API and the page, while the arena is
killed again and again: every prompt its raters, who is careless found, the truth in the figures,
and a release that comes out the same elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import krippendorff
import numpy as np
import pandas as pd
import pytest

import arena
from arena.adapters.ledger import SqlLedger
from arena.core.standings.agreement import judged as judged_of
from arena.core.study.design import GOOD
from arena.play.studies import open_study
from arena.studies import StudyFrames
from tests import raters
from tests.cluster import clustered
from tests.nginx import free_port
from tests.postgresql import Postgresql
from tests.raters import PLANTED, ROBOT, STRENGTHS, Rater, worse
from tests.redis_server import RedisServer
from tests.running import ROOT, App, commanded, running, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

ENOUGH = 40
"""Prompts from which on the figures tell who is careless and who is strongest."""
PAGE = r"page\s+http"
START_S = 600.0
"""For one start of the arena, beside all that judge and are judged."""
LEAST_LIFE = 8
"""Votes between two kills."""
ON_PAGE = "r1"
NOWHERE = "127.0.0.1:9"
PATIENCE_MS = 15_000
POINTS = 400 / np.log(10)

Kill = Callable[[int], None]


@contextmanager
def alone(folder: Path, _: pytest.FixtureRequest) -> Iterator[tuple[str, str, Kill]]:
    """One process on SQLite, whose host does not answer: what was written ahead needs none."""
    port = str(free_port())
    settings = {"OLLAMA_HOST": NOWHERE, "ARENA_OPENS_PER_MINUTE": "0"}
    settings |= {"ARENA_BALLOTS_PER_HOUR": "0", "ARENA_PACE": "1000"}
    with ExitStack() as stack:
        there: list[App] = []

        def start() -> None:
            app = running(folder, "--port", port, ready=False, **settings)
            there.append(stack.enter_context(app))
            wait_until(lambda: re.search(PAGE, there[-1].printed), "there is a page", START_S)

        def kill(_: int) -> None:
            there[-1].stop(signal.SIGKILL)
            start()

        start()
        yield f"http://127.0.0.1:{port}", f"sqlite:///{folder / 'arena.db'}", kill
        printed = "\n".join(app.printed for app in there)
        assert "Traceback" not in printed, printed


@contextmanager
def together(folder: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, str, Kill]]:
    """Two replicas behind nginx, killed in turn."""
    redis: RedisServer = request.getfixturevalue("redis_server")
    postgresql: Postgresql = request.getfixturevalue("postgresql")
    with clustered(folder, redis, postgresql) as cluster:

        def kill(number: int) -> None:
            replica = cluster.replicas[number % len(cluster.replicas)]
            replica.kill()
            replica.start()
            wait_until(replica.usable, "the replica is usable again", START_S)

        yield cluster.url, cluster.database_url, kill
        assert "Traceback" not in cluster.printed(), cluster.printed()


@pytest.mark.parametrize("served", [alone, together])
def test_a_study_holds_what_was_planted_in_it(
    served: Callable[..., Any],
    browser: Any,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    pytestconfig: pytest.Config,
) -> None:
    prompts = int(pytestconfig.getoption("--prompts"))
    with served(tmp_path, request) as (url, database, kill), ThreadPoolExecutor(2) as threads:
        threads.submit(asyncio.run, opened(database, prompts)).result()
        crowd = threads.submit(asyncio.run, judged(url, kill, prompts))
        dropped = on_page(browser, url)
        people, kills = crowd.result()
        board = httpx.get(f"{url}/api/arena/leaderboard?study=crowd", trust_env=False).text
        assert not [name for name in STRENGTHS if name in board], "an open study is blind"
    found = arena.study("crowd", unblind=True, DATABASE_URL=database)
    told_of(found, people, kills)
    assert not [failure for rater in people for failure in rater.failures]
    every_prompt_has_its_raters(found, people, dropped)
    agreement_is_the_librarys(found, database)
    if prompts >= ENOUGH:
        the_planted_are_found(found)
        the_truth_is_found(found)
    released_elsewhere(database, tmp_path)


async def opened(database: str, prompts: int) -> None:
    ledger, study = SqlLedger(database), raters.study(prompts)
    await ledger.open()
    await ledger.keep(study.name, raters.replies(study))
    await open_study(ledger, study, datetime.now(UTC))
    await ledger.close()


async def judged(url: str, kill: Kill, prompts: int) -> tuple[list[Rater], int]:
    """Everybody but the one on the page, and how often it was killed meanwhile."""
    times = prompts // 8 + 1
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=url, trust_env=False, timeout=30, limits=limits
    ) as client:
        names = [f"r{n}" for n in range(raters.RATERS)]
        people = [Rater(client, "crowd", name) for name in names if name != ON_PAGE]

        async def killing() -> int:
            for kills in range(times):
                seen = sum(len(rater.votes) for rater in people)
                while sum(len(rater.votes) for rater in people) < seen + LEAST_LIFE:
                    if all(part.done() for part in parts):
                        return kills
                    await asyncio.sleep(0.02)
                await asyncio.to_thread(kill, kills)
            return times

        parts = [asyncio.create_task(rater.take_part()) for rater in people]
        kills = await killing()
        ends = await asyncio.gather(*parts)
    assert {(bool(end["done"]), end["code"]) for end in ends} <= {(True, "C0DE"), (False, "")}
    return people, kills


Seen = tuple[str, ...]
"""What two replies say, in their order."""


def on_page(browser: Any, url: str) -> dict[Seen, str]:
    """One rater on a phone, who loads the page anew when it does not go on. Replies → the seat that
    was dropped, as far as the page told."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page, dropped = context.new_page(), dict[Seen, str]()
    page.set_default_timeout(PATIENCE_MS)
    from playwright.sync_api import Error

    while True:
        try:
            page.goto(f"{url}/?study=crowd&rater={ON_PAGE}&PROLIFIC_PID={ON_PAGE}")
            page.wait_for_selector("#study-sheet:visible")
            while not is_over(page):
                one_on_page(page, dropped)
            break
        except Error:
            page.wait_for_timeout(500)
    code = page.inner_text("#study-code output")
    assert code == ("C0DE" if page.is_visible("#study-code") else "")
    context.close()
    return dropped


def is_over(page: Any) -> bool:
    """At the end of their way, or because the others took all before they had judged any."""
    turned_away = page.inner_text("#study-title") == "This study is not open"
    return turned_away or page.is_visible("#study-code")


def one_on_page(page: Any, dropped: dict[Seen, str]) -> None:
    if page.is_visible("#study-go"):
        page.click("#study-go")
    page.wait_for_selector("[id^=better-]:not([disabled]):visible, #study-sheet:visible")
    if page.is_visible("#study-sheet"):
        page.wait_for_timeout(300)
        return
    said = {}
    for seat in "AB":
        pane = page.locator(f"#pane-{seat.lower()}", has_text=re.compile(r"Number \d[^.]*\."))
        text = pane.text_content()
        said[seat] = re.findall(r"Number \d[^.]*\.", text)[0]
    out = worse(ON_PAGE, said)
    page.click(f"#better-{({'A', 'B'} - {out}).pop().lower()}")
    page.wait_for_selector("#study-after:visible")
    dropped[tuple(said.values())] = out
    page.click("#study-questions [data-name=reasons] >> nth=0")
    page.click("#study-next")
    page.wait_for_selector("#study-after", state="hidden")


def told_of(found: StudyFrames, people: list[Rater], kills: int) -> None:
    again = sum(rater.asked_again for rater in people)
    sys.stdout.write(f"\n{found!r}, {kills} kills, {len(found.votes)} votes, {again} calls again\n")


def every_prompt_has_its_raters(
    found: StudyFrames, people: list[Rater], dropped: dict[Seen, str]
) -> None:
    votes, design = found.votes, found.design
    ranked = votes[votes["excluded_reason"] == ""]
    assert Counter(ranked["prompt_id"]) == {item.id: design.raters for item in design.items}
    assert not ranked.duplicated(["rater", "prompt_id"]).any()
    assert found.status.complete == len(design.items)
    assert found.status.finished == ranked["rater"].nunique()
    met = found.status.met
    assert met[1] - met[0] <= max(design.alike, met[1] // 4), met
    assert not votes.duplicated("battle_id").any()
    votes = votes.assign(out=votes["winner"].map({"model_a": "B", "model_b": "A"}))
    acknowledged = {battle: seat for rater in people for battle, seat in rater.votes.items()}
    out = votes.set_index("battle_id")["out"]
    assert {battle: out.get(battle) for battle in acknowledged} == acknowledged
    own = votes[votes["rater"] == ON_PAGE]
    talks = zip(own["conversation_a"], own["conversation_b"], strict=True)
    said = [tuple(talk[-1]["content"] for talk in both) for both in talks]
    assert dict(zip(said, own["out"], strict=True)) == dropped
    remarked = {battle for rater in people for battle in rater.remarked}
    assert set(votes.loc[votes["grade_a"] == 3, "battle_id"]) == remarked
    assert set(found.raters["PROLIFIC_PID"]) == set(found.raters["rater"])
    seats = pd.concat([ranked["model_a"].value_counts(), ranked["model_b"].value_counts()], axis=1)
    assert (seats.max(axis=1) - seats.min(axis=1)).max() <= max(4, len(ranked) // 20), seats


def agreement_is_the_librarys(found: StudyFrames, database: str) -> None:
    each = judged_of(found.votes)
    wide = np.full((len(each.raters), each.item.max() + 1), np.nan)
    for item, rater, judgement in zip(each.item, each.rater, each.judgement, strict=True):
        wide[rater, item] = judgement
    expected = krippendorff.alpha(reliability_data=wide, level_of_measurement="nominal")
    printed = arena_command("study", "status", "crowd", "--json", DATABASE_URL=database)
    told = {row["measure"]: row["value"] for row in json.loads(printed)["agreement"]}
    assert told["alpha"] == pytest.approx(expected, abs=1e-9)
    sys.stdout.write(f"alpha {told['alpha']:.4f}, the library's {expected:.4f}\n")


def the_planted_are_found(found: StudyFrames) -> None:
    """By how far they follow the strengths, by checks that they fail, and the robot by its seat."""
    review = arena.review(votes=found.votes)
    assert {*review.reliability["rater"][:3]} == PLANTED, review.reliability
    least = review.reliability.set_index("rater")["reliability"]
    sys.stdout.write(f"reliability: {least.round(2).to_dict()}\n")
    own = found.raters.set_index("rater")
    assert own.loc[ROBOT, "first_seat"] == 1.0 and own["first_seat"].drop(ROBOT).max() < 0.9
    failed = own["attention_passed"] < own["attention_of"]
    assert {*own.index[failed]} <= PLANTED


def the_truth_is_found(found: StudyFrames) -> None:
    """The strongest is on top, also with the planted ones; without them the truth is in the
    intervals. Of five, one may lie outside now and then; none by as much again."""
    board = found.leaderboard()
    assert board["contender"][0] == "fir", board
    careful = found.votes[~found.votes["rater"].isin(PLANTED)]
    own = arena.leaderboard(votes=careful).set_index("contender")
    truth = pd.Series(STRENGTHS) * POINTS + 1000
    assert [*own.index] == [*truth.sort_values(ascending=False).index]
    off = (own["rating"] - truth).abs() / (own["upper"] - own["rating"])
    sys.stdout.write(f"off by, in half intervals: {off.round(2).to_dict()}\n")
    assert (off <= 1).sum() >= 4 and (off < 2).all(), own


def released_elsewhere(database: str, folder: Path) -> None:
    """Closed, released, and made anew where there is no ledger, by other arithmetic units."""
    arena_command("study", "close", "crowd", DATABASE_URL=database)
    arena_command("study", "release", "crowd", str(folder / "release"), DATABASE_URL=database)
    (folder / "release").rename(folder / "elsewhere")
    elsewhere = {
        "DATABASE_URL": f"sqlite:///{folder / 'none' / 'arena.db'}",
        "OPENBLAS_CORETYPE": "Prescott",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F",
    }
    told = subprocess.run(
        [sys.executable, "-m", "arena", "study", "rebuild", str(folder / "elsewhere")],
        cwd=ROOT,
        env=os.environ | elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "every table comes out the same" in told.stdout, told
    votes = pd.read_parquet(folder / "elsewhere" / "votes.parquet")
    assert GOOD in set(votes["model_a"]) and not {f"r{n}" for n in range(12)} & set(votes["rater"])


def arena_command(*words: str, **settings: str) -> str:
    code, told = commanded(*words, **settings)
    assert code == 0, told
    return told
