"""What the Leaderboard tab shows for which standings; and that it shows nothing unasked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import gradio as gr
import pandas as pd
import pytest

from arena.core.leaderboard import COLUMNS, standings
from arena.core.ports import LedgerFault
from arena.web import leaderboard_tab

ALWAYS = ["Rank", "Contender", "Rating", "95 % interval", "Battles", "Votes", "Won", "Tied", "Lost",
          "Both bad", "Win rate", "First token", "Tokens/s"]  # fmt: skip


def ranked(rows: Sequence[tuple[str, str, str]], roster: Sequence[str] = ()) -> pd.DataFrame:
    votes = pd.DataFrame(rows, columns=["model_a", "model_b", "winner"])
    ids = [str(number) for number in range(len(votes))]
    votes = votes.assign(battle_id=ids, ballot_id=ids, ttft_ms_a=1250.0, tokens_per_s_a=42.04)
    return standings(votes.reindex(columns=COLUMNS), roster)


def shown(table: pd.DataFrame) -> list[list[str]]:
    """The texts of the cells, as Gradio takes them from the Styler."""
    grid = gr.Dataframe(interactive=False, datatype="auto")
    value = grid.postprocess(leaderboard_tab.styled(leaderboard_tab.readable(table)))
    assert value is not None and value.metadata is not None
    return value.metadata["display_value"]  # type: ignore[return-value]


class Standings:
    """Stands in for the referee, of which the tab needs this one question."""

    def __init__(self, answer: pd.DataFrame | Exception) -> None:
        self.answer = answer

    async def standings(self) -> pd.DataFrame:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def page(answer: pd.DataFrame | Exception) -> gr.Blocks:
    """A coroutine, for outside of a running event loop Gradio opens one and never closes it."""
    with gr.Blocks() as demo, gr.Tab("Leaderboard") as tab:
        leaderboard_tab.build(tab, Standings(answer))  # type: ignore[arg-type]
    return demo


def opened(answer: pd.DataFrame | Exception) -> dict[str, Any]:
    """What opening the tab answers, by element id."""

    async def answers() -> dict[str, Any]:
        demo = await page(answer)
        (select,) = [fn for fn in demo.fns.values() if fn.targets[0][1] == "select"]
        updates = await select.fn()  # type: ignore[misc]
        return {part.elem_id: update for part, update in zip(select.outputs, updates, strict=True)}

    return asyncio.run(answers())


def test_numbers_are_shown_as_people_read_them() -> None:
    table = ranked([("x", "y", "model_a")] * 3 + [("x", "y", "tie")])
    first = dict(zip(leaderboard_tab.readable(table), shown(table)[0], strict=True))
    assert list(first) == ALWAYS
    lower, upper = table.loc[0, "lower"], table.loc[0, "upper"]
    assert first == {
        "Rank": "1",
        "Contender": "x",
        "Rating": f"{table.loc[0, 'rating']:.0f}",
        "95 % interval": f"{lower:.0f}–{upper:.0f}",
        "Battles": "4",
        "Votes": "4",
        "Won": "3",
        "Tied": "1",
        "Lost": "0",
        "Both bad": "0",
        "Win rate": "88 %",
        "First token": "1.25 s",
        "Tokens/s": "42.0",
    }


def test_what_is_not_known_is_a_dash() -> None:
    rows = shown(ranked([("x", "y", "model_a")], roster=["newcomer"]))
    assert rows[1][-2:] == ["–", "–"]
    assert rows[2] == ["–", "newcomer", "–", "–", *["0"] * 6, "–", "–", "–"]


def test_columns_stay_numbers_so_that_they_sort() -> None:
    table = leaderboard_tab.readable(ranked([("x", "y", "model_a")], roster=["newcomer"]))
    text = {column for column in table if not pd.api.types.is_numeric_dtype(table[column])}
    assert text == {"Contender", "95 % interval"}


def test_the_chart_draws_the_rating_and_interval_of_each_rated_contender() -> None:
    table = ranked([("x", "y", "model_a"), ("y", "z", "model_a")], roster=["newcomer"])
    (points,) = leaderboard_tab.figure(table).data
    rated = table.dropna(subset="rating")
    assert list(points.x) == rated["rating"].tolist()
    assert list(points.x + points.error_x.array) == pytest.approx(rated["upper"].tolist())
    assert list(points.x - points.error_x.arrayminus) == pytest.approx(rated["lower"].tolist())
    captions = [note.text for note in leaderboard_tab.figure(table).layout.annotations]
    assert captions[::2] == rated["contender"].tolist()


def test_the_chart_grows_with_the_number_of_contenders() -> None:
    few = ranked([("a", "b", "tie")])
    many = ranked([(str(n), str(n + 1), "tie") for n in range(30)])
    heights = [leaderboard_tab.figure(table).layout.height for table in (few, many)]
    assert heights[1] - heights[0] == 29 * leaderboard_tab.ROW_PX


def test_a_name_is_text_in_the_chart_and_never_markup() -> None:
    chart = leaderboard_tab.figure(ranked([("<a href='x'>x</a>", "y" * 90, "model_a")]))
    names = [note.text for note in chart.layout.annotations[::2]]
    assert names[0].startswith("&lt;a href=")
    assert names[1] == "y" * 27 + "…"
    assert all("<a" not in label for label in chart.data[0].customdata)


def test_groups_that_never_met_are_told_apart_in_table_chart_and_words() -> None:
    apart = ranked([("x", "y", "model_a")] * 2 + [("p", "q", "model_a")])
    assert leaderboard_tab.readable(apart)["Group"].tolist() == [1, 1, 2, 2]
    assert [trace.name for trace in leaderboard_tab.figure(apart).data] == ["Group 1", "Group 2"]
    assert "2 groups that never met" in leaderboard_tab.updates(apart)[2]["value"]
    together = ranked([("x", "y", "model_a")])
    assert "Group" not in leaderboard_tab.readable(together)
    assert "groups" not in leaderboard_tab.updates(together)[2]["value"]


def test_without_votes_the_tab_says_what_will_be_there_and_shows_nothing_else() -> None:
    for nothing in (ranked([]), ranked([], roster=["x", "y"])):
        parts = opened(nothing)
        assert parts["leaderboard-empty"]["visible"] is True
        assert "No votes yet" in parts["leaderboard-empty"]["value"]
        assert parts["leaderboard"]["visible"] is parts["leaderboard-chart"]["visible"] is False


def test_with_votes_table_and_chart_take_the_place_of_the_words() -> None:
    parts = opened(ranked([("x", "y", "model_a")]))
    assert parts["leaderboard-empty"]["visible"] is False
    assert parts["leaderboard"]["visible"] is parts["leaderboard-chart"]["visible"] is True


def test_a_fault_is_told_in_words() -> None:
    parts = opened(LedgerFault("The disk is full. Free some space, then refresh."))
    assert "The disk is full. Free some space" in parts["leaderboard-empty"]["value"]
    assert parts["leaderboard"]["visible"] is parts["leaderboard-chart"]["visible"] is False


def test_no_name_is_in_the_page_and_no_event_brings_one_until_the_tab_is_opened() -> None:
    demo = asyncio.run(page(ranked([("secret-model", "other-model", "model_a")])))
    assert "secret-model" not in json.dumps(demo.get_config_file(), default=str)
    triggers = {event for fn in demo.fns.values() for _, event in fn.targets}
    assert triggers == {"select", "click"}
    assert not any(fn.queue for fn in demo.fns.values())
