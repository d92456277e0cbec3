"""What a bench starts in processes of their own: an arena, a steady host, a plain Gradio app; each
arena on one core that it has for itself where the system lets us choose.

It does not know what is measured.
"""

import asyncio
import re
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import uvicorn

from arena import settings as config
from arena.core.errors import ArenaError

T = TypeVar("T")

MODELS = ("llama3.1:8b", "mistral:7b", "phi3:mini")
"""What a steady host has."""

URL = re.compile(r"https?://[\w.:\[\]]+\d")
START_S, STOP_S = 120.0, 15.0
TOLD = 20
"""Lines of a program's output that are kept, to say why it did not start."""


class NotStarted(ArenaError):
    title = "Not started"


def fast(main: Coroutine[Any, Any, T]) -> T:
    """Run it on the event loop that servers use."""
    on = uvicorn.Config("", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=on) as runner:
        return runner.run(main)


def cpu_of(process: psutil.Process) -> float:
    """Seconds so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Program:
    url: str
    process: psutil.Process

    def cpu(self) -> float:
        return cpu_of(self.process)

    async def ready(self) -> None:
        """Returns once an arena takes battles."""
        async with asyncio.timeout(START_S), httpx.AsyncClient(trust_env=False) as http:
            while not (await http.get(f"{self.url}/api/arena/status")).json()["ready"]:
                await asyncio.sleep(0.1)


@contextmanager
def _on(cores: Sequence[int]) -> Iterator[None]:
    """Whatever is started meanwhile stays on these cores."""
    own = psutil.Process()
    before = own.cpu_affinity() if cores else []
    if cores:
        own.cpu_affinity(list(cores))
    try:
        yield
    finally:
        if cores:
            own.cpu_affinity(before)


def cores() -> tuple[list[int], list[int]]:
    """The one for what is measured, and all others; none where they cannot be chosen."""
    usable = psutil.Process().cpu_affinity() if hasattr(psutil.Process, "cpu_affinity") else []
    return (usable[-1:], usable[:-1]) if len(usable) > 1 else ([], [])


@asynccontextmanager
async def launched(
    *command: str,
    on: Sequence[int] = (),
    folder: Path | None = None,
    environment: Mapping[str, str] = {},
    interrupt: bool = False,
) -> AsyncIterator[Program]:
    """A process of our Python with these arguments, from when it tells its address until the
    context closes. on: which cores. interrupt: that is how it ends, not with its standard input.
    Raises NotStarted."""
    with _on(on):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
            env=config.for_a_child(**environment),
        )
    assert process.stdin and process.stdout
    said: deque[str] = deque(maxlen=TOLD)
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    reading = asyncio.create_task(_read(process.stdout, said, address))
    try:
        async with asyncio.timeout(START_S):
            url = await address
        yield Program(url, psutil.Process(process.pid))
    finally:
        process.stdin.close()
        if interrupt and process.returncode is None:
            process.send_signal(signal.SIGINT)
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await reading


async def _read(
    stream: asyncio.StreamReader, said: deque[str], address: asyncio.Future[str]
) -> None:
    async for line in stream:
        text = line.decode(errors="replace").rstrip()
        said.append(text)
        found = URL.search(text)
        if found and not address.done() and (text.startswith("  page") or text == found[0]):
            address.set_result(found[0])
    if not address.done():
        address.set_exception(NotStarted("\n".join(said) or "It ended without a word."))


def host(
    tokens: int, *rates: float, port: int = 0, cold_s: float = 0.0
) -> AbstractAsyncContextManager[Program]:
    """A steady host of three models, beside what is measured. rates: tokens/s, one for all or
    one for each."""
    told = [f"{rate:g}" for rate in (rates if len(rates) > 1 else rates * len(MODELS))]
    where = (str(port), str(tokens), f"{cold_s:g}", *told)
    return launched("-m", "arena.bench.steady", *where, on=cores()[1])


async def written(host: Program) -> dict[str, float]:
    """What a steady host says of the tokens since it was last asked."""
    async with httpx.AsyncClient(trust_env=False) as http:
        told: dict[str, float] = (await http.get(f"{host.url}/lateness")).json()
    return told


@asynccontextmanager
async def arena(
    folder: str,
    hosts: Sequence[str],
    *,
    checkout: Path = config.ROOT,
    module: Sequence[str] = ("arena", "serve"),
    environment: Mapping[str, str] = {},
) -> AsyncIterator[Program]:
    """An arena that is ready for battles. checkout: another folder of the project."""
    own = {**settings(folder, hosts), **environment}
    async with launched(
        *("-m", *module), on=cores()[0], folder=checkout, environment=own, interrupt=True
    ) as program:
        await program.ready()
        yield program


def settings(folder: str, hosts: Sequence[str]) -> dict[str, str]:
    """Of an arena on these hosts, with its votes in the folder and no limits."""
    return {
        "OLLAMA_HOSTS": ",".join(hosts),
        "OLLAMA_NUM_PARALLEL": "256",
        "ARENA_MODELS": ",".join(MODELS),
        "ARENA_OPENS_PER_MINUTE": "0",
        "ARENA_BALLOTS_PER_HOUR": "0",
        "ARENA_QUEUE": "10000",
        "ARENA_AT_ONCE": "10000",
        "ARENA_PORT": "0",
        "DATABASE_URL": f"sqlite:///{folder}/arena.db",
    }
