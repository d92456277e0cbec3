"""A host's state as operators are told it, in the core's words. It asks and decides nothing."""

from collections.abc import Collection

from arena.adapters.hosts.problems import problems_of
from arena.adapters.hosts.shared_leases import AnyLeases
from arena.adapters.hosts.state import HostState
from arena.core.hosts.placement import Breaker, Share
from arena.core.hosts.report import FaultCount, HostReport, ModelReport, Spread


def report(
    state: HostState, leases: AnyLeases, fit: Collection[tuple[str, str]], now: float
) -> HostReport:
    """`fit` are the (host, model) pairs that may play by their share on the GPU."""
    roster_names = {name: model for model, name in state.local.items()}
    return HostReport(
        url=state.url,
        kind=state.host.kind,
        up=state.up,
        breaker=_breaker(state.breaker, now),
        version=state.version,
        slots=state.slots,
        leases=leases.held(state.url),
        queue=sum(leases.waiting(model) for model in state.local),
        vram=sum(r.size_vram for r in state.resident or ()),
        models=tuple(
            _model(state, name, roster_names.get(name, ""), leases, fit)
            for name in sorted(state.installed)
        ),
        faults=tuple(
            FaultCount(model, kind, count) for (model, kind), count in sorted(state.faults.items())
        ),
        last_fault=state.last_fault,
        problems=tuple(problems_of(state, now)),
    )


def _breaker(breaker: Breaker, now: float) -> str:
    if breaker.shut(now):
        return "open"
    return "trial" if breaker.on_trial(now) else "closed"


def _model(
    state: HostState, name: str, model: str, leases: AnyLeases, fit: Collection[tuple[str, str]]
) -> ModelReport:
    """`model` is the roster's name for it, empty if it does not play."""
    known = state.installed[name]
    own = next((r for r in state.resident or () if r.name == name), None)
    held = own or (state.held(model) if model else None)
    unfit = state.unfit(model) if model else ""
    if model and not unfit and (state.url, model) not in fit:
        unfit = "partly on the CPU"
    return ModelReport(
        name=name,
        digest=known.digest,
        size=known.size,
        quantization=known.quantization,
        plays=bool(model),
        resident=held is not None,
        share=Share.of(held.size, held.size_vram) if held else Share.UNKNOWN,
        vram=held.size_vram if held else 0,
        leases=leases.held(state.url, state.runner(model)) if model else 0,
        ttft_ms=Spread.of(state.ttft_ms.get(model, ())),
        tokens_per_s=Spread.of(state.speeds.get(model, ())),
        unfit=unfit,
    )
