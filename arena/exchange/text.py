"""Rows as text: CSV and JSON lines, piece by piece.

It does not know what the rows mean.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from arena.exchange.reading import guarded

Row = Mapping[str, Any]

# Allowed inside JSON, but ends of line to many a program that reads line by line.
_ENDS_OF_LINE = {sign: f"\\u{ord(sign):04x}" for sign in "\u0085\u2028\u2029"}


class CsvRows:
    """RFC 4180 with a header: nested values as JSON, times in ISO 8601, None as nothing, and no
    cell that a spreadsheet would run as a formula (`reading.guarded`)."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._header = self._written([columns])

    def rows(self, rows: Sequence[Row]) -> bytes:
        cells = ([_cell(row[name]) for name in self._columns] for row in rows)
        return self._begun() + self._written(cells)

    def end(self) -> bytes:
        return self._begun()

    def _begun(self) -> bytes:
        header, self._header = self._header, b""
        return header

    @staticmethod
    def _written(rows: Any) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        return text.getvalue().encode()


def csv_of(standings: pd.DataFrame) -> str:
    """Standings as a file of their own, whose names no spreadsheet runs as a formula."""
    made = standings.assign(contender=standings["contender"].map(guarded))
    # Unless it quotes every text, what pandas writes leaves a lone \r as it is.
    odd = made["contender"].str.contains("\r", regex=False).any()
    return made.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC if odd else csv.QUOTE_MINIMAL)


class JsonRows:
    """One JSON object a line."""

    def rows(self, rows: Sequence[Row]) -> bytes:
        return "".join(f"{to_json(row)}\n" for row in rows).encode()

    def end(self) -> bytes:
        return b""


def to_json(value: Any) -> str:
    """On one line for every reader, and always good UTF-8: a half character is written as the
    escape that JSON has for it."""
    text = json.dumps(value, ensure_ascii=False, default=datetime.isoformat)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, default=datetime.isoformat)
    for sign, escape in _ENDS_OF_LINE.items():
        text = text.replace(sign, escape)
    return text


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, dict)):
        return to_json(value)
    return value
