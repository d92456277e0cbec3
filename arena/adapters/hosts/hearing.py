"""What a host says in one reply, as it is heard: halves of characters joined, thinking apart from
the reply, nothing beyond its end.

It stands between the client of a host and the pool, and knows neither.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from itertools import groupby

from arena.adapters.hosts.account import Account
from arena.adapters.hosts.host import LENGTH, Ended, HostPiece
from arena.core.battle.entities import Finished, Text, Thought
from arena.core.battle.splitter import Splitter


async def heard(
    said: AsyncIterator[Sequence[HostPiece]], splitter: Splitter, account: Account
) -> AsyncGenerator[Text | Thought | Finished, None]:
    """What came together is told together; the last one is Finished. Raises HostFault where there
    is no reply in what was said, or a budget was used up."""
    text, thought = Halves(), Halves()
    ended = None
    async for pieces in said:
        for kind, together in groupby(pieces, type):
            run = list(together)
            if kind is Ended:
                ended = run[-1]
                break
            if kind is Text:
                run = run[: account.room]
                parted = splitter.feed(text.joined(_words(run)))
            else:
                parted = [Thought(thought.joined(_words(run)))]
            for part in account.entered(parted, len(run)):
                yield part
            if account.full or splitter.over:
                break
        if ended or account.full or splitter.over:
            break
    last = ended if isinstance(ended, Ended) else Ended(LENGTH)
    cut = last.done_reason == LENGTH and not splitter.over
    rest = splitter.feed(text.joined("", last=True)) + splitter.finish(cut=cut)
    for part in account.entered(rest, 0):
        yield part
    yield account.finished(last, splitter.token)


def _words(run: Sequence[HostPiece]) -> str:
    return "".join(piece.text for piece in run if not isinstance(piece, Ended))


class Halves:
    """A character beyond the first 65 536 may come as two halves, in one frame or in two; a half
    that stays alone becomes U+FFFD."""

    def __init__(self) -> None:
        self._first = ""

    def joined(self, piece: str, *, last: bool = False) -> str:
        """The piece, but for a first half at its end, which waits for the next one."""
        if piece.isascii() and not self._first:
            return piece
        whole, self._first = self._first + piece, ""
        if not last and "\ud800" <= whole[-1:] <= "\udbff":
            whole, self._first = whole[:-1], whole[-1]
        return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
