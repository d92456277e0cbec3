"""Votes and standings from Python, as a notebook asks for them: inside a running event loop."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import arena
from arena.core.errors import BadInput, ConfigError
from arena.core.standings.leaderboard import STANDINGS
from arena.exchange.lmarena import FIELDS
from tests.exchange.rows import exported, filled, some_votes, vote


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where a ledger with some votes is, as settings."""
    file = filled(tmp_path_factory.mktemp("frames") / "arena.db", some_votes())
    return {"DATABASE_URL": f"sqlite:///{file}"}


@pytest.fixture
def empty(tmp_path: Path) -> dict[str, str]:
    return {"DATABASE_URL": f"sqlite:///{tmp_path / 'new.db'}"}


MEASURED = ["ttft_ms", "tokens_per_s", "reply_tokens"]


def votes(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["model_a", "model_b", "winner"])


# Votes -----------------------------------------------------------------------------------------


def test_votes_can_be_had_from_a_running_event_loop(place: dict[str, str]) -> None:
    async def cell() -> pd.DataFrame:
        return arena.votes(**place)

    found = asyncio.run(cell())
    assert list(found.columns) == list(FIELDS)
    assert list(found["id"]) == [row.id for row in some_votes()]


def test_only_the_columns_that_are_named_are_read(place: dict[str, str]) -> None:
    found = arena.votes(("winner", "sequence"), rater="r2", **place)
    assert list(found.columns) == ["winner", "sequence"]
    assert list(found["winner"]) == ["model_b", "model_b"] and list(found.index) == [0, 1]
    for named in (found.columns, found.columns.to_numpy(), iter(["winner", "sequence"])):
        assert arena.votes(named, rater="r2", **place).equals(found)


def test_models_and_winner_are_categories_that_compare_and_can_be_read_again(
    place: dict[str, str], tmp_path: Path
) -> None:
    found = arena.votes(["model_a", "model_b", "winner"], **place)
    assert set(found.dtypes.map(str)) == {"category"}
    assert found["model_a"].cat.categories.tolist() == ["x", "y", "z"]
    assert not (found["model_a"] == found["model_b"]).any()
    assert list(found["winner"].cat.categories) == ["model_a", "model_b", "tie", "both_bad"]
    assert arena.votes(["id"], **place).dtypes.map(str).tolist() == ["str"]
    votes = arena.votes(**place)
    for write, file in ((votes.to_parquet, "v.parquet"), (votes.to_pickle, "v.pickle")):
        write(tmp_path / file)
    for read, file in ((pd.read_parquet, "v.parquet"), (pd.read_pickle, "v.pickle")):
        again = arena.leaderboard(votes=read(tmp_path / file), order=True)
        pd.testing.assert_frame_equal(again, arena.leaderboard(order=True, **place))


def test_the_chart_is_of_the_standings_asked_for(
    place: dict[str, str], empty: dict[str, str]
) -> None:
    (rated,) = arena.plot_leaderboard(title="Law", topic="law", **place).data
    assert list(rated.x) == list(arena.leaderboard(topic="law", **place)["rating"])
    assert not arena.plot_leaderboard(**empty).data


def test_all_that_there_is_comes_on_tab() -> None:
    assert {"battle", "launch", "leaderboard", "plot_leaderboard", "votes"} <= set(dir(arena))
    assert all(callable(getattr(arena, name)) for name in dir(arena))


def test_a_vote_that_was_taken_back_says_so_and_counts_in_no_slice_of_ones_own(
    place: dict[str, str],
) -> None:
    found = arena.votes(**place).set_index("id", drop=False)
    reasons = {"v7": "identity", "v8": "superseded", "v9": ""}
    assert dict(found.loc[[*reasons], "excluded_reason"]) == reasons
    without = arena.leaderboard(votes=found.drop(index="v9"))
    assert without["votes"].sum() == arena.leaderboard(**place)["votes"].sum() - 2
    named = arena.votes(["excluded_reason", "id"], rater="r3", **place)
    assert list(named.columns) == ["excluded_reason", "id"]
    assert list(named["excluded_reason"]) == ["", "superseded", ""]


def test_an_unknown_column_is_told_with_those_there_are(place: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=r"no column winer. They have: .*winner"):
        arena.votes(["winer"], **place)


