"""The embedded engine: small models on the CPU behind Ollama's API, for machines without Ollama.

`fetch_weights` has the models on disk, `Engine` serves them. To the rest of the arena it is only a
URL.
"""

from arena.adapters.engine.serving import Engine
from arena.adapters.engine.weights import SMOLLM2, EngineModel, LocalModel, fetch_weights

__all__ = ["SMOLLM2", "Engine", "EngineModel", "LocalModel", "fetch_weights"]
