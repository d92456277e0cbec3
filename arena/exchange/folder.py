"""DataFrames to files: CSV, JSON lines, Parquet. What is nested is JSON in a CSV and in Parquet.

It does not know what the tables say.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from arena.exchange.text import CsvRows, JsonRows, to_json


def write(table: pd.DataFrame, place: Path) -> None:
    """In the format that its name says."""
    if place.suffix == ".parquet":
        nested = {name: table[name].map(_flat) for name in table if table[name].dtype == object}
        table.assign(**nested).to_parquet(place, index=False)
        return
    names = [str(name) for name in table]
    values = [[_plain(value) for value in table[name]] for name in names]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
    made = JsonRows() if place.suffix == ".jsonl" else CsvRows(names)
    place.write_bytes(made.rows(rows) + made.end())


def _flat(value: Any) -> Any:
    return to_json(value) if isinstance(value, (list, dict)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        return value
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.item() if hasattr(value, "item") else value
