"""Rows of files to rows of the ledger: what is missing is filled in, what is wrong is told by
file and line, and no two votes stand on the same place.

It does not know file formats, nor how the ledger keeps what it gets.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

import pandas as pd

from arena.core.battle.record import EMPTY, KINDS, SCHEMA_VERSION, UNDETERMINED, VoteRow
from arena.core.errors import BadInput
from arena.exchange import lmarena
from arena.exchange.layouts import Passed, layout_of
from arena.exchange.reading import VOTES, lines_of
from arena.exchange.values import TALK, Wrong, language, missing, true, value_of, whole

CHANNEL = "import"
"""How imported votes came into this ledger, wherever they were cast."""

UNBLINDED = "identity"
"""Why votes are not ranked whose voters knew the names; what releases call not anony."""

UNIQUE = re.compile("[0-9a-f]{32}|[0-9a-f-]{36}")
"""What an id holds that no other place gives as well."""

OURS = "schema_version"
"""What files of an arena say. Its names are as they are; elsewhere blanks come of how it was typed."""
SIDES = ("model_a", "model_b")

NAMES = ("battle_id", "ballot_id", "evaluation_session_id", "supersedes")
"""What may be a number that others count from one too; of an id it is said with its file."""

MOST_TOLD = 20
Told = Callable[[str, float], None]
"""Called with the name of the file and the part of it that is done (0…1)."""


def nobody(name: str, part: float) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class Votes:
    """The votes of some files. study: what theirs is called; empty: as they say, else as the
    file is called. now: when votes without a time were cast, with a zone.

    Votes keep the labels they bring, and the ids and battles that are `UNIQUE`. Others stand
    behind "study/", an id behind a digest of the file's content; one without an id gets one made
    of that and its line. So the same file brings the same ids again."""

    paths: Sequence[Path]
    now: datetime
    study: str = ""
    passed: Counter[str] = field(default_factory=Counter)
    """Rows of the last reading that compare no two contenders, by why"""

    def check(self, told: Told = nobody) -> int:
        """How many votes there are, every one of them read. Raises BadInput as `rows` does."""
        return sum(1 for _ in self.rows(told))

    def rows(self, told: Told = nobody) -> Iterator[VoteRow]:
        """One by one, up to the first that is wrong. Raises BadInput at the end with everything
        that is wrong and where."""
        right, wrong = 0, list[str]()
        for path, place, found in self._read(told):
            if isinstance(found, VoteRow):
                right += 1
                if not wrong:
                    yield found
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

    def frame(self, columns: Sequence[str], told: Told = nobody) -> pd.DataFrame:
        """Those columns of the ledger. Raises BadInput as `rows` does."""
        rows = [attrgetter(*columns)(row) for row in self.rows(told)]
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
        self.passed.clear()
        for path in self.paths:
            file, empty = _File(path, self.study, self.now, places), True
            shown = -1.0
            for line in lines_of(path, VOTES):
                empty = False
                if line.part - shown >= 0.01:
                    shown = line.part
                    told(path.name, shown)
                try:
                    if line.record is None:
                        raise Wrong(line.fault)
                    for row in file.rows(line.record, line.number):
                        yield path, line.place, row
                except Passed as why:
                    self.passed[str(why)] += 1
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

    def seat(self, values: dict[str, Any]) -> None:
        """On a place of its own. Releases have sessions with several votes of the same order: the
        second one's seats are called A2 and B2, and so on. Raises Wrong."""
        if hash(values["id"]) in self.ids:
            raise Wrong(f"the id {values['id']!r:.60} stands further up already")
        self.ids.add(hash(values["id"]))
        key = ("battle_id", "round", "supersedes", "seat_a", "seat_b")
        place = hash(tuple(values[name] for name in key))
        number = self.votes[place] = self.votes.get(place, 0) + 1
        if number > 1:
            values |= {seat: f"{values[seat]}{number}" for seat in ("seat_a", "seat_b")}


