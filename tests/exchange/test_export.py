"""Votes as files: what is in them, that tools can read them, and that they come back the same."""

from __future__ import annotations

import csv
import io
import json
import string
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import arena
from arena import exchange
from arena.adapters.ledger import SqlLedger
from arena.core.battle.record import VoteRow
from arena.core.standings.board import Query, board_of
from arena.core.standings.slices import Slice
from arena.exchange import lmarena, receiving
from arena.exchange.parquet import ParquetRows
from arena.exchange.reading import VOTES, lines_of
from arena.exchange.text import CsvRows, JsonRows
from tests.exchange.rows import exported, filled, on_ledger, read, some_votes, talk, vote

OF_VOTES = ("csv", "jsonl", "parquet")
RANKED = ["v1", "v2", "v3", "v4", "v5", "v6", "v9"]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("ledger") / "arena.db", some_votes())


def frame(data: bytes, format: str) -> pd.DataFrame:
    """As pandas reads it."""
    if format == "csv":
        return pd.read_csv(io.BytesIO(data), keep_default_na=False)
    if format == "parquet":
        return pd.read_parquet(io.BytesIO(data))
    return pd.DataFrame([json.loads(line) for line in data.decode().split("\n") if line])


def named(row: VoteRow) -> VoteRow:
    """By ids as an arena gives them, which nobody else does."""
    names = {name: getattr(row, name) for name in ("id", *receiving.NAMES)}
    return replace(row, **{name: id and f"{'0' * 32}-{id}" for name, id in names.items()})


def standings(ledger: Path) -> pd.DataFrame:
    votes = on_ledger(ledger, lambda ledger: ledger.votes())
    return board_of(votes, Query()).standings


# What is in a file -----------------------------------------------------------------------------


@pytest.mark.parametrize("format", OF_VOTES)
def test_a_full_file_has_every_vote_and_says_which_are_not_ranked_and_why(
    ledger: Path, format: str
) -> None:
    found = frame(exported(ledger, format), format)
    assert list(found.columns) == list(lmarena.FIELDS)
    assert list(found["id"]) == [row.id for row in some_votes()]
    reasons = dict(zip(found["id"], found["excluded_reason"], strict=True))
    assert {id: why for id, why in reasons.items() if why} == {"v7": "identity", "v8": "superseded"}


def test_a_vote_of_another_reason_that_was_taken_back_says_so_everywhere(tmp_path: Path) -> None:
    rows = [
        vote("v1", battle_id="b", excluded_reason="identity"),
        vote("v2", battle_id="b", supersedes="v1"),
    ]
    file = filled(tmp_path / "arena.db", rows)
    found = frame(exported(file, "csv"), "csv")["excluded_reason"].tolist()
    read = arena.votes(["excluded_reason"], DATABASE_URL=f"sqlite:///{file}")
    assert found == read["excluded_reason"].tolist() == ["superseded", ""]


@pytest.mark.parametrize("format", OF_VOTES)
def test_a_strict_file_has_lmarenas_columns_and_ranked_votes_alone(
    ledger: Path, format: str
) -> None:
    found = frame(exported(ledger, format, strict=True), format)
    assert list(found.columns) == list(lmarena.COLUMNS)
    assert list(found["id"]) == RANKED


def test_votes_of_battles_under_way_are_held_back(ledger: Path) -> None:
    async def under_way() -> set[str]:
        return {"battle-v1", "again"}

    found = frame(exported(ledger, "csv", hold_back=under_way), "csv")
    assert list(found["id"]) == ["v2", "v3", "v4", "v5", "v6", "v7"]


def both(ledger: Path, format: str, **how: Any) -> list[pd.DataFrame]:
    """The whole, and what the public gets of it."""
    return [
        frame(exported(ledger, format, public=wanted, **how), format) for wanted in (False, True)
    ]


@pytest.mark.parametrize("format", OF_VOTES)
def test_what_the_public_gets_names_no_host_and_no_raters_token(ledger: Path, format: str) -> None:
    whole, public = both(ledger, format)
    assert set(whole["rater"]) == {"r1", "r2", "r3", "r4", "r5"}
    assert not set(public["rater"]) & set(whole["rater"])
    clusters = [pd.factorize(votes["rater"])[0].tolist() for votes in (whole, public)]
    assert clusters[0] == clusters[1], "who voted twice can still be told"
    assert set(public["host_a"]) == set(public["host_b"]) == {""} != set(whole["host_a"])


