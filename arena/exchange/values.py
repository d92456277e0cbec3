"""Single values of a row from elsewhere: texts, times, numbers, however files write them.

It does not know what a row is, nor which columns it needs.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from arena.core.battle.record import KINDS, UNDETERMINED
from arena.exchange import lmarena

LARGEST = 2**31 - 1
YEARS, EARLIEST_S, LATEST_S = "1977 to 2099", 220_924_800, 4_102_444_800
"""Seconds since 1970, of these years; another number, such as a year, is something else: a time that
was written without its signs, as 202603011230 or 20260301123000, would be of 1976 or 2612."""

PARTS_S = 1e11
"""A number as large, some three thousand years ahead, is not of seconds but of smaller parts."""

TALK = ("conversation_a", "conversation_b")


class Wrong(ValueError):
    """What is wrong with a row, without its place."""


def missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def value_of(name: str, value: Any) -> Any:
    kind, _ = KINDS[name]
    # Conversations and what is counted of them are read together, and later.
    return _READERS[kind](value, name) if kind in _READERS and name not in TALK else value


def _word(value: Any, name: str) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, (str, int, float)):
        raise Wrong(f"{name} is no text")
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Wrong(f"{name} holds half a character") from None
    return text


def true(value: Any, name: str) -> bool:
    said = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
    try:
        return said[str(value).strip().lower()]
    except KeyError:
        raise Wrong(f"{name} is {value!r:.40}; it must be true or false") from None


def language(said: Any) -> Any:
    """By ISO 639-1, also by a longer code or where it is named in English, as older releases do;
    what is no text, or none, is as it was."""
    return _codes().get(said.strip().lower(), said) if said and isinstance(said, str) else said


@cache
def _codes() -> dict[str, str]:
    """Name or code, in small letters → code. Not before the first file: the start does not wait
    for it."""
    from babel.core import Locale, get_global

    names = {n.lower(): c for c, n in Locale("en").languages.items() if len(c) == 2}
    longer = {n: c for n, c in get_global("language_aliases").items() if len(n) > len(c) == 2}
    return {"unknown": UNDETERMINED, **longer, **names, **{c: c for c in names.values()}}


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise Wrong(f"{name} is {value!r:.40}, which is no number")
    return number


def whole(value: Any, name: str) -> int:
    number = _number(value, name)
    if not number.is_integer() or abs(number) > LARGEST:
        raise Wrong(f"{name} is {value!r:.40}; it must be a whole number up to {LARGEST}")
    return int(number)


def _moment(value: Any, name: str) -> datetime:
    """ISO 8601, UTC where it has no zone, or the time since 1970 in seconds, milliseconds,
    microseconds or nanoseconds, which are told apart by their size."""
    moment = value
    try:
        if isinstance(moment, str):
            try:
                moment = float(moment)
            except ValueError:
                moment = datetime.fromisoformat(moment.strip())
        if not isinstance(moment, datetime):
            seconds = _number(moment, name)
            for _ in ("milliseconds", "microseconds", "nanoseconds"):
                seconds = seconds / 1000 if seconds >= PARTS_S else seconds
            if not EARLIEST_S <= seconds < LATEST_S:
                raise ValueError
            return datetime.fromtimestamp(seconds, UTC)
        if hasattr(moment, "to_pydatetime"):
            moment = moment.to_pydatetime(warn=False)
        zoned: datetime = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if not EARLIEST_S <= zoned.timestamp() < LATEST_S:
            raise ValueError
        return zoned.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        must = f"it must be a time as 2026-03-01T12:30:00Z, of {YEARS}"
        raise Wrong(f"{name} is {value!r:.40}; {must}") from None


def _texts(value: Any, name: str) -> list[str]:
    try:
        texts = list(lmarena.read_json(value) or [])
    except (ValueError, TypeError):
        texts = [value, None]
    if not all(isinstance(text, str) for text in texts):
        raise Wrong(f"{name} is {value!r:.40}; it must be a list of texts")
    return texts


_READERS: Mapping[type, Callable[[Any, str], Any]] = {
    str: _word,
    list: _texts,
    bool: true,
    int: whole,
    float: _number,
    datetime: _moment,
}
