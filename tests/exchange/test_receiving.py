"""Files of votes coming in: every release's shape, what is filled in, and what is refused where."""

from __future__ import annotations

import gzip
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arena import exchange
from arena.core.battle.record import VoteRow
from arena.core.errors import BadInput
from arena.exchange import reading, receiving
from arena.exchange.foreign import ledger_rows
from tests.exchange.rows import NOW, exported, filled, read, some_votes, talk

MINIMAL = {"model_a": "x", "model_b": "y", "winner": "model_a"}
HEADER = "model_a,model_b,winner"


def parts(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, "image": None, "mimeType": None}]


SESSION = "a333a685-2f3c-4b5f-9f0a-0d1c7e2b9a11"
PUBLISHED = {
    "id": "c4b9710c-8d64-4bee-a0b0-94637ae4cc65",
    "model_a": "x",
    "model_b": "y",
    "winner": "both_bad",
    "evaluation_session_id": SESSION,
    "evaluation_order": 2,
    "conversation_a": [
        {"role": "user", "content": parts("Why?")},
        {"role": "assistant", "content": parts("So.")},
    ],
    "conversation_b": [
        {"role": "user", "content": parts("Why?"), "num_tokens": 2},
        {"role": "assistant", "content": parts("Thus."), "num_tokens": 2},
    ],
    "full_conversation": [],
    "conv_metadata": {
        "sum_assistant_a_tokens": 1854,
        "header_count_a": {"h1": 1, "h2": 8},
        "list_count_a": {"ordered": 0, "unordered": 39},
        "bold_count_a": {"**": 65, "__": 1},
        "context_a_tokens": None,
        "turns": 1,
    },
    "category_tag": {"math_v0.1": {"math": False}},
    "language": "pl",
    "is_code": True,
    "timestamp": "2025-05-29T14:48:41.602925",
}


def one(tmp_path: Path, record: dict[str, Any], **how: Any) -> VoteRow:
    file = tmp_path / "some votes.jsonl"
    file.write_text(json.dumps(record))
    (row,) = read(file, **how)
    return row


def told(tmp_path: Path, text: str | bytes, name: str = "votes.csv", **how: Any) -> str:
    """Why the file is refused."""
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput) as refused:
        exchange.Votes([file], NOW, **how).check()
    return str(refused.value)


# What is read ----------------------------------------------------------------------------------


def test_a_published_vote_is_read_in_every_format(tmp_path: Path) -> None:
    frame = pd.DataFrame([PUBLISHED])
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_json(tmp_path / "b.json", orient="records")
    frame.drop(columns="full_conversation").to_parquet(tmp_path / "c.parquet")
    frame.to_csv(tmp_path / "d.csv", index=False)
    rows = [read(file, study="lm") for file in sorted(tmp_path.iterdir())]
    assert rows[0] == rows[1] == rows[2] == rows[3]
    (row,) = rows[0]
    assert row.id == row.ballot_id == PUBLISHED["id"]
    assert (row.model_a, row.model_b, row.winner) == ("x", "y", "both_bad")
    assert (
        (row.battle_id, row.round)
        == (row.evaluation_session_id, row.evaluation_order)
        == (SESSION, 2)
    )
    assert (row.conversation_a, row.conversation_b) == (talk("Why?", "So."), talk("Why?", "Thus."))
    assert row.conv_metadata == {
        "sum_assistant_a_tokens": 1854,
        "header_count_a": 9,
        "list_count_a": 39,
        "bold_count_a": 66,
        "turns": 1,
    }
    assert row.timestamp == datetime(2025, 5, 29, 14, 48, 41, 602925, UTC)
    assert (row.language, row.is_code, row.channel, row.study) == ("pl", True, "import", "lm")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        *[(said, "en") for said in ("English", "english ", "EN", "eng", "en")],
        *[("Norwegian", "no"), ("unknown", "und"), ("pl", "pl"), ("ger", "de"), ("tlh", "tlh")],
    ],
)
def test_a_language_is_kept_by_its_code_however_it_is_named(
    tmp_path: Path, said: str, code: str
) -> None:
    assert one(tmp_path, {**PUBLISHED, "language": said}).language == code


