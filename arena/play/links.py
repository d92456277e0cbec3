"""What a battle's addresses show beside its state: the images of its prompt; and the links of
finished battles, made and taken back by whoever played.

It does not know how a shared battle looks.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from arena.core.battle.sharing import Shared, read, shared
from arena.core.codec import line
from arena.core.errors import NotYours, UnknownBattle
from arena.core.keyed import digest
from arena.core.ports import Battles, Ledger
from arena.play import ballots
from arena.play.admission import Caller
from arena.play.images import Images


@dataclass(eq=False)
class Links:
    """Kept with the votes, so that they outlast the battles."""

    _battles: Battles
    _ledger: Ledger
    _images: Images
    _now: Callable[[], datetime]

    async def share(
        self, battle_id: str, *, with_prompts: bool, caller: Caller
    ) -> tuple[str, Shared]:
        """The battle's link, which from now on shows this; done again, the new choice holds. Raises
        NotYours, NotYet, BadInput."""
        battle = await self._battles.load(battle_id)
        ballots.own(battle, caller)
        told = shared(battle, f"{self._now().date()}", with_prompts=with_prompts)
        if with_prompts:
            images = await self._images.read(battle.origin.terms.images)
            told = replace(told, images=tuple(b64encode(image).decode() for image in images))
        link, earlier = await self._links(battle_id)
        text = line(told, Shared)
        await self._ledger.share(link, battle.origin.owner, text)
        if await self._ledger.shared(earlier):
            await self._ledger.share(earlier, battle.origin.owner, text)
        return link, told

    async def image(self, battle_id: str, number: int) -> bytes:
        """One that came with the battle's prompt, counted from 1. Raises UnknownBattle."""
        images = (await self._battles.load(battle_id)).origin.terms.images
        if not 0 < number <= len(images):
            raise UnknownBattle("There is no such image in this battle.")
        return (await self._images.read(images[number - 1 : number]))[0]

    async def shown(self, link: str) -> Shared:
        """Raises UnknownBattle where it was withdrawn, or never was one."""
        return (await self._kept(link))[2]

    async def of(self, battle_id: str) -> tuple[str, Shared]:
        """The link of a battle, and what it shows. Raises UnknownBattle where it is not shared."""
        link, _, told = await self._kept(*await self._links(battle_id))
        return link, told

    async def withdraw(self, battle_id: str, caller: Caller) -> None:
        """The link leads nowhere any more. Raises NotYours, UnknownBattle."""
        links = await self._links(battle_id)
        _, owner, _ = await self._kept(*links)
        if owner and caller.rater != owner:
            raise NotYours("This link belongs to the session that made it.")
        await self._ledger.unshare(*links)

    async def _links(self, battle_id: str) -> tuple[str, str]:
        """By what a battle's link is named, by which nobody gets at the battle; and by what one was
        that was given out earlier, which goes on working."""
        return digest(await self._ledger.key(), f"link {battle_id}"), battle_id

    async def _kept(self, *links: str) -> tuple[str, str, Shared]:
        """The first of them that shows something, who made it, and what it shows."""
        for link in links:
            if kept := await self._ledger.shared(link):
                owner, text = kept
                return link, owner, read(text)
        raise UnknownBattle("Nothing is shared here: it was withdrawn, or never was.")
