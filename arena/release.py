"""The release of a study: a folder that says all of it, from which every table can be made anew.

It does not know how a study was run, nor where it is published.
"""

import hashlib
import hmac
import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment

from arena import exchange, frames, studies
from arena.core.codec import decode, encode
from arena.core.errors import BadInput
from arena.core.ports import Ledger
from arena.core.standings import agreement
from arena.core.standings.board import Query
from arena.core.standings.leaderboard import superseding
from arena.core.study.design import Completion, Study
from arena.core.study.tables import judging, prompts
from arena.exchange import croissant, personal
from arena.exchange.folder import write, written
from arena.settings import Settings

WHAT = {
    "prompts.jsonl": "what was asked",
    "replies.jsonl": "what every contender answered, with versions, digests, seeds and options",
    "votes.parquet": "one row a pair that was judged, in the columns of the arena's ledger",
    "raters.csv": "who judged how much, how fast, whether they read, and how far they agree",
    "agreement.csv": "how far raters agree, with intervals",
    "standings.csv": "the ratings",
}
WHY = {
    "practice": "of the battle that each rater practises on",
    "attention": "of checks whether somebody reads",
    "repeat": "of prompts that a rater judged again",
    "operator": "that were taken out by whoever ran the arena",
    "identity": "where a reply said who wrote it",
    "superseded": "that were taken back",
    "itself": "on two contenders of one name",
    "outcome": "with an outcome that is none",
    "abuse": "of somebody who voted more often than people do",
}
IMAGES = "images"
"""The folder of those that prompts come with, by digest."""
SAID = ("conversation_a", "conversation_b")
TEXTS = {
    "prompts": ("prompt", "turns", "system"),
    "replies": ("reply",),
    "votes": ("comment", "thinking_a", "thinking_b"),
}
TOLD = ("content", "turns", "system", "prompt", "good", "bad", "instructions", "consent", "end")
"""What holds texts in a message, and in a study's design."""
DIGITS = 6
"""Of figures that are compared on another machine."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something in a text that may be about a person."""

    table: str
    row: int
    column: str
    kind: str
    text: str


def screened(found: studies.StudyFrames, regions: Sequence[str] = ()) -> list[Found]:
    """What somebody has to look at before it is published. regions: as `personal.findings` takes
    them."""
    columns = [(table, column) for table, several in TEXTS.items() for column in several]
    if not found.design.ahead:
        columns += [("votes", side) for side in SAID]
    cells = [
        (table, row, column, cell)
        for table, column in columns
        for row, cell in enumerate(getattr(found, table)[column])
    ]
    # Its prompts are a table.
    design = encode(replace(found.design, items=()), Study)
    cells += [("method", 0, name, {name: said}) for name, said in design.items()]
    return [
        Found(table, row, column, each.kind, text[each.start : each.end])
        for table, row, column, cell in cells
        for text in _texts(cell)
        for each in personal.findings(text, regions)
    ]


def _texts(cell: Any, told: bool = True) -> list[str]:
    """Of a cell with a text, with several, with a conversation or with a part of the design."""
    if isinstance(cell, (list, tuple)):
        return [text for each in cell for text in _texts(each, told)]
    if isinstance(cell, dict):
        return [text for name, each in cell.items() for text in _texts(each, name in TOLD)]
    return [cell or ""] if told else []


def _masked(cell: Any, regions: Sequence[str], told: bool = True) -> Any:
    """The cell with the kind in the place of what was found in its texts."""
    if isinstance(cell, (list, tuple)):
        return [_masked(each, regions, told) for each in cell]
    if isinstance(cell, dict):
        return {name: _masked(each, regions, name in TOLD) for name, each in cell.items()}
    return personal.masked(cell or "", regions) if told else cell


def _all_masked(found: studies.StudyFrames, regions: Sequence[str]) -> studies.StudyFrames:
    masked = partial(_masked, regions=regions)
    tables = {
        name: getattr(found, name).assign(
            **{column: getattr(found, name)[column].map(masked) for column in columns}
        )
        for name, columns in (TEXTS | {"votes": (*TEXTS["votes"], *SAID, "system")}).items()
    }
    return replace(found, design=decode(masked(encode(found.design, Study)), Study), **tables)


def release(
    settings: Settings,
    name: str,
    folder: Path,
    *,
    licence: str,
    mask: bool,
    regions: Sequence[str] = (),
) -> list[Found]:
    """Write it. mask: put the kind in the place of what was found, else keep it. regions: as
    `personal.findings` takes them. Raises BadInput where the study is not closed."""
    found = studies.frames_of(settings, name)
    if not found.status.closed:
        raise BadInput(f"{name} is not closed. Close it first: arena study close {name}")

    async def read(ledger: Ledger) -> tuple[bytes, Mapping[str, bytes]]:
        return await ledger.key(), await ledger.images(found.design.images)

    key, images = frames.from_ledger(settings, read)
    names = _names(found, key)
    findings = screened(found, regions)
    found = _all_masked(found, regions) if mask else found
    tables = _tables(replace(found, votes=exchange.unopened(found.votes, key)), names)
    folder.mkdir(parents=True, exist_ok=True)
    for file, table in tables.items():
        write(table, folder / file)
    for digest, image in images.items():
        (folder / IMAGES).mkdir(exist_ok=True)
        (folder / IMAGES / f"{digest}.jpg").write_bytes(image)
    made = derived(folder)
    for file, table in made.items():
        write(table, folder / file)
    looked = {"found": len(findings), "masked": mask, "telephone_regions": list(regions)}
    _told(found, folder, tables | made, licence, looked)
    return findings


