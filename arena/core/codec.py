"""The core's frozen dataclasses as data that JSON can hold, and back: battles, events, breakers;
and the rows of its tables.

A field at its default is left out, and what is left out is read as the default; a field that is
not known is refused. So a newer arena's record is read as long as it uses nothing that is new.
It does not know which dataclasses there are, nor where the data goes.
"""

import json
from collections.abc import Callable
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pandas as pd
from cattrs import transform_error
from cattrs.preconf.json import make_converter

TAG = "is"
"""Beside the fields of a dataclass that is one of several: which one it is. No field can have
this name."""

_converter = make_converter(omit_if_default=True, forbid_extra_keys=True)


class Unreadable(ValueError):
    """A record that this version cannot read: damaged, or written by a newer one."""


def encode(value: Any, kind: Any) -> Any:
    """The value as json.dumps takes it. kind: its type, which may be a union of dataclasses."""
    return _converter.unstructure(value, kind)


def decode(data: Any, kind: Any) -> Any:
    """What was encoded as this kind and went through JSON. Raises Unreadable."""
    try:
        return _converter.structure(data, kind)
    except Exception as error:
        where = getattr(kind, "__name__", "record")
        raise Unreadable("; ".join(transform_error(error, path=where))) from error


def line(value: Any, kind: Any) -> str:
    """The value as one line of JSON."""
    return json.dumps(encode(value, kind))


def read_line(told: str | bytes, kind: Any) -> Any:
    """What was written by `line`. Raises Unreadable, and ValueError where it is no JSON."""
    return decode(json.loads(told), kind)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Its rows as plain values by column, None for what is unknown."""
    names = [str(name) for name in table]
    columns = [
        [None if missing else value for value, missing in zip(of.tolist(), of.isna(), strict=True)]
        for _, of in table.items()
    ]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


# What cattrs does otherwise ---------------------------------------------------------------------


def _exactly(kind: type) -> Callable[[Any, Any], Any]:
    """No text stands for a number, nor a number for a text."""

    def read(data: Any, wanted: Any) -> Any:
        """wanted: the kind itself, or an enumeration of such."""
        if type(data) is kind or (kind is float and type(data) is int):
            return wanted(data)
        raise TypeError

    return read


for _kind in (str, bool, int, float):
    _converter.register_structure_hook(_kind, _exactly(_kind))
_converter.register_structure_hook_func(lambda kind: kind is object, lambda data, _: data)


def _is_one_of_several(kind: Any) -> bool:
    union = get_origin(kind) in (Union, UnionType)
    return union and all(is_dataclass(each) for each in get_args(kind))


def _read_tagged(union: Any) -> Callable[[Any, Any], Any]:
    kinds = {kind.__name__: kind for kind in get_args(union)}

    def read(data: Any, _: Any) -> Any:
        fields = dict(data)
        return _converter.structure(fields, kinds[fields.pop(TAG)])

    return read


_converter.register_structure_hook_factory(_is_one_of_several, _read_tagged)
_converter.register_unstructure_hook_func(
    _is_one_of_several, lambda value: {TAG: type(value).__name__, **_converter.unstructure(value)}
)