def test_an_older_release_is_read(tmp_path: Path) -> None:
    row = one(
        tmp_path,
        {
            **MINIMAL,
            "winner": "tie (bothbad)",
            "question_id": "q1",
            "judge": "u7",
            "tstamp": 1682351591.1,
            "anony": True,
            "conversation_a": [
                {"role": "user", "content": "Why?"},
                {"role": "assistant", "content": "# So\n**it** is"},
            ],
            "conversation_b": talk("Why?", "Thus."),
        },
    )
    assert row.id.endswith("/q1") and row.battle_id == row.ballot_id == "some votes/q1"
    assert (row.rater, row.winner) == ("u7", "both_bad")
    assert row.timestamp == datetime.fromtimestamp(1682351591.1, UTC)
    assert row.conv_metadata["header_count_a"] == row.conv_metadata["bold_count_a"] == 1
    assert (row.conv_metadata["turns"], row.conv_metadata["sum_assistant_b_tokens"]) == (1, 1)


def test_a_release_with_flags_for_winners_is_read(tmp_path: Path) -> None:
    file = tmp_path / "55k.csv"
    file.write_text(
        "id,model_a,model_b,prompt,response_a,response_b,winner_model_a,winner_model_b,winner_tie\n"
        '3,x,y,"[""q1"", ""q2""]","[""a1"", ""a2""]","[""b1"", null]",0,1,0\n'
        '4,x,y,"[""q1""]","[""a1""]","[""b1""]",0,0,1\n'
    )
    first, second = read(file)
    assert (first.winner, second.winner) == ("model_b", "tie")
    assert first.conversation_a == talk("q1", "a1", "q2", "a2")
    assert first.conversation_b == talk("q1", "b1", "q2", "")


def test_votes_whose_voters_knew_the_names_are_kept_and_not_ranked(tmp_path: Path) -> None:
    assert one(tmp_path, {**MINIMAL, "anony": False}).excluded_reason == "identity"


@pytest.mark.parametrize("factor", [1, 1000, 1_000_000, 1_000_000_000])
def test_a_time_since_1970_is_read_in_whatever_parts_it_is_told(
    tmp_path: Path, factor: int
) -> None:
    read = one(tmp_path, {**MINIMAL, "timestamp": 1_767_236_400 * factor})
    assert read.timestamp == datetime.fromtimestamp(1_767_236_400, UTC)


@pytest.mark.parametrize("when", ["1977-01-01T00:00:00Z", "2099-12-31T23:59:59Z"])
def test_all_of_the_years_that_are_named_have_times(tmp_path: Path, when: str) -> None:
    moment = datetime.fromisoformat(when)
    for said in (when, moment.timestamp(), f"{moment.timestamp():.0f}"):
        assert one(tmp_path, {**MINIMAL, "timestamp": said}).timestamp == moment