@dataclass(slots=True)
class _File:
    path: Path
    study: str
    now: datetime
    places: _Places
    _digest: str = ""
    _questions: set[str] = field(default_factory=set)

    def rows(self, record: Mapping[str, Any], line: int) -> Iterator[VoteRow]:
        """Each vote that the record is. Raises Wrong and Passed."""
        layout = layout_of(record)
        try:
            votes = layout.votes(record) if layout else [record]
        except Passed:
            raise
        except ValueError as error:
            raise Wrong(str(error)) from None
        return (self._row(vote, line) for vote in votes)

    def _row(self, record: Mapping[str, Any], line: int) -> VoteRow:
        try:
            given = lmarena.modern(record)
        except ValueError as error:
            raise Wrong(f"prompt or response {error}") from None
        found = {name: value for name, value in given.items() if not missing(value)}
        values = {**EMPTY} | {n: value_of(n, value) for n, value in found.items() if n in KINDS}
        self._judged(values, found)
        if not true(found.get("anony", True), "anony"):
            values["excluded_reason"] = values["excluded_reason"] or UNBLINDED
        if "question_id" in record:
            self._asked(values, found)
        values["study"] = study = self.study or values["study"] or self.path.stem
        values |= {name: _within(study, values[name]) for name in NAMES}
        id = brought = values["id"]
        if not UNIQUE.search(id):
            id = f"{self._digested('')}/{id}" if id else self._digested(line)
        values["id"] = _within(study, brought) or id
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
        values["language"] = language(values["language"])
        values["channel"] = CHANNEL
        self.places.seat(values)
        return VoteRow(**values | {"id": id})

    def _judged(self, values: dict[str, Any], found: Mapping[str, Any]) -> None:
        """Who met, what was said, and how it was judged."""
        for side in SIDES:
            if OURS not in found:
                values[side] = values[side].strip()
            if not values[side].strip():
                raise Wrong(f"{side} is empty")
        if values["model_a"] == values["model_b"] and values["excluded_reason"]:
            raise Passed("two contenders of one name, which do not count")
        if values["model_a"] == values["model_b"]:
            raise Wrong(f"{values['model_a']!r:.60} meets itself")
        said = values["winner"].strip()
        if said.lower() not in lmarena.OUTCOMES:
            raise Wrong(f"winner is {said!r:.40}; it must be model_a, model_b, tie or both_bad")
        values["winner"] = lmarena.OUTCOMES[said.lower()]
        talk = [_shaped(side, lmarena.conversation, found) for side in TALK]
        values |= dict(zip(TALK, talk, strict=True))
        values["conv_metadata"] = _shaped(
            "conv_metadata", lambda value: lmarena.metadata(value, *talk), found
        )

    def _asked(self, values: dict[str, Any], found: Mapping[str, Any]) -> None:
        """Some releases number their votes by question_id, others their prompts, which many
        raters judge after each turn. It is a vote's where it is unique like one's, or stands here
        once and no turn is told; else a rater's votes on two replies are one battle, turn by
        turn, with what had been said by then."""
        question = values["prompt_id"]
        first = question not in self._questions
        self._questions.add(question)
        turn = whole(found["turn"], "turn") if "turn" in found else 0
        if UNIQUE.fullmatch(question) or not turn:
            values["id"] = values["id"] or (question if first else "")
            return
        values["round"] = values["round"] or turn
        pair = sorted((values["model_a"], values["model_b"]))
        by_whom = "/".join((question, values["rater"], *pair))
        values["battle_id"] = values["battle_id"] or self._digested(by_whom)
        for side in TALK:
            values[side] = lmarena.until(values[side], turn)
        if "conv_metadata" not in found:
            values["conv_metadata"] = lmarena.metadata(None, *(values[side] for side in TALK))

    def _digested(self, what: object) -> str:
        if not self._digest:
            with self.path.open("rb") as file:
                self._digest = hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(f"{self._digest}/{what}".encode()).hexdigest()[:32]


def _within(whole: str, name: str) -> str:
    """The name, behind that of what it is unique in where it is not by itself."""
    kept = not name or name.startswith(f"{whole}/") or UNIQUE.search(name)
    return name if kept else f"{whole}/{name}"


def _shaped(name: str, read: Callable[[Any], Any], found: Mapping[str, Any]) -> Any:
    try:
        return read(found.get(name))
    except (ValueError, TypeError) as error:
        raise Wrong(f"{name} {error}") from None
