"""Replies that were written ahead, said as if a host wrote them now.

They go the way of all replies, so that nothing tells them apart. It does not know who wrote them.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

from arena.core.battle.entities import Contender, Reply, Text, Thought
from arena.core.errors import HostFault
from arena.core.ports import HostEvent, Hosts

Replies = Mapping[str, tuple[Reply, ...]]
"""Contender → its replies, one a turn."""


class Prepared:
    """As `core.ports.Hosts`, for one battle. load: what was written for it."""

    def __init__(self, hosts: Hosts, load: Callable[[], Awaitable[Replies]]) -> None:
        self._load = load
        self.contenders, self.roster, self.seeing = hosts.contenders, hosts.roster, hosts.seeing
        self.families = hosts.families

    async def reply(
        self, contender: Contender, messages: Sequence[Mapping[str, str]], **_: object
    ) -> AsyncGenerator[HostEvent, None]:
        turn = sum(message["role"] == "assistant" for message in messages)
        replies = (await self._load()).get(contender.name, ())
        if turn >= len(replies):
            raise HostFault("A reply that was to be written ahead is missing.", kind="nowhere")
        if replies[turn].thinking:
            yield Thought(replies[turn].thinking)
        yield Text(replies[turn].text)
        yield replies[turn].facts

    def refusal(self) -> str:
        return ""
