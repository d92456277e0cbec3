"""The Hosts tab, for operators: each host with its state, models, speeds, faults and cost.

Nothing of it is in the page before the tab is opened. While somebody follows a battle that is not
decided, all that moves with a reply is left out (speeds, loads, slots, faults), for it could tell
who wrote it; names, sizes and what the host is stay. It does not know how hosts are watched.
"""

from collections.abc import Awaitable, Callable, Iterable
from html import escape

import gradio as gr

from arena.core.errors import ArenaError
from arena.core.hosts.overview import Overview
from arena.core.hosts.placement import Share
from arena.core.hosts.report import HostReport, ModelReport, Spread
from arena.web import operators

DASH = "–"
LOOKING = "<p>Looking at the hosts …</p>"
NO_HOSTS = "<p>No host is in use yet: the arena is still starting. Refresh in a moment.</p>"
BLIND = """
<p class="host-note">Somebody is in the middle of a blind battle, so rows are kept short: speeds,
loads and faults that move could tell who is who. Decide the battle and refresh, or look at
<code>python -m arena monitor</code>.</p>
"""
LEGEND = """
<p class="host-legend">First token and tokens/s are median and 95th percentile of the newest warm
replies on this server. Cost per battle is the median time from the first word to the last, at
{price:g} an hour (<code>ARENA_GPU_COST_PER_HOUR</code>), as if the host did nothing else.</p>
"""
HEADERS = ("Model", "Size", "Loaded", "VRAM", "First token", "Tokens/s", "Replies")
SHORT_HEADERS = HEADERS[:2]
LOADED = {
    Share.FULL: "on the GPU",
    Share.PART: "partly on the CPU",
    Share.NONE: "on the CPU",
    Share.UNKNOWN: "no",
}


def build(tab: gr.Tab, overview: Callable[[], Awaitable[Overview]]) -> None:
    """Fill `tab`, which must be open (`with gr.Tab(…) as tab:`)."""
    with gr.Row(equal_height=True):
        gr.Markdown("## Hosts")
        refresh = gr.Button("Refresh", elem_id="hosts-refresh", size="sm", scale=0, min_width=110)
    shown = gr.HTML(LOOKING, elem_id="hosts", apply_default_css=False, js_on_load=None)

    async def show(request: gr.Request) -> str:
        try:
            if not operators.is_operator(request):
                raise operators.OperatorsOnly
            return draw(await overview())
        except ArenaError as error:
            return f"<p><b>{escape(error.title)}.</b> {escape(str(error))}</p>"

    for opened in (tab.select, refresh.click):
        opened(show, outputs=shown, queue=False, show_progress="hidden", api_visibility="private")


def draw(now: Overview) -> str:
    if not now.hosts:
        return NO_HOSTS
    notes = [] if now.watched else [f'<p class="host-note">{escape(n)}</p>' for n in now.notes]
    cards = [_card(host, now) for host in now.hosts]
    blind = BLIND if now.watched else ""
    return "".join([f"<p>{escape(now.source)}</p>", blind, *notes, *cards]) + LEGEND.format(
        price=now.price
    )


def _card(host: HostReport, now: Overview) -> str:
    state = ("up" if host.breaker == "closed" else host.breaker) if host.up else "down"
    cost = now.costs.get(host.url)
    facts = {
        "Ollama": escape(host.version) or DASH,
        "VRAM used": _gigabytes(host.vram),
        "Slots": f"{host.slots} for each model",
        "Writing now": DASH if now.watched else str(host.leases),
        "Waiting": DASH if now.watched else str(host.queue),
        "Cost per battle": f"{cost.cost:.5f} ({cost.seconds:.1f} s)" if cost else DASH,
    }
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    return (
        f'<section class="host" data-state="{state}"><h3>{escape(host.url)} '
        f'<span class="chip" data-state="{state}">{_said(state)}</span></h3>'
        f"<dl>{listed}</dl>{_models(host.models, now.watched)}"
        f"{'' if now.watched else _faults(host)}</section>"
    )


def _said(state: str) -> str:
    return {"open": "left alone after faults", "trial": "on trial after faults"}.get(state, state)


def _models(models: Iterable[ModelReport], watched: bool) -> str:
    headers = SHORT_HEADERS if watched else HEADERS
    head = "".join(f'<th scope="col">{name}</th>' for name in headers)
    rows = "".join(_row(model, watched) for model in sorted(models, key=lambda m: not m.plays))
    return (
        '<div class="host-models" tabindex="0" role="region" aria-label="Models">'
        f"<table><tr>{head}</tr>{rows}</table></div>"
    )


def _row(model: ModelReport, watched: bool) -> str:
    role = "" if model.plays else " <small>not on the roster</small>"
    unfit = f" <small>{escape(model.unfit)}</small>" if model.unfit and not watched else ""
    quantization = f" {escape(model.quantization)}" if model.quantization else ""
    cells = [f"{escape(model.name)}{role}{unfit}", f"{_gigabytes(model.size)}{quantization}"]
    if not watched:
        cells += [
            LOADED[model.share],
            _gigabytes(model.vram) if model.resident else DASH,
            _spread(model.ttft_ms, 1 / 1000, "{:.2f} s"),
            _spread(model.tokens_per_s, 1.0, "{:.1f}"),
            str(model.tokens_per_s.count),
        ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _faults(host: HostReport) -> str:
    counted = ", ".join(f"{escape(f.model)}: {escape(f.kind)} {f.count}×" for f in host.faults)
    lines = [f"Faults: {counted or 'none'}."]
    if host.last_fault:
        lines.append(f"The last one: {escape(host.last_fault)}")
    return "".join(f'<p class="host-faults">{line}</p>' for line in lines)


def _spread(spread: Spread, scale: float, how: str) -> str:
    if spread.p50 is None or spread.p95 is None:
        return DASH
    return f"{how.format(spread.p50 * scale)} / {how.format(spread.p95 * scale)}"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
