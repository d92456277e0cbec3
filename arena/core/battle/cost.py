"""What a battle cost its hosts: tokens, seconds, and energy where the operator has measured what a
host draws.

It does not know prices.
"""

from collections import defaultdict
from dataclasses import dataclass

from arena.core.battle.entities import PANES, Battle, Reply

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Cost:
    """tokens: read, thought and written. seconds: for which hosts wrote, each as long as the
    longest of the replies that it wrote side by side. watt_hours: what they drew meanwhile, as if
    nobody else had used them. None where it is not known of every reply."""

    tokens: int | None = None
    seconds: float = 0.0
    watt_hours: float | None = None


def cost(battle: Battle) -> Cost:
    """Those who enter first write side by side, whoever enters later alone."""
    together = {seat.letter for seat in battle.seats[: PANES[battle.format]]}
    busy: defaultdict[tuple[str, int, str], float] = defaultdict(float)
    replies: list[Reply] = []
    for seat in battle.seats:
        for turn, reply in enumerate(seat.replies):
            place = (reply.facts.host, turn, "" if seat.letter in together else seat.letter)
            busy[place] = max(busy[place], (reply.facts.total_ms or 0.0) / 1000)
            replies.append(reply)
    told = {reply.facts.host: reply.facts.watts for reply in replies}
    watts = {host: drawn for host, drawn in told.items() if drawn is not None}
    joules = [seconds * watts.get(place[0], 0.0) for place, seconds in busy.items()]
    known = bool(told) and len(watts) == len(told)
    counts = [n for reply in replies for n in _tokens(reply)]
    tokens = None if None in counts or not counts else sum(filter(None, counts))
    return Cost(tokens, sum(busy.values()), sum(joules) / HOUR_S if known else None)


def _tokens(reply: Reply) -> tuple[int | None, ...]:
    facts = reply.facts
    return facts.prompt_tokens, facts.output_tokens, facts.thinking_tokens or 0
