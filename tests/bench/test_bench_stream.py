"""The benches around the stream: what they report when they are run small, and how they judge."""

from __future__ import annotations

import json
import pstats
from pathlib import Path
from typing import Any

import pytest

from arena.bench import Figure, footprint, stream
from arena.bench.browser import Broken, Plan
from arena.bench.capacity import HERE, PLAIN, Search
from arena.bench.launched import MODELS
from arena.bench.steady import text_of
from arena.cli import main
from arena.cli.bench.figures import reached


def found(capsys: pytest.CaptureFixture[str], *command: str) -> Any:
    assert main(["bench", *command, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def by_name(figures: list[dict[str, Any]]) -> dict[str, float]:
    return {figure["what"]: figure["value"] for figure in figures}


def test_a_reply_that_lost_a_token_or_went_to_another_battle_is_no_whole_one() -> None:
    plan = Plan(tokens=30)
    whole = [text_of(model, "n1", 30) for model in MODELS]
    assert len(set(whole)) == 3 and len({*map(len, whole)}) == 1
    plan.check("n1", whole)
    for wrong in (
        [*whole[:2], whole[2][:-2]],
        whole[:2],
        [*whole[:2], text_of(MODELS[2], "n2", 30)],
    ):
        with pytest.raises(Broken):
            plan.check("n1", wrong)


@pytest.mark.parametrize("holds", [0, 1, 7, 38, 200, 512, 600])
def test_the_search_ends_close_below_what_breaks(holds: int) -> None:
    search, tried = Search(most=512), 0
    while tabs := search.following(16):
        search.learned(tabs, tabs <= holds)
        tried += 1
        assert tried < 40
    assert min(holds, 512) / 1.1 - 1 <= search.held <= holds


def test_what_breaks_once_is_tried_again() -> None:
    search = Search(most=64)
    search.learned(16, well=False)
    assert search.following(16) == 16
    search.learned(16, well=True)
    assert search.following(16) == 32


def test_a_figure_that_could_not_be_measured_is_missed() -> None:
    assert (
        reached(Figure("", 1, most=1))
        and reached(Figure("", 1, least=1))
        and reached(Figure("", 1))
    )
    assert not reached(Figure("", 2, most=1)) and not reached(Figure("", 0, least=1))
    assert not reached(Figure("", float("nan"), most=1))


@pytest.mark.slow
@pytest.mark.usefixtures("forking")
def test_capacity_measures_the_arena_beside_a_plain_gradio_app(
    capsys: pytest.CaptureFixture[str],
) -> None:
    small = ("--tokens", "10", "--start", "2", "--most", "2", "--seconds", "0.5", "--plain")
    told = found(capsys, "capacity", *small)
    assert set(told["held"]) == {HERE, PLAIN}
    # Beside other tests a step may see no battle to its end.
    assert {step["program"] for step in told["steps"]} == {HERE, PLAIN}
    assert all(step["seen"]["cpu"] >= 0 for step in told["steps"])


@pytest.mark.slow
@pytest.mark.usefixtures("forking")
def test_the_cost_of_a_battle_comes_with_a_profile_of_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "profile"
    small = ("--tokens", "10", "--battles", "2", "--at-once", "2", "--profile", str(file))
    figures = by_name(found(capsys, "cpu", *small))
    assert 0.005 < figures["CPU of a battle, 2 at once"] < 2
    functions = {name for _, _, name in pstats.Stats(str(file)).stats}  # type: ignore[attr-defined]
    assert {"write", "publish"} <= functions


@pytest.mark.slow
@pytest.mark.usefixtures("forking")
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            "overhead --tokens 20 --repeat 1",
            {"First text on the page": (0.02, 2), "All three replies on the page": (0.5, 3)},
        ),
        (
            "wait --tokens 20 --repeat 1 --reading 0.5",
            {
                "Last token to voting, models unlike": (0, 2),
                "Knockout's second round after 0.5 s of reading": (0, 2),
            },
        ),
        (
            "memory --pages 2,4 --battles 10",
            {"With no page open": (50, 2000), "A page, of 4": (-5000, 5000)},
        ),
        (
            "votes --seconds 0.5 --battles 5",
            {"SQLite: durable votes a second": (5, 1e5), "SQLite: p99": (0, 5)},
        ),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) else "",
)
def test_a_bench_that_is_run_small_reports_what_is_likely(
    command: str,
    expected: dict[str, tuple[float, float]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "RATES", {"unlike": stream.RATES["unlike"]})
    monkeypatch.setattr(footprint, "SETTLE_S", 0.2)
    monkeypatch.setattr(footprint, "AT_ONCE", 5)
    figures = by_name(found(capsys, *command.split()))
    for name, (least, most) in expected.items():
        assert least <= figures[name] <= most, figures


@pytest.mark.slow
def test_a_start_is_measured_from_the_program_to_its_page(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = by_name(found(capsys, "start", "--repeat", "1"))
    assert 0.5 <= figures["Arena, until its first page"] <= 100
