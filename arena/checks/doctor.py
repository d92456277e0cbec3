"""What doctor finds: what would keep the arena of these settings from playing on this machine.

It looks and changes nothing: no model is loaded, no engine started, no ledger created. It does
not know adapters; hosts are looked at through compose.
"""

import ssl
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from email.utils import parsedate_to_datetime
from importlib.util import find_spec

import httpx

from arena import settings as config
from arena.addresses import HostAddress
from arena.checks import stores
from arena.checks.findings import Finding, called, fail, ok, warn
from arena.compose import House, reaching, reply_tokens, tls_of
from arena.core.errors import ArenaError, ConfigError
from arena.core.hosts.placement import Share
from arena.core.hosts.report import HostReport
from arena.settings import Settings

SKEW_S = 5.0
CLOCK_TIMEOUT_S = 3.0
START_HOST = (
    "Start Ollama there, let it listen on its network address (OLLAMA_HOST=0.0.0.0 on that "
    "machine), open its port to this machine only; or correct OLLAMA_HOST here."
)
INSTALL = "Install models with `ollama pull NAME` on the host, or change ARENA_MODELS."
LOAD = f"Load them now: {called()} warm. Keep them loaded: OLLAMA_KEEP_ALIVE=-1 on the host."
FREE_VRAM = (
    "Free VRAM there: fewer models (OLLAMA_MAX_LOADED_MODELS), a smaller ARENA_CONTEXT, a smaller "
    "OLLAMA_NUM_PARALLEL, or a bigger GPU."
)
SEE_DRIVER = "Check the GPU's driver there (nvidia-smi, and Ollama's log at its start)."
SET_CLOCK = "Turn on time synchronisation (timedatectl set-ntp true) on both machines."


async def examine() -> list[Finding]:
    """Every check that can be made, in the order in which things depend on each other."""
    try:
        settings = config.load()
        found = [_settings_read(), *(warn("settings", said) for said in config.misspelt())]
        for check in (stores.examine(settings), _hosts(settings)):
            found += [finding async for finding in check]
        return found
    except ConfigError as error:
        place = f"Correct it in {config.ENV_FILE} or in the environment, which wins."
        return [fail("settings", str(error), place)]


def _settings_read() -> Finding:
    file = config.ENV_FILE
    read = f"read from {file}" if file.is_file() else f"defaults, as there is no {file}"
    count = len(config.setting_fields())
    return ok("settings", f"all {count} are in order ({read} and the environment)")


async def _hosts(settings: Settings) -> AsyncIterator[Finding]:
    try:
        async with reaching(settings, engine=False) as house:
            reports = house.hosts.reports()
            if not reports:
                yield _engine(settings)
                return
            models = {m.name for r in reports for m in r.models if m.plays}
            for report in reports:
                for finding in _host(report, models):
                    yield finding
            for finding in _together(house, reports):
                yield finding
            for finding in _roster(house, settings):
                yield finding
            yield _time(house, settings)
            addresses = {address.url: address for address in settings.hosts()}
            for report in (r for r in reports if r.up):
                clock = await _clock(report.url, addresses.get(report.url), tls_of(settings))
                if clock:
                    yield clock
    except ConfigError:
        raise
    except ArenaError as error:
        yield fail("hosts", str(error), START_HOST)


def _engine(settings: Settings) -> Finding:
    """No host is set and none is on this machine."""
    files = [model.path for model in settings.engine_models if model.path]
    if gone := ", ".join(str(file) for file in files if not file.is_file()):
        text = f"the model files {gone} of the embedded engine cannot be read"
        return fail("hosts", text, "Check their paths in ARENA_ENGINE_MODELS.")
    what = "no host is set and no local Ollama has two of the models: the embedded engine is used"
    if find_spec("xllamacpp"):
        return ok("hosts", what)
    return fail("hosts", f"{what}, but it is not installed", "pip install -r requirements.txt")


