"""Which votes a leaderboard is about: one topic, study, language, channel or rater, one span of
time. It does not know what is made of the votes, nor where they are kept.

A vote that supersedes another does so in every slice: set aside what was superseded first
(`leaderboard.superseding`), then slice.
"""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import pandas as pd
from pandas.api.types import is_numeric_dtype

from arena.core import when
from arena.core.errors import BadInput
from arena.core.standings.votes import TEXT
from arena.core.when import When

LABELS = ("topic", "study", "language", "channel", "rater")
COLUMNS = (*LABELS, "timestamp")
"""The ledger's columns that are read here."""

BATTLES = ("battle_id", "evaluation_session_id")
"""What names the battle of a vote: its own, and of a judge's verdict also the one that it is on."""

CHANNELS = ("web", "api", "notebook", "share", "import", "judge")

PSEUDONYM = re.compile("[0-9a-f]{16}")


def pseudonym(rater: str) -> str:
    """The same for the same rater, so that votes still cluster; it cannot be used to vote."""
    return hashlib.sha256(rater.encode()).hexdigest()[:16] if rater else ""


def without(votes: pd.DataFrame, battles: Collection[str]) -> pd.DataFrame:
    """Those of other battles than these, judges' verdicts on them left out too. votes: with
    `BATTLES`."""
    if not battles:
        return votes
    theirs = [votes[name].isin(battles) for name in BATTLES]
    return votes[~(theirs[0] | theirs[1])]


@dataclass(frozen=True, slots=True)
class Slice:
    """Votes that agree with every label that is given (a rater may go by the pseudonym), cast
    from `since` on and before `until` (with time zones). Raises `BadInput` for a channel that is
    none, a time without a zone, or a span that is none."""

    topic: str = ""
    study: str = ""
    language: str = ""
    channel: str = ""
    rater: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        for label in LABELS:
            if not isinstance(getattr(self, label), str):
                raise BadInput(f"{label} is {getattr(self, label)!r:.40}; give one name.")
        if self.channel and self.channel not in CHANNELS:
            raise BadInput(
                f"channel is {self.channel!r:.40}; it is {', '.join(CHANNELS[:-1])} or "
                f"{CHANNELS[-1]}."
            )
        for moment in (self.since, self.until):
            if moment is not None and moment.utcoffset() is None:
                raise BadInput(
                    f"The time {moment.isoformat()} has no time zone. Add one, for example "
                    f"{moment.replace(tzinfo=UTC).isoformat()}."
                )
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise BadInput(
                f"The span from {self.since.isoformat()} to {self.until.isoformat()} holds no "
                "time at all. Let it end after it begins."
            )

    @classmethod
    def asked(cls, *, since: When | None, until: When | None, **labels: str) -> Self:
        """With moments as people write them; see `core.when`."""
        return cls(
            **labels,
            since=when.since(since) if since else None,
            until=when.until(until) if until else None,
        )

    @property
    def everything(self) -> bool:
        """Nothing is left out."""
        return not self.columns

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that decide."""
        labels = tuple(label for label in LABELS if getattr(self, label))
        timed = self.since is not None or self.until is not None
        return (*labels, "timestamp") if timed else labels

    def of(self, votes: pd.DataFrame) -> pd.DataFrame:
        """The rows of the slice. `votes` needs only `columns`, timestamps with a time zone;
        raises `BadInput` where one is missing. A row without a time is in no span."""
        if votes.empty:
            return votes
        if missing := [column for column in self.columns if column not in votes]:
            raise BadInput(
                f"The votes lack the columns {', '.join(missing)}, which this slice is about. "
                "Give rows as the ledger has them."
            )
        inside = pd.Series(True, index=votes.index)
        for label in LABELS:
            if wanted := getattr(self, label):
                texts = votes[label]
                if is_numeric_dtype(texts):  # As files are read that have but numbers there.
                    texts = texts.astype(TEXT)
                same = (texts == wanted).fillna(False).astype(bool)
                if label == "rater" and PSEUDONYM.fullmatch(wanted):
                    known = texts.dropna().unique()
                    same |= texts.isin([name for name in known if pseudonym(name) == wanted])
                inside &= same
        if self.since is not None:
            inside &= votes["timestamp"] >= self.since
        if self.until is not None:
            inside &= votes["timestamp"] < self.until
        return votes if self.everything else votes[inside]
