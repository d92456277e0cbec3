"""Images that come with a prompt: made anew before anybody sees them, kept with the ledger, and
handed to the hosts with the message that they belong to.

It does not know how an image is made anew, nor what it shows.
"""

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from arena.core.battle.entities import MOST_IMAGES, Contender, Terms
from arena.core.errors import BadInput, HostFault, UnknownBattle
from arena.core.ports import HostEvent, Hosts, Ledger

LARGEST = 4 * 1024**2
"""Bytes of a request that has some in it, written as text."""


class Images:
    """cleaned: makes one anew from a file's bytes."""

    def __init__(self, ledger: Ledger, cleaned: Callable[[bytes], bytes]) -> None:
        self._ledger = ledger
        self._cleaned = cleaned

    async def taken(self, files: Sequence[bytes]) -> tuple[str, ...]:
        """Their digests, once they are kept. Raises BadInput, NoCapacity."""
        if len(files) > MOST_IMAGES:
            raise BadInput(f"A battle takes at most {MOST_IMAGES} images.")
        made = [await asyncio.to_thread(self._cleaned, file) for file in files]
        kept = {hashlib.sha256(image).hexdigest(): image for image in made}
        if kept:
            await self._ledger.keep_images(kept)
        return tuple(kept)

    async def read(self, digests: Sequence[str]) -> tuple[bytes, ...]:
        """Raises UnknownBattle where one is gone."""
        found = await self._ledger.images(digests) if digests else {}
        if missing := set(digests) - set(found):
            raise UnknownBattle(f"Images of this battle that are no longer kept: {len(missing)}.")
        return tuple(found[digest] for digest in digests)


async def kept_for_good(ledger: Ledger, images: Mapping[str, bytes]) -> None:
    """A study names them, by digest. Raises NoCapacity."""
    if images:
        await ledger.keep_images(images)
        await ledger.hold_images(list(images))


def seeing(hosts: Hosts, terms: Terms) -> tuple[Contender, ...]:
    """The contenders that take what the battle is opened with."""
    seen = hosts.seeing() if terms.images else ()
    return tuple(c for c in hosts.contenders() if not terms.images or c.name in seen)


class Showing:
    """The hosts, told of images by their digests."""

    def __init__(self, hosts: Hosts, images: Images) -> None:
        self._hosts = hosts
        self._images = images
        self.contenders, self.roster, self.seeing = hosts.contenders, hosts.roster, hosts.seeing
        self.families, self.refusal = hosts.families, hosts.refusal

    async def reply(
        self, contender: Contender, messages: Sequence[Mapping[str, Any]], **how: Any
    ) -> AsyncGenerator[HostEvent, None]:
        try:
            told = [await self._shown(message) for message in messages]
        except UnknownBattle as gone:
            raise HostFault(str(gone), kind="internal") from gone
        async with aclosing(self._hosts.reply(contender, told, **how)) as events:
            async for event in events:
                yield event

    async def _shown(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        if not (digests := message.get("images")):
            return message
        images = await self._images.read(digests)
        return {**message, "images": [b64encode(image).decode() for image in images]}
