"""Who is in VRAM, who waits for what: Ollama's scheduler, with its rules and with its known trap.

Warm calls go straight to their runner's slots, without bound. Everything that needs a load stands in one line and
is loaded one at a time. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .models import GIB, KIB, FakeModel
from .stats import Call, Stats

OVERHEAD = GIB // 2
"""Bytes each runner takes beside weights and cache: CUDA context and compute buffers."""
FIT_SHARE = 0.8
"""Share of the free VRAM that a further model may be predicted to need."""
CPU_SLOWDOWN = 5.0
RUNNER_OPTIONS = ("num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
"""What a model is loaded with; since 0.33 also whether it drops the beginning of what grows too long (`shift`)."""

ONE_AT_A_TIME = ("qwen3vl", "qwen35", "qwen3next", "lfm2", "nemotron_h")


class QueueFull(Exception):
    """More requests wait for a load than OLLAMA_MAX_QUEUE allows."""


@dataclass(frozen=True)
class Limits:
    """The host's size and settings. `speed` divides loads, prefill and VRAM recovery, and multiplies decoding."""

    vram_gib: float = 21.7
    num_parallel: int = 1
    max_loaded: int = 3
    max_queue: int = 512
    keep_alive_s: float = 300.0
    speed: float = 1.0
    share_gpu: bool = False
    vram_recovery_s: float = 0.5
    old: bool = False

    def slots_of(self, model: FakeModel) -> int:
        """Some families get one, whatever is set."""
        return 1 if model.family in ONE_AT_A_TIME else self.num_parallel

    @property
    def default_ctx(self) -> int:
        if self.old or self.vram_gib < 23:
            return 4096
        return 32768 if self.vram_gib < 47 else 262144


@dataclass(eq=False)
class Runner:
    """One loaded model. `users` counts who streams and who waits for a slot."""

    model: FakeModel
    runner_options: tuple[Any, ...]
    num_ctx: int
    size: int
    size_vram: int
    keep_alive_s: float
    slots: asyncio.Semaphore
    users: int = 0
    decoding: int = 0
    expires_at: float = 0.0
    leaves_as: str = "expired"
    timer: asyncio.TimerHandle | None = None
    unloaded: asyncio.Event = field(default_factory=asyncio.Event)

    def serves(self, num_ctx: int, runner_options: tuple[Any, ...]) -> bool:
        """Whether it was loaded with these; any difference costs a reload. A host that starts warm has what is asked."""
        *own, shift = self.runner_options
        *asked, wanted = runner_options
        return (self.num_ctx, own) == (num_ctx, asked) and shift in (None, wanted)


@dataclass(eq=False)
class _Pending:
    call: Call
    model: FakeModel
    num_ctx: int
    runner_options: tuple[Any, ...]
    keep_alive_s: float | None
    granted: asyncio.Future[Runner]


