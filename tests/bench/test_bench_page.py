"""The bench of the page: a browser that is missing is told kindly, and one that is there answers."""

from __future__ import annotations

import json
import shutil

import pytest

from arena.bench import page
from arena.bench.page import ARENA, COLD, FAR, KINDS, PLAIN, WARM
from arena.cli import main
from tests.conftest import missing


def test_what_is_missing_is_said_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page, "BROWSERS", ())
    assert main(["bench", "page"]) == 1
    assert "apt-get install chromium" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("forking")
def test_the_page_is_measured_beside_a_bare_one_and_no_key_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A plain Gradio app has some megabytes.
    monkeypatch.setattr(page, "FAR_BYTES_S", 5_000_000)
    monkeypatch.setattr(page, "FAR_MS", 20)
    monkeypatch.setattr(page, "SETTLED_MS", 300)
    kinds = {kind: KINDS[kind] for kind in ("prose", "mathematics")}
    monkeypatch.setattr(page, "KINDS", kinds)
    if not any(map(shutil.which, page.BROWSERS)):
        missing("Chromium", "Install it: apt-get install chromium-headless-shell")
    words = "bench page --tokens 40 --rate 80 --slowed 1 --repeat 1 --json"
    assert main(words.split()) == 0
    told = json.loads(capsys.readouterr().out)
    scenes = [(load["program"], load["scene"]) for load in told["loads"]]
    assert scenes == [(program, scene) for scene in (COLD, WARM, FAR) for program in (ARENA, PLAIN)]
    assert all(load["bytes"] > 0 and load["seconds"] > 0 for load in told["loads"])
    assert [row["kind"] for row in told["streams"]] == [*kinds]
    assert all(row["keys"] > 0 and row["lost"] == 0 for row in told["streams"])
