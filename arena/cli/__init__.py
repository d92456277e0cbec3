"""The command line: `arena`, `python -m arena` and `python app.py`, one file a command.

A command is imported only when it is named, and what it needs when it runs, so that `--help` and
errors come at once. It does not know adapters; what commands need of them comes through compose.
"""

import argparse
import errno
import importlib
import io
import logging
import os
import sys
from collections.abc import Sequence
from inspect import iscoroutine
from keyword import iskeyword
from pathlib import Path
from types import ModuleType
from typing import Any

from arena.checks.findings import called
from arena.cli.terminal import errors, refused
from arena.core.errors import ArenaError
from arena.settings import quiet_libraries

INTERRUPTED = 130
HELP = ("-h", "--help")

COMMANDS = {
    "serve": "serve the page until it is stopped",
    "doctor": "check settings, hosts, models and the ledger, and say what to mend",
    "deploy-check": "check a deployment behind a proxy, and what its replicas share",
    "warm": "load the roster's models on every host",
    "monitor": "watch hosts, models, speeds and faults; Ctrl-C ends it",
    "smoke": "play whole battles against a running arena and time them",
    "bench": "measure",
    "configure": "check an Ollama host, then write it into .env",
    "leaderboard": "the standings of the ledger or of a file of votes",
    "study": "from a list of prompts to files of votes: plan, init, check, write, open, status, …",
    "judge": "let a model judge what people judged, and compare it with them",
    "withdraw": "take back the link of a battle that somebody shared",
    "export": "write the votes to a file for other tools",
    "import": "take votes from files into the ledger",
    "audit": "find raters whose votes are improbable, and what ranks would be without them",
    "exclude": "list what is not ranked because an operator says so; exclude, and include again",
    "verify": "find votes that were changed, taken out or put in, and tell the ledger's head",
    "backup": "copy the ledger into a file while the arena runs, and check the copy",
    "restore": "put a copy back in the ledger's place, and check it",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, serve where none is named; returns the exit code: 0 well, 1 not well, 2 a
    wrong command line, and what a command says besides. Errors are one kind line, without a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in HELP):
        arguments = ["serve", *arguments]
    quiet_libraries()
    _open_streams()
    parser = argparse.ArgumentParser(
        prog=called(),
        description="Progressive Arena: language models answer blind, the weakest is voted out. "
        "Without a command it serves the page.",
        epilog="Settings come from .env and the environment; see docs/operators.md.",
    )
    # Commands report what goes wrong themselves; only the server keeps a log.
    parser.set_defaults(log_level=logging.CRITICAL)
    _grow(parser, sys.modules[__name__], arguments)
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a sign gets another one instead of nothing at all.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    logging.basicConfig(level=options.log_level, format="%(levelname)s %(name)s: %(message)s")
    try:
        code = options.run(options)
        if iscoroutine(code):
            import asyncio

            code = asyncio.run(code)
        sys.stdout.flush()
        return int(code)
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


def _open_streams() -> None:
    """Those that were closed lead nowhere: what is written there would fail, or go into whatever
    file is opened next, which gets their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 -- open to the end


def _grow(parser: argparse.ArgumentParser, home: ModuleType, words: Sequence[str]) -> None:
    """Give the parser the commands of a package, each with what it does. The one that is asked
    for, the first of the words, adds its own arguments, or commands of its own."""
    kinds = parser.add_subparsers(metavar="command", required=True)
    for name, does in home.COMMANDS.items():
        made = kinds.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.")
        if words and words[0] == name:
            command = _command(home, name)
            if hasattr(command, "COMMANDS"):
                _grow(made, command, words[1:])
            else:
                made.set_defaults(run=command.run)
                command.arguments(made)


def _command(home: ModuleType, name: str) -> Any:
    """Its file, or whatever stands for one that shares a file with others."""
    together = getattr(home, "TOGETHER", {})
    file = name.replace("-", "_") + "_" * iskeyword(name)
    return together.get(name) or importlib.import_module(f"{home.__name__}.{file}")
