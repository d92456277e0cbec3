"""What a host says in one reply, as it is heard: halves of characters joined, thinking apart from
the reply, nothing beyond its end.

It stands between the client of a host and the pool, and knows neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from arena.core.battle.entities import Finished
from arena.core.battle.splitter import Splitter
from arena.core.errors import HostFault
from arena.core.ports import Text, Thought

Said = Text | Thought | Finished


async def heard(said: AsyncIterator[Said], splitter: Splitter, model: str) -> AsyncIterator[Said]:
    """Raises HostFault where there is no reply in what was said."""
    text, thought, written = Halves(), Halves(), False
    async for event in said:
        match event:
            case Text(piece):
                parted = splitter.feed(text.joined(piece))
            case Thought(piece):
                parted = [Thought(thought.joined(piece))]
            case Finished() as facts:
                cut = facts.done_reason == "length"
                parted = splitter.feed(text.joined("", last=True)) + splitter.finish(cut=cut)
        for part in parted:
            if isinstance(part, Text):
                written = written or bool(part.text.strip())
            elif part.earlier:
                written = False
            yield part
        if isinstance(event, Finished):
            if not written:
                said = f"nothing but {splitter.token}" if splitter.token else "nothing"
                kind = "template" if splitter.token else "empty"
                raise HostFault(f"{model} said {said}.", kind=kind, host=event.host)
            yield replace(event, done_reason="stop") if splitter.over else event


class Halves:
    """A character beyond the first 65 536 may come as two halves, in one frame or in two; a half
    that stays alone becomes U+FFFD."""

    def __init__(self) -> None:
        self._first = ""

    def joined(self, piece: str, *, last: bool = False) -> str:
        """The piece, but for a first half at its end, which waits for the next one."""
        whole, self._first = self._first + piece, ""
        if not last and "\ud800" <= whole[-1:] <= "\udbff":
            whole, self._first = whole[:-1], whole[-1]
        return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
