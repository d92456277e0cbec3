"""What the arena counts, for Prometheus: battles, ballots, rounds, replies, faults, queue, viewers.

No label names a contender, a model, a host or a battle, so nothing here tells who is who. It
does not know who may read it, nor which adapters are behind the ports.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client import Counter as Total
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from arena.core.battle.view import State
from arena.core.errors import StoreFault
from arena.core.hosts.report import HostReport
from arena.core.ports import Event, Feed
from arena.play.referee import Referee

SECONDS = (0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 180)
MOST_BATTLES = 10_000
"""Battles that are followed at once; one that nobody ends would be followed for ever."""

OVER = ("decided", "void")
Reports = Callable[[], Sequence[HostReport]]

disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class _Followed:
    """A battle as it was told of last. `asked_at`: when its contenders began to be waited for,
    None once there was text."""

    state: State
    asked_at: float | None


class Metrics:
    """Of one process. `of` is a feed that is listened to; `watch` adds what is read when somebody
    looks."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        self._own = CollectorRegistry()
        self._clock = clock
        self._followed: OrderedDict[str, _Followed] = OrderedDict()
        self._referee: Referee | None = None
        self._rounds = Total(
            "arena_rounds", "Rounds whose replies are all complete", registry=self.registry
        )
        self._replies = Total("arena_replies", "Replies that are complete", registry=self.registry)
        self._first_text = Histogram(
            "arena_first_text_seconds",
            "From a prompt to the first text on the page",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._viewers = Gauge("arena_viewers", "Who follows a battle now", registry=self.registry)
        self._under_way = Gauge(
            "arena_battles_under_way", "Battles that are not over", registry=self.registry
        )
        ProcessCollector(registry=self.registry)

    def of(self, feed: Feed) -> Feed:
        """The same feed, listened to."""
        return _Heard(feed, self.hear, self._viewers)

    def watch(self, referee: Referee, reports: Reports) -> None:
        """Count also what these have counted. reports: of the hosts as they are now."""
        self._referee = referee
        self.registry.register(_Read(referee, reports))
        self._own.register(_Writing(reports))

    async def text(self, operator: bool) -> bytes:
        """In the text format of Prometheus. When each reply ends, which would tell the others whose
        it is, only an operator may see."""
        if self._referee:
            with suppress(StoreFault):
                self._under_way.set(await self._referee.under_way())
        own = generate_latest(self._own) if operator else b""
        return generate_latest(self.registry) + own

    def hear(self, battle_id: str, event: Event) -> None:
        """An event was published."""
        known = self._followed.get(battle_id)
        if not isinstance(event, State):
            if known and known.asked_at is not None:
                self._first_text.observe(self._clock() - known.asked_at)
                known.asked_at = None
            return
        if event.phase in OVER:
            self._followed.pop(battle_id, None)
            return
        asked_at = known.asked_at if known else None
        if event.phase == "answering" and not event.goes_on(known.state if known else None):
            asked_at = self._clock()
        elif known and event.phase == "voting" and known.state.phase == "answering":
            self._rounds.inc()
            self._replies.inc(_completed(known.state, event))
        self._followed[battle_id] = _Followed(event, asked_at)
        self._followed.move_to_end(battle_id)
        if len(self._followed) > MOST_BATTLES:
            self._followed.popitem(last=False)

    def forget(self, battle_id: str) -> None:
        """It is in nobody's memory any more; should it come back, it is followed from there."""
        self._followed.pop(battle_id, None)


class _Heard:
    """`core.ports.Feed`, with somebody who listens."""

    def __init__(self, feed: Feed, hear: Callable[[str, Event], None], viewers: Gauge) -> None:
        self._feed = feed
        self._hear = hear
        self._viewers = viewers
        self.viewers, self.forget, self.close = feed.viewers, feed.forget, feed.close

    async def publish(self, battle_id: str, event: Event, *, playing: bool = False) -> int:
        number = await self._feed.publish(battle_id, event, playing=playing)
        self._hear(battle_id, event)
        return number

    async def follow(
        self, battle_id: str, after: int = 0
    ) -> AsyncGenerator[list[tuple[int, Event]], None]:
        with self._viewers.track_inprogress():
            batches = self._feed.follow(battle_id, after)
            async with aclosing(batches):
                async for batch in batches:
                    yield batch


class _Read(Collector):
    """What the referee and the hosts count themselves."""

    def __init__(self, referee: Referee, reports: Reports) -> None:
        self._referee = referee
        self._reports = reports

    def collect(self) -> Iterable[Metric]:
        counted, reports = self._referee.counted, self._reports()
        battles = {what: counted[what] for what in ("opened", "decided", "void")}
        yield _total("arena_battles", "Battles by what became of them", "event", battles)
        ballots = {"cast": counted["ballots"], "undone": counted["undone"]}
        yield _total("arena_ballots", "Ballots on rounds", "event", ballots)
        faults: Counter[str] = Counter()
        for report in reports:
            for fault in report.faults:
                faults[fault.kind] += fault.count
        yield _total("arena_faults", "Replies that failed on a host, by kind", "kind", faults)
        playing = self._referee.rounds.playing
        yield GaugeMetricFamily("arena_rounds_under_way", "Rounds being written", playing)
        up = sum(report.up for report in reports)
        yield GaugeMetricFamily("arena_hosts_up", "Hosts that answer", up)
        yield GaugeMetricFamily("arena_hosts", "Hosts that are set", len(reports))


class _Writing(Collector):
    """What changes with each reply of a battle."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    def collect(self) -> Iterable[Metric]:
        reports = self._reports()
        writing = sum(report.leases for report in reports)
        yield GaugeMetricFamily("arena_replies_under_way", "Replies being written", writing)
        queue = max((report.queue for report in reports), default=0)
        yield GaugeMetricFamily("arena_queue", "Replies that wait, at the host with most", queue)


def _total(name: str, says: str, label: str, counted: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, says, labels=[label])
    for value, count in counted.items():
        family.add_metric([value], count)
    return family


def _completed(before: State, now: State) -> int:
    """Panes that are complete and were not."""
    complete = {pane.seat for pane in before.panes if pane.state == "complete"}
    return sum(pane.state == "complete" and pane.seat not in complete for pane in now.panes)
