"""What each part of the leaderboard says and draws for which standings."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pandas as pd
import pytest

from arena.core.standings.board import Board, Query, board_of
from arena.core.standings.bradley_terry import Method
from arena.core.standings.covariates import EFFECTS, ORDER, STYLE
from arena.core.standings.review import scrutinised
from arena.core.standings.slices import Slice, pseudonym
from arena.core.when import since, until
from arena.play import panels
from arena.play.release import Release
from arena.web.api.standings import Export
from arena.web.leaderboard import certainty, charts, effects, meetings, notes, scrutiny, table
from arena.web.words import ENGLISH, WORDS
from tests.web import boards

HOSTILE = "<img src=x onerror=alert(1)>"
TRIO = boards.votes({"llama": 1.0, "mistral": 0.2, HOSTILE: -0.8}, 90)


def board(cast: pd.DataFrame = TRIO, query: Query = Query(), **known: Any) -> Board:
    return board_of(cast, query, **known)


def apart() -> pd.DataFrame:
    """Two groups that never met."""
    other = boards.votes({"qwen": 0.5, "gemma": 0.0}, 20, seed=2)
    return pd.concat([TRIO, other], ignore_index=True)


def crowd() -> pd.DataFrame:
    return boards.votes({f"contender-{n}": n / 10 for n in range(30)}, 900)


class Cells(HTMLParser):
    """The texts of a table, row by row, and every tag that was opened."""

    def __init__(self, drawn: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self._open = False
        self.feed(drawn)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        self._open = self._open or tag in ("td", "th")
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._open:
            self.rows[-1][-1] += data


# The table -------------------------------------------------------------------------------------


def test_numbers_are_shown_as_people_read_them() -> None:
    cast = pd.DataFrame(
        {
            "battle_id": list("abcd"),
            "ballot_id": list("abcd"),
            "supersedes": "",
            "excluded_reason": "",
            "rater": list("abcd"),
            "model_a": "x",
            "model_b": "y",
            "winner": ["model_a", "model_a", "tie", "both_bad"],
            "ttft_ms_a": 1250.0,
            "tokens_per_s_a": 42.04,
            "output_tokens_a": 1321.0,
        }
    )
    standings = board(cast).standings
    first = standings.iloc[0]
    heads, row, *_ = Cells(table.draw(standings)).rows
    span = f"{first['lower']:.0f}–{first['upper']:.0f}"
    assert dict(zip(heads, row, strict=True)) == {
        "Rank": "1",
        "Contender": "x",
        "Rating": f"{first['rating']:.0f}{span}",
        "95 % interval": span,
        "Rank spread": "1–2",
        "Battles": "4",
        "Votes": "4",
        "Won": "2",
        "Tied": "1",
        "Lost": "0",
        "Both bad": "1",
        "Bad rate": "25 %",
        "Win rate": "75 %",
        "First token": "1.2 s",
        "Tokens/s": "42.0",
        "Tokens": "1,321",
        "Thought": "–",
    }


def test_what_is_not_known_is_a_dash() -> None:
    rows = Cells(table.draw(board(roster=["newcomer"]).standings)).rows
    assert rows[-2] == ["Not rated yet"]
    assert rows[-1] == ["–", "newcomer", "–", "–", "–", *["0"] * 6, *["–"] * 6]


def test_columns_sort_by_numbers_and_what_is_unknown_has_none() -> None:
    drawn = table.draw(board(roster=["newcomer"]).standings)
    rows = re.findall(r"<tr>(.*?)</tr>", drawn)
    ratings = [re.findall(r'data-by="([^"]*)"', row)[2] for row in rows if "data-by" in row]
    assert [float(r) for r in ratings[:-1]] == sorted(map(float, ratings[:-1]), reverse=True)
    assert ratings[-1] == ""


def test_groups_that_never_met_are_told_apart_in_table_chart_and_words() -> None:
    standings = board(apart()).standings
    heads = [row[0] for row in Cells(table.draw(standings)).rows if len(row) == 1]
    assert heads == ["Group 1", "Group 2"]
    traces = charts.ratings(standings).data
    assert [trace.name for trace in traces] == heads
    assert len({trace.marker.symbol for trace in traces}) == 2, "colour alone does not tell"
    assert "2 groups that never met" in notes.apart(standings)
    assert "of their own group" in notes.front(standings)
    together = board().standings
    assert not [row for row in Cells(table.draw(together)).rows if len(row) == 1]
    assert notes.apart(together) == ""


# Charts ----------------------------------------------------------------------------------------


def test_the_chart_draws_the_rating_and_interval_of_each_rated_contender() -> None:
    standings = board(roster=["newcomer"]).standings
    (points,) = charts.ratings(standings).data
    rated = standings.dropna(subset="rating")
    assert list(points.x) == rated["rating"].tolist()
    assert list(points.x + points.error_x.array) == pytest.approx(rated["upper"].tolist())
    assert list(points.x - points.error_x.arrayminus) == pytest.approx(rated["lower"].tolist())


def test_the_chart_grows_with_the_number_of_contenders() -> None:
    heights = [charts.ratings(board(cast).standings).layout.height for cast in (TRIO, crowd())]
    assert heights[1] - heights[0] == 27 * charts.ROW_PX


def test_a_long_name_is_shortened_in_the_chart() -> None:
    cast = boards.votes({"y" * 90: 0.0, "x": 1.0}, 5)
    texts = [note.text for note in charts.ratings(board(cast).standings).layout.annotations]
    assert any("y" * 24 + "…" in text for text in texts) and not any("y" * 25 in t for t in texts)


def test_a_name_reads_as_it_is_where_plotly_draws_it() -> None:
    cast = boards.votes({"a<b>&\"c'": 0.0, "x": 1.0}, 5)
    texts = " ".join(n.text for n in charts.ratings(board(cast).standings).layout.annotations)
    assert "a&lt;b&gt;&amp;\"c'" in texts


def raced(*speeds_and_ratings: tuple[float, float], group: int = 0) -> pd.DataFrame:
    speeds, ratings = zip(*speeds_and_ratings, strict=True)
    return pd.DataFrame(
        {
            "contender": [f"c{n}" for n in range(len(speeds))],
            "tokens_per_s": speeds,
            "rating": ratings,
            "lower": ratings,
            "upper": ratings,
            "group": group,
        }
    )


def test_the_front_is_of_those_whom_nobody_beats_in_speed_and_rating() -> None:
    known = raced((10, 1200), (20, 1100), (15, 1100), (40, 900), (40, 900), (30, 800))
    assert charts.on_front(known).tolist() == [True, True, False, True, True, False]


def test_each_group_has_a_front_of_its_own() -> None:
    known = pd.concat([raced((10, 1200)), raced((5, 900), group=1)], ignore_index=True)
    assert charts.on_front(known).tolist() == [True, True]
    lines = [trace for trace in charts.speed(known).data if trace.mode == "lines"]
    assert len(lines) == 2


def test_points_off_the_front_differ_by_more_than_hue() -> None:
    _, behind, front = charts.speed(raced((10, 1200), (20, 1100), (5, 1000))).data
    assert (list(behind.x), list(front.x)) == ([5], [10, 20])
    assert behind.marker.color == "#ffffff" != front.marker.color
    assert [*behind.text, *front.text] == ["<b>3</b>", "<b>1</b>", "<b>2</b>"]


def test_speeds_far_apart_are_drawn_on_a_logarithmic_axis() -> None:
    near, far = raced((10, 1200), (20, 1100)), raced((10, 1200), (200, 1100))
    assert charts.speed(near).layout.xaxis.type == "linear"
    assert charts.speed(far).layout.xaxis.type == "log"


def test_length_stands_beside_the_rating_on_the_same_lines() -> None:
    standings = board().standings
    bars, points = charts.lengths(standings).data
    assert list(bars.x) == standings["reply_tokens"].tolist()
    assert list(points.x) == standings["rating"].tolist() and list(bars.y) == list(points.y)


def counted(days: int) -> pd.DataFrame:
    return pd.DataFrame({"day": pd.date_range("2026-03-02", periods=days, tz="UTC"), "votes": 2})


def test_many_days_are_drawn_as_weeks() -> None:
    (daily,), (weekly,) = (charts.days(counted(n)).data for n in (3, 140))
    assert list(daily.y) == [2, 2, 2]
    assert set(weekly.y) == {14} and len(weekly.y) == 20
    assert "week" in weekly.customdata[0] and "week" not in daily.customdata[0]


@pytest.mark.parametrize("far", ["0001-01-01", "9999-12-31"])
def test_a_vote_from_far_away_is_drawn_as_one_of_its_year(far: str) -> None:
    beside = TRIO.iloc[:3].copy()
    days = (far, "2026-03-01", "2026-03-02")
    beside["timestamp"] = [pd.Timestamp(day, tz="UTC") for day in days]
    (yearly,) = charts.days(panels.days(beside)).data
    assert len(yearly.x) < 10_000 and sum(yearly.y) == 3
    assert f"1 vote, {int(far[:4])}" in yearly.customdata and "2 votes, 2026" in yearly.customdata


# Words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p_right", "battles", "said"),
    [
        (0.83, 41.0, "83 % sure; about 41 more battles between them would settle it."),
        (0.83, 412.0, "83 % sure; about 420 more battles between them would settle it."),
        (0.97, 1.0, "97 % sure; about one more battle between them would settle it."),
        (0.98, 0.0, "98 % sure; settled."),
        (0.9999, 0.0, "more than 99 % sure; settled."),
        (0.51, 80_000.0, "51 % sure; too close for any number of battles worth naming."),
    ],
)
def test_how_sure_the_order_is_reads_like_a_sentence(
    p_right: float, battles: float, said: str
) -> None:
    pair = SimpleNamespace(upper="x<", lower="y", p_right=p_right, battles_to_settle=battles)
    assert certainty.told(pair) == (not battles, f"<b>x&lt;</b> above <b>y</b>: {said}")


def test_equals_are_called_level() -> None:
    cast = boards.votes({"x": 0.0, "y": 0.0}, 1)
    level = pd.concat([cast.assign(winner="tie", battle_id=str(n)) for n in range(4)])
    drawn = certainty.draw(board(level).neighbours)
    assert "<b>x</b> level with <b>y</b>: nothing sets them apart yet." in drawn


def test_settled_and_open_places_are_counted() -> None:
    neighbours = board(crowd()).neighbours
    drawn = certainty.draw(neighbours)
    settled = (neighbours["battles_to_settle"] == 0).sum()
    assert f"<b>{settled} of 29</b> places are settled" in drawn
    assert drawn.count('data-state="settled"') == settled


def test_every_cell_of_head_to_head_says_share_and_votes() -> None:
    found = board().head_to_head
    names = ["llama", "mistral", HOSTILE]
    head, *rows = Cells(meetings.draw(found, names)).rows
    assert head[1:] == ["1llama", "2mistral", f"3{HOSTILE}"]
    met = found.set_index(["contender", "opponent"]).loc[("llama", "mistral")]
    assert rows[0][2] == f"{100 * met['win_rate']:.0f} %{met['votes']:.0f}"
    assert [rows[n][n + 1] for n in range(3)] == ["", "", ""]


def test_many_contenders_have_numbers_for_columns_and_who_never_met_a_dot() -> None:
    found = board(crowd())
    head, *rows = Cells(meetings.draw(found.head_to_head, found.standings["contender"])).rows
    assert head[1:] == [str(n) for n in range(1, 31)] and len(rows) == 30
    lone = Cells(meetings.draw(board(apart()).head_to_head, ["llama", "qwen"])).rows
    assert lone[1][2] == "·"


def told(covariate: str, points: float, lower: float, upper: float) -> pd.DataFrame:
    row = (covariate, points / 174, points, lower, upper, 0.5)
    return pd.DataFrame([row], columns=list(EFFECTS))


def test_effects_are_told_in_points_and_in_words() -> None:
    order, style = told("incumbent", 18.2, 2.4, 34.0), told("length", -30.0, -40.0, -20.0)
    drawn = effects.draw(order, style, ("length",))
    assert "+18 <small>(+2 to +34)</small>" in drawn and "−30 <small>(−40 to −20)" in drawn
    assert "against a newcomer, gains about 18 points." in drawn
    assert "costs about 30 points, for one standard deviation" in drawn
    assert drawn.count("corrected for</span>") == 1
    chance = effects.draw(told("seat", 4.0, -3.0, 11.0), pd.DataFrame(), ())
    assert "makes no difference that could be told from chance" in chance


def test_effects_of_which_nothing_is_known_are_not_made_up() -> None:
    unknown = told("seat", np.nan, np.nan, np.nan)
    for order, style in ((unknown, pd.DataFrame()), (pd.DataFrame(), pd.DataFrame())):
        assert "do not know enough" in effects.draw(order, style, ())


def test_an_effect_of_which_votes_say_nothing_is_not_drawn() -> None:
    unknown = told("seat", -68.0, -3137.0, 3001.0)
    drawn = effects.draw(unknown, told("bold", 5.0, 1.0, 9.0), ())
    assert "Too few votes to tell yet." in drawn and "3137" not in drawn
    assert drawn.count("board-span") == 1
    assert "too few votes yet" in effects.draw(unknown, unknown, ())


def test_every_covariate_has_words() -> None:
    for part in ("name", "what"):
        assert set(ENGLISH.table(f"board.effect.{part}")) == {*ORDER, *STYLE}


def test_what_is_not_counted_is_counted_and_named() -> None:
    excluded = {"identity": 3, "superseded": 1, "abuse": 2, "rehearsal": 4, "odd <b>": 5}
    said = notes.aside(replace(board(), excluded=excluded, held_back=1))
    assert "<b>1 vote</b> of battles still under way is held back" in said
    assert [int(n) for n in re.findall(r"<li><b>(\d+)", said)] == [5, 4, 3, 2, 1]
    assert "gave away who wrote it" in said and "Marked “odd &lt;b&gt;”" in said


def test_the_method_is_told_as_it_is() -> None:
    usual = notes.method(Query())
    assert "1.5 logits" in usual and "A tie is half a win" in usual and "not corrected" in usual
    other = notes.method(Query(method=Method(ties="drop", bad="drop"), covariates=("seat",)))
    assert "Ties are left out." in other and "is left out of the ratings" in other
    assert "corrected for Seat" in other


CHOSEN = Query(
    Slice("a&b", "s", "en", "web", "me", since("2026-05-01"), until("2026-05-02")),
    Method(ties="drop", bad="drop"),
    (*STYLE, *ORDER),
)


class Anchors(HTMLParser):
    def __init__(self, drawn: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(drawn)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            assert "download" in dict(attrs)
            self.addresses.append(dict(attrs)["href"] or "")


@pytest.mark.parametrize("query", [Query(), CHOSEN])
def test_downloads_are_relative_links_that_the_api_reads_as_the_same_choice(query: Query) -> None:
    found = Anchors(notes.downloads(query)).addresses
    assert len(found) == len(notes.FILES)
    for address in found:
        parts = urlsplit(address)
        assert parts.path == "api/arena/export" and not parts.netloc
        asked = replace(query.slice, rater=pseudonym(query.slice.rater))
        assert Export(**dict(parse_qsl(parts.query))).query() == replace(query, slice=asked)  # type: ignore[arg-type]


def test_what_was_chosen_is_said() -> None:
    assert Query().said() == []
    assert notes.said(Query()) == []
    assert notes.said(CHOSEN) == [
        "topic “a&b”",
        "study “s”",
        "language “en”",
        "channel “web”",
        "since 1 May 2026",
        "until 2 May 2026",
        "only votes from this browser",
        "ties left out",
        "both bad left out",
        "corrected for style",
        "corrected for order",
    ]


def test_numbers_days_and_forms_are_those_of_the_visitors_language() -> None:
    french, arabic = WORDS["fr"], WORDS["ar"]
    cast = pd.concat([TRIO] * 14, ignore_index=True)
    cast["battle_id"] = cast["ballot_id"] = [str(n) for n in range(len(cast))]
    many = board(cast)
    assert "1\u202f260 votes" in notes.status(many, counting=False, words=french)
    assert "1260 صوت" in notes.status(many, counting=False, words=arabic).replace(",", "")
    days = pd.DataFrame({"day": [pd.Timestamp("2026-03-02", tz="UTC")], "votes": [2]})
    busiest = notes.busiest(days, french).replace("\u00a0", " ")
    assert "2 votes en 1 jour (UTC) ; le plus, le 2 mars 2026 : 2." in busiest
    (bars,) = charts.days(days, french).data
    assert bars.customdata[0] == "2 votes, 2 mars 2026"


def test_a_card_without_a_chart_says_why() -> None:
    ties = board(TRIO.assign(winner="tie"), Query(method=Method(ties="drop"))).standings
    assert "Nobody has a rating" in notes.without_ratings(ties)
    assert "Nobody has a rating" in notes.front(ties) and notes.without_lengths(ties)
    silent = board(TRIO.drop(columns=["output_tokens_a", "output_tokens_b"])).standings
    assert "No lengths were measured" in notes.without_lengths(silent)
    assert (
        notes.without_ratings(board().standings) == notes.without_lengths(board().standings) == ""
    )


# Names are text --------------------------------------------------------------------------------


def test_a_name_is_text_everywhere_and_never_markup() -> None:
    found, beside = board(), boards.panels(TRIO)
    drawn = [
        table.draw(found.standings),
        certainty.draw(found.neighbours),
        meetings.draw(found.head_to_head, found.standings["contender"]),
        notes.front(found.standings),
        notes.status(board(query=Query(Slice(topic=HOSTILE))), counting=False),
        *(
            c.to_json()
            for c in (
                charts.ratings(found.standings),
                charts.speed(found.standings),
                charts.lengths(found.standings),
                charts.days(beside.days),
            )
        ),
    ]
    assert all("img src=x" in text for text in drawn[:5])
    assert not [text for text in drawn if re.search(r"<img|\\u003cimg", text)]


def test_what_a_reviewer_asks_for_is_told_in_every_language() -> None:
    found = scrutinised(TRIO)
    for words in WORDS.values():
        drawn = Cells(scrutiny.draw(found, words))
        heads = {len(row) for row in drawn.rows}
        assert heads == {5} and len(drawn.rows) == 3 + 3 + 3 + 3
        assert "img" not in drawn.tags
    first = Cells(scrutiny.draw(found)).rows[1]
    assert first[0].startswith("llama before") and first[0].endswith("(first place)")
    assert int(first[2]) >= 1 and first[3].endswith(" %")


def test_few_votes_are_marked_and_told() -> None:
    cast = pd.concat([TRIO, boards.votes({"llama": 0.0, "new": 0.0}, 1, seed=9)])
    drawn = Cells(table.draw(board(cast).standings))
    marked = [row[1] for row in drawn.rows if any("*" in cell for cell in row)]
    assert marked == ["new"] and "abbr" in drawn.tags
    assert "new" in scrutiny.draw(scrutinised(cast))
    assert scrutiny.draw(scrutinised(TRIO[:0]))


@pytest.mark.parametrize(
    ("what", "given"),
    [("nothing", set()), ("standings", {"latex"}), ("votes", {*notes.FILES} - {"dpo"})],
)
def test_files_that_are_not_given_away_are_no_links_but_say_so(what: str, given: set[str]) -> None:
    drawn = notes.downloads(Query(), release=Release(what))
    found = Anchors(drawn).addresses
    assert len(found) == len(given)
    assert drawn.count("Not given away by this arena.") == len(notes.FILES) - len(given)
    assert ("Votes of today" in drawn) == (what == "votes")
    release = Release("all", after_h=6, least=1000)
    told = notes.downloads(Query(), release=release)
    assert "last 6 hours" in told and "1,000 votes" in told
