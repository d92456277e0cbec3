"""Tables of a study from files, and to files: what is wrong with a row is told beside the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from arena.core.errors import BadInput
from arena.core.study.design import Item, Study
from arena.core.study.tables import prompts, replies
from arena.core.study.written import Written, elsewhere
from arena.exchange.folder import write, written
from arena.exchange.tables import rows_of


def test_a_line_that_is_nested_without_end_is_no_json(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(f'{{"prompt": "Why?"}}\n{"[" * 200_000}\n')
    good, bad = rows_of(file)
    assert good[:2] == ("prompts.jsonl, line 1", {"prompt": "Why?"})
    assert bad[:2] == ("prompts.jsonl, line 2", None) and "no JSON" in bad[2]


def test_a_file_is_told_by_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "prompts.json"
    file.write_text('[{"prompt": "Why?"}, {"prompt": "How?", "turns": ["So?"]}]')
    assert [place for place, _, _ in rows_of(file)] == [
        "prompts.json, row 1",
        "prompts.json, row 2",
    ]
    pd.DataFrame({"prompt": ["Why?"], "image": [[{"bytes": b"1"}]]}).to_parquet(file)
    assert list(rows_of(file)) == [
        ("prompts.json, row 1", {"prompt": "Why?", "image": [{"bytes": b"1"}]}, "")
    ]


def test_cells_come_as_they_stand_and_a_line_with_too_few_is_told(tmp_path: Path) -> None:
    file = tmp_path / "prompts.csv"
    file.write_text("id,prompt\n,'-1 or +1?\n\nodd\n")
    good, bad = rows_of(file)
    assert good == ("prompts.csv, line 2", {"id": "", "prompt": "'-1 or +1?"}, "")
    assert bad == ("prompts.csv, line 4", None, "has 1 cells where the first line has 2")


def test_cells_of_a_table_that_was_exported_here_come_as_they_were(tmp_path: Path) -> None:
    said = ["- one\n- two", "'-1", "=1", "1. one", ""]
    item = Item("p1", ("-1?", "+1?"))
    study = Study("trees", (item,), ())
    answers = replies(study, [Written("p1", "=ash", item.asked, (*map(elsewhere, said),))])
    for table, name, texts in ((answers, "reply", said), (prompts(study), "prompt", ["-1?"])):
        write(table, file := tmp_path / "table.csv")
        rows = [row or {} for _, row, _ in rows_of(file)]
        assert [row[name] for row in rows] == texts
        assert {row.get("contender", "=ash") for row in rows} == {"=ash"}


def test_blanks_after_the_commas_of_a_csv_are_none_of_its_texts(tmp_path: Path) -> None:
    file = tmp_path / "spaced.csv"
    file.write_text('id, prompt, topic\na, "Why, and\n  how?", \nb,  How?, " law"\n')
    assert [row for _, row, _ in rows_of(file)] == [
        {"id": "a", "prompt": "Why, and\n  how?", "topic": ""},
        {"id": "b", "prompt": "How?", "topic": " law"},
    ]
    file.write_text("id,prompt\na, Why?\n")
    assert next(rows_of(file))[1] == {"id": "a", "prompt": " Why?"}


def test_a_text_of_a_folder_is_read_without_its_mark_and_told_by_name_where_it_is_not_utf_8(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.txt").write_bytes("Why?".encode("utf-8-sig"))
    (tmp_path / "b.txt").write_bytes(b"caf\xe9?")
    rows = rows_of(tmp_path)
    assert next(rows) == ("a.txt", {"id": "a", "prompt": "Why?"}, "")
    with pytest.raises(BadInput, match=r"b\.txt is not UTF-8"):
        next(rows)


def test_what_is_unknown_is_nothing_and_all_else_is_plain() -> None:
    table = pd.DataFrame(
        {
            "name": ["ash", None],
            "number": pd.array([1, None], dtype="Int64"),
            "share": [np.float64(0.5), np.nan],
            "at": [datetime(2026, 3, 1, tzinfo=UTC), pd.NaT],
            "said": [[{"role": "user", "content": "é"}], []],
        }
    )
    first, second = (json.loads(line) for line in written(table, ".jsonl").splitlines())
    assert first == {
        "name": "ash",
        "number": 1,
        "share": 0.5,
        "at": "2026-03-01T00:00:00+00:00",
        "said": [{"role": "user", "content": "é"}],
    }
    assert second == dict.fromkeys(("name", "number", "share", "at")) | {"said": []}
    header, line, last = written(table, ".csv").decode().splitlines()
    assert header == "name,number,share,at,said" and last == ",,,,[]"
    assert line.startswith("ash,1,0.5,2026-03-01T00:00:00+00:00,")
