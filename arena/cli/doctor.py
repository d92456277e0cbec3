"""`python -m arena doctor`: what would keep the arena from playing, and how to mend it.

It looks and changes nothing: no model is loaded, no engine started, no ledger created. It does
not know adapters; hosts are looked at through compose.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

import httpx

from arena import settings as config
from arena.cli import storage
from arena.cli.terminal import called, console, gigabytes, print_json
from arena.core.errors import ArenaError, ConfigError
from arena.core.hosts.placement import Share
from arena.core.hosts.report import HostReport, ModelReport

if TYPE_CHECKING:
    from arena.addresses import HostAddress
    from arena.compose import House
    from arena.settings import Settings

STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}
SKEW_S = 5.0
CLOCK_TIMEOUT_S = 3.0
START_HOST = (
    "Start Ollama there, let it listen on its network address (OLLAMA_HOST=0.0.0.0 on that "
    "machine), open its port to this machine only; or correct OLLAMA_HOST here."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """status: ok, warn (battles can be played) or fail (something has to be mended first)."""

    check: str
    status: str
    message: str
    mend: str = ""


def doctor(options: argparse.Namespace) -> int:
    return told(asyncio.run(examine()), as_json=options.json)


def told(findings: Sequence[Finding], *, as_json: bool) -> int:
    """Print the findings; returns the exit code: 1 where something has to be mended."""
    failed = any(f.status == "fail" for f in findings)
    if as_json:
        print_json({"ok": not failed, "findings": [asdict(f) for f in findings]})
        return int(failed)
    for finding in findings:
        line = f"{finding.status:<5} {finding.check:<9} {finding.message}"
        console.print(line, style=STYLES[finding.status], markup=False)
        if finding.mend:
            console.print(f"{'':<16}{finding.mend}", markup=False)
    counts = {status: sum(f.status == status for f in findings) for status in STYLES}
    problems = "1 problem" if counts["fail"] == 1 else f"{counts['fail']} problems"
    warnings = "1 warning" if counts["warn"] == 1 else f"{counts['warn']} warnings"
    console.print(f"{problems}, {warnings}.")
    return int(failed)


async def examine() -> list[Finding]:
    """Every check that can be made, in the order in which things depend on each other."""
    try:
        settings = config.load()
        findings = [_settings_read(settings)]
        findings += [Finding(*found) for found in storage.examine(settings)]
        findings += await _hosts(settings)
    except ConfigError as error:
        place = f"Correct it in {config.ENV_FILE} or in the environment, which wins."
        return [Finding("settings", "fail", str(error), place)]
    return findings


def _settings_read(settings: Settings) -> Finding:
    file = config.ENV_FILE
    read = f"read from {file}" if file.is_file() else f"defaults, as there is no {file}"
    count = len(config.setting_fields())
    return Finding("settings", "ok", f"all {count} are in order ({read} and the environment)")


async def _hosts(settings: Settings) -> list[Finding]:
    from arena.compose import reaching, tls_of

    try:
        async with reaching(settings, engine=False) as house:
            reports = house.hosts.reports()
            if not reports:
                return [_engine()]
            addresses = {address.url: address for address in settings.hosts()}
            tls = tls_of(settings)
            clocks = [await _clock(r, addresses.get(r.url), tls) for r in reports if r.up]
            models = {m.name for r in reports for m in r.models if m.plays}
            found = [finding for report in reports for finding in _host(report, models)]
            return [*found, *_together(house, reports), *filter(None, clocks)]
    except ConfigError:
        raise
    except ArenaError as error:
        return [Finding("hosts", "fail", str(error), START_HOST)]


def _engine() -> Finding:
    """No host is set and none is on this machine."""
    what = "no host is set and no local Ollama has two of the models: the embedded engine is used"
    if find_spec("xllamacpp"):
        return Finding("hosts", "ok", what)
    return Finding(
        "hosts", "fail", f"{what}, but it is not installed", "pip install -r requirements.txt"
    )


def _host(report: HostReport, models: set[str]) -> Iterator[Finding]:
    """models: those of the roster that any host has."""
    if not report.up:
        yield Finding("host", "fail", report.last_fault or f"{report.url} is down", START_HOST)
        return
    installed = f"{len(report.models)} models installed"
    yield Finding("host", "ok", f"{report.url} answers: Ollama {report.version}, {installed}")
    playing = [m for m in report.models if m.plays]
    if missing := sorted(models - {m.name for m in playing}):
        text = f"{report.url} lacks {', '.join(missing)}: other hosts have to write for it"
        mend = " && ".join(f"ollama pull {name}" for name in missing)
        yield Finding("models", "warn", text, f"On that host: {mend}")
    if playing:
        yield _residency(report.url, playing)
        yield from _vram(report, playing)


def _residency(url: str, playing: list[ModelReport]) -> Finding:
    cold = [m.name for m in playing if not m.resident]
    if not cold:
        return Finding("loaded", "ok", f"{url} has loaded all {len(playing)} models of the roster")
    return Finding(
        "loaded",
        "warn",
        f"{url} has not loaded {', '.join(cold)}: the arena does so when it starts",
        f"Load them now: {called()} warm. Keep them loaded: OLLAMA_KEEP_ALIVE=-1 on the host.",
    )


def _vram(report: HostReport, playing: list[ModelReport]) -> Iterator[Finding]:
    loaded = [m for m in playing if m.resident]
    halved = [m.name for m in loaded if m.share is Share.PART]
    on_cpu = [m.name for m in loaded if m.share is Share.NONE]
    if halved:
        mend = (
            "Free VRAM there: fewer models (OLLAMA_MAX_LOADED_MODELS), a smaller ARENA_CONTEXT, "
            "a smaller OLLAMA_NUM_PARALLEL, or a bigger GPU."
        )
        text = f"{report.url} holds {', '.join(halved)} partly on its CPU: not fit for battles"
        yield Finding("vram", "fail", text, mend)
    if on_cpu:
        mend = "Check the GPU's driver there (nvidia-smi, and Ollama's log at its start)."
        text = f"{report.url} runs {', '.join(on_cpu)} on its CPU: many times slower"
        yield Finding("vram", "warn", text, mend)
    if loaded and not halved and not on_cpu:
        text = f"{report.url}: all loaded models are wholly on the GPU, {gigabytes(report.vram)}"
        yield Finding("vram", "ok", text)


def _together(house: House, reports: tuple[HostReport, ...]) -> Iterator[Finding]:
    """What can be said of all hosts only. Without any, the roster is no news."""
    up = [r for r in reports if r.up]
    if not up:
        return
    if len(up) > 1 and len({r.version for r in up}) == 1:
        yield Finding("versions", "ok", f"all {len(up)} hosts run Ollama {up[0].version}")
    own = {problem for r in reports for problem in r.problems}
    for problem in house.hosts.problems:
        if problem not in own:
            yield Finding("roster", "warn", problem)
    for report in up:
        for problem in report.problems:
            if "partly on" not in problem:
                yield Finding("host", "warn", problem)
    yield _roster(house)


def _roster(house: House) -> Finding:
    names = [c.name for c in house.hosts.contenders()]
    if refusal := house.hosts.refusal():
        mend = "Install models with `ollama pull NAME` on the host, or change ARENA_MODELS."
        return Finding("roster", "fail", refusal, mend)
    return Finding("roster", "ok", f"{len(names)} contenders can play: {', '.join(names)}")


async def _clock(
    report: HostReport, address: HostAddress | None, tls: ssl.SSLContext | None
) -> Finding | None:
    """The host's clock by the Date it sends; None where it sends none."""
    token = address.token if address else ""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with httpx.AsyncClient(
            trust_env=False, timeout=CLOCK_TIMEOUT_S, verify=tls or True
        ) as client:
            response = await client.get(f"{report.url}/api/version", headers=headers)
    except httpx.HTTPError:
        return None
    return clock_finding(report.url, response.headers.get("date", ""), time.time())


def clock_finding(url: str, date: str, now: float) -> Finding | None:
    """date: of the host's answer, to the second; now: seconds since the epoch here."""
    try:
        skew = parsedate_to_datetime(date).timestamp() - now
    except ValueError:
        return None
    if abs(skew) <= SKEW_S:
        return Finding("clock", "ok", f"{url} is within {SKEW_S:.0f} s of this machine")
    way = "ahead of" if skew > 0 else "behind"
    mend = "Turn on time synchronisation (timedatectl set-ntp true) on both machines."
    text = f"{url} is {abs(skew):.0f} s {way} this machine: their logs cannot be compared"
    return Finding("clock", "warn", text, mend)
