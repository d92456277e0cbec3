"""`arena serve`, which is what is done without a command: the page, until it is stopped.

It draws what the house tells. It does not know adapters or Gradio.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from getpass import getpass
from socket import socket
from typing import TYPE_CHECKING, Any

from arena import settings as config
from arena.cli.terminal import Bar, console, errors, refused
from arena.core.errors import BadInput, ConfigError, NotHeard, NotThere, UnfitLedger
from arena.settings import Settings

if TYPE_CHECKING:
    from arena.core.ports import Readiness

MISCONFIGURED = 78
"""The exit code, sysexits' EX_CONFIG, where only another setting helps; whoever starts the arena
again until what it needs is there knows by it not to."""


def arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(log_level=logging.WARNING)
    parser.add_argument("--share", action="store_true", help="ask Gradio for a public link")
    parser.add_argument("--port", default="", help="instead of ARENA_PORT; 0 takes any free one")


def run(options: Namespace) -> int:
    try:
        return _serve(options)
    except (NotHeard, NotThere):
        raise
    except (ConfigError, UnfitLedger) as error:
        refused(error)
        return MISCONFIGURED


def _serve(options: Namespace) -> int:
    settings = config.load(ARENA_PORT=options.port)
    if options.share and sys.stdin.isatty():
        settings = asked(settings, ARENA_PORT=options.port)
    # What is imported stays; looking through it for garbage takes a fifth of the start. The app
    # enables it again.
    gc.disable()
    from arena.server import memory, serving

    sock = serving.listen(settings.bind, settings.port)
    with unread():
        console.print("Progressive Arena", style="bold")
    from arena.compose import House
    from arena.server.application import build_app, exposure

    memory.share_heaps()
    terminal = Terminal()
    house = House(settings, terminal.show)
    house.check()
    notes = (*config.misspelt(), config.older_votes(settings), exposure(settings, options.share))
    with unread():
        console.print(f"  votes   {house.ledger.place}")
        for note in filter(None, notes):
            console.print(f"  note    {note}", style="yellow")
    app = build_app(house, shared=options.share)
    stopping = serving.Stopping(house.stores.feed.close, house.drain, settings.stop_s)
    server = serving.Server(app, sock, stopping, settings.proxies)

    @unread()
    def started() -> None:
        console.print(f"  page    [bold]{serving.url_of(sock)}[/bold]", markup=True)
        if options.share:
            _share(sock)

    try:
        server.run(started)
    except KeyboardInterrupt:
        pass  # uvicorn has closed everything and passes the signal on.
    finally:
        terminal.close()
    with unread():
        console.print("Stopped. Votes are kept.")
    return 0


@contextmanager
def unread() -> Iterator[None]:
    """What serves goes on though nobody can read any more what it prints: the pipe was closed, the
    terminal is gone, the log's disk is full."""
    try:
        yield
    except (OSError, SystemExit):  # With a pipe rich would end the program.
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def asked(settings: Settings, **given: Any) -> Settings:
    """With what whoever sits at the terminal types where the public would meet no limit."""
    questions: Mapping[str, tuple[object, str, Callable[[str], str]]] = {
        "ARENA_PASSWORD": (settings.gated, "password for visitors (empty for none)", getpass),
        "ARENA_OPENS_PER_MINUTE": (
            settings.opens_per_minute,
            "battles one may open a minute (empty for no limit)",
            input,
        ),
    }
    try:
        for key, (there, question, ask) in questions.items():
            if not there and (typed := ask(f"  share   {question}: ").strip()):
                given[key] = typed
    except EOFError:
        raise BadInput(
            f"Nothing is shared before that is answered. Press Enter for none, or set "
            f"{' and '.join(questions)} beforehand."
        ) from None
    return config.load(**given)


def _share(sock: socket) -> None:
    from arena.server import serving

    try:
        link = serving.share(sock)
    except serving.NoPublicLink as error:
        errors.print(f"  public  {error}", style="yellow")
        return
    console.print(f"  public  [bold]{link}[/bold]", markup=True)
    console.print(scannable(link))


def scannable(link: str) -> str:
    """The link as a QR code of the terminal's characters."""
    import segno

    code = io.StringIO()
    segno.make(link, micro=False).terminal(code, compact=True)
    return code.getvalue()


class Terminal:
    """Draws readiness: a bar while something loads, a line when something has changed."""

    def __init__(self) -> None:
        self._bar = Bar()
        self._last = ""

    @unread()
    def show(self, readiness: Readiness, report: str) -> None:
        """report: which hosts and models are used, for the operator's eyes."""
        if readiness.progress is not None and not readiness.ready:
            self._bar.show(readiness.headline, readiness.progress)
            return
        self.close()
        line = " ".join(filter(None, (readiness.headline, readiness.detail)))
        if line != self._last:
            self._last = line
            style = "green" if readiness.ready else ""
            console.print(f"  status  {line}", style=style)
            for note in report.splitlines():
                console.print(f"  {note}")

    @unread()
    def close(self) -> None:
        self._bar.close()