def _host(report: HostReport, models: set[str]) -> Iterator[Finding]:
    """models: those of the roster that any host has."""
    url = report.url
    if not report.up:
        yield fail("host", report.last_fault or f"{url} is down", START_HOST)
        return
    installed = f"{len(report.models)} models installed"
    server = "Ollama" if report.kind == "ollama" else "OpenAI-compatible"
    yield ok("host", f"{url} answers: {server} {report.version}, {installed}")
    playing = [m for m in report.models if m.plays]
    if missing := sorted(models - {m.name for m in playing}):
        text = f"{url} lacks {', '.join(missing)}: other hosts have to write for it"
        pull = " && ".join(f"ollama pull {name}" for name in missing)
        yield warn("models", text, f"On that host: {pull}")
    loaded = [m for m in playing if m.resident]
    if report.kind != "ollama":
        yield ok("loaded", f"what {url} has loaded, and where, is not known: it does not tell")
        return
    if cold := ", ".join(m.name for m in playing if not m.resident):
        text = f"{url} has not loaded {cold}: the arena does so when it starts"
        yield warn("loaded", text, LOAD)
    elif playing:
        yield ok("loaded", f"{url} has loaded all {len(playing)} models of the roster")
    halved = ", ".join(m.name for m in loaded if m.share is Share.PART)
    on_cpu = ", ".join(m.name for m in loaded if m.share is Share.NONE)
    if halved:
        text = f"{url} holds {halved} partly on its CPU: not fit for battles"
        yield fail("vram", text, FREE_VRAM)
    if on_cpu:
        yield warn("vram", f"{url} runs {on_cpu} on its CPU: many times slower", SEE_DRIVER)
    if loaded and not halved and not on_cpu:
        vram = f"{report.vram / 1e9:.1f} GB"
        yield ok("vram", f"{url}: all loaded models are wholly on the GPU, {vram}")


def _together(house: House, reports: Sequence[HostReport]) -> Iterator[Finding]:
    """What can be said of all hosts only. Without any, the roster is no news."""
    up = [r for r in reports if r.up]
    if not up:
        return
    if len(up) > 1 and len({r.version for r in up}) == 1:
        yield ok("versions", f"all {len(up)} hosts run Ollama {up[0].version}")
    own = {problem for r in reports for problem in r.problems}
    for problem in house.hosts.problems:
        if problem not in own:
            yield warn("roster", problem)
    for report in up:
        for problem in report.problems:
            if "partly on" not in problem:
                yield warn("host", problem)
    if refusal := house.hosts.refusal():
        yield fail("roster", refusal, INSTALL)
    else:
        names = [c.name for c in house.hosts.contenders()]
        yield ok("roster", f"{len(names)} contenders can play: {', '.join(names)}")


def _roster(house: House, settings: Settings) -> Iterator[Finding]:
    """What is to be known of the contenders before the first battle."""
    if thinkers := house.hosts.thinkers():
        named = ", ".join(f"{name} ({way})" for name, way in thinkers.items())
        more = f"up to {settings.think_tokens} tokens more each (ARENA_THINK_TOKENS)"
        yield ok("thinking", f"these think before they reply, {more}: {named}")
    else:
        yield ok("thinking", "no contender thinks before it replies")
    for doubt in house.hosts.doubts():
        yield warn("models", doubt)


def _time(house: House, settings: Settings) -> Finding:
    """What a battle may take: nothing is asked of a host to find out, and models would be loaded."""
    most = reply_tokens(settings, house.hosts.roster())
    most += settings.think_tokens if house.hosts.thinkers() else 0
    slow, quick = (f"{most / speed:.0f} s at {speed} tokens/s" for speed in (10, 40))
    text = f"a battle takes as long as its slowest reply of up to {most} tokens: {quick}, {slow}"
    more = "each follow-up as long again"
    return ok("time", f"{text}; {more}; `{called()} bench hosts` measures yours")


async def _clock(
    url: str, address: HostAddress | None, tls: ssl.SSLContext | None
) -> Finding | None:
    """The host's clock by the Date it sends; None where it sends none."""
    headers = {"Authorization": f"Bearer {address.token}"} if address and address.token else {}
    try:
        async with httpx.AsyncClient(
            trust_env=False, timeout=CLOCK_TIMEOUT_S, verify=tls or True
        ) as client:
            response = await client.get(f"{url}/api/version", headers=headers)
    except httpx.HTTPError:
        return None
    return clock_finding(url, response.headers.get("date", ""), time.time())


def clock_finding(url: str, date: str, now: float) -> Finding | None:
    """date: of the host's answer, to the second; now: seconds since the epoch here."""
    try:
        skew = parsedate_to_datetime(date).timestamp() - now
    except ValueError:
        return None
    if abs(skew) <= SKEW_S:
        return ok("clock", f"{url} is within {SKEW_S:.0f} s of this machine")
    way = "ahead of" if skew > 0 else "behind"
    text = f"{url} is {abs(skew):.0f} s {way} this machine: their logs cannot be compared"
    return warn("clock", text, SET_CLOCK)
