"""The real engine for tests: its weights from the user's cache, and one running child per worker;
and the llama.cpp server inside it alone, which speaks OpenAI's API.

A pytest plugin. The weights are downloaded once per machine, on the first use; without a network
and without a cache, tests that need them are skipped, or fail when CI is set.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import platformdirs
import pytest

from arena.adapters.engine import SMOLLM2, Engine, LocalModel, fetch_weights
from arena.adapters.engine.child import Child
from arena.core.errors import EngineFault


@dataclass(frozen=True)
class LlamaServer:
    """A llama-server with three slots: `{url}/v1/chat/completions`, `{url}/slots`, …, for who
    sends `Authorization: Bearer KEY`."""

    url: str
    key: str
    model: str


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


THINKING = """{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.reasoning_content %}<think>
{{ m.reasoning_content }}
</think>
{% endif %}{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
<think>
{% if enable_thinking is false %}</think>
{% endif %}{% endif %}"""


@pytest.fixture(scope="session")
def thinking_weights(
    engine_weights: LocalModel, tmp_path_factory: pytest.TempPathFactory
) -> LocalModel:
    """The demonstration model with a template that has it think first; it never comes to an end
    of that by itself."""
    data = engine_weights.path.read_bytes()
    key = b"tokenizer.chat_template"
    start = data.index(key) + len(key) + 12  # the kind of the value and its length come between
    (length,) = struct.unpack_from("<Q", data, start - 8)
    template = f"{{#{' ' * (length - len(THINKING) - 4)}#}}{THINKING}".encode()
    assert len(template) == length
    path = tmp_path_factory.mktemp("weights") / "thinker.gguf"
    path.write_bytes(data[:start] + template + data[start + length :])
    return LocalModel("thinker:1", path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture(scope="session")
def engine(engine_weights: LocalModel) -> Iterator[Engine]:
    """A running engine with the demonstration model loaded, shared by the tests of a worker."""
    engine = Engine([engine_weights])
    asyncio.run(engine.start())
    yield engine
    asyncio.run(engine.stop())


@pytest.fixture(scope="session")
def llama_server(engine_weights: LocalModel) -> Iterator[LlamaServer]:
    """llama.cpp's own server with the demonstration model, without the engine before it."""
    config = {"path": str(engine_weights.path), "name": engine_weights.name}
    child = Child(config)
    told = asyncio.run(child.report())
    yield LlamaServer(f"http://127.0.0.1:{told['port']}", told["key"], engine_weights.name)
    child.end()