def test_a_day_that_ends_a_span_belongs_to_it(tmp_path: Path) -> None:
    times = [datetime(2026, 3, day, 23, 59, tzinfo=UTC) for day in (1, 2, 3)]
    rows = [vote(f"v{n}", timestamp=moment) for n, moment in enumerate(times)]
    place = {"DATABASE_URL": f"sqlite:///{filled(tmp_path / 'arena.db', rows)}"}

    def ids(**span: Any) -> list[str]:
        return list(arena.votes(["id"], **span, **place)["id"])

    assert ids(until="2026-03-02") == ids(until=date(2026, 3, 2)) == ["v0", "v1"]
    assert ids(since="2026-03-02", until="2026-03-03T23:59") == ["v1"]
    with pytest.raises(BadInput, match="is no time"):
        ids(since="soon")


def test_a_ledger_that_is_not_there_yet_has_no_votes(empty: dict[str, str]) -> None:
    assert arena.votes(**empty).empty and arena.leaderboard(**empty).empty


@pytest.mark.parametrize("ask", [arena.votes, arena.leaderboard])
def test_a_wrong_setting_or_choice_is_told(ask: Any) -> None:
    with pytest.raises(ConfigError, match="There is no setting 'topics'"):
        ask(topics="law")
    with pytest.raises(ConfigError, match="ARENA_PACE"):
        ask(ARENA_PACE="fast")


# Standings -------------------------------------------------------------------------------------


def test_standings_are_of_the_votes_that_count(place: dict[str, str]) -> None:
    found = arena.leaderboard(**place)
    assert list(found.columns) == list(STANDINGS)
    assert dict(zip(found["contender"], found["votes"], strict=True)) == {"x": 5, "y": 4, "z": 5}
    assert found["rank"].iloc[0] == 1 and found["contender"][0] == "x"


def test_a_slice_has_standings_of_its_own(place: dict[str, str]) -> None:
    found = arena.leaderboard(topic="law", **place)
    assert list(found["contender"]) == ["x", "y"] and set(found["votes"]) == {1}


def test_how_ties_and_both_bad_count_can_be_chosen(place: dict[str, str]) -> None:
    half, dropped = (arena.leaderboard(ties=ties, **place) for ties in ("half", "drop"))
    assert not half["rating"].equals(dropped["rating"])
    assert not half["rating"].equals(arena.leaderboard(bad="drop", **place)["rating"])
    with pytest.raises(BadInput, match="ties cannot be 'third'"):
        arena.leaderboard(ties="third", **place)  # type: ignore[arg-type]


