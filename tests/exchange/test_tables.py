"""Tables of a study from files, and to files: what is wrong with a row is told beside the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from arena.exchange.folder import written
from arena.exchange.tables import rows_of


def test_a_line_that_is_nested_without_end_is_no_json(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(f'{{"prompt": "Why?"}}\n{"[" * 200_000}\n')
    good, bad = rows_of(file)
    assert good[:2] == ("prompts.jsonl, line 1", {"prompt": "Why?"})
    assert bad[:2] == ("prompts.jsonl, line 2", None) and "no JSON" in bad[2]


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
