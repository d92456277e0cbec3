"""A study from a file, and as DataFrames: for notebooks, and for the commands about studies.

It does not know how studies are kept, nor how raters are led.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from arena import frames
from arena import settings as config
from arena.core.battle.record import KINDS
from arena.core.errors import BadInput, line_of
from arena.core.ports import Ledger
from arena.core.standings import agreement
from arena.core.standings.judge import EXCLUDED, FINDINGS, JUDGE, family, findings
from arena.core.standings.leaderboard import superseding
from arena.core.standings.slices import Slice
from arena.core.study import file, tables
from arena.core.study.design import Study
from arena.core.study.faults import Fault, FaultyStudy
from arena.exchange.tables import rows_of, with_images
from arena.play.judging import cases, verdicts
from arena.play.panels import days
from arena.play.studies import study_of
from arena.settings import Settings

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


ALIKE = ("agrees", "agrees_lower", "agrees_upper", "kappa", "agrees_with_self", "first_seat")
"""Of `agreement.RATERS`, what stands beside each rater."""


@dataclass(frozen=True)
class StudyFrames:
    """A study as tables. As long as it is open contenders go by other names, unless they were
    asked for. judges: what `arena judge` found of each model that has judged it."""

    design: Study
    status: tables.Status
    prompts: pd.DataFrame
    replies: pd.DataFrame
    votes: pd.DataFrame
    raters: pd.DataFrame
    agreement: pd.DataFrame
    judges: pd.DataFrame
    blind: bool

    def __repr__(self) -> str:
        return (
            f"study {self.design.name!r}: {self.status.judged} of {self.status.battles} battles "
            f"judged by {self.status.raters} raters{', blind' if self.blind else ''}"
        )

    def leaderboard(self, **choices: Any) -> pd.DataFrame:
        """The standings of its votes; choices as of `arena.leaderboard`. Raises BadInput."""
        if self.blind and (choices.get("style") or choices.get("order")):
            raise BadInput(
                f"{self.design.name} is blind while it is open, so nothing is known here that "
                "ratings could be corrected for. Close it, or ask for it with unblind=True."
            )
        return frames.leaderboard(votes=self.votes, **choices)

    def plots(self, **choices: Any) -> dict[str, Figure]:
        """The figures of the Leaderboard tab, as far as its votes tell what they show: ratings,
        speed, lengths, days. choices: as of `arena.leaderboard`."""
        from arena.web.leaderboard import charts

        standings, counted = self.leaderboard(**choices), days(self.votes)
        figures = {
            "ratings": (charts.ratings, standings, standings.dropna(subset="rating")),
            "speed": (charts.speed, standings, charts.rated_with(standings, "tokens_per_s")),
            "lengths": (charts.lengths, standings, charts.rated_with(standings, "reply_tokens")),
            "days": (charts.days, counted, counted),
        }
        return {name: draw(of) for name, (draw, of, known) in figures.items() if not known.empty}


def read(place: Path) -> tuple[Study, dict[str, bytes], list[str]]:
    """A study's file, with its prompts, their images by digest, and the columns of the prompts
    that are not read. Raises FaultyStudy, BadInput."""
    from arena.compose import cleaned

    try:
        text = place.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = line_of(error)
        said = "This is not UTF-8. Save it again as UTF-8."
        raise FaultyStudy([Fault(f"{place.name}, line {line}", said)]) from None
    except FileNotFoundError:
        raise BadInput(f"There is no file {place}. Check its name and folder.") from None
    except OSError as error:
        raise BadInput(f"{place} cannot be read ({error.strerror}). Name a study's file.") from None
    where, told = file.prompts_of(text, place.name)
    images: dict[str, bytes] = {}
    unread: set[str] = set()
    prompts = place.parent / where
    beside = prompts if prompts.is_dir() else prompts.parent
    asked = _told(rows_of(prompts), told, unread) if where else ()
    rows = with_images(asked, beside, cleaned, images)
    return file.parse(text, place.name, rows), images, sorted(unread)


def _told(rows: Iterator[file.Row], place: str, unread: set[str]) -> Iterator[file.Row]:
    """With why they end early, as a fault of the line that names them. unread: gets the columns
    that nothing is made of."""
    try:
        for row in rows:
            unread.update(set(map(str, row[1] or ())) - set(file.COLUMNS))
            yield row
    except BadInput as error:
        yield place, None, str(error)


def study(name: str, *, unblind: bool = False, **settings: Any) -> StudyFrames:
    """A study that was opened here: prompts, replies, votes and raters. unblind: with the names of
    contenders also while it is open. settings: any key of the settings table. Raises
    ArenaError."""
    return frames_of(config.given(settings), name, unblind=unblind)


def frames_of(settings: Settings, name: str, *, unblind: bool = False) -> StudyFrames:
    async def gathered(ledger: Ledger) -> StudyFrames:
        now = datetime.now(UTC)
        design, course = await study_of(ledger, name)
        own = await ledger.battles_of([name])
        votes = await frames.in_chunks(
            ledger,
            (frames.SEQUENCE, *KINDS),
            lambda some: some[some["battle_id"].isin(own)],
            frames.TALKS_AT_ONCE,
        )
        votes = votes.drop(columns=frames.SEQUENCE)
        raters = tables.raters(design, course, votes, now)
        votes = superseding(votes)
        judged = agreement.with_repeats(votes)
        agreed = agreement.agreement(judged)
        alike = agreement.raters(judged)[["rater", *ALIKE]]
        raters = raters.merge(alike, how="left", on="rater")
        status = tables.status(design, course, raters, votes, now)
        replies = tables.replies(design, await ledger.written(name))
        blind = course.open and not unblind
        if blind:
            names = tables.aliases(design, await ledger.key())
            votes, replies = tables.blind_votes(votes, names), tables.blind_replies(replies, names)
        prompts, judges = tables.prompts(design), await _judges(ledger, name)
        return StudyFrames(design, status, prompts, replies, votes, raters, agreed, judges, blind)

    return frames.from_ledger(settings, gathered)


async def _judges(ledger: Ledger, name: str) -> pd.DataFrame:
    """In the columns of `judge.FINDINGS`, and whose they are."""
    votes = await ledger.votes(("rater", "study", "excluded_reason"))
    own = votes[(votes["study"] == name) & (votes["excluded_reason"] == EXCLUDED)]
    found = [pd.DataFrame(columns=["judge", *FINDINGS])]
    for rater in sorted(own["rater"].unique()):
        model = str(rater).removeprefix(JUDGE)
        _, people = await cases(ledger, Slice(study=name), model)
        told = findings(await verdicts(ledger, model), people, family(model))
        found.append(told.assign(judge=rater))
    return pd.concat(found[1:] or found, ignore_index=True)
