"""A study as tables: prompts, replies, votes, raters; and how far it is.

It does not know where votes come from, nor who reads the tables.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from arena.core.battle.record import REMARKED
from arena.core.study.assignment import progress
from arena.core.study.course import Course, pairs_of
from arena.core.study.design import GOOD, Kind, Study
from arena.core.study.page import taking_part
from arena.core.study.written import Written

SHOWN_BLIND = (
    *("id", "model_a", "model_b", "winner", "conversation_a", "conversation_b", "language"),
    *("timestamp", "battle_id", "ballot_id", "round", "supersedes", "excluded_reason", "rater"),
    *("channel", "study", "prompt_id", "topic", "dwell_ms", "seat_a", "seat_b"),
    *REMARKED,
)
"""Columns of votes that do not tell contenders apart, once these go by other names."""


def prompts(study: Study) -> pd.DataFrame:
    """images: by the digests under which the ledger keeps them."""
    columns = ["prompt_id", "prompt", "turns", "topic", "system", "images"]
    rows = [(i.id, i.turns[0], [*i.turns[1:]], i.topic, i.system, [*i.images]) for i in study.items]
    return pd.DataFrame(rows, columns=columns)


def replies(study: Study, written: Iterable[Written]) -> pd.DataFrame:
    """One row a reply that raters were shown, or will be."""
    columns = (
        *("prompt_id", "contender", "turn", "reply", "seed", "written_at", "options", "digest"),
        *("quantization", "host", "ollama_version", "done_reason", "ttft_ms", "total_ms"),
        *("prompt_tokens", "output_tokens", "tokens_per_s"),
    )
    rows = [
        {
            **{name: getattr(reply.facts, name, None) for name in columns},
            "prompt_id": each.prompt_id,
            "contender": each.contender,
            "turn": turn,
            "reply": reply.text,
            "seed": each.seed,
            "written_at": each.at,
            "options": dict(reply.facts.options),
        }
        for each in written
        if each.prompt_id in study.by_id and each.asked == study.by_id[each.prompt_id].asked
        for turn, reply in enumerate(each.replies, start=1)
    ]
    return pd.DataFrame(rows, columns=list(columns))


def judging(votes: pd.DataFrame) -> pd.DataFrame:
    """One row a rater, by the votes alone: battles that were judged but to practise, checks that
    were passed, and the median time of a vote."""
    checks = votes["excluded_reason"] == Kind.ATTENTION
    won = votes["model_a"].where(votes["winner"] == "model_a", votes["model_b"])
    passed = checks & (won == GOOD) & votes["winner"].isin(["model_a", "model_b"])
    counted = votes["battle_id"].where(votes["excluded_reason"] != Kind.PRACTICE)
    told = votes.assign(counted=counted, checks=checks, passed=passed)
    by_rater = told.groupby("rater", sort=True)
    table = by_rater.agg(
        judged=("counted", "nunique"),
        attention_passed=("passed", "sum"),
        attention_of=("checks", "sum"),
        median_seconds=("dwell_ms", "median"),
    )
    return table.assign(median_seconds=table["median_seconds"] / 1000).reset_index()


def raters(study: Study, course: Course, votes: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """One row a rater who came, with what their link brought."""
    rows = []
    for rater, joined in course.raters.items():
        own = progress(study, course, rater, now)
        told = {"joined_at": joined.at, "of": own.total, "finished": own.finished}
        passed = {name: joined.data.get(name, "") for name in study.completion.passed}
        rows.append({"rater": rater, **told, **passed})
    came = pd.DataFrame(
        rows, columns=["rater", "joined_at", "of", "finished", *study.completion.passed]
    )
    table = came.merge(judging(votes), how="left", on="rater")
    counts = ["judged", "attention_passed", "attention_of"]
    table[counts] = table[counts].fillna(0).astype("int64")
    columns = [
        *("rater", "joined_at", "judged", "of", "finished", "attention_passed", "attention_of"),
        *("median_seconds", *study.completion.passed),
    ]
    return table[columns].astype({"median_seconds": "float64"})


@dataclass(frozen=True, slots=True)
class Status:
    """How far a study is. open: raters may go on. closed: what they judged may be seen; a study
    whose end has passed is neither before it is closed. met: the fewest and the most battles of a
    pair. seconds: the median of a vote. hours_left: by what battles took, with all their ballots."""

    study: str
    open: bool
    closed: bool
    prompts: int
    complete: int
    battles: int
    judged: int
    raters: int
    finished: int
    met: tuple[int, int]
    attention_passed: int
    attention_of: int
    seconds: float | None
    hours_left: float


def status(
    study: Study, course: Course, table: pd.DataFrame, votes: pd.DataFrame, now: datetime
) -> Status:
    """table: its raters."""
    judged, met = course.judged(), course.pairs()
    every = pairs_of(contender.name for contender in study.contenders)
    times = [met[pair] for pair in every]
    seconds = table["median_seconds"].median()
    left = study.battles - sum(min(n, study.raters) for n in judged.values())
    each = _seconds(course, votes)
    return Status(
        study=study.name,
        open=taking_part(study, course, now),
        closed=not course.open,
        prompts=len(study.items),
        complete=sum(n >= study.raters for n in judged.values()),
        battles=study.battles,
        judged=sum(judged.values()),
        raters=len(table),
        finished=int(table["finished"].sum()),
        met=(min(times, default=0), max(times, default=0)),
        attention_passed=int(table["attention_passed"].sum()),
        attention_of=int(table["attention_of"].sum()),
        seconds=None if pd.isna(seconds) else float(seconds),
        hours_left=left * (study.minutes * 60 if pd.isna(each) else each) / 3600,
    )


def _seconds(course: Course, votes: pd.DataFrame) -> float:
    """The median of what a battle took, in ballots that were taken back too; NaN without any."""
    claims = course.claims.values()
    judged = [c.battle for c in claims if c.done and c.kind is Kind.REAL]
    ballots = votes[votes["battle_id"].isin(judged)].drop_duplicates("ballot_id")
    took = ballots["dwell_ms"].astype("float64").groupby(ballots["battle_id"]).sum(min_count=1)
    return float(took.median()) / 1000


def aliases(study: Study, key: bytes) -> Mapping[str, str]:
    """Contender → what it is called while the study is open; nobody can tell without the key."""
    names = sorted(
        (c.name for c in study.contenders),
        key=lambda name: hashlib.sha256(key + f"{study.name}/{name}".encode()).digest(),
    )
    return {name: f"contender {number}" for number, name in enumerate(names, start=1)}


def blind_votes(votes: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    shown = votes[list(SHOWN_BLIND)]
    return shown.assign(
        **{side: [names.get(n, n) for n in shown[side]] for side in ("model_a", "model_b")}
    )


def blind_replies(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    shown = table[["prompt_id", "contender", "turn", "reply"]]
    named = shown.assign(contender=[names.get(n, n) for n in shown["contender"]])
    # In the order of their new names: the old order would tell.
    return named.sort_values(["prompt_id", "contender", "turn"], ignore_index=True)
