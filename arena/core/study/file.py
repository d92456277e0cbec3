"""A study's file: TOML to a Study, with every fault and its line.

Pure: text and rows come as they are. It does not know where prompts are read from.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from arena.core.battle.entities import (
    LONGEST_LABEL,
    MAX_CONTENDERS,
    MOST_IMAGES,
    PANES,
    Contender,
    Format,
)
from arena.core.battle.rules import MAX_TURNS
from arena.core.study.design import (
    BAD,
    GOOD,
    LONGEST_CHOICE,
    MOST_CHOICES,
    Check,
    Completion,
    Item,
    Questions,
    Study,
    Texts,
)
from arena.core.study.faults import Fault, FaultyStudy, tables

Row = tuple[str, Mapping[str, Any] | None, str]
"""Where it stands, its columns, and what is wrong with it."""

Rule = Callable[[Any], Any]
"""What a value means. Raises ValueError with what is allowed."""

COLUMNS = ("id", "prompt", "topic", "system", "turns", "image")
TAKEN = frozenset(
    (
        "study rater joined_at judged of finished attention_passed attention_of median_seconds "
        "agrees agrees_lower agrees_upper kappa agrees_with_self first_seat"
    ).split()
)
"""What a link brings otherwise, and columns of the table of raters; `completion.pass` adds others."""

LONGEST_ID = 64
MOST_FAULTS = 50
_ADDRESS = re.compile(r"https?://[^\s/?#]+")


def _text(longest: int = 20_000, *, empty: bool = True) -> Rule:
    def read(value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest or not (empty or value.strip()):
            raise ValueError(f"a text of {0 if empty else 1} to {longest:,} characters")
        return value.strip()

    return read


def _whole(least: int, most: int) -> Rule:
    def read(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most:,}")
        return value

    return read


def _minutes(value: Any) -> float:
    if type(value) not in (int, float) or not 0 < value <= 600:
        raise ValueError("a number of minutes up to 600")
    return float(value)


def _texts(value: Any) -> tuple[str, ...]:
    longest, most = LONGEST_CHOICE, MOST_CHOICES
    fit = isinstance(value, list) and all(
        isinstance(text, str) and 0 < len(text) <= longest for text in value
    )
    if not fit or len(set(value)) < len(value) or len(value) > most:
        raise ValueError(f"a list of up to {most} different texts of 1 to {longest} characters")
    return tuple(value)


def _one_of(*allowed: str) -> Rule:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(" or ".join(f'"{each}"' for each in allowed))
        return str(value)

    return read


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _moment(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise ValueError("a time such as 2026-12-24T18:00:00Z")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _label(value: Any) -> str:
    text = str(_text(LONGEST_LABEL, empty=False)(value))
    if not all(sign.isalnum() or sign in "-_." for sign in text):
        raise ValueError("letters, digits, dots, dashes and underscores")
    return text


def _link(value: Any) -> str:
    if not isinstance(value, str) or not _ADDRESS.match(value):
        raise ValueError("an address that begins with https://")
    return value


_CHECK = {name: _text(empty=False) for name in ("prompt", "good", "bad")}
_RULES: Mapping[str, Mapping[str, Rule]] = {
    "": {
        "name": _label,
        "prompts": _text(empty=False),
        "contenders": _texts,
        "answers": _one_of("ahead", "live"),
        "format": _one_of(*Format),
        "size": _whole(2, MAX_CONTENDERS),
        "raters_per_prompt": _whole(1, 1000),
        "raters_per_pair": _whole(1, 1000),
        "prompts_per_rater": _whole(0, 100_000),
        "repeats": _whole(0, 1000),
        "hold_minutes": _whole(1, 7 * 24 * 60),
        "minutes_per_battle": _minutes,
        "closes": _moment,
    },
    "texts": dict.fromkeys(("instructions", "consent", "end"), _text()),
    "completion": {"code": _text(200), "link": _link, "pass": _texts},
    "after": {"reasons": _texts, "grades": _whole(0, 10), "marks": _texts, "comment": _flag},
    "practice": _CHECK,
    "attention": _CHECK,
}
_NEEDED = {"": ("name", "prompts", "contenders"), "practice": (*_CHECK,), "attention": (*_CHECK,)}


class _File:
    """The tables of one file, read by the rules, and the faults that were found."""

    def __init__(self, text: str, source: str) -> None:
        self.faults: list[Fault] = []
        self._source = source
        self._said, self._places = tables(text, source)
        for name in self._said.keys() - _RULES[""].keys() - _RULES.keys():
            self._unknown(name, [*_RULES[""], *filter(None, _RULES)])

    def fault(self, path: str, said: str) -> None:
        while path and path not in self._places:
            path = path.rpartition(".")[0]
        self.faults.append(Fault(self._places.get(path, self._source), said))

    def table(self, name: str, said: Any = None, path: str = "") -> dict[str, Any]:
        path = path or name
        said = self._said.get(name, {}) if said is None else said
        if not isinstance(said, Mapping):
            self.fault(path, f"{name} is a table: write [{name}] and its keys below.")
            return {}
        return self._read(name, said, path)

    def top(self) -> dict[str, Any]:
        return self._read("", {k: v for k, v in self._said.items() if k in _RULES[""]}, "")

    def checks(self, name: str) -> list[Check]:
        """Tables that are there once, or several times."""
        said = self._said.get(name, [])
        several = said if isinstance(said, list) else [said]
        paths = [f"{name}.{n}" if isinstance(said, list) else name for n in range(len(several))]
        read = [self.table(name, each, path) for each, path in zip(several, paths, strict=True)]
        return [Check(**each) for each in read if each.keys() == _CHECK.keys()]

    def _read(self, name: str, said: Mapping[str, Any], path: str) -> dict[str, Any]:
        read = {}
        for key, value in said.items():
            place = f"{path}.{key}".lstrip(".")
            if key not in _RULES[name]:
                self._unknown(place, tuple(_RULES[name]))
                continue
            try:
                read[key] = _RULES[name][key](value)
            except ValueError as error:
                self.fault(place, f"{key} is {error}.")
        for key in _NEEDED.get(name, ()):
            if key not in said:
                self.fault(path, f"{key} is missing.")
        return read

    def _unknown(self, path: str, known: Sequence[str]) -> None:
        name = path.rpartition(".")[2]
        self.fault(path, f"{name} is not known here. What is: {', '.join(known)}.")


def prompts_of(text: str, source: str) -> tuple[str, str]:
    """Where the file says that its prompts are, and where it says so. Raises FaultyStudy where it
    cannot be read."""
    said, places = tables(text, source)
    where = said.get("prompts")
    return where if isinstance(where, str) else "", places.get("prompts", source)


def parse(text: str, source: str, rows: Iterable[Row]) -> Study:
    """Raises FaultyStudy with every fault of the file and of its prompts."""
    file = _File(text, source)
    top = file.top()
    practice = file.checks("practice")
    if len(practice) > 1:
        file.fault("practice.1", "There is one practice battle; leave the others out.")
    completion = file.table("completion")
    found, faults = items(rows)
    if not found and not faults and "prompts" in top:
        file.fault("prompts", "There is no prompt in it.")
    study = Study(
        name=top.get("name", ""),
        items=tuple(found),
        contenders=tuple(Contender(name, name) for name in top.get("contenders", ())),
        format=top.get("format", Format.ELIMINATION.value),
        size=top.get("size", 2),
        raters=top.get("raters_per_prompt", 3),
        alike=top.get("raters_per_pair", 2),
        per_rater=top.get("prompts_per_rater", 0),
        repeats=top.get("repeats", 0),
        hold=top.get("hold_minutes", 30),
        ahead=top.get("answers", "ahead") == "ahead",
        minutes=top.get("minutes_per_battle", 2.0),
        closes=top.get("closes"),
        texts=Texts(**file.table("texts")),
        after=Questions(**file.table("after")),
        completion=Completion(
            completion.get("code", ""), completion.get("link", ""), completion.get("pass", ())
        ),
        practice=practice[0] if practice else None,
        attention=tuple(file.checks("attention")),
    )
    _together(study, file, top)
    if all_faults := [*file.faults, *faults]:
        raise FaultyStudy(all_faults[:MOST_FAULTS])
    return study


def _together(study: Study, file: _File, top: Mapping[str, Any]) -> None:
    """What is wrong only beside something else. top: what the file says itself."""
    names = [c.name for c in study.contenders]
    if "contenders" in top and len(names) < study.size:
        file.fault("contenders", f"{study.size} contenders make a battle; {len(names)} are named.")
    if taken := {GOOD, BAD}.intersection(names):
        file.fault("contenders", f"No contender can be called {', '.join(sorted(taken))}.")
    if study.format == Format.ELIMINATION and study.size > PANES[Format.ELIMINATION]:
        file.fault("size", "An elimination of a study takes two or three contenders.")
    if study.repeats > study.quota:
        file.fault("repeats", "More prompts are repeated than a rater judges.")
    if "raters_per_pair" in top and study.alike > study.raters:
        said = f"So many cannot judge the same replies: a prompt is judged by {study.raters}."
        file.fault("raters_per_pair", said)
    for name in sorted(TAKEN.intersection(study.completion.passed)):
        file.fault("completion.pass", f"{name} is a column of the table of raters already.")


def with_roster(study: Study, roster: Sequence[Contender]) -> Study:
    """Contenders as the roster has them; those that it does not have keep their names."""
    known = {contender.name: contender for contender in roster}
    return replace(study, contenders=tuple(known.get(c.name, c) for c in study.contenders))


def items(rows: Iterable[Row]) -> tuple[list[Item], list[Fault]]:
    """The prompts of a file, and what is wrong with them. Without an id, a prompt goes by its
    number. In the place of images come their digests."""
    found: dict[str, Item] = {}
    faults: list[Fault] = []
    for number, (place, record, wrong) in enumerate(rows, start=1):
        try:
            if record is None:
                raise ValueError(wrong)
            item = _item(record, number)
            if item.id in found:
                raise ValueError(f"The id {item.id} is there already.")
            found[item.id] = item
        except ValueError as error:
            faults.append(Fault(place, str(error)))
    return list(found.values()), faults


def _item(record: Mapping[str, Any], number: int) -> Item:
    """Raises ValueError."""
    said = {k: v for k, v in record.items() if v is not None and v != ""}
    id = str(said.get("id", number)).strip()
    if not 0 < len(id) <= LONGEST_ID or not id.isprintable():
        raise ValueError(f"An id has 1 to {LONGEST_ID} characters that can be seen.")
    if "prompt" not in record:
        raise ValueError(
            f"There is no column prompt, only {', '.join(map(str, record))!s:.80}. "
            f"What is known: {', '.join(COLUMNS)}."
        )
    turns = [said.get("prompt", ""), *_turns(said.get("turns", ()))]
    if not all(isinstance(turn, str) and turn.strip() and "\0" not in turn for turn in turns):
        raise ValueError("The prompt is missing or no text.")
    if len(turns) > MAX_TURNS:
        raise ValueError(f"A prompt has {MAX_TURNS - 1} further turns at most.")
    topic, system = (_word(name, said.get(name, "")) for name in ("topic", "system"))
    if len(topic) > LONGEST_LABEL:
        raise ValueError(f"The topic is too long; {LONGEST_LABEL} characters fit.")
    if len(images := tuple(said.get("image", ()))) > MOST_IMAGES:
        raise ValueError(f"A prompt has {MOST_IMAGES} images at most.")
    return Item(id, tuple(turn.strip() for turn in turns), topic, system, images)


def _word(name: str, value: Any) -> str:
    if not isinstance(value, (str, int, float)) or "\0" in str(value):
        raise ValueError(f"The {name} is no text.")
    return str(value)


def _turns(value: Any) -> Sequence[Any]:
    """A list, or one as JSON."""
    try:
        turns = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        turns = None
    if not isinstance(turns, (list, tuple)):
        raise ValueError('turns is a list of the prompts that follow, such as ["Shorter."].')
    return turns
