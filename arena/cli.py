"""The command line: `python app.py` and `python -m arena …`.

It draws on the terminal what the house tells. It does not know adapters or Gradio.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from arena import settings as config
from arena.core.ports import ArenaError, Readiness

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def main(arguments: Sequence[str]) -> int:
    """Run a command; returns the exit code. Errors are one kind line, without a traceback."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        return int(options.run(options))
    except ArenaError as error:
        errors.print(f"{error.title}: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m arena", description="Progressive Arena")
    commands = parser.add_subparsers(metavar="command", required=True)
    serve = commands.add_parser("serve", help="serve the page (what `python app.py` does)")
    serve.add_argument("--share", action="store_true", help="ask Gradio for a public link")
    serve.add_argument("--port", default="", help="instead of ARENA_PORT; 0 takes any free port")
    serve.set_defaults(run=_serve)
    return parser


def _serve(options: argparse.Namespace) -> int:
    settings = config.load(ARENA_PORT=options.port)
    config.quiet_libraries()
    from arena import serving

    sock = serving.listen(settings.bind, settings.port)
    console.print("[bold]Progressive Arena[/bold]")
    from arena.compose import House, build_app

    terminal = Terminal()
    house = House(settings, terminal.show)
    server = serving.Server(build_app(house), sock, house.feed.close)

    def started() -> None:
        console.print(f"  page    [bold]{serving.url_of(sock)}[/bold]")
        if options.share:
            _share(sock)

    try:
        server.run(started)
    except KeyboardInterrupt:
        pass  # uvicorn has closed everything and passes the signal on.
    finally:
        terminal.close()
    console.print("Stopped. Votes are kept.")
    return 0


def _share(sock: object) -> None:
    from arena import serving

    try:
        console.print(f"  public  [bold]{serving.share(sock)}[/bold]")  # type: ignore[arg-type]
    except serving.NoPublicLink as error:
        errors.print(f"  public  {error}", style="yellow", markup=False)


class Terminal:
    """Draws readiness: a bar while something loads, a line when something has changed."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last = ""

    def show(self, readiness: Readiness, report: str) -> None:
        """report: which hosts and models are used, for the operator's eyes."""
        if readiness.progress is not None and not readiness.ready:
            self._advance(readiness)
            return
        self.close()
        line = " ".join(filter(None, (readiness.headline, readiness.detail)))
        if line != self._last:
            self._last = line
            style = "green" if readiness.ready else ""
            console.print(f"  status  {line}", style=style, markup=False)
            for note in report.splitlines():
                console.print(f"  {note}", markup=False)

    def close(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = self._task = None

    def _advance(self, readiness: Readiness) -> None:
        if not self._bar or self._task is None:
            columns = (TextColumn("  {task.description}"), BarColumn(), TaskProgressColumn())
            self._bar = Progress(*columns, console=console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(readiness.headline, total=1.0)
        self._bar.update(
            self._task, description=readiness.headline, completed=readiness.progress
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
