"""The command line: `arena`, `python -m arena` and `python app.py`, one file a command.

Commands are imported when they run, so that `--help` and errors come at once. It does not know
adapters; what commands need of them they get through compose.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from arena.cli import voting
from arena.cli.terminal import called, errors, refused
from arena.core.errors import ArenaError
from arena.settings import quiet_libraries

INTERRUPTED = 130
HELP = ("-h", "--help")
MOST = 1000
"""Users or replies that a bench takes at most."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, serve where none is named; returns the exit code: 0 well, 1 not well, 2 a
    wrong command line. Errors are one kind line, without a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in HELP):
        arguments = ["serve", *arguments]
    quiet_libraries()
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a sign gets another one instead of nothing at all.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    logging.basicConfig(level=options.log_level, format="%(levelname)s %(name)s: %(message)s")
    try:
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except ArenaError as error:
        refused(error)
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        errors.print("There is no room left to write to. Make some, then try again.", style="red")
        # What could not be written would be tried again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        errors.print("Interrupted.")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=called(),
        description="Progressive Arena: language models answer blind, the weakest is voted out. "
        "Without a command it serves the page.",
        epilog="Settings come from .env and the environment; see docs/operators.md.",
    )
    # Commands report what goes wrong themselves; only the server keeps a log.
    parser.set_defaults(log_level=logging.CRITICAL)
    commands = parser.add_subparsers(metavar="command", required=True)
    for add in (_serve, _doctor, _deploy_check, _warm, _monitor, _smoke, _bench, _configure):
        add(commands)
    voting.add(partial(_command, commands))
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _command(
    commands: Commands, name: str, help: str, more: str = "", module: str = ""
) -> argparse.ArgumentParser:
    """A command of the name, run by the function of that name in the module of that name, or by
    that of the module."""
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=help, description=f"{help[0].upper()}{help[1:]}. {more}".strip()
    )
    made.set_defaults(run=_in_module(module or name))
    return made


def _in_module(name: str) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        return int(getattr(importlib.import_module(f"arena.cli.{name}"), name)(options))

    return run


def _serve(commands: Commands) -> None:
    serve = _command(commands, "serve", "serve the page until it is stopped")
    serve.add_argument("--share", action="store_true", help="ask Gradio for a public link")
    serve.add_argument("--port", default="", help="instead of ARENA_PORT; 0 takes any free one")
    serve.set_defaults(log_level=logging.WARNING)


def _doctor(commands: Commands) -> None:
    doctor = _command(
        commands,
        "doctor",
        "check settings, hosts, models and the ledger, and say what to mend",
        "Changes nothing. Exit code 0: no problem; 1: a problem; 2: a wrong command line.",
    )
    doctor.add_argument("--json", action="store_true", help="the checks as JSON, for scripts")


def _deploy_check(commands: Commands) -> None:
    check = _command(
        commands,
        "deploy-check",
        "check a deployment behind a proxy, and what its replicas share",
        "Asks as a visitor does and opens one battle, which gets no vote. Exit code 0: no problem; "
        "1: a problem; 2: a wrong command line.",
        module="deploy_check",
    )
    check.add_argument("--url", default="", help="the public address; default: ARENA_PORT here")
    check.add_argument(
        "--nginx",
        nargs="+",
        default=[],
        metavar="FILE",
        help="also read these nginx configurations; without --url only these",
    )
    check.add_argument("--json", action="store_true", help="the checks as JSON, for scripts")


def _warm(commands: Commands) -> None:
    _command(
        commands,
        "warm",
        "load the roster's models on every host",
        "Exit code 0: every model is resident wherever it is installed; 1: not so.",
    )


def _monitor(commands: Commands) -> None:
    monitor = _command(
        commands,
        "monitor",
        "watch hosts, models, speeds and faults; Ctrl-C ends it",
        "Asks a running arena on this machine, which knows slots, queue and speeds; without "
        "one it looks at the hosts directly. Exit code 0: every host is up; 1: not so.",
    )
    monitor.add_argument("--url", default="", help="of a running arena; default: ARENA_PORT here")
    monitor.add_argument("--once", action="store_true", help="look once, then end")
    monitor.add_argument(
        "--json", action="store_true", help="as JSON; one line a look unless --once"
    )
    monitor.add_argument(
        "--every", type=_seconds, default=2.0, metavar="SECONDS", help="default: 2"
    )


def _smoke(commands: Commands) -> None:
    smoke = _command(
        commands,
        "smoke",
        "play whole battles against a running arena and time them",
        "Its votes are kept as study `smoke` and never ranked. Exit code 0: every battle was "
        "decided; 1: not so.",
    )
    smoke.add_argument("--url", default="", help="of the arena; default: ARENA_PORT here")
    smoke.add_argument(
        "--format",
        choices=("elimination", "knockout"),
        default="elimination",
        help="default: elimination",
    )
    smoke.add_argument("--json", action="store_true", help="the timings as JSON")


