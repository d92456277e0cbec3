"""Benches among other tests."""

from __future__ import annotations

import pytest

from arena.bench import launched


@pytest.fixture(autouse=True)
def any_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is held to one core, where the programs of other tests are too."""
    monkeypatch.setattr(launched, "cores", lambda: ([], []))
