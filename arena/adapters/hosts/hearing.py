"""What a host says in one reply, as it is heard: halves of characters joined, thinking apart from
the reply, nothing beyond its end.

It stands between the client of a host and the pool, and knows neither.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable

from arena.adapters.hosts.account import Account
from arena.adapters.hosts.host import LENGTH, Ended, HostPiece
from arena.core.battle.entities import Finished, Text, Thought
from arena.core.battle.splitter import Splitter


async def heard(
    said: AsyncIterator[HostPiece], splitter: Splitter, account: Account
) -> AsyncGenerator[Text | Thought | Finished, None]:
    """The last one is Finished. Raises HostFault where there is no reply in what was said, or a
    budget was used up."""
    text, thought = Halves(), Halves()
    piece: HostPiece = Ended("")
    async for piece in said:
        parted: Iterable[Text | Thought]
        match piece:
            case Text(words):
                parted = splitter.feed(text.joined(words))
            case Thought(words):
                parted = [Thought(thought.joined(words))]
            case _:
                break
        for part in parted:
            account.enter(part)
            yield part
        if account.full:
            break
    ended = piece if isinstance(piece, Ended) else Ended(LENGTH)
    cut = ended.done_reason == LENGTH
    for part in splitter.feed(text.joined("", last=True)) + splitter.finish(cut=cut):
        account.enter(part)
        yield part
    yield account.finished(ended, splitter.token)


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