def test_an_array_is_read_whatever_stands_between_its_objects(tmp_path: Path) -> None:
    file = tmp_path / "votes.json"
    both = [json.dumps({**MINIMAL, "winner": winner}) for winner in ("tie", "model_b")]
    file.write_text(f"\n[\n {both[0]} \n , {both[1]}\n\n]\n\n")
    assert [row.winner for row in read(file)] == ["tie", "model_b"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_minimal_csv_is_read_however_it_was_saved(
    tmp_path: Path, ending: str, delimiter: str, mark: str
) -> None:
    text = ending.join([mark + HEADER, "x,y,model_a", "y,x,tie", ""]).replace(",", delimiter)
    file = tmp_path / "pilot.csv"
    file.write_bytes(text.encode())
    first, second = read(file)
    assert (first.model_a, first.winner, second.model_a, second.winner) == (
        "x",
        "model_a",
        "y",
        "tie",
    )
    assert first.study == "pilot" and first.timestamp == NOW
    assert first.battle_id == first.ballot_id == first.id != second.id
    assert (first.round, first.seat_a, first.seat_b, first.language) == (1, "A", "B", "und")


@pytest.mark.parametrize(
    ("said", "winner"),
    [
        ("Model_A", "model_a"),
        (" tie ", "tie"),
        ("TIE (bothbad)", "both_bad"),
        ("bothbad", "both_bad"),
        ("tie (both_bad)", "both_bad"),
        ("both_bad", "both_bad"),
    ],
)
def test_outcomes_are_understood_as_releases_spell_them(
    tmp_path: Path, said: str, winner: str
) -> None:
    assert one(tmp_path, {**MINIMAL, "winner": said}).winner == winner


def test_the_study_is_the_one_that_is_named_else_the_votes_own_else_the_files(
    tmp_path: Path,
) -> None:
    assert one(tmp_path, MINIMAL).study == "some votes"
    assert one(tmp_path, {**MINIMAL, "study": "own"}).study == "own"
    assert one(tmp_path, {**MINIMAL, "study": "own"}, study="named").study == "named"


def test_nothing_that_pandas_writes_for_nothing_is_taken_for_a_value(tmp_path: Path) -> None:
    file = tmp_path / "votes.parquet"
    frame = pd.DataFrame([{**MINIMAL, "dwell_ms": 5.0, "topic": None}, {**MINIMAL, "topic": "law"}])
    frame.to_parquet(file)
    first, second = read(file)
    assert (first.dwell_ms, second.dwell_ms, first.topic, second.topic) == (5, None, "", "law")
    (tmp_path / "votes.jsonl").write_text(
        '{"model_a":"x","model_b":"y","winner":"tie","ttft_ms_a":NaN}'
    )
    assert read(tmp_path / "votes.jsonl")[0].ttft_ms_a is None


def test_names_are_alike_whatever_stands_around_them(tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_text(f"{HEADER}\nx ,y,tie\nx, y\u00a0,tie\n")
    for found in (read(file), ledger_rows(pd.read_csv(file), with_metadata=False).itertuples()):
        assert [(row.model_a, row.model_b) for row in found] == [("x", "y")] * 2
    assert "'x' meets itself" in told(tmp_path, f"{HEADER}\nx ,x,tie\n")


# Ids and places --------------------------------------------------------------------------------


def test_the_same_file_brings_the_same_ids_and_other_content_others(tmp_path: Path) -> None:
    file, copy = tmp_path / "a.csv", tmp_path / "b.csv"
    file.write_text(f"{HEADER}\nx,y,tie\nx,y,tie\n")
    copy.write_bytes(file.read_bytes())
    ids = [row.id for row in read(file)]
    assert len(set(ids)) == 2 and [row.id for row in read(copy, study="other")] == ids
    copy.write_text(f"{HEADER}\nx,y,tie\nx,y,model_a\n")
    assert not {row.id for row in read(copy)} & set(ids)


def test_votes_of_one_session_and_order_get_seats_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    rows = ["s1,1,x,y,tie", "s1,1,x,y,tie", "s1,2,x,y,tie", "s1,1,x,z,tie", "s2,1,x,y,tie"]
    file.write_text("\n".join([f"evaluation_session_id,evaluation_order,{HEADER}", *rows]))
    found = read(file)
    places = [(row.battle_id, row.round, row.seat_a, row.seat_b) for row in found]
    assert places == [
        ("votes/s1", 1, "A", "B"),
        ("votes/s1", 1, "A2", "B2"),
        ("votes/s1", 2, "A", "B"),
        ("votes/s1", 1, "A3", "B3"),
        ("votes/s2", 1, "A", "B"),
    ]


def test_a_strict_export_comes_in_again(tmp_path: Path) -> None:
    file = tmp_path / "strict.parquet"
    file.write_bytes(exported(filled(tmp_path / "arena.db", some_votes()), "parquet", strict=True))
    ids = [row.id.partition("/")[2] for row in read(file)]
    assert ids == ["v1", "v2", "v3", "v4", "v5", "v6", "v9"]


@pytest.mark.parametrize(("id", "study"), [("v1", "one"), ("0" * 32, "")])
def test_of_several_files_an_id_may_stand_in_one_only(tmp_path: Path, id: str, study: str) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for file in files:
        file.write_text(f"id,{HEADER}\n{id},x,y,tie\n")
    named = f"{study}/{id}".strip("/")
    with pytest.raises(BadInput, match=f"b.csv, line 2: the id '{named}' stands further up"):
        exchange.Votes(files, NOW, study).check()


def test_ids_that_others_may_give_too_are_those_of_their_study(tmp_path: Path) -> None:
    names = ("battle_id", "ballot_id", "evaluation_session_id", "supersedes")
    numbered = {**MINIMAL, **dict.fromkeys(("id", *names), 7)}
    row = one(tmp_path, numbered, study="pilot")
    assert {getattr(row, name) for name in names} == {"pilot/7"} and row.id.endswith("/7")
    # As it comes out of a ledger and in again.
    kept = {name: getattr(row, name) for name in ("id", *names)}
    again = one(tmp_path, {**numbered, **kept}, study="pilot")
    assert {name: getattr(again, name) for name in kept} == kept
    ours = {"id": f"{SESSION}-AB", "ballot_id": SESSION}
    row = one(tmp_path, {**MINIMAL, **ours})
    assert {name: getattr(row, name) for name in ours} == ours


def test_a_vote_on_one_contender_that_did_not_count_where_it_was_cast_is_passed_over(
    tmp_path: Path,
) -> None:
    file = tmp_path / "votes.jsonl"
    row = {"model_a": "x", "model_b": "y", "winner": "tie"}
    several = [row, {**row, "model_b": "x", "excluded_reason": "itself"}]
    file.write_text("\n".join(map(json.dumps, several)))
    votes = exchange.Votes([file], NOW)
    assert [(vote.model_a, vote.model_b) for vote in votes.rows()] == [("x", "y")]
    assert votes.passed == {"two contenders of one name, which do not count": 1}


# What is wrong, and where ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (
            {"winner": "model_c"},
            "winner is 'model_c'; it must be model_a, model_b, tie or both_bad",
        ),
        ({"winner": ""}, "winner is ''"),
        ({"model_a": " "}, "model_a is empty"),
        ({"model_b": "x"}, "'x' meets itself"),
        ({"evaluation_order": "second"}, "evaluation_order is 'second', which is no number"),
        ({"round": 1.5}, "round is 1.5; it must be a whole number"),
        ({"round": 2**40}, "it must be a whole number up to"),
        ({"timestamp": "yesterday"}, "timestamp is 'yesterday'; it must be a time"),
        ({"timestamp": 2026}, "timestamp is 2026; it must be a time"),
        ({"timestamp": 1e300}, "it must be a time"),
        ({"timestamp": "20260301123000"}, "it must be a time as 2026-03-01T12:30:00Z"),
        ({"timestamp": 202603011230}, "it must be a time"),
        ({"timestamp": "0001-01-01T00:00:00Z"}, "it must be a time"),
        ({"timestamp": "9999-12-31"}, "it must be a time"),
        ({"timestamp": "1976-12-31"}, "as 2026-03-01T12:30:00Z, of 1977 to 2099"),
        ({"timestamp": "2100-01-01"}, "as 2026-03-01T12:30:00Z, of 1977 to 2099"),
        ({"conv_metadata": {"turns": -1}}, "conv_metadata says -1 for turns, which is no count"),
        ({"conv_metadata": {"bold_count_a": {"**": 10**400}}}, "which is no count"),
        ({"conv_metadata": '{"sum_user_tokens": 1e400}'}, "which is no count"),
        ({"conv_metadata": {"turns": "many"}}, "says 'many' for turns, which is no count"),
        ({"conversation_a": "[{'content': array([1], dtype=object)}]"}, "save the file as Parquet"),
        ({"is_code": "perhaps"}, "is_code is 'perhaps'; it must be true or false"),
        ({"conversation_a": "[{"}, "conversation_a is no JSON"),
        ({"conversation_a": {"role": "user"}}, "conversation_a is no list of messages"),
        ({"conversation_b": [{"content": "x"}]}, "conversation_b has a message without a role"),
        ({"conversation_b": [{"role": "user", "content": 3}]}, "whose content is no text"),
        ({"conv_metadata": [1]}, "conv_metadata is no object"),
        ({"topic": ["a"]}, "topic is no text"),
        ({"winner_model_a": 1, "prompt": 42}, "prompt or response is no list of texts"),
        ({"winner_model_a": 1, "prompt": '"hello"'}, "prompt or response is no list of texts"),
        ({"winner_model_a": 1, "response_a": {"a": 1}}, "prompt or response is no list of texts"),
        ({"topic": "\ud83d"}, "topic holds half a character"),
    ],
)
def test_what_is_wrong_with_a_row_is_told(tmp_path: Path, row: dict[str, Any], why: str) -> None:
    good = json.dumps(MINIMAL)
    bad = {**MINIMAL, **row}
    if "winner_model_a" in row:
        bad = {**bad, "winner_model_b": 0, "winner_tie": 0}
        del bad["winner"]
    text = told(tmp_path, f"{good}\n\n{json.dumps(bad)}\n", "votes.jsonl")
    assert text.startswith("1 row of 2 in votes.jsonl cannot be read, so none is taken.")
    assert "\n  line 3: " in text and why in text


