"""`python -m arena bench hosts`: measure every host, print the table, write the files.

It draws and stores what `arena.bench` measures, and does not know how that is done.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from arena import settings as config
from arena.bench.hosts import HostBench, Plan, Ratio, Row, ratios
from arena.cli.terminal import Bar, add_row, console, figure, print_json, refused, table
from arena.core.errors import ConfigError, NoCapacity
from arena.settings import Settings

NUMBERS = (
    *("First token p50/p95", "Tokens/s", "All tokens/s"),
    *("Reply p50/p95", "Failed", "Cost/query"),
)


def bench(options: argparse.Namespace) -> int:
    return asyncio.run(_hosts(options))


async def _hosts(options: argparse.Namespace) -> int:
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
        print_json([asdict(row) for row in rows])
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


async def _one_host(settings: Settings, options: argparse.Namespace, bar: Bar) -> list[Row]:
    from arena.compose import reaching

    async with reaching(settings, bar.readiness) as house:
        hosts = house.hosts
        await hosts.warm(bar.step("Loading model"))
        await hosts.look()
        (report,) = hosts.reports()
        if refusal := "" if hosts.contenders() else hosts.refusal():
            raise NoCapacity(f"{report.url}: {refusal} {report.last_fault}".strip())
        paid = report.url in {address.url for address in settings.hosts()}
        # This machine's own Ollama or engine is not paid for by the hour.
        price = settings.gpu_cost if paid else 0.0
        plan = Plan(options.repeat, options.users, price, hosts.unload if options.cold else None)
        told = bar.show
        return await HostBench(hosts, report.url, report.version, plan, told).run()


# Drawing and storing ---------------------------------------------------------------------------


def _print(rows: Sequence[Row]) -> None:
    if not rows:
        return
    urls = list(dict.fromkeys(row.host for row in rows))
    for url in urls:
        own = [row for row in rows if row.host == url]
        title = f"{url}  Ollama {own[0].version}"
        drawn = table(title, "Scene", "Contender", *NUMBERS, numbers=NUMBERS)
        for row in own:
            add_row(drawn, f"{_scene(row)}{_load(row)}", row.contender, *_figures(row))
        console.print(drawn)
    if len(urls) == 2:
        _compare(rows, *urls)
    console.print(
        "First token, tokens/s and reply are those of single replies; all tokens/s is what the "
        "host wrote in a second. A query is a reply, with several users one person's prompt to all."
    )


def _figures(row: Row) -> list[str]:
    spent = figure(row.cost, "{:.6f}")
    failed = f"{row.failed} ({row.faults})" if row.failed else "0"
    return [
        f"{figure(row.ttft_s.p50, '{:.2f}')} / {figure(row.ttft_s.p95, '{:.2f} s')}",
        figure(row.tokens_per_s.p50),
        figure(row.throughput),
        f"{figure(row.total_s.p50)} / {figure(row.total_s.p95, '{:.1f} s')}",
        failed,
        spent,
    ]


def _scene(row: Row | Ratio) -> str:
    if row.scene == "users":
        return f"{row.users} user{'s' if row.users > 1 else ''}"
    return f"with {row.with_}" if row.scene == "pair" else row.scene


def _load(row: Row) -> str:
    return "" if row.load_s is None else f", loads in {row.load_s:.1f} s"


def _compare(rows: Sequence[Row], first: str, second: str) -> None:
    numbers = ("Faster", "First token sooner")
    drawn = table(f"{second} against {first}", "Scene", "Contender", *numbers, numbers=numbers)
    for ratio in ratios(rows, first, second):
        faster, sooner = (figure(value, "{:.2f}×") for value in (ratio.speed, ratio.first_token))
        add_row(drawn, _scene(ratio), ratio.contender, faster, sooner)
    console.print(drawn)


def _folder(text: str) -> Path | None:
    """Created before anything is measured, so that no measurement is lost."""
    if not text:
        return None
    folder = Path(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "hosts.csv").touch()
    except OSError as error:
        raise ConfigError(f"--out {folder}: cannot be written ({error.strerror}).") from error
    return folder


def _write(folder: Path, rows: Sequence[Row]) -> None:
    flat = [_flat(row) for row in rows]
    with (folder / "hosts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(flat[0]))
        writer.writeheader()
        writer.writerows(flat)
    text = json.dumps([asdict(row) for row in rows], indent=2)
    (folder / "hosts.json").write_text(text, encoding="utf-8")
    console.print(f"Written: {folder / 'hosts.csv'}, {folder / 'hosts.json'}", markup=False)


def _flat(row: Row) -> dict[str, Any]:
    """A spread becomes two columns; figures to the microsecond, which is more than they are
    worth."""
    flat: dict[str, Any] = {}
    for name, value in asdict(row).items():
        if isinstance(value, dict):
            flat |= {f"{name}_p50": value["p50"], f"{name}_p95": value["p95"]}
        else:
            flat[name.rstrip("_")] = value
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in flat.items()}