class Scheduler:
    def __init__(self, limits: Limits, stats: Stats) -> None:
        self.limits = limits
        self.resident: dict[str, Runner] = {}
        self.short_of_vram: set[str] = set()
        """Blobs of which only a half gets into VRAM."""
        self._stats = stats
        self._waiting: deque[_Pending] = deque()
        self._arrival = asyncio.Event()
        self._unwedged = asyncio.Event()
        self._unwedged.set()
        self._worker: asyncio.Task[None] | None = None

    # Life of the host

    def start(self) -> None:
        self._worker = asyncio.create_task(self._place_all())

    async def stop(self) -> None:
        """Everything is forgotten, as when the process ends."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait({self._worker})
            self._worker = None
        for runner in list(self.resident.values()):
            self._unload(runner, "unloaded")
        self._waiting.clear()
        self._unwedged.set()

    def wedge(self) -> None:
        """From now on no load begins, while warm calls go on."""
        self._unwedged.clear()

    def unwedge(self) -> None:
        self._unwedged.set()

    # What callers do

    @contextlib.asynccontextmanager
    async def lease(
        self, call: Call, model: FakeModel, options: Mapping[str, Any], keep_alive_s: float | None
    ) -> AsyncIterator[Runner]:
        """The model's runner, loaded first if need be. Leaving before the load has ended aborts it.

        Raises:
            QueueFull: too many wait for a load; never raised for a model that is resident.
        """
        num_ctx = self._num_ctx(model, options)
        shift = None if self.limits.old else call.body.get("shift") is not False
        runner_options = (*(options.get(name) for name in RUNNER_OPTIONS), shift)
        runner = self.resident.get(model.blob)
        if runner is not None and runner.serves(num_ctx, runner_options):
            self._join(runner, keep_alive_s)
        else:
            runner = await self._wait_for_load(call, model, num_ctx, runner_options, keep_alive_s)
        try:
            yield runner
        finally:
            self._leave(runner)

    @contextlib.asynccontextmanager
    async def slot(self, call: Call, runner: Runner) -> AsyncIterator[None]:
        """One of the runner's parallel slots, first come first served."""
        self._stats.move(call, "queued")
        async with runner.slots:
            runner.decoding += 1
            try:
                yield
            finally:
                runner.decoding -= 1

    def tokens_per_s(self, runner: Runner) -> float:
        """The decode rate at this moment, per stream."""
        rate = runner.model.tokens_per_s * self.limits.speed
        if runner.size_vram < runner.size:
            rate /= CPU_SLOWDOWN
        if self.limits.share_gpu:
            rate /= max(1, sum(other.decoding > 0 for other in self.resident.values()))
        return rate

    def expire(self, blob: str | None = None) -> None:
        """Unloads one model, or all; busy ones go when their last call has ended."""
        for runner in [runner for key, runner in self.resident.items() if blob in (None, key)]:
            self._expire(runner, "unloaded")

    def offload(self, blob: str) -> None:
        """This model is half on the CPU from now on."""
        self.short_of_vram.add(blob)
        if runner := self.resident.get(blob):
            runner.size_vram = runner.size // 2

    def preload_at_once(self, model: FakeModel) -> None:
        """Makes `model` resident without any wait, for a host that is to start warm."""
        self._rest(
            self._admit(model, self._num_ctx(model, {}), (None,) * (len(RUNNER_OPTIONS) + 1))
        )

    # Sizes

    def _num_ctx(self, model: FakeModel, options: Mapping[str, Any]) -> int:
        wanted = options.get("num_ctx") or self.limits.default_ctx
        return max(4, min(int(wanted), model.max_ctx))

    def _predicted(self, model: FakeModel, num_ctx: int) -> int:
        return model.weights + int(
            model.kv_kib_per_token * KIB * num_ctx * self.limits.num_parallel
        )

    def free_vram(self) -> int:
        return int(self.limits.vram_gib * GIB) - sum(
            runner.size_vram for runner in self.resident.values()
        )

    def _victim(self) -> Runner:
        # Not the least recently used: the order is the real scheduler's, which can evict the same model for ever.
        return min(
            self.resident.values(),
            key=lambda one: (one.users > 0, one.keep_alive_s, one.model.blob),
        )

    # Warm runners

    def _join(self, runner: Runner, keep_alive_s: float | None) -> None:
        runner.users += 1
        if runner.timer is not None:
            runner.timer.cancel()
            runner.timer = None
        # A victim on its way out is kept by this too; the load that waits for its end then waits on (ollama #17408).
        if keep_alive_s is not None:
            runner.keep_alive_s = keep_alive_s
        self._stamp(runner)

    def _leave(self, runner: Runner) -> None:
        runner.users -= 1
        if runner.users == 0 and not runner.unloaded.is_set():
            self._rest(runner)
        self._stats.changed()

    def _rest(self, runner: Runner) -> None:
        self._stamp(runner)
        if runner.keep_alive_s <= 0:
            self._unload(runner, runner.leaves_as)
        elif not math.isinf(runner.keep_alive_s):
            loop = asyncio.get_running_loop()
            runner.timer = loop.call_later(runner.keep_alive_s, self._unload, runner, "expired")

    def _stamp(self, runner: Runner) -> None:
        runner.expires_at = time.time() + min(runner.keep_alive_s, 292 * 365.25 * 86400)

    def _expire(self, runner: Runner, leaves_as: str) -> None:
        runner.keep_alive_s, runner.leaves_as = 0, leaves_as
        if runner.users == 0:
            self._unload(runner, leaves_as)

    def _unload(self, runner: Runner, what: str) -> None:
        if runner.timer is not None:
            runner.timer.cancel()
        self.resident.pop(runner.model.blob, None)
        runner.unloaded.set()
        self._stats.note(what, runner.model.name)

    # Loads

    async def _wait_for_load(
        self,
        call: Call,
        model: FakeModel,
        num_ctx: int,
        runner_options: tuple[Any, ...],
        keep_alive_s: float | None,
    ) -> Runner:
        if len(self._waiting) >= self.limits.max_queue:
            raise QueueFull
        granted: asyncio.Future[Runner] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Pending(call, model, num_ctx, runner_options, keep_alive_s, granted))
        self._arrival.set()
        self._stats.move(call, "pending")
        try:
            return await granted
        except asyncio.CancelledError:
            if not granted.cancelled():
                self._leave(granted.result())
            raise

    async def _place_all(self) -> None:
        while True:
            while not self._waiting:
                self._arrival.clear()
                await self._arrival.wait()
            pending = self._waiting.popleft()
            await self._unwedged.wait()
            if pending.granted.done():
                continue
            placing = asyncio.create_task(self._place(pending))
            pending.granted.add_done_callback(
                lambda granted, task=placing: granted.cancelled() and task.cancel()
            )
            try:
                await asyncio.wait({placing})
            finally:
                placing.cancel()
                await asyncio.wait({placing})
            if not placing.cancelled() and (crash := placing.exception()):
                self._stats.crashes.append(crash)

    async def _place(self, pending: _Pending) -> None:
        """Makes room, loads, and hands the runner over."""
        model, limits = pending.model, self.limits
        while True:
            runner = self.resident.get(model.blob)
            if runner is not None and runner.serves(pending.num_ctx, pending.runner_options):
                break
            fits = self._predicted(model, pending.num_ctx) <= FIT_SHARE * self.free_vram()
            if runner is not None:
                await self._evict(runner, "reloaded")
            elif self.resident and (len(self.resident) >= limits.max_loaded or not fits):
                await self._evict(self._victim(), "evicted")
            else:
                runner = await self._load(pending)
                break
        self._join(runner, pending.keep_alive_s)
        if pending.granted.done():
            self._leave(runner)
        else:
            pending.granted.set_result(runner)

    async def _evict(self, victim: Runner, leaves_as: str) -> None:
        self._expire(victim, leaves_as)
        await victim.unloaded.wait()
        await asyncio.sleep(self.limits.vram_recovery_s / self.limits.speed)

    async def _load(self, pending: _Pending) -> Runner:
        model = pending.model
        self._stats.move(pending.call, "loading")
        self._stats.note("loading", model.name)
        try:
            await asyncio.sleep(model.load_s / self.limits.speed)
        except asyncio.CancelledError:
            self._stats.note("load aborted", model.name)
            raise
        return self._admit(model, pending.num_ctx, pending.runner_options)

    def _admit(self, model: FakeModel, num_ctx: int, runner_options: tuple[Any, ...]) -> Runner:
        size = self._predicted(model, num_ctx) + OVERHEAD
        in_vram = (
            size // 2 if model.blob in self.short_of_vram else min(size, max(0, self.free_vram()))
        )
        if runner_options[RUNNER_OPTIONS.index("num_gpu")] == 0:
            in_vram = 0
        slots = asyncio.Semaphore(self.limits.slots_of(model))
        runner = Runner(
            model, runner_options, num_ctx, size, in_vram, self.limits.keep_alive_s, slots
        )
        self.resident[model.blob] = runner
        self._stats.note("loaded", model.name)
        return runner