@pytest.mark.parametrize("format", [*OF_VOTES, "dpo"])
@pytest.mark.parametrize("strict", [False, True])
def test_what_the_public_gets_opens_no_battle_and_still_clusters(
    tmp_path: Path, format: str, strict: bool
) -> None:
    """Whoever has the id of a battle that is kept can read it."""
    file = filled(
        tmp_path / "arena.db",
        [
            vote("v1", battle_id="one", evaluation_session_id="one"),
            vote("v2", battle_id="one", evaluation_session_id="one", round=2),
            vote("v3", battle_id="two", evaluation_session_id="one"),
            vote("v4", battle_id="two", evaluation_session_id="", round=2),
        ],
    )
    whole, public = both(file, format, strict=strict)
    names = [n for n in ("battle_id", "evaluation_session_id") if n in whole]
    assert names and not (public[names] == "one").any(axis=None)
    assert not (public[names] == "two").any(axis=None)
    for name in names:
        clusters = [pd.factorize(votes[name])[0].tolist() for votes in (whole, public)]
        assert clusters[0] == clusters[1]
    if len(names) == 2:
        assert public["battle_id"][0] == public["evaluation_session_id"][2]
        assert public["evaluation_session_id"][3] == ""
    apart = filled(
        tmp_path / "other.db", [vote("v1", battle_id="one", evaluation_session_id="one")]
    )
    (other,) = (votes for votes in both(apart, format, strict=strict)[1:])
    assert other[names[0]][0] != public[names[0]][0], "nobody else can make them"


def test_a_vote_of_a_battle_that_began_while_the_ledger_was_read_is_held_back(
    tmp_path: Path,
) -> None:
    file = filled(tmp_path / "arena.db", [vote("v1")])
    begun: set[str] = set()

    async def run(ledger: SqlLedger) -> bytes:
        class Busy:
            """The ledger, in which a battle is begun and voted on whenever it was read."""

            async def votes(self, *arguments: Any, **how: Any) -> pd.DataFrame:
                found = await ledger.votes(*arguments, **how)
                if not begun:
                    await ledger.append([vote("v2", battle_id="new")])
                    begun.add("new")
                return found

        async def under_way() -> set[str]:
            return begun

        pieces = exchange.export(Busy(), "jsonl", hold_back=under_way)  # type: ignore[arg-type]
        return b"".join([piece async for piece in pieces])

    assert list(frame(on_ledger(file, run), "jsonl")["id"]) == ["v1"]


def test_a_slice_is_exported_alone_and_what_was_taken_back_stays_so(ledger: Path) -> None:
    found = frame(exported(ledger, "csv", Slice(rater="r3", topic="cooking")), "csv")
    assert list(found["id"]) == ["v3", "v8", "v9"]
    assert list(found["excluded_reason"]) == ["", "superseded", ""]
    assert list(frame(exported(ledger, "csv", Slice(topic="law")), "csv")["id"]) == ["v2"]


@pytest.mark.parametrize("format", OF_VOTES)
@pytest.mark.parametrize("strict", [False, True])
def test_an_empty_ledger_gives_a_good_file_without_rows(
    tmp_path: Path, format: str, strict: bool
) -> None:
    data = exported(filled(tmp_path / "arena.db", []), format, strict=strict)
    if format != "jsonl":
        assert list(frame(data, format).columns) == list(
            lmarena.COLUMNS if strict else lmarena.FIELDS
        )
    assert frame(data, format).empty


def test_a_file_comes_in_pieces_without_gaps(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "LABELS_AT_ONCE", 4)
    monkeypatch.setattr(exchange, "ROWS_AT_ONCE", 4)
    for format, chosen in (("parquet", Slice()), ("csv", Slice(rater="r3"))):
        pieced = frame(exported(ledger, format, chosen), format)
        rows = [row.id for row in some_votes() if chosen.everything or row.rater == chosen.rater]
        assert list(pieced["id"]) == rows


# Shapes ----------------------------------------------------------------------------------------


