"""What the link of a finished battle shows to anybody who has it.

It does not know who may share a battle, nor where that is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from arena.core.battle import view
from arena.core.battle.entities import Battle
from arena.core.codec import read_line
from arena.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Shared:
    """A battle that was decided. day: when it was shared, as 2026-03-01; prompts, system,
    images (JPEG as base64): empty where whoever shared it keeps them; replies: letter → its texts, one a prompt."""

    day: str
    format: str
    prompts: tuple[str, ...]
    replies: Mapping[str, tuple[str, ...]]
    history: tuple[view.PastRound, ...]
    reveal: view.Reveal
    system: str = ""
    temperature: float | None = None
    images: tuple[str, ...] = ()


def read(text: str) -> Shared:
    """What was kept of it. Those who shared the first place where nobody is champion, before there
    was none, have none here either. Raises Unreadable."""
    told: Shared = read_line(text, Shared)
    if any(seat.champion for seat in told.reveal.seats):
        return told
    seats = (replace(s, place=None) if s.place == 1 else s for s in told.reveal.seats)
    return replace(told, reveal=replace(told.reveal, seats=tuple(seats)))


def shared(battle: Battle, day: str, *, with_prompts: bool) -> Shared:
    """What models thought, the numbers of ballots and the battle's own, by which all of it can be
    read, stay here. Raises NotYet before the end, BadInput for a battle of a study, whose raters are
    to judge for themselves."""
    if battle.origin.study:
        raise BadInput("A battle of a study cannot be shared: it could sway those who vote after.")
    revealed = view.reveal(battle)
    seats = tuple(replace(seat, thinking=()) for seat in revealed.seats)
    return Shared(
        day=day,
        format=battle.format,
        prompts=battle.prompts if with_prompts else (),
        replies=view.replies(battle),
        history=tuple(replace(played, ballot="") for played in view.history(battle)),
        reveal=replace(revealed, battle="", seats=seats),
        system=battle.origin.terms.system if with_prompts else "",
        temperature=battle.origin.terms.temperature,
    )
