"""What the ledger keeps: one row for each pair that was judged in a round.

The first columns equal LMArena's published human-preference schema, so tools made for that
data read ours (https://huggingface.co/datasets/lmarena-ai/arena-human-preference-140k).
It does not know how or where rows are stored.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from statistics import fmean
from types import UnionType
from typing import Any, get_args, get_origin

from arena.core import markdown
from arena.core.battle.entities import Battle, Judgement, Round, Seat, Terms, Verdict
from arena.core.battle.outcome import altered, pairs, unblinded
from arena.core.errors import BadInput

SCHEMA_VERSION = 4
REHEARSAL = "smoke"
"""The study of votes that only try out an arena."""

UNDETERMINED = "und"
"""ISO 639-2 for a language that cannot be told."""

CHARACTERS_PER_TOKEN = 4
"""For the person's own tokens, which no model counts alone: an estimate for English text."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """The act of voting, as far as the battle does not know it. `rater` is a random token of
    the browser, never an address; `study` is empty where the battle's own holds; `language` is
    the prompt's by ISO 639-1. `abuse`: it is kept, but not ranked."""

    id: str
    cast_at: datetime
    rater: str = ""
    channel: str = "web"
    dwell_ms: int | None = None
    study: str = ""
    language: str = UNDETERMINED
    abuse: bool = False


@dataclass(frozen=True, slots=True)
class VoteRow:
    """One pair judged. Times in ms, speeds in tokens/s, timestamp in UTC, texts as JSON where
    the type is list or dict. `_a` and `_b` follow the seats: a stands before b."""

    id: str
    model_a: str
    model_b: str
    winner: str
    evaluation_session_id: str
    evaluation_order: int
    conversation_a: list[dict[str, str]]
    conversation_b: list[dict[str, str]]
    conv_metadata: dict[str, int]
    language: str
    is_code: bool
    timestamp: datetime
    schema_version: int
    battle_id: str
    ballot_id: str
    round: int
    live: str
    format: str
    advance_rule: str
    champion: str
    supersedes: str
    excluded_reason: str
    rater: str
    channel: str
    study: str
    prompt_id: str
    topic: str
    leaked_identity_a: bool
    leaked_identity_b: bool
    dwell_ms: int | None
    seat_a: str
    seat_b: str
    incumbent: str
    system_sha256_a: str
    system_sha256_b: str
    options_a: str
    options_b: str
    digest_a: str
    digest_b: str
    quantization_a: str
    quantization_b: str
    host_a: str
    host_b: str
    ollama_version: str
    ttft_ms_a: float | None
    ttft_ms_b: float | None
    total_ms_a: float | None
    total_ms_b: float | None
    load_ms_a: float | None
    load_ms_b: float | None
    prompt_tokens_a: int | None
    prompt_tokens_b: int | None
    output_tokens_a: int | None
    output_tokens_b: int | None
    tokens_per_s_a: float | None
    tokens_per_s_b: float | None
    done_reason_a: str
    done_reason_b: str
    retries_a: int
    retries_b: int
    draw_policy: str
    draw_probability: float | None
    draw_probability_a: float | None
    draw_probability_b: float | None
    host_kind_a: str
    host_kind_b: str
    think_a: str
    think_b: str
    thinking_a: list[str]
    thinking_b: list[str]
    thinking_tokens_a: int | None
    thinking_tokens_b: int | None
    thinking_ms_a: float | None
    thinking_ms_b: float | None
    reasons: list[str]
    comment: str
    grade_a: int | None
    grade_b: int | None
    marks_a: list[str]
    marks_b: list[str]
    system: str
    temperature: float | None
    images: list[str]


REMARKED = ("reasons", "comment", "grade_a", "grade_b", "marks_a", "marks_b")
"""Columns that the rater of a study fills after the vote. A vote is written without them."""


def _kind(hint: Any) -> tuple[type, bool]:
    optional = isinstance(hint, UnionType)
    kind = get_args(hint)[0] if optional else hint
    return get_origin(kind) or kind, optional


KINDS: Mapping[str, tuple[type, bool]] = {f.name: _kind(f.type) for f in fields(VoteRow)}
"""Column of a row → its type, and whether it may be None."""

_NOTHING: Mapping[type, Any] = {str: "", bool: False, int: 0, list: [], dict: {}}
EMPTY: Mapping[str, Any] = {
    name: None if optional else _NOTHING.get(kind) for name, (kind, optional) in KINDS.items()
}
"""What stands in a column of which nothing is known."""


def rows(battle: Battle, ballot: Ballot) -> tuple[VoteRow, ...]:
    """The rows of the round voted on last, which must carry the ballot's id. Raises BadInput
    where two contenders have one name."""
    played = battle.rounds[-1]
    if played.ballot_id != ballot.id:
        raise ValueError("the ballot is not that of the battle's last round")
    judged = pairs(played)
    if any(battle.seat(a).contender.name == battle.seat(b).contender.name for a, b, _ in judged):
        raise BadInput(
            "Two contenders of this battle have one name, so no vote between them can be kept. "
            "Please start a new battle."
        )
    leaked = unblinded(battle, played)
    return tuple(
        _row(battle, played, ballot, battle.seat(a), battle.seat(b), winner, leaked)
        for a, b, winner in judged
    )


def verdict_of(judged: Sequence[tuple[str, str, str]]) -> Verdict:
    """The verdict whose ballot these rows are: (seat_a, seat_b, winner) of each."""
    (outcome, *_) = {winner for _, _, winner in judged}
    if outcome == "tie":
        return Verdict(Judgement.TIE)
    if outcome == "both_bad":
        return Verdict(Judgement.BAD)
    a, b, winner = judged[0]
    return Verdict(Judgement.DROP, b if winner == "model_a" else a)


