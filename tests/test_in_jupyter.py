"""A notebook as a researcher runs it: executed by a real kernel, and its output seen in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.fake_ollama import FakeOllama
from tests.running import ROOT
from tests.web.calling import HOSTED
from tests.web.test_embedding import site
from tests.web.test_page import BETTER, VOTE_OUT, ask, vote

CELLS = """
import arena
place = dict(OLLAMA_HOST="{host}", DATABASE_URL="sqlite:///{folder}/a.db")
page = arena.launch(**place)
---
battle = page.battle("Why is it dark at night?", size=2)
battle
---
battle.pick("A").reveal()
---
other = await arena.abattle("And why by day?", size=2, **place)
await other.pick("B")
---
page.plot_leaderboard()
---
from IPython.core.completer import provisionalcompleter
with provisionalcompleter():
    for begun in ("arena.pl", "battle.pi"):
        print(*(found.text for found in get_ipython().Completer.completions(begun, len(begun))))
"""


@pytest.mark.slow
def test_a_notebook_plays_battles_and_shows_a_page_that_does(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(key, str(tmp_path / key))
    with FakeOllama.in_thread(HOSTED, speed=20, warm=True) as host:
        source = CELLS.format(host=host.url, folder=tmp_path)
        cells = [nbformat.v4.new_code_cell(text.strip()) for text in source.split("---")]
        client = NotebookClient(
            nbformat.v4.new_notebook(cells=cells),
            timeout=120,
            resources={"metadata": {"path": ROOT}},
        )
        with client.setup_kernel():
            for number, cell in enumerate(cells):
                client.execute_cell(cell, number)
            launched, blind, revealed, awaited, drawn, offered = [shown(cell) for cell in cells]
            assert "Model A" in blind["text/html"]
            assert not any(model.name in blind["text/html"] for model in HOSTED)
            assert "rating_after" in revealed["text/plain"]
            assert "Model B" in awaited["text/html"] and "won" in awaited["text/html"]
            assert drawn["application/vnd.plotly.v1+json"]["data"]
            assert offered["text/plain"].split() == ["plot_leaderboard", "pick"]
            (tmp_path / "lab").mkdir()
            (tmp_path / "lab" / "index.html").write_text(launched["text/html"] + blind["text/html"])
            with site(tmp_path / "lab") as port:
                play(browser, f"http://localhost:{port}")


def shown(cell: Any) -> dict[str, Any]:
    """What a cell printed, else its last output, by media type."""
    printed = "".join(each.get("text", "") for each in cell.outputs)
    last = cell.outputs[-1]
    return {"text/plain": printed} if last.output_type == "stream" else dict(last.data)


def play(browser: Any, notebook: str) -> None:
    """A battle in the frame that the notebook shows."""
    page = browser.new_page()
    page.goto(notebook)
    assert page.get_by_text("Model A").is_visible()
    frame = page.frames[-1]
    frame.wait_for_selector("#send:not([disabled])")
    ask(frame, "Does it work here too?")
    vote(frame, VOTE_OUT)
    vote(frame, BETTER)
    frame.wait_for_selector(".unmasked h2")
    page.close()
