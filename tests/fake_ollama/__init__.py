"""A real loopback server that behaves like Ollama, and plays every fault a host can have.

    async with FakeOllama([FakeModel("phi3:mini")], speed=50, warm=True) as host:
        host.fault("drop", frame=3)
        ...                                  # any client, at host.url
        await host.wait_for(lambda: host.stats.cancelled)

By hand: `python -m tests.fake_ollama --port 11500 --fault 10,model=phi3:mini,times=all`. Knows nothing of the arena.
"""

from __future__ import annotations

from .control import ControlPort
from .faults import FAULTS, VARIANTS, Fault, parse_fault
from .host import NEW, OLD, FakeOllama
from .models import LLAMA, MISTRAL, PHI, FakeModel
from .stats import Call, Stats
from .threads import FakeOllamaThread

__all__ = [
    "FAULTS",
    "LLAMA",
    "MISTRAL",
    "NEW",
    "OLD",
    "PHI",
    "VARIANTS",
    "Call",
    "ControlPort",
    "FakeModel",
    "FakeOllama",
    "FakeOllamaThread",
    "Fault",
    "Stats",
    "parse_fault",
]
