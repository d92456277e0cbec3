"""One model behind llama.cpp's own server: `python -m arena.adapters.engine.llama CONFIG` (JSON).

CONFIG: `parent` (its id), `path`, `name` and optionally `slots`, `context` (tokens a slot) and
`threads`; without a path it only tries whether llama.cpp can be loaded. The server
(tools/server/README.md of llama.cpp) listens on a free loopback port; that and its key are told in
one line of JSON. It has a process of its own because llama.cpp holds Python's lock while it loads,
and because a process gives back all its memory. It does not know Ollama.
"""

import json
import os
import secrets
import sys

import psutil

# A reply is cancelled between batches while its prompt is read, so small ones end sooner.
_PROMPT_BATCH = 128


def main() -> None:
    config, told = json.loads(sys.argv[1]), {}
    # Standard output is for the report alone: what libraries print goes to standard error.
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        import xllamacpp

        if "path" in config:
            params = xllamacpp.CommonParams()
            params.model.path = config["path"]
            params.model_alias = {config["name"]}
            params.n_parallel = config.get("slots", 3)
            params.n_ctx = config.get("context", 4096) * params.n_parallel
            params.n_batch = params.n_ubatch = _PROMPT_BATCH
            params.cpuparams.n_threads = config.get("threads", 1)
            params.cpuparams_batch.n_threads = config.get("threads", 1)
            params.cache_ram_mib = 0
            params.fit_params = False
            params.verbosity = -1
            # Other programs of this machine can reach the port, web pages too: nobody can use it.
            params.api_keys = [key := secrets.token_hex(32)]
            params.cors_origins = ""
            params.ui = False
            server = xllamacpp.Server(params)
            told = {"port": int(server.listening_address.rsplit(":", 1)[1]), "key": key}
    except (ImportError, RuntimeError) as error:
        told = {"error": _reason(error)}
    print(json.dumps(told), file=report, flush=True)
    if "port" in told:
        psutil.Process(config["parent"]).wait()
    os._exit(0)  # nothing in it needs saving


def _reason(error: ImportError | RuntimeError) -> str:
    if isinstance(error, RuntimeError):
        return "it is no whole GGUF file, or there is too little memory"
    if "libgomp" in str(error):
        return (
            "the system library libgomp is missing. Install it "
            "(Debian, Ubuntu: apt-get install libgomp1)"
        )
    if isinstance(error, ModuleNotFoundError):
        return (
            f"{error}. Install what requirements.txt lists (pip install -r requirements.txt); "
            "the engine's library exists for 64-bit Linux with glibc, for macOS 13 or newer "
            "and for Windows"
        )
    return f"its library cannot be loaded on this system ({error})"


if __name__ == "__main__":
    main()
