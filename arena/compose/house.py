"""Settings → adapters → Referee, and the life of all of them.

The page is served at once; hosts, weights and warm-up follow in the background while
`House.readiness` tells how far they are. It does not know what a page or a command asks for.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from arena.adapters import language
from arena.adapters.hosts import HostPool
from arena.adapters.images import cleaned
from arena.adapters.ledger import SqlLedger
from arena.compose.asking import grace_s, options_of, round_s, timeouts_of, tls_of
from arena.compose.stores import APART, stores_of
from arena.compose.supply import LOCAL_OLLAMA, Supply, roster_of
from arena.core.battle.matchup import Policy
from arena.core.errors import ArenaError
from arena.core.hosts import overview as overviews
from arena.core.hosts.overview import Overview
from arena.core.ports import Readiness
from arena.play.admission import RefereeRules
from arena.play.metrics import Metrics
from arena.play.referee import Referee
from arena.play.release import Release
from arena.play.stage import StageRules
from arena.settings import Settings

log = logging.getLogger(__name__)

RETRY_S, WATCH_S, QUIET_S = 10.0, 5.0, 15.0
DRAINING = "Replies that are being written are finished first; new battles can be had in a minute."
Told = Callable[[Readiness, str], None]
"""Called with how far the house is and, for the operator, which hosts and models it uses."""


def nobody(readiness: Readiness, report: str) -> None:
    """Nobody is told."""


class House:
    """Everything that lives as long as the app. `open` returns at once; `readiness` says how
    far it is, and `told` is called at each change of it."""

    def __init__(
        self, settings: Settings, told: Told = nobody, *, local_ollama: str = LOCAL_OLLAMA
    ) -> None:
        self.settings = settings
        self.readiness = Readiness(False, "Starting.")
        self._told = told
        self.stores = stores_of(settings, self._forget)
        roster = roster_of(settings)
        self.hosts = HostPool(
            options=options_of(settings),
            timeouts=timeouts_of(settings, roster),
            tls=tls_of(settings),
            thought_tokens=settings.think_tokens,
            remote=settings.remote_models,
            watts=settings.watts,
            peers=self.stores.peers,
        )
        self.supply = Supply(settings, roster, self.hosts, local_ollama=local_ollama)
        self.ledger = SqlLedger(settings.database_url)
        self.metrics = Metrics()
        self.referee = Referee(
            hosts=self.hosts,
            battles=self.stores.battles,
            feed=self.metrics.of(self.stores.feed),
            limits=self.stores.limits,
            ledger=self.ledger,
            rules=RefereeRules(
                battle_size=settings.battle_size,
                max_prompt=settings.max_prompt,
                policy=Policy(settings.draw),
                opens_per_minute=settings.opens_per_minute,
                ballots_per_hour=settings.ballots_per_hour,
                ballots_per_network=settings.ballots_per_network,
                release=Release(
                    settings.downloads, settings.downloads_after, settings.downloads_from
                ),
                longest_line=settings.queue,
                stage=StageRules(
                    at_once=settings.at_once,
                    queue=settings.queue,
                    pace=settings.pace,
                    grace_s=grace_s(settings),
                    total_s=round_s(settings, roster),
                ),
            ),
            readiness=lambda: self.readiness,
            language=language.language_of,
            cleaned=cleaned,
        )
        self.metrics.watch(self.referee, self.hosts.reports)
        self.tried = asyncio.Event()
        """Set once it is known whether battles can be had, or why not."""
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving = False

    def _forget(self, battle_id: str) -> None:
        self.referee.forget(battle_id)
        self.metrics.forget(battle_id)

    def check(self) -> None:
        """What has to be right before anything is served: the ledger, and what replicas share.
        Raises ConfigError, LedgerFault or StoreFault."""

        async def check() -> None:
            await self.ledger.open()
            await self.stores.check(await self.ledger.key())

        # In a thread of its own: a notebook has a running event loop in this one.
        with ThreadPoolExecutor(max_workers=1) as thread:
            thread.submit(lambda: asyncio.run(check())).result()

    async def open(self) -> None:
        """Begin to set up; everything slow goes on in the background."""
        self.stores.take_up()
        orphans = self.referee.rounds.look_after_orphans(ready=lambda: self.readiness.ready)
        self._tasks.append(asyncio.create_task(orphans))
        await self.look_out()

    async def look_out(self) -> None:
        """Find hosts and look after them, and leave to others what others left unfinished."""
        self._tasks.append(asyncio.create_task(self._run()))

    async def drain(self) -> None:
        """Open no more battles, and wait until the rounds that are being written are stored."""
        self._leaving = True
        self._tell(
            Readiness(False, "The arena is being restarted.", DRAINING, demo=self.supply.demo)
        )
        await self.referee.drain()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.referee.close()
        await self.hosts.close()
        await self.supply.close()
        await self.stores.close()
        await self.ledger.close()

    # Setting up, then watching ----------------------------------------------------------------

    async def _run(self) -> None:
        while not await self._try_to_set_up():
            await asyncio.sleep(RETRY_S)
        while True:
            await asyncio.sleep(self._pause())
            try:
                await self.hosts.refresh()
                self._settled()
            except ArenaError as error:
                demo = self.supply.demo
                self._tell(Readiness(False, f"{error.title}.", error.public, demo=demo))
            except Exception:
                log.exception("looking after the hosts failed")

    def _pause(self) -> float:
        """Seconds until the hosts are looked at again. Looks are most of what an idle arena does;
        replicas count on each other's."""
        playing = self.referee.rounds.playing or self.stores.peers
        return QUIET_S if self.readiness.ready and not playing else WATCH_S

    async def _try_to_set_up(self) -> bool:
        try:
            await self.supply.find(self.loading)
            await self.hosts.look()
            # The first votes would wait for it, the longer the more people play by then.
            await asyncio.gather(asyncio.to_thread(language.load), self._warm())
            self._settled()
            return True
        except ArenaError as error:
            failed = Readiness(False, f"{error.title}.", error.public)
            if failed != self.readiness and error.public != str(error):
                log.warning("%s", error)
            self._tell(failed)
            return False
        except Exception:
            log.exception("setting up failed in a way that nothing foresaw")
            self._tell(Readiness(False, "Setting up failed.", "The terminal says why."))
            return False
        finally:
            self.tried.set()

    async def _warm(self) -> None:
        if not self.hosts.refusal():
            await self.hosts.warm(self._warming)

    # Telling ----------------------------------------------------------------------------------

    async def overview(self) -> Overview:
        """What operators may see. An engine on this machine costs nothing by the hour."""
        price = self.settings.gpu_cost
        newest = await self.referee.scoreboard.last() - overviews.NEWEST
        votes = await self.ledger.votes(overviews.COLUMNS, after=max(0, newest))
        spent = {} if self.supply.demo else await asyncio.to_thread(overviews.costs, votes, price)
        watched, notes = await self.referee.rounds.watched(), self.hosts.problems
        return Overview(self.supply.source, self.hosts.reports(), spent, price, notes, watched)

    def loading(self, done: int, total: int) -> None:
        headline = "Downloading the demonstration models, once."
        megabytes = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB" if total else f"{done / 1e6:.0f} MB"
        self._tell(Readiness(False, headline, megabytes, done / total if total else None, True))

    def _warming(self, done: int, total: int) -> None:
        if done < total:
            detail = f"Model {done + 1} of {total}."
            self._tell(Readiness(False, "Warming up.", detail, done / total, self.supply.demo))

    def _settled(self) -> None:
        refusal = self.hosts.refusal()
        headline = "" if refusal else "Ready."
        self._tell(Readiness(not refusal, headline, refusal, demo=self.supply.demo))

    def _tell(self, readiness: Readiness) -> None:
        if readiness != self.readiness and not (self._leaving and readiness.ready):
            self.readiness = readiness
            self._told(readiness, self._report())

    def _report(self) -> str:
        """For the operator's eyes: which hosts and models are used, and what is amiss."""
        if not self.supply.source:
            return ""
        names = ", ".join(c.name for c in self.hosts.contenders()) or "none"
        lines = [f"host    {self.supply.source}", f"models  {names}"]
        apart = ". ".join(APART) if self.stores.apart else ""
        notes = filter(None, (apart, self.supply.passed_over, *self.hosts.problems))
        lines += [f"note    {note}" for note in notes]
        return "\n".join(lines)