def test_parquet_has_the_published_nested_types(ledger: Path) -> None:
    full, strict = (
        pq.read_schema(io.BytesIO(exported(ledger, "parquet", strict=how))) for how in (False, True)
    )
    message = "struct<role: string, content: list<element: struct<type: string, text: string, image: string, mimeType: string>>>"
    for schema in (full, strict):
        assert str(schema.field("conversation_a").type) == f"list<element: {message}>"
        metadata = schema.field("conv_metadata").type
        assert str(metadata.field("bold_count_b").type) == "struct<**: int64, __: int64>"
        assert [f.name for f in metadata.field("header_count_a").type] == [
            f"h{n}" for n in range(1, 7)
        ]
        assert str(schema.field("evaluation_order").type) == "int32"
    assert str(full.field("timestamp").type) == "timestamp[us, tz=UTC]"
    assert str(strict.field("timestamp").type) == "timestamp[us]"
    assert str(full.field("dwell_ms").type) == "int64"


def test_nested_columns_are_nested_in_json_lines_and_json_text_in_csv(ledger: Path) -> None:
    first = json.loads(exported(ledger, "jsonl").split(b"\n")[0])
    expected = {
        "role": "user",
        "content": [{"type": "text", "text": "Why?", "image": None, "mimeType": None}],
    }
    assert first["conversation_a"][0] == expected
    cell = next(csv.DictReader(io.StringIO(exported(ledger, "csv").decode())))["conversation_a"]
    assert json.loads(cell) == first["conversation_a"]


def test_the_full_conversation_stands_turn_by_turn_with_both_sides() -> None:
    row = vote(
        conversation_a=talk("q1", "a1", "q2", "a2"), conversation_b=talk("q1", "b1", "q2", "b2")
    )
    turns = lmarena.strict(asdict(row))["full_conversation"]
    told = [[turn[key]["content"][0]["text"] for key in turn] for turn in turns]
    assert told == [["q1", "a1", "b1"], ["q2", "a2", "b2"]]
    assert list(turns[0]) == ["user", "model_side_a", "model_side_b"]


@pytest.mark.parametrize("kept", [3, 5, 0])
def test_markdown_is_told_by_kind_and_adds_up_to_what_was_kept(kept: int) -> None:
    row = vote(
        conversation_a=talk("q", "# One\n## Two\n## Three"), conv_metadata={"header_count_a": kept}
    )
    told = lmarena.full(asdict(row))["conv_metadata"]["header_count_a"]
    assert sum(told.values()) == kept
    assert (told["h1"], told["h2"]) == ((1, 2) if kept == 3 else (kept, 0))


def test_what_was_never_counted_is_null() -> None:
    told = lmarena.full(asdict(vote(conv_metadata={})))["conv_metadata"]
    assert set(told.values()) == {None}


# What a spreadsheet would make of it -----------------------------------------------------------


HIDDEN = [
    f"{sign}=1" for sign in (" ", "\x0b", "\u200b", "\ufeff", "\xa0", "\xad", "\u3000", "\u3164")
]
MARKED = ["\u0301=1", "\u20dd\u0903=1", "\ue000=1", "\U0001d173=1", "\u17b4+1", "⁼1"]
WIDE = ["＝1+1", "＋1", "－1", "＠SUM(A1)", "﹦1", "\u200b\x0b＝1"]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", *HIDDEN, *MARKED, *WIDE]
)
def test_no_cell_is_a_formula_and_it_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    file = tmp_path / "votes.csv"
    written([vote(a=text, topic=text)], "csv", file)
    with file.open(newline="") as lines:
        cells = next(csv.DictReader(lines))
    assert cells["model_a"] == cells["topic"] == f"'{text}"
    (row,) = read(file)
    assert row.model_a == row.topic == text


def test_an_end_of_line_in_a_name_ends_no_line_of_csv() -> None:
    standings = pd.DataFrame({"rank": [1, 2], "contender": ["a\rb", "y"]})
    read = list(csv.DictReader(io.StringIO(exchange.csv_of(standings), newline="")))
    assert read == [{"rank": "1", "contender": "a\rb"}, {"rank": "2", "contender": "y"}]


# Out and in again ------------------------------------------------------------------------------