def test_lines_of_csv_are_those_an_editor_shows(tmp_path: Path) -> None:
    text = told(
        tmp_path,
        f'topic,{HEADER}\r\n"two\r\nlines",x,y,tie\r\n\r\n"three\nmore\rlines",x,y,oops\r\na,x,y,tie,\r\nb,x,x,tie',
    )
    assert [line.split(":")[0] for line in text.splitlines()[1:]] == [
        "  line 5",
        "  line 8",
        "  line 9",
    ]
    assert "line 8: has 5 cells where the first line has 4" in text


def test_rows_of_parquet_and_arrays_are_counted_from_one(tmp_path: Path) -> None:
    rows = [MINIMAL, {**MINIMAL, "winner": "oops"}]
    file = tmp_path / "votes.parquet"
    pd.DataFrame(rows).to_parquet(file)
    assert "\n  row 2: winner" in told(tmp_path, file.read_bytes(), "votes.parquet")
    assert "\n  row 2: winner" in told(tmp_path, json.dumps(rows), "votes.json")


def test_twenty_wrong_rows_are_listed_and_the_rest_is_counted(tmp_path: Path) -> None:
    text = told(tmp_path, "\n".join([HEADER, *["x,y,oops"] * 25, "x,y,tie"]))
    assert text.startswith("25 rows of 26") and text.endswith("\n  … and 5 more")
    assert len(text.splitlines()) == 1 + receiving.MOST_TOLD + 1


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (b"", "votes.csv", "votes.csv is empty"),
        (b" \n\n", "votes.csv", "votes.csv is empty"),
        (f"{HEADER}\n".encode(), "votes.csv", "holds no votes"),
        (b"[]", "votes.json", "holds no votes"),
        (
            b"model_a,winner,votes\nx,y,1\n",
            "votes.csv",
            "no column model_b. .*has: model_a, winner, votes",
        ),
        (b'{"a": 1}\n', "votes.jsonl", "no column model_a, model_b, winner"),
        (b'[{"model_a": "x"}]', "votes.json", "no column model_b, winner"),
        (b"{nonsense", "votes.jsonl", "line 1: is no JSON"),
        (b"{}\n[1]", "votes.jsonl", "has: none"),
        (b'[{"model_a": "x", ', "votes.json", "row 1: is no JSON from here on"),
        (
            "model_a,model_b,winner\nx,é,tie\n".encode("latin-1"),
            "v.csv",
            r"not UTF-8 \(line 2 cannot",
        ),
        (
            "model_a,model_b,winner\nx,y,tie\n".encode("utf-16"),
            "v.csv",
            r"not UTF-8 \(line 1 cannot",
        ),
        (f'{HEADER}\nx,y,"tie\n'.encode(), "votes.csv", "line 2: is no CSV from here on"),
        (b"PAR1 cut short", "votes.parquet", "cannot be read as Parquet"),
        (b"model_a,model_b", "votes.parquet", "cannot be read as Parquet"),
        (b"\x00" * 5000, "votes.csv", "no column"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, content: bytes, name: str, why: str) -> None:
    assert re.search(why, told(tmp_path, content, name), re.DOTALL)


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        (" garbage", "row 2: is no JSON from here on (something follows the end of the array)"),
        ('\n[{"model_a": "x"}]', "something follows the end of the array"),
    ],
)
def test_what_follows_an_array_is_told(tmp_path: Path, rest: str, why: str) -> None:
    assert why in told(tmp_path, f"[{json.dumps(MINIMAL)}]{rest}", "votes.json")


