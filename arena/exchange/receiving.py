"""Rows of files to rows of the ledger: what is missing is filled in, what is wrong is told by
file and line, and no two votes stand on the same place.

It does not know file formats, nor how the ledger keeps what it gets.
"""

import hashlib
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

import pandas as pd

from arena.core.battle.record import KINDS, SCHEMA_VERSION, UNDETERMINED, VoteRow
from arena.core.errors import BadInput
from arena.exchange import lmarena
from arena.exchange.reading import lines_of

CHANNEL = "import"
"""How imported votes came into this ledger, wherever they were cast."""

UNBLINDED = "identity"
"""Why votes are not ranked whose voters knew the names; what releases call not anony."""

MOST_TOLD = 20
LARGEST = 2**31 - 1
EARLIEST_S = 1e8
"""Seconds since 1970; a smaller number, such as a year, is something else."""

LATEST_S = 1e11
"""A larger number, some three thousand years ahead, is not of seconds but of smaller parts."""

Told = Callable[[str, float], None]
"""Called with the name of the file and the part of it that is done (0…1)."""


def nobody(name: str, part: float) -> None:
    """Nobody is told."""


class Wrong(ValueError):
    """What is wrong with a row, without its place."""


@dataclass(frozen=True, slots=True)
class Votes:
    """The votes of some files. study: what theirs is called; empty: as they say, else as the
    file is called. now: when votes without a time were cast, with a zone.

    Votes keep the ids, battles and labels they bring; one without an id gets one made of the
    file's content and its line, so that the same file brings the same ids again."""

    paths: Sequence[Path]
    now: datetime
    study: str = ""

    def check(self, told: Told = nobody, taken: Callable[[VoteRow], object] | None = None) -> int:
        """How many votes there are, every one of them read, and taken if somebody takes them.
        Raises BadInput with everything that is wrong and where."""
        right, wrong = 0, []
        for path, place, found in self._read(told):
            if isinstance(found, VoteRow):
                right += 1
                if taken:
                    taken(found)
            else:
                wrong.append(f"{self._named(path, place)}: {found}")
        if wrong:
            listed = "".join(f"\n  {fault}" for fault in wrong[:MOST_TOLD])
            more = len(wrong) - MOST_TOLD
            rest = f"\n  … and {more} more" if more > 0 else ""
            raise BadInput(
                f"{_rows(len(wrong))} of {right + len(wrong)} in "
                f"{', '.join(p.name for p in self.paths)} cannot be read, so none is taken. "
                f"Correct this, then try again:{listed}{rest}"
            )
        return right

    def rows(self, told: Told = nobody) -> Iterator[VoteRow]:
        """One by one. Raises BadInput at the first that is wrong."""
        for path, place, found in self._read(told):
            if not isinstance(found, VoteRow):
                raise BadInput(f"{path.name}, {place}: {found}. Correct it, then try again.")
            yield found

    def frame(self, columns: Sequence[str], told: Told = nobody) -> pd.DataFrame:
        """Those columns of the ledger. Raises BadInput with everything that is wrong."""
        rows: list[tuple[Any, ...]] = []
        self.check(told, lambda row: rows.append(attrgetter(*columns)(row)))
        return pd.DataFrame.from_records(rows, columns=list(columns))

    def places(self, ids: Collection[str], told: Told = nobody) -> list[str]:
        """Where the votes of these ids stand, in words."""
        return [
            self._named(path, place)
            for path, place, found in self._read(told)
            if isinstance(found, VoteRow) and found.id in ids
        ]

    def _named(self, path: Path, place: str) -> str:
        return f"{path.name}, {place}" if len(self.paths) > 1 else place

    def _read(self, told: Told) -> Iterator[tuple[Path, str, VoteRow | str]]:
        """Each row with its place, or what is wrong there."""
        places = _Places()
        for path in self.paths:
            file, empty = _File(path, self.study, self.now), True
            shown = -1.0
            for line in lines_of(path):
                empty = False
                if line.part - shown >= 0.01:
                    shown = line.part
                    told(path.name, shown)
                try:
                    if line.record is None:
                        raise Wrong(line.fault)
                    yield path, line.place, places.seated(file.row(line.record, line.number))
                except Wrong as wrong:
                    yield path, line.place, str(wrong)
            if empty:
                raise BadInput(f"{path.name} holds no votes.")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


