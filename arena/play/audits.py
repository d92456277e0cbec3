"""An audit of the votes that count, with what it would change: the ranks without those it found.

It excludes nobody; that is an operator's to decide. It does not know where votes are kept.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import pandas as pd

from arena.core.audit import search
from arena.core.audit.search import Report
from arena.core.standings import leaderboard
from arena.core.standings.counts import Counts

COLUMNS = (
    *("battle_id", "ballot_id", "supersedes", "excluded_reason", "rater", "channel", "timestamp"),
    *("model_a", "model_b", "winner", "seat_a", "seat_b", "round", "dwell_ms"),
    *("output_tokens_a", "output_tokens_b", "ttft_ms_a", "ttft_ms_b"),
    *("total_ms_a", "total_ms_b"),
)
"""What an audit reads of the ledger."""
TALK = "conversation_a"


@dataclass(frozen=True, slots=True)
class Move:
    """A contender's rank among all, and without the votes of whom an audit found."""

    contender: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Audit:
    """moves: of those whose rank would change."""

    report: Report
    moves: tuple[Move, ...]


def audited(votes: pd.DataFrame) -> Audit:
    """votes: rows of the ledger with `COLUMNS`, and `prompt` where copies are to be looked for."""
    if votes.empty:
        return Audit(search.NOTHING, ())
    votes = leaderboard.superseding(votes)
    votes = votes[votes["excluded_reason"] == ""]
    report = search.audit(votes)
    if not report.found:
        return Audit(report, ())
    before, after = ranks(votes), ranks(votes[~votes["rater"].isin(report.found)])
    moves = [Move(name, before[name], after.get(name)) for name in before]
    return Audit(report, tuple(move for move in moves if move.before != move.after))


def ranks(votes: pd.DataFrame) -> dict[str, int]:
    """Contender → rank, best first."""
    table = leaderboard.standings(Counts.of(votes)).dropna(subset="rank")
    return dict(zip(table["contender"], table["rank"].astype(int).tolist(), strict=True))


def with_prompts(votes: pd.DataFrame) -> pd.DataFrame:
    """Rows with conversations, which give way to a digest of their first prompts."""
    return votes.drop(columns=TALK).assign(prompt=[_digest(talk) for talk in votes[TALK]])


def _digest(talk: Any) -> str:
    said = next((str(turn.get("content", "")) for turn in talk if turn.get("role") == "user"), "")
    return hashlib.sha256(" ".join(said.lower().split()).encode()).hexdigest()[:16]
