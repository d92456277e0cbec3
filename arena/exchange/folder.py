"""DataFrames to files: CSV, JSON lines, Parquet. What is nested is JSON in a CSV and in Parquet.

It does not know what the tables say.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from arena.core.codec import records
from arena.exchange.text import CsvRows, JsonRows, to_json


def write(table: pd.DataFrame, place: Path) -> None:
    """In the format that its name says."""
    if place.suffix == ".parquet":
        flat = table.copy()
        for name in table.columns[[kind.name == "object" for kind in table.dtypes]]:
            flat[name] = table[name].map(_flat)
        flat.to_parquet(place, index=False)
        return
    place.write_bytes(written(table, place.suffix))


def written(table: pd.DataFrame, suffix: str) -> bytes:
    """As text: .csv or .jsonl."""
    made = JsonRows() if suffix == ".jsonl" else CsvRows([str(name) for name in table])
    return made.rows(records(table)) + made.end()


def _flat(value: Any) -> Any:
    return to_json(value) if isinstance(value, (list, dict)) else value