@pytest.mark.parametrize("array", ["[{0}{0}]", "[{0}, ]", "[{0}", "[{0},", "[,{0}]"])
def test_an_array_that_is_none_is_told(tmp_path: Path, array: str) -> None:
    text = array.replace("{0}", json.dumps(MINIMAL))
    assert "is no JSON from here on" in told(tmp_path, text, "votes.json")


def test_a_column_that_stands_twice_is_told(tmp_path: Path) -> None:
    assert "has the column winner more than once" in told(tmp_path, f"{HEADER},winner\nx,y,tie,tie")


def test_a_pipe_and_a_compressed_file_are_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="is no file but a pipe"):
        exchange.Votes([tmp_path / "pipe"], NOW).check()
    packed = gzip.compress(f"{HEADER}\nx,y,tie".encode())
    assert "Unpack it" in told(tmp_path, packed, "votes.csv.gz")


def test_a_parquet_file_without_the_columns_is_told(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "made")
    content = (tmp_path / "made").read_bytes()
    assert "no column model_a, model_b, winner" in told(tmp_path, content, "votes.parquet")
    assert "cannot be read as Parquet" in told(tmp_path, content[:-20], "votes.parquet")


@pytest.mark.parametrize("seconds", [10**15, -(10**15)])
def test_a_parquet_file_with_times_that_no_year_has_is_told(tmp_path: Path, seconds: int) -> None:
    table = pa.table(
        {
            **{name: [value] for name, value in MINIMAL.items()},
            "timestamp": pa.array([seconds], pa.timestamp("s")),
        }
    )
    pq.write_table(table, tmp_path / "votes.parquet")
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        exchange.Votes([tmp_path / "votes.parquet"], NOW).check()


