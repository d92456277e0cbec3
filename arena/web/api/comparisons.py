"""The rounds of a battle as comparisons of a left and a right model: what is answered about them.

Pure: made from the public states, rounds and reveals of `core.battle.view`, and the same each time. It
does not know how a battle is moved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from arena.core.battle.entities import LETTERS, Judgement
from arena.core.battle.view import PastRound, Reveal, State, in_play
from arena.core.errors import BadInput

STATUS: Mapping[str, str] = {
    "answering": "in_progress",
    "voting": "in_progress",
    "decided": "completed",
    "void": "void",
}
SIDES = ("a", "b", "c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    """The replies of a round to the last prompt; `c` only where three are in play. Models are
    `Model A`, … until the battle is completed: then they have their names, but in a study that
    leads its raters, and latencies are the milliseconds to the first token. `remaining_comparisons` counts this one too."""

    battle_id: str
    status: str
    current_round: int
    model_a: str
    model_b: str
    model_c: str | None = None
    response_a: str
    response_b: str
    response_c: str | None = None
    latency_a: float | None = None
    latency_b: float | None = None
    latency_c: float | None = None
    remaining_comparisons: int
    ballot: str


@dataclass(frozen=True, slots=True)
class NextRound:
    """What a choice led to, when the battle goes on: the round after it, as it begins."""

    battle_id: str
    status: Literal["in_progress"]
    current_round: int
    eliminated: tuple[str, ...]
    model_a: str
    model_b: str
    remaining_comparisons: int
    message: str


@dataclass(frozen=True, slots=True)
class RankedModel:
    """`rank` is null for those last in play where nobody is champion."""

    rank: int | None
    model: str
    seat: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """`choice` is left, right, tie or both_bad; `drop` where more than two were in play. `coin`:
    who was eliminated after a tie was drawn."""

    round: int
    models: tuple[str, ...]
    choice: str
    eliminated: tuple[str, ...]
    coin: bool


@dataclass(frozen=True, slots=True)
class CompletedBattle:
    """The end, with all names. `winner` is null where there is none, or more than one. In a study
    that leads its raters nobody is told who was who: models are `Model A`, …, `winner` and `reveal`
    are null, and the ranking is empty."""

    battle_id: str
    status: Literal["completed"]
    winner: str | None
    total_rounds: int
    final_ranking: tuple[RankedModel, ...]
    comparison_history: tuple[Comparison, ...]
    reveal: Reveal | None


def verdict(live: Sequence[str], choice: str) -> tuple[Judgement, str]:
    """The judgement, and the seat of those in play that is dropped, of left, right, tie or
    both_bad. Raises BadInput where left and right do not say it."""
    if choice == "tie":
        return Judgement.TIE, ""
    if choice == "both_bad":
        return Judgement.BAD, ""
    if len(live) != 2:
        raise BadInput(
            "Not two replies are in play, so left and right do not say who goes. Vote with "
            "POST /api/arena/battles/{battle_id}/votes, which takes the seat to drop."
        )
    return Judgement.DROP, live[1] if choice == "left" else live[0]


def responses(
    state: State,
    replies: Mapping[str, Sequence[str]],
    history: Sequence[PastRound],
    revealed: Reveal | None,
) -> Responses:
    """The open round of a battle or, of one that is decided, the last one, with the names if they
    are told."""
    over = state.phase == "decided"
    live = history[-1].live if over else in_play(state)
    seats = {seat.letter: seat for seat in revealed.seats} if revealed else {}
    told: dict[str, Any] = {}
    for side, letter in zip(SIDES, live, strict=False):
        seat = seats.get(letter)
        told[f"model_{side}"] = seat.name if seat else _label(letter)
        told[f"response_{side}"] = replies[letter][-1]
        told[f"latency_{side}"] = seat.ttft_ms if seat else None
    return Responses(
        battle_id=state.battle,
        status=STATUS[state.phase],
        current_round=state.round,
        remaining_comparisons=0 if over else _remaining(state, live, len(state.panes)),
        ballot=state.ballot,
        **told,
    )


def next_round(state: State, history: Sequence[PastRound], at: int) -> NextRound:
    """The round after history[at] as it was when it began, whatever has happened since."""
    rest = history[at + 1 :]
    live = rest[0].live if rest else in_play(state)
    seen = {letter for played in history[: at + 1] for letter in played.live} | set(live)
    entered = 1 + max(LETTERS.index(letter) for letter in seen)
    return NextRound(
        battle_id=state.battle,
        status="in_progress",
        current_round=history[at].number + 1,
        eliminated=tuple(map(_label, history[at].dropped)),
        model_a=_label(live[0]),
        model_b=_label(live[1]),
        remaining_comparisons=_remaining(state, live, entered),
        message="The vote is kept; get_progressive_responses has the next round.",
    )


def completed(
    state: State, history: Sequence[PastRound], revealed: Reveal | None
) -> CompletedBattle:
    """The end of a battle, with its names if they are told."""
    seats = revealed.seats if revealed else ()
    names = {pane.seat: _label(pane.seat) for pane in state.panes}
    names |= {seat.letter: seat.name for seat in seats}
    champions = [seat.name for seat in seats if seat.champion]
    return CompletedBattle(
        battle_id=state.battle,
        status="completed",
        winner=champions[0] if len(champions) == 1 else None,
        total_rounds=len(history),
        final_ranking=tuple(RankedModel(s.place, s.name, s.letter) for s in seats),
        comparison_history=tuple(_comparison(played, names) for played in history),
        reveal=revealed,
    )


def total(state: State) -> int:
    """How many models take part."""
    return len(state.panes) + state.to_come


def _comparison(played: PastRound, names: Mapping[str, str]) -> Comparison:
    return Comparison(
        round=played.number,
        models=tuple(names[letter] for letter in played.live),
        choice=_choice(played),
        eliminated=tuple(names[letter] for letter in played.dropped),
        coin=played.coin,
    )


def _choice(played: PastRound) -> str:
    if played.judgement == Judgement.DROP and len(played.live) == 2:
        return "right" if played.dropped == played.live[:1] else "left"
    return "both_bad" if played.judgement == Judgement.BAD else played.judgement


def _label(letter: str) -> str:
    return f"Model {letter}"


def _remaining(state: State, live: Sequence[str], entered: int) -> int:
    """Comparisons until one is left, if each of them eliminates one."""
    return len(live) - 1 + total(state) - entered
