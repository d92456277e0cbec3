"""Benches whose figures stand beside what they are to reach; each says only what is its own.

They draw what `arena.bench` measures, and do not know how that is done.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from arena import settings as config
from arena.addresses import host_url
from arena.bench import Figure, Told
from arena.cli.arguments import MOST, checkout, number, numbers, replies, seconds, to_json
from arena.cli.terminal import Bar, table, told

STEADY = "Starts arenas of its own on a host that writes steadily."


@dataclass(frozen=True, slots=True)
class Measuring:
    """A table's title and a word on it, and what measures its rows."""

    title: str
    words: str
    measure: Callable[[Told], Coroutine[Any, Any, list[Figure]]]


@dataclass(frozen=True, slots=True)
class FigureBench:
    """takes: adds its arguments, all but `--json`. measuring: what comes of them; only it imports
    what measures, which takes long. about: what it starts or needs."""

    takes: Callable[[ArgumentParser], None]
    measuring: Callable[[Namespace], Measuring]
    about: str = STEADY

    def arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = self.about
        self.takes(parser)
        to_json(parser)

    def run(self, options: Namespace) -> int:
        from arena.bench.launched import fast

        asked = self.measuring(options)
        with Bar() as bar:
            figures = fast(asked.measure(bar.show))
        drawn = table(asked.title, COLUMNS, figures, ("", " "))
        told(options.json, figures, [drawn], asked.words)
        return 0


def reached(figure: Figure) -> bool:
    """What could not be measured was not."""
    least = figure.least is None or figure.value >= figure.least
    return least and (figure.most is None or figure.value <= figure.most)


def _reach(figure: Figure) -> str:
    if figure.least is not None:
        return f"≥ {_with(figure.least, figure.unit)}"
    return "" if figure.most is None else f"≤ {_with(figure.most, figure.unit)}"


def _with(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}" if abs(value) < 100 else f"{value:.0f} {unit}"


COLUMNS: Mapping[str, Callable[[Figure], str]] = {
    "": lambda f: f.what,
    "Measured": lambda f: _with(f.value, f.unit),
    "To reach": _reach,
    " ": lambda f: "" if reached(f) else "missed",
}

# The benches --------------------------------------------------------------------------------------


def _engine_takes(parser: ArgumentParser) -> None:
    number(parser, "--tokens", 8, 4096, 128, "of each reply")
    number(parser, "--repeat", 1, 100, 7, "turns, in which each is asked once")
    other = "an Ollama on this machine with three models of the same weights"
    parser.add_argument("--ollama", default="", metavar="URL", help=other)


def _engine(options: Namespace) -> Measuring:
    async def measure(told: Told) -> list[Figure]:
        from arena.bench.engine import Server, measured, offered, warm
        from arena.compose.supply import engine_of

        engine = await engine_of(config.load(), lambda done, whole: told("Weights", 0.0))
        try:
            own = await offered(await engine.start())
            other = await offered(host_url(options.ollama)) if options.ollama else None
            for each in filter(None, (own, other)):
                told(f"Loading models of {each.url}", 0.0)
                await warm(each)
            port, key = engine.servers()[own.models[0]]
            bare = Server(f"http://127.0.0.1:{port}", own.models[:1], key)
            return await measured(own, bare, other, options.tokens, options.repeat, told)
        finally:
            await engine.stop()

    words = "Tokens/s of whole replies, prompts included, which are read once before."
    return Measuring(f"Replies of {options.tokens} tokens", words, measure)


def _cpu_takes(parser: ArgumentParser) -> None:
    replies(parser)
    number(parser, "--battles", 1, MOST, 8, "for each figure, or as many as are played at once")
    numbers(parser, "--at-once", 1, MOST, "1,10", "how many are played at once")
    profile = "also keep a profile of the most at once in this file, for python -m pstats"
    parser.add_argument("--profile", default="", metavar="FILE", help=profile)
    checkout(parser, "measure another checkout of the project instead")


def _cpu(options: Namespace) -> Measuring:
    from arena.bench.browser import Plan
    from arena.bench.cpu import measured, profiled
    from arena.bench.launched import fast

    plan, at_once = Plan(options.tokens, options.rate), options.at_once
    other = options.against[-1] if options.against else None
    words = "CPU of the arena's process, from the host to the browser's socket, votes included."
    if options.profile:
        fast(profiled(plan, options.battles, max(at_once), Path(options.profile).resolve()))
        words += f" Profile: python -m pstats {options.profile}"
    title = f"A battle of 3 × {plan.tokens} tokens at {plan.rate} tokens/s"
    return Measuring(title, words, partial(measured, plan, options.battles, at_once, other))


