"""`arena warm`: load the roster on every host, and say what is loaded where.

It does not know how models are loaded, only how far that is.
"""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from operator import itemgetter

from arena import settings as config
from arena.cli.terminal import DASH, Bar, console, gigabytes, refused, table
from arena.core.errors import NoCapacity
from arena.core.hosts.placement import Share
from arena.core.hosts.report import HostReport

PLACES = {
    Share.FULL: "on the GPU",
    Share.PART: "partly on the CPU",
    Share.NONE: "on the CPU",
    Share.UNKNOWN: "not loaded",
}


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Exit code 0: every model is resident wherever it is installed; 1: not so."


async def run(_: Namespace) -> int:
    from arena.compose import reaching

    async with reaching(config.load(), engine=False) as house:
        if not house.hosts.reports():
            console.print(
                "No host is set and no local Ollama has two of the models: the arena uses its "
                "embedded engine, which it warms itself when it starts. There is nothing to do."
            )
            return 0
        started = time.monotonic()
        with Bar() as bar:
            await house.hosts.warm(bar.loading)
        await house.hosts.look()
        reports = house.hosts.reports()
        _print(reports, time.monotonic() - started)
        for problem in house.hosts.problems:
            console.print(f"  note  {problem}", style="yellow")
        if refusal := house.hosts.refusal():
            refused(NoCapacity(refusal))
        warm = all(r.up and all(m.resident for m in r.models if m.plays) for r in reports)
        return int(bool(refusal) or not warm)


def _print(reports: Sequence[HostReport], seconds: float) -> None:
    rows = []
    for report in reports:
        for model in (m for m in report.models if m.plays):
            vram = gigabytes(model.vram) if model.resident else DASH
            place = PLACES[model.share if model.resident else Share.UNKNOWN]
            rows.append((report.url, model.name, place, vram))
        if not report.up:
            rows.append((report.url, DASH, "host is down", DASH))
    texts = ("Host", "Model", "Loaded")
    columns = {name: itemgetter(place) for place, name in enumerate((*texts, "VRAM"))}
    console.print(table(f"Warmed in {seconds:.1f} s", columns, rows, texts))
