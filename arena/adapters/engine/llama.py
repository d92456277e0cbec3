"""One model behind llama.cpp's own server: `python -m arena.adapters.engine.llama CONFIG` (JSON).

CONFIG: `path`, `name`, `parent` (its id) and optionally `slots`, `context` (tokens a slot) and `threads`.
The server (tools/server/README.md of llama.cpp) listens on a free loopback port; address and key
are told in one line of JSON. It has a process of its own because llama.cpp holds Python's lock
while it loads, and because a process gives back all its memory. It does not know Ollama.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading

from arena.adapters.engine.lifeline import Lifeline

# A reply is cancelled between batches while its prompt is read, so small ones end sooner.
_PROMPT_BATCH = 128


def main() -> None:
    config = json.loads(sys.argv[1])
    lifeline = Lifeline(config["parent"], deaf=True)
    try:
        import xllamacpp
    except ImportError as error:
        lifeline.fail(error)
    params = xllamacpp.CommonParams()
    params.model.path = config["path"]
    params.model_alias = {config["name"]}
    params.n_parallel = config.get("slots", 3)
    params.n_ctx = config.get("context", 4096) * params.n_parallel
    params.n_batch = params.n_ubatch = _PROMPT_BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config.get("threads", 1)
    params.cache_ram_mib = 0
    params.fit_params = False
    params.verbosity = -1
    # Other programs of this machine can reach the port, web pages too: nobody can use it.
    key = secrets.token_hex(32)
    params.api_keys = [key]
    params.cors_origins = ""
    params.ui = False
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        lifeline.fail(error)
    lifeline.tell({"url": server.listening_address, "key": key})
    threading.Event().wait()


if __name__ == "__main__":
    main()
