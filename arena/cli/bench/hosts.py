"""`arena bench hosts`: measure every host, print the table, write the files.

It draws and stores what `arena.bench` measures, and does not know how that is done.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from arena import settings as config
from arena.cli.arguments import MOST, as_json, number, numbers
from arena.cli.files import writable
from arena.cli.terminal import Bar, console, figure, print_json, refused, table
from arena.core.errors import NoCapacity
from arena.settings import Settings

if TYPE_CHECKING:
    from arena.bench.hosts import Ratio, Row


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Measures every model of the roster on every host, the way battles ask them. Run it while "
        "nobody plays."
    )
    users = "how many users at once, each asking all models"
    numbers(parser, "--users", 1, MOST, "1,5", users)
    cold = "also unload each model once and time how long it takes to load"
    parser.add_argument("--cold", action="store_true", help=cold)
    number(parser, "--repeat", 1, MOST, 3, "replies a figure")
    out = "also write hosts.csv, hosts.json"
    parser.add_argument("--out", default="", metavar="DIR", help=out)
    as_json(parser, "the figures")


async def run(options: Namespace) -> int:
    out = _folder(options.out)
    rows: list[Row] = []
    failed = False
    with Bar() as bar:
        for settings in one_by_one(config.load()):
            try:
                rows += await _one_host(settings, options, bar)
            except NoCapacity as error:
                bar.close()
                refused(error)
                failed = True
    if options.json:
        print_json(rows)
    else:
        _print(rows)
    if out and rows:
        _write(out, rows)
    return int(failed or any(row.failed for row in rows))


def one_by_one(settings: Settings) -> list[Settings]:
    """The same settings with each of the hosts alone; as they are where none is set."""
    alone = [
        replace(settings, ollama_hosts=(host.url,), tokens=(host.token,))
        for host in settings.hosts()
    ]
    return alone or [settings]


async def _one_host(settings: Settings, options: Namespace, bar: Bar) -> list[Row]:
    from arena.bench.hosts import HostBench, Plan
    from arena.compose import reaching

    async with reaching(settings, bar.readiness) as house:
        hosts = house.hosts
        await hosts.warm(bar.loading)
        await hosts.look()
        (report,) = hosts.reports()
        if refusal := "" if hosts.contenders() else hosts.refusal():
            raise NoCapacity(f"{report.url}: {refusal} {report.last_fault}".strip())
        paid = report.url in {address.url for address in settings.hosts()}
        # This machine's own Ollama or engine is not paid for by the hour.
        price = settings.gpu_cost if paid else 0.0
        plan = Plan(options.repeat, options.users, price, hosts.unload if options.cold else None)
        return await HostBench(hosts, report.url, report.version, plan, bar.show).run()


# Drawing and storing ---------------------------------------------------------------------------


def _print(rows: Sequence[Row]) -> None:
    if not rows:
        return
    urls = list(dict.fromkeys(row.host for row in rows))
    for url in urls:
        own = [row for row in rows if row.host == url]
        console.print(table(f"{url}  Ollama {own[0].version}", FIGURES, own, TEXTS))
    if len(urls) == 2:
        from arena.bench.hosts import ratios

        first, second = urls
        drawn = table(f"{second} against {first}", RATIOS, ratios(rows, first, second), TEXTS)
        console.print(drawn)
    console.print(
        "First token, tokens/s and reply are those of single replies; all tokens/s is what the "
        "host wrote in a second. A query is a reply, with several users one person's prompt to all."
    )


def _scene(row: Row | Ratio) -> str:
    if row.scene == "users":
        return f"{row.users} user{'s' if row.users > 1 else ''}"
    return f"with {row.with_}" if row.scene == "pair" else row.scene


TEXTS = ("Scene", "Contender")
FIGURES: Mapping[str, Callable[[Row], str]] = {
    "Scene": lambda r: _scene(r) + ("" if r.load_s is None else f", loads in {r.load_s:.1f} s"),
    "Contender": lambda r: r.contender,
    "First token p50/p95": lambda r: (
        f"{figure(r.ttft_s.p50, '{:.2f}')} / {figure(r.ttft_s.p95, '{:.2f} s')}"
    ),
    "Tokens/s": lambda r: figure(r.tokens_per_s.p50),
    "All tokens/s": lambda r: figure(r.throughput),
    "Reply p50/p95": lambda r: f"{figure(r.total_s.p50)} / {figure(r.total_s.p95, '{:.1f} s')}",
    "Failed": lambda r: f"{r.failed} ({r.faults})" if r.failed else "0",
    "Cost/query": lambda r: figure(r.cost, "{:.6f}"),
}
RATIOS: Mapping[str, Callable[[Ratio], str]] = {
    "Scene": _scene,
    "Contender": lambda r: r.contender,
    "Faster": lambda r: figure(r.speed, "{:.2f}×"),
    "First token sooner": lambda r: figure(r.first_token, "{:.2f}×"),
}


def _folder(text: str) -> Path | None:
    """Created before anything is measured, so that no measurement is lost."""
    if not text:
        return None
    folder = Path(text)
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "hosts.csv").touch()
    return folder


def _write(folder: Path, rows: Sequence[Row]) -> None:
    import pandas as pd

    told = [asdict(row) for row in rows]
    # A spread becomes columns; figures to the microsecond, which is more than they are worth.
    flat = pd.json_normalize(told, sep="_").rename(columns={"with_": "with"}).round(6)
    flat.to_csv(folder / "hosts.csv", index=False)
    (folder / "hosts.json").write_text(json.dumps(told, indent=2), encoding="utf-8")
    console.print(f"Written: {folder / 'hosts.csv'}, {folder / 'hosts.json'}")
