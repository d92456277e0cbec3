"""A claim as a battle: who sits where, what is asked, whose it is.

It does not know when it is played, nor who says the replies.
"""

import hashlib
from dataclasses import replace

from arena.core.battle.entities import Battle, Contender, Format, Origin, Terms
from arena.core.battle.rules import open_battle
from arena.core.study.course import Claim
from arena.core.study.design import Check, Item, Kind, Study

AHEAD, LIVE = "study", "study, live"
"""How contenders came to such a battle: their replies are there, or are written now."""

SEEDS = 2**31


def battle_of(study: Study, claim: Claim, secret: str) -> Battle:
    """secret: as of `Origin`."""
    check = check_of(study, claim.kind, claim.item)
    item = Item(claim.item, (check.prompt,)) if check else study.by_id[claim.item]
    contenders = tuple(instructed(study, name, item) for name in claim.seats)
    origin = Origin(
        topic=item.topic,
        study=study.name,
        policy=AHEAD if check or study.ahead else LIVE,
        owner=link_of(study.name, claim.rater),
        rater=claim.rater,
        prompt_id=claim.item,
        told=item.system,
        unranked="" if claim.kind is Kind.REAL else claim.kind.value,
        terms=Terms(images=item.images),
        secret=secret,
    )
    seed, format = seed_of(study, item), Format(study.format)
    made = open_battle(claim.battle, format, contenders, item.turns[0], seed, origin)
    return replace(made, prompts=item.turns)


def instructed(study: Study, name: str, item: Item) -> Contender:
    """The contender, with what the prompt says to all of them."""
    contender = study.contender(name)
    system = "\n\n".join(filter(None, (contender.system, item.system)))
    return replace(contender, system=system)


def check_of(study: Study, kind: Kind, item: str) -> Check | None:
    """What a claim of this kind is about, unless it is a prompt."""
    if kind is Kind.PRACTICE:
        return study.practice
    return study.attention[int(item.rpartition("-")[2]) - 1] if kind is Kind.ATTENTION else None


def seed_of(study: Study, item: Item) -> int:
    """The same for all contenders, so that the same file gives the same panes."""
    said = f"{study.name}/{item.id}".encode()
    return int.from_bytes(hashlib.sha256(said).digest()[:4]) % SEEDS


def link_of(study: str, rater: str) -> str:
    """Whoever brings the rater's link, as a caller."""
    return f"{study}/{rater}"