def _overhead_takes(parser: ArgumentParser) -> None:
    replies(parser)
    number(parser, "--repeat", 1, 100, 5, "battles")


def _overhead(options: Namespace) -> Measuring:
    from arena.bench.browser import Plan
    from arena.bench.stream import overhead

    plan = Plan(options.tokens, options.rate)
    title = f"Three replies of {plan.tokens} tokens at {plan.rate} tokens/s, alone"
    words = "Medians. The page shows nothing before each model has begun to write."
    return Measuring(title, words, partial(overhead, plan, options.repeat))


def _wait_takes(parser: ArgumentParser) -> None:
    number(parser, "--tokens", 10, 5000, 150, "of a reply")
    number(parser, "--repeat", 1, 100, 5, "battles of each kind")
    seconds(parser, "--reading", 10, "before the vote in a knockout")


def _wait(options: Namespace) -> Measuring:
    from arena.bench.stream import wait

    words = "The longest of each. From a knockout's vote on, its acknowledgement is not counted."
    measure = partial(wait, options.tokens, options.repeat, options.reading)
    return Measuring(f"Replies of {options.tokens} tokens", words, measure)


def _memory_takes(parser: ArgumentParser) -> None:
    numbers(parser, "--pages", 1, 5000, "100,1000", "how many are open")
    number(parser, "--battles", 10, 1_000_000, 10_000, "that are played to their end")


def _memory(options: Namespace) -> Measuring:
    from arena.bench.footprint import memory

    words = "Resident memory of the arena's process. On each page a move was made."
    return Measuring("Memory", words, partial(memory, options.pages, options.battles))


def _votes_takes(parser: ArgumentParser) -> None:
    seconds(parser, "--seconds", 10, "for each figure")
    number(parser, "--battles", 1, 10_000, 100, "on the page")
    database = "an empty database for the one in PostgreSQL, which is filled"
    parser.add_argument("--database", default="", metavar="URL", help=database)


def _votes(options: Namespace) -> Measuring:
    async def measure(told: Told) -> list[Figure]:
        from arena.bench.votes import votes
        from arena.cli.bench.standings import ledgers

        with ledgers(options.database) as urls:
            return await votes(urls, options.seconds, options.battles, told)

    words = "Durable: acknowledged after they are on the disk. Writers wait for nothing else."
    return Measuring("Votes", words, measure)


def _two_hosts_takes(parser: ArgumentParser) -> None:
    number(parser, "--tabs", 1, 1000, 16, "that play at once")
    seconds(parser, "--seconds", 20, "for each figure")


def _two_hosts(options: Namespace) -> Measuring:
    from arena.bench.endurance import two_hosts

    words = "Hosts of two slots each. The cold one has nothing loaded, while the warm one has room."
    return Measuring("Hosts", words, partial(two_hosts, options.tabs, options.seconds))


def _soak_takes(parser: ArgumentParser) -> None:
    seconds(parser, "--minutes", 30, "of rough use", "minutes")
    number(parser, "--tabs", 1, 1000, 20, "at once")


def _soak(options: Namespace) -> Measuring:
    from arena.bench.endurance import soak

    words = "Between the first fifth and the end, each time when all tabs have been closed a while."
    return Measuring("Soak", words, partial(soak, options.minutes, options.tabs))


def _start_takes(parser: ArgumentParser) -> None:
    number(parser, "--repeat", 1, 100, 5, "starts of each")


def _start(options: Namespace) -> Measuring:
    from arena.bench.footprint import start

    words = "Medians of the time from starting the process until its page has arrived."
    return Measuring("Starting", words, partial(start, options.repeat))


BENCHES = {
    "engine": FigureBench(
        _engine_takes,
        _engine,
        "Runs an engine of its own with ARENA_ENGINE_MODELS or the small model. Run it while the "
        "machine does nothing else.",
    ),
    "cpu": FigureBench(
        _cpu_takes, _cpu, "Starts an arena of its own on a host that writes steadily."
    ),
    "overhead": FigureBench(_overhead_takes, _overhead),
    "wait": FigureBench(_wait_takes, _wait),
    "memory": FigureBench(_memory_takes, _memory),
    "votes": FigureBench(_votes_takes, _votes, "Needs no host: votes and replies are simulated."),
    "two-hosts": FigureBench(_two_hosts_takes, _two_hosts),
    "soak": FigureBench(_soak_takes, _soak),
    "start": FigureBench(_start_takes, _start, "Starts both in turn."),
}
