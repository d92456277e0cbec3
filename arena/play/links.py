"""What a battle's addresses show beside its state: the images of its prompt; and the links of
finished battles, made and taken back by whoever played.

It does not know how a shared battle looks.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from arena.core.battle.sharing import Shared, shared
from arena.core.codec import line, read_line
from arena.core.errors import NotYours, UnknownBattle
from arena.core.ports import Battles, Ledger
from arena.play import ballots
from arena.play.admission import Caller
from arena.play.images import Images


class Links:
    """Kept with the votes, so that they outlast the battles."""

    def __init__(
        self, battles: Battles, ledger: Ledger, images: Images, now: Callable[[], datetime]
    ) -> None:
        self._battles = battles
        self._images = images
        self._ledger = ledger
        self._now = now

    async def share(self, battle_id: str, *, with_prompts: bool, caller: Caller) -> Shared:
        """From now on its link shows this; done again, the new choice holds. Raises NotYours,
        NotYet, BadInput."""
        battle = await self._battles.load(battle_id)
        ballots.own(battle, caller)
        told = shared(battle, f"{self._now().date()}", with_prompts=with_prompts)
        if with_prompts:
            images = await self._images.read(battle.origin.terms.images)
            told = replace(told, images=tuple(b64encode(image).decode() for image in images))
        text = line(told, Shared)
        await self._ledger.share(battle_id, battle.origin.owner, text)
        return told

    async def image(self, battle_id: str, number: int) -> bytes:
        """One that came with the battle's prompt, counted from 1. Raises UnknownBattle."""
        images = (await self._battles.load(battle_id)).origin.terms.images
        if not 0 < number <= len(images):
            raise UnknownBattle("There is no such image in this battle.")
        return (await self._images.read(images[number - 1 : number]))[0]

    async def shown(self, battle_id: str) -> Shared:
        """Raises UnknownBattle where it is not shared."""
        _, text = await self._kept(battle_id)
        told: Shared = read_line(text, Shared)
        return told

    async def withdraw(self, battle_id: str, caller: Caller) -> None:
        """The link leads nowhere any more. Raises NotYours, UnknownBattle."""
        owner, _ = await self._kept(battle_id)
        if owner and caller.rater != owner:
            raise NotYours("This link belongs to the session that made it.")
        await self._ledger.unshare(battle_id)

    async def _kept(self, battle_id: str) -> tuple[str, str]:
        kept = await self._ledger.shared(battle_id)
        if not kept:
            raise UnknownBattle("Nothing is shared here: it was withdrawn, or never was.")
        return kept
