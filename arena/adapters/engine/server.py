"""The engine's own process: `python -m arena.adapters.engine.server CONFIG`, CONFIG as JSON.

It binds a free loopback port, tells it in one line of JSON and serves until its parent is gone.
It does not know the app that started it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import uvicorn

from arena.adapters.engine.face import build_app
from arena.adapters.engine.gguf import NotGguf
from arena.adapters.engine.lifeline import Lifeline
from arena.adapters.engine.models import Shelf, install
from arena.adapters.engine.runners import Limits


def main() -> None:
    """CONFIG: `models` [{name, path, digest}], `limits` (fields of Limits), `parent` (its id)."""
    config = json.loads(sys.argv[1])
    lifeline = Lifeline(config["parent"])
    try:
        # Where the library cannot be loaded at all, that is said now and not at the first reply.
        import xllamacpp  # noqa: F401

        shelf = Shelf(
            [install(each["name"], Path(each["path"]), each["digest"]) for each in config["models"]]
        )
    except (ImportError, OSError, NotGguf) as error:
        lifeline.fail(error)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        settings = uvicorn.Config(
            build_app(shelf, Limits(**config["limits"])),
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            # Longer than clients keep idle connections, so that it is never the server who closes.
            timeout_keep_alive=600,
            timeout_graceful_shutdown=1,
        )
        lifeline.tell({"url": f"http://127.0.0.1:{listening.getsockname()[1]}"})
        uvicorn.Server(settings).run([listening])
    # Threads that still wait would hold up an orderly exit.
    os._exit(0)


if __name__ == "__main__":
    main()