def test_the_anchor_has_1000_and_must_have_votes(place: dict[str, str]) -> None:
    found = arena.leaderboard(anchor="z", **place).set_index("contender")["rating"]
    assert found["z"] == pytest.approx(1000)
    with pytest.raises(BadInput, match=r"No votes rate 'w'. The anchor can be x, y, z"):
        arena.leaderboard(anchor="w", **place)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_a_file_is_ranked_without_being_imported(
    place: dict[str, str], tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"votes.{suffix}"
    ledger = Path(place["DATABASE_URL"].removeprefix("sqlite:///"))
    file.write_bytes(exported(ledger, suffix))
    for named in (file, str(file)):
        pd.testing.assert_frame_equal(arena.leaderboard(votes=named), arena.leaderboard(**place))
    found = arena.leaderboard(votes=file, rater="r3")
    pd.testing.assert_frame_equal(found, arena.leaderboard(rater="r3", **place))


def test_rows_of_ones_own_are_ranked(place: dict[str, str]) -> None:
    pd.testing.assert_frame_equal(
        arena.leaderboard(votes=arena.votes(**place)), arena.leaderboard(**place)
    )
    with pytest.raises(BadInput, match="votes cannot be a list"):
        arena.leaderboard(votes=[("x", "y", "tie")])  # type: ignore[arg-type]
    found = arena.leaderboard(votes=votes(("x", "y", "model_a"), ("y", "x", "both_bad")))
    assert list(found["contender"]) == ["x", "y"]
    with pytest.raises(BadInput, match="unknown outcome 'oops'"):
        arena.leaderboard(votes=votes(("x", "y", "oops")))
    with pytest.raises(BadInput, match="lack the columns winner"):
        arena.leaderboard(votes=votes(("x", "y", "tie")).drop(columns="winner"))


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_a_published_file_is_ranked_alike_as_a_file_and_as_a_dataframe(
    place: dict[str, str], tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"votes.{suffix}"
    ledger = Path(place["DATABASE_URL"].removeprefix("sqlite:///"))
    file.write_bytes(exported(ledger, suffix, strict=True))
    rows = {
        "csv": lambda: pd.read_csv(file),
        "parquet": lambda: pd.read_parquet(file),
        "jsonl": lambda: pd.read_json(file, lines=True),
    }[suffix]()
    for how in ({}, {"since": "2026-01-01"}):
        pd.testing.assert_frame_equal(
            arena.leaderboard(votes=rows, **how).drop(columns=MEASURED),  # type: ignore[arg-type]
            arena.leaderboard(votes=file, **how).drop(columns=MEASURED),  # type: ignore[arg-type]
        )
    spelt = rows.assign(winner=rows["winner"].replace("both_bad", "tie (bothbad)"))
    found = arena.leaderboard(votes=spelt)
    assert found["both_bad"].sum() == arena.leaderboard(votes=file)["both_bad"].sum() > 0


def test_metadata_of_rows_is_read_in_every_shape() -> None:
    def told(length: int) -> dict[str, Any]:
        counts = {
            f"{mark}_count_{side}": {"h1": 1, "h2": 0}
            for mark in ("header", "list", "bold")
            for side in "ab"
        }
        return counts | {"sum_assistant_a_tokens": length, "sum_assistant_b_tokens": 50}

    rows = votes(*[("x", "y", "model_a")] * 3, ("x", "y", "model_b"))
    shaped = rows.assign(conv_metadata=[told(length) for length in (60, 70, 80, 20)])
    texts = shaped.assign(conv_metadata=shaped["conv_metadata"].map(json.dumps))
    corrected = arena.leaderboard(votes=shaped, style=True)
    pd.testing.assert_frame_equal(corrected, arena.leaderboard(votes=texts, style=True))
    assert not corrected["rating"].equals(arena.leaderboard(votes=shaped)["rating"])
    twice_numbered = pd.concat([shaped[:3], shaped[3:].reset_index(drop=True)])
    pd.testing.assert_frame_equal(corrected, arena.leaderboard(votes=twice_numbered, style=True))
    with pytest.raises(BadInput, match="which is no count"):
        arena.leaderboard(votes=rows.assign(conv_metadata=[{"turns": -1}] * 4), style=True)


def test_rows_of_every_release_are_ranked_as_their_file_is(tmp_path: Path) -> None:
    known = ["model_a", "model_b", "winner", "anony", "judge", "tstamp", "language"]
    older = pd.DataFrame(
        [
            ["x", "y", "model_a", True, "j1", 1.68e9, "English"],
            ["x", "y", "model_a", False, "j2", 1.69e9, "English"],
            ["y", "x", "tie (bothbad)", True, "j1", 1.68e9, "de"],
        ],
        columns=known,
    )
    flags = pd.DataFrame(
        {
            "model_a": ["x", "y"],
            "model_b": ["y", "z"],
            "winner_model_a": [1, 0],
            "winner_model_b": [0, 0],
            "winner_tie": [0, 1],
        }
    )
    for name, frame, chosen in (
        ("older", older, {}),
        ("older", older, {"rater": "j1", "since": "2023-01-01", "until": "2023-04-01"}),
        ("older", older, {"language": "en"}),
        ("older", older, {"language": "English"}),
        ("flags", flags, {}),
    ):
        frame.to_json(file := tmp_path / f"{name}.jsonl", orient="records", lines=True)
        found = arena.leaderboard(votes=frame, **chosen)
        pd.testing.assert_frame_equal(found, arena.leaderboard(votes=file, **chosen))
        assert found["votes"].sum() > 0


def test_judgments_of_prompts_are_reviewed_by_turn_as_their_file_is(tmp_path: Path) -> None:
    outcomes = ("model_a", "model_b", "tie", "model_a", "model_a", "model_b", "tie", "tie")
    asked = pd.DataFrame(
        [(q, judge, turn) for q in (81, 82) for judge in ("j1", "j2") for turn in (1, 2)],
        columns=["question_id", "judge", "turn"],
    ).assign(model_a=["x", "y"] * 4, model_b=["y", "x"] * 4, winner=outcomes)
    own = [f"{number:032x}" for number in asked.index]
    for name, frame, battles in (("asked", asked, 4), ("own", asked.assign(question_id=own), 8)):
        frame.to_json(file := tmp_path / f"{name}.jsonl", orient="records", lines=True)
        found = arena.leaderboard(votes=frame)
        pd.testing.assert_frame_equal(found, arena.leaderboard(votes=file))
        assert set(found["battles"]) == {battles}
        tables = arena.review(votes=frame), arena.review(votes=file)
        pd.testing.assert_frame_equal(*(each.agreement for each in tables))
        pd.testing.assert_frame_equal(*(each.raters for each in tables))
    assert set(arena.review(votes=asked).agreement["items"]) == {4}


def test_times_may_be_written_with_and_without_parts_of_a_second() -> None:
    rows = votes(*[("x", "y", "model_a")] * 2)
    rows["timestamp"] = ["2026-03-01T12:00:00+00:00", "2026-03-01T12:00:00.5+02:00"]
    assert arena.leaderboard(votes=rows, since="2026-03-01")["votes"].max() == 2
    with pytest.raises(BadInput, match=r"holds what is no time. Give it as 2026"):
        arena.leaderboard(votes=rows.assign(timestamp="soon"))
    for text in ("1976-12-31", "2100-01-01", "0001-01-01"):
        with pytest.raises(BadInput, match="2026-03-01T12:30:00Z, of 1977 to 2099"):
            arena.leaderboard(votes=rows.assign(timestamp=text))
    for numbers in ([2026, 2027], [20260301123000] * 2, [202603011230] * 2):
        with pytest.raises(BadInput, match="no time"):
            arena.leaderboard(votes=rows.assign(timestamp=numbers))


def test_what_cannot_be_asked_is_told(place: dict[str, str]) -> None:
    rows = votes(("x", "y", "model_a"))
    with pytest.raises(ConfigError, match="There is no setting 'studdy'"):
        arena.leaderboard(votes=rows, studdy="pilot")
    with pytest.raises(BadInput, match="winner stands twice"):
        arena.leaderboard(votes=pd.concat([rows, rows["winner"]], axis=1))
    with pytest.raises(BadInput, match="Give a list"):
        arena.votes("winner", **place)


@pytest.mark.parametrize("wrong", [{"since": 5}, {"since": pd.NaT}, {"study": ["pilot"]}])
def test_what_is_no_choice_is_told(place: dict[str, str], wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"is no time|give one name"):
        arena.leaderboard(**wrong, **place)


def test_a_review_of_ties_that_are_left_out_is_empty() -> None:
    found = arena.review(votes=votes(("x", "y", "tie"), ("y", "z", "both_bad")), ties="drop")
    assert found.weighed.empty and found.stages.empty and found.votes == 2


@pytest.mark.parametrize("known", [{}, {"id": [1, 2, 3]}])
def test_rows_that_name_no_ballots_are_one_each(known: dict[str, Any]) -> None:
    rows = votes(("x", "y", "model_a"), ("y", "z", "model_a"), ("x", "z", "model_a"))
    assert arena.review(votes=rows.assign(**known)).stages.empty, "no ballot had three in play"


def test_a_ballot_goes_by_the_id_of_its_row_where_it_has_no_name() -> None:
    rows = votes(("x", "y", "model_a"), ("x", "y", "model_b"))
    taken_back = rows.assign(id=["v1", "v2"], supersedes=["", "v1"])
    assert arena.review(votes=taken_back).votes == 1


def test_a_review_is_of_the_rater_and_the_anchor_that_were_asked_for(place: dict[str, str]) -> None:
    of_one = arena.review(rater="r2", **place)
    assert of_one.votes == 1, "one of the two is excluded"
    anchored = arena.review(anchor="x", **place).ties.set_index("contender")
    assert (anchored.loc["x"].iloc[:3] == 1000).all()
