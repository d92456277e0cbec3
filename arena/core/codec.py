"""The core's frozen dataclasses as data that JSON can hold, and back: battles, events, breakers;
and the rows of its tables.

A field at its default is left out, and what is left out is read as the default; a field that is
not known is refused. So a newer arena's record is read as long as it uses nothing that is new.
It does not know which dataclasses there are, nor where the data goes.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import pandas as pd

TAG = "is"
"""Beside the fields of a dataclass that is one of several: which one it is. No field can have
this name."""

Code = Callable[[Any], Any]


class Unreadable(ValueError):
    """A record that this version cannot read: damaged, or written by a newer one."""


def encode(value: Any, kind: Any) -> Any:
    """The value as dicts, lists, texts, numbers, True, False and None. kind: its type, which may
    be a union of dataclasses. Raises TypeError for what would not come back as it was."""
    return _codec(kind)[0](value)


def decode(data: Any, kind: Any) -> Any:
    """What was encoded as this kind. Raises Unreadable."""
    return _codec(kind)[1](data)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Its rows as plain values by column, None for what is unknown."""
    plain = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


@cache
def _codec(kind: Any) -> tuple[Code, Code]:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in (Any, object):
        return _plain, _same
    if kind in (str, bool, int, float):
        return _same, _scalar(kind)
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if origin is tuple:
        return _tuple(arguments)
    if origin is frozenset:
        return _set(arguments[0])
    if isinstance(origin, type) and issubclass(origin, Mapping) and arguments[0] is str:
        return _mapping(arguments[1])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum(kind)
    if isinstance(kind, type) and is_dataclass(kind):
        return _record(kind)
    raise TypeError(f"{kind} has no form in JSON that is known here")


def _same(value: Any) -> Any:
    return value


def _scalar(kind: type) -> Code:
    def read(data: Any) -> Any:
        if type(data) is kind:
            return data
        if kind is float and type(data) is int:
            return float(data)
        raise Unreadable(f"{kind.__name__} expected, found {_shown(data)}")

    return read


def _enum(kind: type[Enum]) -> tuple[Code, Code]:
    def read(data: Any) -> Enum:
        try:
            return kind(data)
        except ValueError:
            raise Unreadable(f"there is no {kind.__name__} {_shown(data)}") from None

    return lambda value: value.value, read


def _tuple(arguments: tuple[Any, ...]) -> tuple[Code, Code]:
    """Of any length and one type, or of one type for each place."""
    if arguments[-1:] == (Ellipsis,):
        write, read = _codec(arguments[0])
        return (
            lambda value: [write(item) for item in value],
            lambda data: tuple([read(item) for item in _list(data)]),
        )
    codes = [_codec(argument) for argument in arguments]

    def read_each(data: Any) -> tuple[Any, ...]:
        if len(_list(data)) != len(codes):
            raise Unreadable(f"{len(codes)} values expected, found {len(data)}")
        return tuple(code[1](item) for code, item in zip(codes, data, strict=True))

    return (
        lambda value: [code[0](item) for code, item in zip(codes, value, strict=True)],
        read_each,
    )


def _set(kind: Any) -> tuple[Code, Code]:
    write, read = _codec(kind)
    return (
        lambda value: sorted(write(item) for item in value),
        lambda data: frozenset(read(item) for item in _list(data)),
    )


def _mapping(kind: Any) -> tuple[Code, Code]:
    write, read = _codec(kind)
    return (
        lambda value: {key: write(item) for key, item in value.items()},
        lambda data: {key: read(item) for key, item in _dict(data).items()},
    )


def _union(arguments: tuple[Any, ...]) -> tuple[Code, Code]:
    """A type or None, or one of several dataclasses, which are told apart by their names."""
    kinds = [kind for kind in arguments if kind is not types.NoneType]
    if len(kinds) == 1:
        write, read = _codec(kinds[0])
    elif all(is_dataclass(kind) for kind in kinds):
        write, read = _tagged(kinds)
    else:
        raise TypeError(f"values of {arguments} cannot be told apart in JSON")
    if len(kinds) == len(arguments):
        return write, read
    return (
        lambda value: None if value is None else write(value),
        lambda data: None if data is None else read(data),
    )


def _tagged(kinds: list[type]) -> tuple[Code, Code]:
    codes = {kind.__name__: _codec(kind) for kind in kinds}

    def write(value: Any) -> Any:
        name = type(value).__name__
        return {TAG: name, **codes[name][0](value)}

    def read(data: Any) -> Any:
        name = _dict(data).get(TAG)
        if not isinstance(name, str) or name not in codes:
            raise Unreadable(f"{' or '.join(codes)} expected, found {_shown(name)}")
        return codes[name][1]({key: item for key, item in data.items() if key != TAG})

    return write, read


def _record(kind: type) -> tuple[Code, Code]:
    types_of = get_type_hints(kind)
    codes = {spec.name: _codec(types_of[spec.name]) for spec in fields(kind)}
    defaults = {spec.name: _default(spec) for spec in fields(kind)}
    writers = [(name, code[0], defaults[name]) for name, code in codes.items()]
    readers = {name: code[1] for name, code in codes.items()}
    required = frozenset(name for name, default in defaults.items() if default is MISSING)

    def write(value: Any) -> Any:
        data = {}
        for name, code, default in writers:
            item = getattr(value, name)
            if default is MISSING or item != default:
                data[name] = code(item)
        return data

    def read(data: Any) -> Any:
        values: dict[str, Any] = {}
        name = ""
        try:
            for name, item in _dict(data).items():
                if name not in readers:
                    raise Unreadable("not known here, so a newer version wrote it")
                values[name] = readers[name](item)
        except Unreadable as error:
            raise Unreadable(f"{kind.__name__}.{name}: {error}") from None
        if missing := required - values.keys():
            raise Unreadable(f"{kind.__name__} lacks {', '.join(sorted(missing))}")
        return kind(**values)

    return write, read


def _default(spec: Field[Any]) -> Any:
    return spec.default if spec.default_factory is MISSING else spec.default_factory()


def _plain(value: Any) -> Any:
    """A value that JSON gives back as it is."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict) and all(type(key) is str for key in value):
        return {key: _plain(item) for key, item in value.items()}
    if value is None or type(value) in (str, bool, int, float):
        return value
    raise TypeError(f"{type(value).__name__} {value!r:.40} would not come back from JSON as it is")


def _list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise Unreadable(f"a list expected, found {_shown(data)}")
    return data


def _dict(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Unreadable(f"an object expected, found {_shown(data)}")
    return data


def _shown(data: Any) -> str:
    return f"{type(data).__name__} {data!r:.40}"