def _row(
    battle: Battle, played: Round, ballot: Ballot, a: Seat, b: Seat, winner: str, leaked: bool
) -> VoteRow:
    turns = played.turns
    terms = battle.origin.terms
    sides: dict[str, Any] = {**_side(a, terms, turns, "a"), **_side(b, terms, turns, "b")}
    prompts = battle.prompts[:turns]
    talk_a, talk_b = _conversation(a, prompts), _conversation(b, prompts)
    led = battle.origin.rater
    study = battle.origin.study if led else ballot.study or battle.origin.study
    return VoteRow(
        id=f"{ballot.id}-{a.letter}{b.letter}",
        model_a=a.contender.name,
        model_b=b.contender.name,
        winner=winner,
        evaluation_session_id=battle.id,
        evaluation_order=played.number,
        conversation_a=talk_a,
        conversation_b=talk_b,
        conv_metadata=_metadata(a, b, prompts),
        language=ballot.language,
        is_code=any("```" in m["content"] for m in (*talk_a, *talk_b)),
        timestamp=ballot.cast_at,
        schema_version=SCHEMA_VERSION,
        battle_id=battle.id,
        ballot_id=ballot.id,
        round=played.number,
        live="".join(played.live),
        format=battle.format.value,
        advance_rule="coin" if played.coin else "vote",
        champion="".join(battle.champions),
        supersedes=played.superseded,
        excluded_reason=battle.origin.unranked
        or _excluded(leaked, study, ballot.abuse, altered(battle)),
        rater=ballot.rater,
        channel=ballot.channel,
        study=study,
        prompt_id=battle.origin.prompt_id,
        topic=battle.origin.topic,
        dwell_ms=ballot.dwell_ms,
        incumbent=_incumbent(battle, played, a, b),
        ollama_version=a.replies[turns - 1].facts.ollama_version,
        draw_policy=battle.origin.policy,
        draw_probability=battle.origin.probability,
        draw_probability_a=battle.origin.taking_part.get(a.letter),
        draw_probability_b=battle.origin.taking_part.get(b.letter),
        system=terms.system or battle.origin.told,
        temperature=terms.temperature,
        images=list(terms.images),
        **sides,
        **{name: EMPTY[name] for name in REMARKED},
    )


def _excluded(leaked: bool, study: str, abuse: bool, changed: bool) -> str:
    if study == REHEARSAL:
        return "rehearsal"
    if abuse:
        return "abuse"
    if leaked:
        return "identity"
    return "altered" if changed else ""


_OF_THE_LAST = ("digest", "quantization", "host", "done_reason", "host_kind", "think")
_MEANS = ("ttft_ms", "total_ms", "load_ms", "tokens_per_s", "thinking_ms")
_SUMS = ("prompt_tokens", "output_tokens", "thinking_tokens")
"""Facts of replies that are told of a seat, by how: see `Finished`."""


def _side(seat: Seat, terms: Terms, turns: int, side: str) -> dict[str, object]:
    replies, contender = seat.replies[:turns], terms.given(seat.contender)
    facts = [r.facts for r in replies]
    values: dict[str, object] = {
        "leaked_identity": any(r.names_itself for r in replies),
        "seat": seat.letter,
        "system_sha256": hashlib.sha256(contender.system.encode()).hexdigest(),
        "options": json.dumps(dict(facts[-1].options or contender.options), sort_keys=True),
        "retries": sum(r.retries for r in replies),
        "thinking": [r.thinking for r in replies] if any(r.thinking for r in replies) else [],
        **{fact: getattr(facts[-1], fact) for fact in _OF_THE_LAST},
        **{fact: _mean([getattr(f, fact) for f in facts]) for fact in _MEANS},
        **{fact: _sum([getattr(f, fact) for f in facts]) for fact in _SUMS},
    }
    return {f"{key}_{side}": value for key, value in values.items()}


def _conversation(seat: Seat, prompts: Sequence[str]) -> list[dict[str, str]]:
    return [
        message
        for prompt, reply in zip(prompts, seat.replies, strict=False)
        for message in (
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": reply.text},
        )
    ]


def _metadata(a: Seat, b: Seat, prompts: Sequence[str]) -> dict[str, int]:
    values = {"sum_user_tokens": sum(map(len, prompts)) // CHARACTERS_PER_TOKEN}
    for side, seat in (("a", a), ("b", b)):
        replies = seat.replies[: len(prompts)]
        texts = [r.text for r in replies]
        tokens = _sum([r.facts.output_tokens for r in replies])
        estimate = len("\n".join(texts)) // CHARACTERS_PER_TOKEN
        values[f"sum_assistant_{side}_tokens"] = tokens or estimate
        formatted = markdown.counts(*texts)
        values |= {f"{what}_count_{side}": sum(n.values()) for what, n in formatted.items()}
    return values | {"turns": len(prompts)}


def _incumbent(battle: Battle, played: Round, a: Seat, b: Seat) -> str:
    """The seat that stayed from the round before, where only one of the two did."""
    if played.number == 1:
        return ""
    before = battle.rounds[played.number - 2].live
    stayed = [s.letter for s in (a, b) if s.letter in before]
    return stayed[0] if len(stayed) == 1 else ""


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return round(fmean(known), 3) if known else None


def _sum(values: Sequence[int | None]) -> int | None:
    known = [v for v in values if v is not None]
    return sum(known) if known else None