PIECES = [
    ",",
    '"',
    "'",
    "\n",
    "\r\n",
    "\r",
    "\x00",
    "🙂",
    "é",
    "=1+1",
    "-",
    "\u2028",
    "\x85",
    "\\",
    "\t",
    "# h\n",
    "{",
    "[",
    ";",
    "NULL",
    "nan",
    "\ufeff",
    "\U0010ffff",
    " ",
    *string.ascii_lowercase[:4],
]
NASTY = st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("".join)
NAMES = st.lists(NASTY.filter(str.strip), min_size=2, max_size=2, unique=True)


def written(rows: list[VoteRow], format: str, file: Path, *, strict: bool = False) -> None:
    columns = lmarena.COLUMNS if strict else lmarena.FIELDS
    made: Any = {
        "csv": lambda: CsvRows(columns),
        "jsonl": JsonRows,
        "parquet": lambda: ParquetRows(strict),
    }
    maker = made[format]()
    shape = lmarena.strict if strict else lmarena.full
    file.write_bytes(maker.rows([shape(asdict(row)) for row in rows]) + maker.end())


@settings(max_examples=40, deadline=None)
@given(names=NAMES, text=NASTY, said=NASTY, format=st.sampled_from(OF_VOTES))
def test_any_text_comes_back_as_it_went_out(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], text: str, said: str, format: str
) -> None:
    a, b = names
    row = named(
        vote(
            f"id {text}",
            a,
            b,
            "tie",
            topic=text,
            study=said,
            rater=text,
            options_a=said,
            conversation_a=talk(text, said),
            conversation_b=talk(text, said),
        )
    )
    file = tmp_path_factory.getbasetemp() / f"any.{format}"
    written([row, second := named(vote("v2", b, a))], format, file)
    back, other = read(file)
    assert asdict(back) == {**asdict(row), "channel": "import"}
    assert (other.id, other.model_a) == (second.id, b)


@pytest.mark.parametrize("format", OF_VOTES)
@pytest.mark.parametrize("optional", [True, False])
def test_every_column_comes_back(tmp_path: Path, format: str, optional: bool) -> None:
    missing = {} if optional else dict.fromkeys(OPTIONAL)
    whole = named(vote(system="Be brief.", images=["0" * 64]))
    row = replace(whole, **missing)  # type: ignore[arg-type]
    file = tmp_path / f"votes.{format}"
    written([row], format, file)
    assert read(file) == [replace(row, channel="import")]


OPTIONAL = ("dwell_ms", "ttft_ms_a", "output_tokens_b", "tokens_per_s_a", "draw_probability")


@pytest.mark.parametrize("format", OF_VOTES)
def test_an_export_imported_into_an_empty_ledger_gives_the_same_standings(
    tmp_path: Path, format: str
) -> None:
    ledger = filled(tmp_path / "arena.db", [*map(named, some_votes())])
    file = tmp_path / f"votes.{format}"
    file.write_bytes(exported(ledger, format))
    again = filled(tmp_path / "again.db", read(file))
    pd.testing.assert_frame_equal(standings(again), standings(ledger))
    if format == "jsonl":
        assert exported(again, "dpo") == exported(ledger, "dpo")
        strict = [exported(place, "csv", strict=True) for place in (again, ledger)]
        assert strict[0] == strict[1]


def test_half_a_character_is_kept_in_json_and_replaced_in_parquet(tmp_path: Path) -> None:
    row = vote(conversation_a=talk("\ud83d", "é"))
    for format, expected in (("jsonl", "\ud83d"), ("csv", "\ud83d"), ("parquet", "\ufffd")):
        file = tmp_path / f"votes.{format}"
        written([row], format, file)
        assert read(file)[0].conversation_a == talk(expected, "é")


def test_a_line_of_json_is_one_line_to_every_reader(tmp_path: Path) -> None:
    file = tmp_path / "votes.jsonl"
    written([vote(conversation_a=talk("a\u2028b\u2029c\x85d\x0ce", "f"))], "jsonl", file)
    assert len(file.read_bytes().decode().splitlines()) == 1
    assert [line.number for line in lines_of(file, VOTES)] == [1]


def test_times_are_utc_and_strict_ones_say_no_zone() -> None:
    row = vote(timestamp=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC))
    assert lmarena.strict(asdict(row))["timestamp"].isoformat() == "2026-01-02T03:04:05.000006"
    assert lmarena.full(asdict(row))["timestamp"].isoformat() == "2026-01-02T03:04:05.000006+00:00"
