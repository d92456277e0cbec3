"""The real engine for tests: its weights from the user's cache, and one running child per worker.

A pytest plugin. The weights are downloaded once per machine, on the first use; without a network
and without a cache, tests that need them are skipped, or fail when CI is set.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import platformdirs
import pytest

from arena.adapters.engine import SMOLLM2, Engine, LocalModel, fetch_weights
from arena.core.errors import EngineFault


@pytest.fixture(scope="session")
def engine_weights() -> LocalModel:
    """The demonstration model on disk."""
    cache = platformdirs.user_cache_path("progressive-arena")
    try:
        (model,) = asyncio.run(fetch_weights([SMOLLM2], cache))
    except EngineFault as fault:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the engine's model is not here: {fault}")
    return model


@pytest.fixture(scope="session")
def engine(engine_weights: LocalModel) -> Iterator[Engine]:
    """A running engine with the demonstration model loaded, shared by the tests of a worker."""
    engine = Engine([engine_weights])
    asyncio.run(engine.start())
    yield engine
    asyncio.run(engine.stop())