def derived(folder: Path) -> dict[str, pd.DataFrame]:
    """Of the votes of a release, alone: what else it has as tables."""
    votes = pd.read_parquet(folder / "votes.parquet")
    judged = agreement.with_repeats(superseding(votes))
    alike = agreement.raters(judged)[["rater", *studies.ALIKE]]
    made = {
        "raters.csv": judging(votes).merge(alike, how="left", on="rater"),
        "agreement.csv": agreement.agreement(judged),
        "standings.csv": frames.board_of_rows(votes, Query()).standings,
    }
    return {file: _rounded(table) for file, table in made.items()}


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    numbers = table.select_dtypes("float").columns
    return table.assign(**{name: table[name].round(DIGITS) for name in numbers})


def rebuilt(folder: Path) -> list[str]:
    """What is not as it was written: files whose digest is another one, tables and numbers that
    come out otherwise. Raises BadInput where this is no release."""
    try:
        sums = (folder / "SHA256SUMS").read_text("utf-8").splitlines()
        wrong = []
        for line in sums:
            digest, _, file = line.partition("  ")
            if _digest(folder / file) != digest:
                wrong.append(f"{file} is not the file that was released")
        method = json.loads((folder / "method.json").read_text("utf-8"))
        again = derived(folder) | {"prompts.jsonl": prompts(decode(method["study"], Study))}
        for file, table in again.items():
            if written(table, Path(file).suffix) != (folder / file).read_bytes():
                wrong.append(f"{file} comes out otherwise")
        if method["excluded"] != _excluded(pd.read_parquet(folder / "votes.parquet")):
            wrong.append("method.json: what does not count comes out otherwise")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder} is no release of a study ({error!s:.200}).") from None
    return wrong


def _excluded(votes: pd.DataFrame) -> dict[str, int]:
    """Why votes do not count → how many."""
    return dict(sorted(Counter(filter(None, votes["excluded_reason"])).items()))


def _names(found: studies.StudyFrames, key: bytes) -> Mapping[str, str]:
    """Rater → a number; nobody who knows raters' names can tell whose it is."""

    def place(rater: str) -> bytes:
        return hmac.digest(key, f"release {found.design.name}/{rater}".encode(), "sha256")

    raters = sorted({*found.raters["rater"], *found.votes["rater"]}, key=place)
    return {rater: f"rater {number}" for number, rater in enumerate(raters, start=1)}


def _tables(found: studies.StudyFrames, names: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    votes = found.votes
    return {
        "prompts.jsonl": found.prompts,
        "replies.jsonl": found.replies.assign(host=""),
        "votes.parquet": votes.assign(rater=votes["rater"].map(names), host_a="", host_b=""),
    }


def _told(
    found: studies.StudyFrames,
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    licence: str,
    looked: Mapping[str, Any],
) -> None:
    """The card, the method, the metadata, and the digests of all. looked: for personal data, how
    and with what result."""
    now = datetime.now(UTC)
    excluded = _excluded(tables["votes.parquet"])
    design = replace(found.design, completion=Completion(passed=found.design.completion.passed))
    method = {
        "study": encode(design, Study),
        "released_at": now.isoformat(),
        "arena": _version("progressive-arena"),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in ("numpy", "pandas", "scipy")},
        "raters": {"came": found.status.raters, "finished": found.status.finished},
        "excluded": excluded,
        "standings": "Bradley-Terry, normal prior of 1.5 logits, sandwich covariance by rater",
        "personal_data": looked,
    }
    (folder / "method.json").write_text(json.dumps(method, indent=2, default=str) + "\n", "utf-8")
    template = Path(__file__).parent / "exchange" / "card.md.j2"
    # Not HTML but Markdown: nothing is to be escaped.
    plain = Environment(autoescape=False, trim_blocks=True, lstrip_blocks=True)  # noqa: S701
    card = plain.from_string(template.read_text("utf-8"))
    told = card.render(
        study=found.design,
        status=found.status,
        licence=licence,
        tables={file: (len(table), WHAT[file]) for file, table in tables.items()},
        standings=tables["standings.csv"].dropna(subset="rating").itertuples(),
        excluded=excluded,
        why=WHY,
        **looked,
    )
    (folder / "README.md").write_text(told + "\n", "utf-8")
    digests = {file: (_digest(folder / file), table) for file, table in tables.items()}
    about = f"Blind comparisons of {len(found.design.contenders)} language models."
    described = croissant.metadata(found.design.name, about, licence, f"{now.date()}", digests)
    (folder / "croissant.json").write_text(json.dumps(described, indent=2) + "\n", "utf-8")
    shown = (f"{IMAGES}/{digest}.jpg" for digest in design.images)
    files = sorted((*tables, *shown, "README.md", "croissant.json", "method.json"))
    sums = "".join(f"{_digest(folder / file)}  {file}\n" for file in files)
    (folder / "SHA256SUMS").write_text(sums, "utf-8")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "from its sources"
