"""Rows to Parquet and back, a group of rows at a time.

Its part for files is imported when it is needed. It does not know what the rows mean.
https://arrow.apache.org/docs/python/parquet.html
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from arena.core import markdown
from arena.core.battle.record import KINDS
from arena.core.errors import BadInput
from arena.exchange import lmarena

ROWS_AT_ONCE = 500


class ParquetRows:
    """Rows of `lmarena.full` or `lmarena.strict` as the bytes of one Parquet file."""

    def __init__(self, strict: bool) -> None:
        import pyarrow.parquet as pq

        self._schema = _schema(strict)
        self._written = _Written()
        self._writer = pq.ParquetWriter(self._written, self._schema, compression="zstd")

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        try:
            table = pa.Table.from_pylist(rows, self._schema)
        except UnicodeEncodeError:
            table = pa.Table.from_pylist([_whole(row) for row in rows], self._schema)
        self._writer.write_table(table)
        return self._written.taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._written.taken()


class _Written(io.BytesIO):
    """A file to write to whose bytes are taken away as they come."""

    def taken(self) -> bytes:
        piece = self.getvalue()
        self.seek(0)
        self.truncate()
        return piece


def _whole(value: Any) -> Any:
    """Half characters, which JSON can carry and Parquet cannot, become U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, Mapping):
        return {key: _whole(held) for key, held in value.items()}
    return [_whole(held) for held in value] if isinstance(value, list) else value


def _schema(strict: bool) -> pa.Schema:
    part = _struct(**dict.fromkeys(("type", "text", "image", "mimeType"), pa.string()))
    message = _struct(role=pa.string(), content=pa.list_(part))
    time = pa.timestamp("us", None if strict else "UTC")
    shaped = {
        "evaluation_order": pa.int32(),
        "conversation_a": pa.list_(message),
        "conversation_b": pa.list_(message),
        "full_conversation": pa.list_(
            _struct(user=message, model_side_a=message, model_side_b=message)
        ),
        "conv_metadata": _metadata(),
        "category_tag": _category_tag(),
        "timestamp": time,
        **dict.fromkeys(lmarena.LISTS, pa.list_(pa.string())),
    }
    plain = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    names = lmarena.COLUMNS if strict else lmarena.FIELDS
    return pa.schema([(name, shaped.get(name) or plain[KINDS[name][0]]) for name in names])


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct(list(fields.items()))


def _metadata() -> pa.DataType:
    counted: dict[str, pa.DataType] = {name: pa.int32() for name in lmarena.TOKENS}
    for side in "ab":
        for what, kinds in markdown.KINDS.items():
            counted[f"{what}_count_{side}"] = _struct(**dict.fromkeys(kinds, pa.int64()))
    return _struct(**counted)


def _category_tag() -> pa.DataType:
    yes, text, number = pa.bool_(), pa.string(), pa.int32()
    criteria = (
        "complexity creativity domain_knowledge "
        "problem_solving real_world specificity technical_accuracy"
    ).split()
    return _struct(
        **{
            "creative_writing_v0.1": _struct(creative_writing=yes, score=text),
            "criteria_v0.1": _struct(**dict.fromkeys(criteria, yes)),
            "if_v0.1": _struct(**{"if": yes, "score": number}),
            "math_v0.1": _struct(math=yes),
        }
    )


def rows_of(
    path: Path, chosen: Callable[[list[str]], list[str]]
) -> Iterator[tuple[float, dict[str, Any]]]:
    """Those columns of each row that are chosen of all there are, with the part of the file that is
    read by then (0…1). Raises BadInput for a file that is no whole Parquet file."""
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = chosen(file.schema_arrow.names)
            total, done = file.metadata.num_rows, 0
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
                for row in batch.to_pylist():
                    done += 1
                    yield done / total, row
    except (pa.ArrowException, OSError, ValueError, OverflowError, LookupError) as error:
        # Texts that are no UTF-8, times that no year has and zones that nobody knows as well.
        raise BadInput(
            f"{path.name} cannot be read as Parquet: it is cut short, damaged or something else. "
            f"Copy it again, or export it again. ({str(error).splitlines()[0]:.120})"
        ) from None