def test_no_file_and_a_folder_are_told(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "not-there.csv", "There is no file"), (tmp_path, "is a folder")):
        with pytest.raises(BadInput, match=why):
            exchange.Votes([path], NOW).check()


def test_a_row_that_is_wrong_is_never_handed_on(tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_text(f"{HEADER}\nx,y,tie\nx,y,oops\n")
    rows = exchange.Votes([file], NOW).rows()
    assert next(rows).winner == "tie"
    with pytest.raises(BadInput, match=r"line 3: winner is 'oops'"):
        next(rows)


@pytest.mark.parametrize("name", ["votes.jsonl", "votes.json", "votes.csv"])
def test_a_file_is_read_in_pieces_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(reading, "READ_AT_ONCE", 7)
    rows = [{**MINIMAL, "id": f"v{n}", "topic": "é]}🙂," * n} for n in range(8)]
    made = pd.DataFrame(rows)
    if name.endswith("csv"):
        made.to_csv(tmp_path / name, index=False)
    else:
        text = made.to_json(
            orient="records", lines=name.endswith("l"), force_ascii=False, indent=None
        )
        (tmp_path / name).write_text(text.replace("},{", "} ,\n {"))
    assert [row.topic for row in read(tmp_path / name)] == [row["topic"] for row in rows]


def test_how_far_reading_is_can_be_told(tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_text("\n".join([HEADER, *["x,y,tie"] * 5000]))
    parts: list[float] = []
    exchange.Votes([file], NOW).check(lambda name, part: parts.append(part))
    assert parts == sorted(parts) and 1 < len(parts) <= 101 and parts[-1] == 1


# Of other tools --------------------------------------------------------------------------------


def test_judgments_of_prompts_are_of_their_prompt_rater_and_turn(tmp_path: Path) -> None:
    two = {"conversation_a": talk("q", "a1", "on", "a2"), "conversation_b": talk("q", "b1", "on")}
    rows = [
        {**MINIMAL, **two, "question_id": 81, "judge": judge, "turn": turn}
        for judge in ("expert_0", "expert_1")
        for turn in (1, 2)
    ]
    file = tmp_path / "judgments.jsonl"
    file.write_text("\n".join(map(json.dumps, [*rows, rows[0]])))
    found = read(file)
    assert len({row.id for row in found}) == 5 and {row.prompt_id for row in found} == {"81"}
    assert [(row.rater, row.round) for row in found[:4]] == [
        (judge, turn) for judge in ("expert_0", "expert_1") for turn in (1, 2)
    ]
    battles = [row.battle_id for row in found]
    assert battles[0] == battles[1] == battles[4] != battles[2] == battles[3]
    first, second, *_ = found
    assert (first.conversation_a, first.conv_metadata["turns"]) == (talk("q", "a1"), 1)
    assert second.conversation_b == talk("q", "b1", "on") and found[4].seat_a == "A2"
    assert [row.id for row in read(file)] == [row.id for row in found]


def test_a_number_of_a_vote_stays_its_id(tmp_path: Path) -> None:
    own = "0123456789abcdef" * 2
    row = one(tmp_path, {**MINIMAL, "question_id": own, "turn": 3})
    assert (row.id, row.battle_id, row.round) == (own, own, 1)
    file = tmp_path / "votes.csv"
    file.write_text(f"question_id,{HEADER}\nq,x,y,tie\nq,x,y,tie\n")
    first, second = read(file)
    assert first.battle_id == "votes/q" != second.battle_id == second.id
    assert first.id.endswith("/q") and first.prompt_id == second.prompt_id == "q"


def test_ppe_is_read(tmp_path: Path) -> None:
    said = {"prompt": "[1, 2] is what?", "response_1": "A list.", "response_2": "Numbers."}
    row = one(tmp_path, {**MINIMAL, **said, "question_id": "a" * 32, "winner": "tie (bothbad)"})
    assert row.conversation_a == talk("[1, 2] is what?", "A list.")
    assert row.conversation_b == talk("[1, 2] is what?", "Numbers.")
    assert (row.id, row.winner) == ("a" * 32, "both_bad")


def feedback(id: str, rating: Any, beside: list[str] | None, **meta: Any) -> dict[str, Any]:
    """As Open WebUI exports it: y stands first on the screen."""
    messages = {
        "q": {"id": "q", "parentId": None, "childrenIds": ["m2", "m1"], "role": "user"},
        "m1": {"id": "m1", "parentId": "q", "role": "assistant", "selectedModelId": "x"},
        "m2": {"id": "m2", "parentId": "q", "role": "assistant", "model": "y"},
    }
    for key, message in messages.items():
        message["content"] = f"{key} said"
    return {
        "id": id,
        "user_id": "u",
        "type": "rating",
        "data": {"rating": rating, "model_id": "x", "sibling_model_ids": beside},
        "meta": {"message_id": "m1", **meta},
        "snapshot": {"chat": {"chat": {"history": {"messages": messages}}}},
        "created_at": 1730000000,
    }


def test_feedback_of_open_webui_is_read_and_what_compares_nothing_is_counted(
    tmp_path: Path,
) -> None:
    file = tmp_path / "feedback-history.json"
    rows = [
        feedback("f1", 1, ["y"], arena=True),
        feedback("f2", "-1", ["y", "z"]),
        feedback("f3", 1, [None]),
        feedback("f4", 1, ["x"], arena=True),
    ]
    file.write_text(json.dumps(rows))
    votes = exchange.Votes([file], NOW)
    first, second, third = votes.rows()
    assert votes.passed == {"feedback on one reply alone": 2}
    assert first.id.endswith("/f1") and (first.rater, first.excluded_reason) == ("u", "")
    assert (first.model_a, first.model_b, first.winner) == ("y", "x", "model_b")
    assert first.conversation_a == talk("q said", "m2 said")
    assert first.conversation_b == talk("q said", "m1 said")
    assert first.timestamp == datetime.fromtimestamp(1730000000, UTC)
    assert (second.model_a, second.winner, second.excluded_reason) == ("y", "model_a", "identity")
    assert (third.model_a, third.model_b, third.winner) == ("x", "z", "model_b")
    assert second.ballot_id == third.ballot_id == second.battle_id == "feedback-history/f2"


@pytest.mark.parametrize("odd", [{"id": "y"}, ["y"], 3])
def test_what_is_no_name_in_feedback_of_open_webui_is_told_by_its_line(
    tmp_path: Path, odd: Any
) -> None:
    file = tmp_path / "feedback-history.json"
    beside, children = feedback("f2", 1, ["y", odd]), feedback("f3", 1, ["y"])
    question = children["snapshot"]["chat"]["chat"]["history"]["messages"]["q"]
    question["childrenIds"].append(odd)
    file.write_text(json.dumps([feedback("f1", 1, ["y"]), beside, children]))
    with pytest.raises(BadInput, match="2 rows of 3") as refused:
        exchange.Votes([file], NOW).check()
    assert "row 2: data.sibling_model_ids holds what is no name" in str(refused.value)
    assert "row 3: childrenIds holds what is no id" in str(refused.value)


@pytest.mark.parametrize("message", ["m1", "m2"])
def test_a_reply_whose_id_is_none_is_ordered_by_name(tmp_path: Path, message: str) -> None:
    file = tmp_path / "feedback-history.json"
    row = feedback("f1", 1, ["y"])
    row["snapshot"]["chat"]["chat"]["history"]["messages"][message]["id"] = {"x": 1}
    file.write_text(json.dumps([row]))
    (vote,) = exchange.Votes([file], NOW).rows()
    assert (vote.model_a, vote.model_b) == ("x", "y")


def test_votes_of_comparia_are_read(tmp_path: Path) -> None:
    common = {
        "model_a_name": "x",
        "model_b_name": "y",
        "visitor_id": "v",
        "conversation_a": [],
        "conversation_b": [],
        "timestamp": "2025-02-01T10:00:00",
        "both_equal": False,
    }
    frame = pd.DataFrame(
        [
            {**common, "id": 1, "chosen_model_name": "y", "conversation_pair_id": "p1"},
            {**common, "id": 2, "chosen_model_name": None, "both_equal": True},
            {**common, "id": 3, "chosen_model_name": None},
        ]
    )
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "b.csv", index=False)
    for file in sorted(tmp_path.iterdir()):
        votes = exchange.Votes([file], NOW)
        first, second = votes.rows()
        assert first.id.endswith("/1") and (first.winner, first.rater) == ("model_b", "v")
        assert first.battle_id == f"{file.stem}/p1" and second.winner == "tie"
        assert votes.passed == {"nothing was chosen": 1}


@pytest.mark.parametrize(
    "printed",
    [
        "[{'role': 'user', 'content': 'Hi'}\n {'role': 'assistant', 'content': 'Yo'}]",
        "['one text' 'another']",
    ],
)
def test_arrays_that_were_printed_into_csv_get_advice(tmp_path: Path, printed: str) -> None:
    text = f'conversation_a,{HEADER}\n"{printed}",x,y,tie\n'
    assert "save the file as Parquet" in told(tmp_path, text)


def test_a_python_list_is_read_whatever_its_texts_hold(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "say 'a' 'b' and {} {}"}]
    assert one(tmp_path, {**MINIMAL, "conversation_a": repr(said)}).conversation_a == said