def _bench(commands: Commands) -> None:
    bench = commands.add_parser("bench", help="measure", description="Measure something.")
    kinds = bench.add_subparsers(metavar="what", required=True)
    hosts = kinds.add_parser(
        "hosts",
        help="each model on each host: first token, tokens/s, many users, cost",
        description="Measures every model of the roster on every host, the way battles ask them. "
        "Run it while nobody plays.",
    )
    hosts.set_defaults(run=_in_module("bench"))
    hosts.add_argument(
        "--users",
        type=_counts,
        default=(1, 5),
        metavar="N,N,…",
        help="how many users at once, each asking all models; default: 1,5",
    )
    hosts.add_argument(
        "--cold",
        action="store_true",
        help="also unload each model once and time how long it takes to load",
    )
    hosts.add_argument(
        "--repeat", type=_count, default=3, metavar="N", help="replies a figure; default: 3"
    )
    hosts.add_argument("--out", default="", metavar="DIR", help="also write hosts.csv, hosts.json")
    hosts.add_argument("--json", action="store_true", help="the figures as JSON")
    draws = kinds.add_parser(
        "draws",
        help="each policy of the draw: votes until the best is known, how true the intervals are",
        description="Plays simulated arenas of known strengths under every policy of the draw. "
        "Needs no host and no ledger; the same seed gives the same figures.",
    )
    draws.set_defaults(run=_in_module("bench_draws"))
    for name, type, default, help in (
        ("contenders", _whole(4, 30), 8, "in each arena"),
        ("votes", _whole(100, 50_000), 12_000, "cast in each arena"),
        ("repeat", _whole(10, 5000), 1000, "arenas for each policy"),
        ("size", _whole(2, 3), 3, "contenders of a battle, 2 or 3"),
        ("seed", _whole(0, 2**31), 1, "of all chance"),
    ):
        draws.add_argument(
            f"--{name}", type=type, default=default, metavar="N", help=f"{help}; default: {default}"
        )
    draws.add_argument(
        "--spread",
        type=_counts,
        default=(130, 260),
        metavar="N,N,…",
        help="standard deviations of the strengths, in points; default: 130,260",
    )
    draws.add_argument("--json", action="store_true", help="the figures as JSON")
    standings = kinds.add_parser(
        "standings",
        help="how long standings take, from memory and from the ledger; beside arena-rank",
        description="Needs no host: votes are simulated. arena-rank is measured where it is "
        "installed (pip install arena-rank).",
    )
    standings.set_defaults(run=_in_module("bench_standings"))
    standings.add_argument(
        "--votes",
        type=_sizes,
        default=(10_000, 100_000, 1_000_000),
        metavar="N,N,…",
        help="sizes of the ledger; default: 10000,100000,1000000",
    )
    for name, type, default, help in (
        ("contenders", _whole(4, 300), 30, "that meet each other"),
        ("repeat", _count, 5, "of each figure"),
        ("seed", _whole(0, 2**31), 1, "of the votes"),
    ):
        standings.add_argument(
            f"--{name}", type=type, default=default, metavar="N", help=f"{help}; default: {default}"
        )
    standings.add_argument(
        "--database",
        default="",
        metavar="URL",
        help="an empty database, which is filled, for the one in PostgreSQL; default: a server "
        "that is started for the bench, where PostgreSQL is installed",
    )
    standings.add_argument("--json", action="store_true", help="the figures as JSON")
    idle = kinds.add_parser(
        "idle",
        help="what an arena costs that nobody uses, beside a plain Gradio app",
        description="Starts an arena on the hosts of the settings, without its votes, and a plain "
        "Gradio app, and measures their CPU over the same seconds.",
    )
    idle.set_defaults(run=_in_module("bench_idle"))
    idle.add_argument(
        "--seconds", type=_seconds, default=30.0, metavar="N", help="for each figure; default: 30"
    )
    idle.add_argument(
        "--pages",
        type=_counts,
        default=(1, 25),
        metavar="N,N,…",
        help="how many are open at once; default: 1,25",
    )
    idle.add_argument("--json", action="store_true", help="the figures as JSON")


def _configure(commands: Commands) -> None:
    configure = _command(
        commands,
        "configure",
        "check an Ollama host, then write it into .env",
        "Writes atomically and keeps all other lines. Exit code 0: written; 1: the host does "
        "not answer or has too few models, and nothing was written.",
    )
    configure.add_argument("--ollama-host", required=True, help="an IP, host:port or URL")
    configure.add_argument("--ollama-port", default="", help="for a host given without one")
    configure.add_argument(
        "--file",
        default="",
        help="default: the project's .env; of an installed copy, that in this folder",
    )
    configure.add_argument("--force", action="store_true", help="write whatever the check says")


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {most}"
            )
        return value

    return parse


_count = _whole(1, MOST)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(sorted({_count(part.strip()) for part in text.split(",")}))


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted({_whole(1000, 10_000_000)(part.strip()) for part in text.split(",")}))


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.2 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.2 to 3600")
    return value