@dataclass(slots=True)
class _Places:
    """Which ids are taken, and how many votes stand on each place. Hashes only, for room."""

    ids: set[int] = field(default_factory=set)
    votes: dict[int, int] = field(default_factory=dict)

    def seated(self, values: dict[str, Any]) -> VoteRow:
        """The row on a place of its own. Releases have sessions with several votes of the same
        order: the second one's seats are called A2 and B2, and so on."""
        if hash(values["id"]) in self.ids:
            raise Wrong(f"the id {values['id']!r:.60} stands further up already")
        self.ids.add(hash(values["id"]))
        key = ("battle_id", "round", "supersedes", "seat_a", "seat_b")
        place = hash(tuple(values[name] for name in key))
        number = self.votes[place] = self.votes.get(place, 0) + 1
        if number > 1:
            values |= {seat: f"{values[seat]}{number}" for seat in ("seat_a", "seat_b")}
        return VoteRow(**values)


@dataclass(slots=True)
class _File:
    path: Path
    study: str
    now: datetime
    _digest: str = ""

    def row(self, record: Mapping[str, Any], line: int) -> dict[str, Any]:
        """All columns of the ledger. Raises Wrong."""
        try:
            given = lmarena.modern(record)
        except ValueError as error:
            raise Wrong(f"prompt or response {error}") from None
        found = {name: value for name, value in given.items() if not _missing(value)}
        values = _EMPTY | {n: _value(n, value) for n, value in found.items() if n in KINDS}
        self._judged(values, found)
        if not _true(found.get("anony", True), "anony"):
            values["excluded_reason"] = values["excluded_reason"] or UNBLINDED
        values["id"] = values["id"] or self._id(line)
        values["ballot_id"] = values["ballot_id"] or values["id"]
        session, order = values["evaluation_session_id"], values["evaluation_order"]
        values["battle_id"] = values["battle_id"] or session or values["id"]
        values["round"] = values["round"] or order or 1
        defaults = {
            "evaluation_session_id": values["battle_id"],
            "evaluation_order": values["round"],
            "schema_version": SCHEMA_VERSION,
            "language": UNDETERMINED,
            "seat_a": "A",
            "seat_b": "B",
            "timestamp": self.now,
        }
        values |= {name: value for name, value in defaults.items() if not values[name]}
        values["channel"] = CHANNEL
        values["study"] = self.study or values["study"] or self.path.stem
        return values

    def _judged(self, values: dict[str, Any], found: Mapping[str, Any]) -> None:
        """Who met, what was said, and how it was judged."""
        for side in ("model_a", "model_b"):
            if not values[side].strip():
                raise Wrong(f"{side} is empty")
        if values["model_a"] == values["model_b"]:
            raise Wrong(f"{values['model_a']!r:.60} meets itself")
        said = values["winner"].strip()
        if said.lower() not in lmarena.OUTCOMES:
            raise Wrong(f"winner is {said!r:.40}; it must be model_a, model_b, tie or both_bad")
        values["winner"] = lmarena.OUTCOMES[said.lower()]
        talk = [_shaped(side, lmarena.conversation, found) for side in _TALK]
        values |= dict(zip(_TALK, talk, strict=True))
        values["conv_metadata"] = _shaped(
            "conv_metadata", lambda value: lmarena.metadata(value, *talk), found
        )

    def _id(self, line: int) -> str:
        if not self._digest:
            with self.path.open("rb") as file:
                self._digest = hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(f"{self._digest}/{line}".encode()).hexdigest()[:32]


_TALK = ("conversation_a", "conversation_b")


def _shaped(name: str, read: Callable[[Any], Any], found: Mapping[str, Any]) -> Any:
    try:
        return read(found.get(name))
    except (ValueError, TypeError) as error:
        raise Wrong(f"{name} {error}") from None


# Single values ---------------------------------------------------------------------------------


_NOTHING: Mapping[type, Any] = {str: "", bool: False, int: 0, list: []}
_EMPTY = {
    name: None if optional else _NOTHING.get(kind) for name, (kind, optional) in KINDS.items()
}
"""What stands where a file says nothing."""


def _missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _value(name: str, value: Any) -> Any:
    kind, _ = KINDS[name]
    # Conversations and what is counted of them are read together, and later.
    return _READERS[kind](value, name) if kind in _READERS and name not in _TALK else value


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


def _true(value: Any, name: str) -> bool:
    said = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
    try:
        return said[str(value).strip().lower()]
    except KeyError:
        raise Wrong(f"{name} is {value!r:.40}; it must be true or false") from None


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise Wrong(f"{name} is {value!r:.40}, which is no number")
    return number


def _whole(value: Any, name: str) -> int:
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
                seconds = seconds / 1000 if seconds >= LATEST_S else seconds
            if not EARLIEST_S <= seconds < LATEST_S:
                raise ValueError
            return datetime.fromtimestamp(seconds, UTC)
        if hasattr(moment, "to_pydatetime"):
            moment = moment.to_pydatetime(warn=False)
        zoned: datetime = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return zoned.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise Wrong(f"{name} is {value!r:.40}; it must be a time as 2026-03-01T12:30:00Z") from None


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
    bool: _true,
    int: _whole,
    float: _number,
    datetime: _moment,
}
