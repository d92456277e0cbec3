"""The engine's own process: `python -m arena.adapters.engine.server CONFIG`, CONFIG as JSON.

It binds a free loopback port, tells it in one line of JSON on standard output, serves until its
standard input closes or its parent is gone, and leaves at once: nothing in it needs saving.
It does not know the app that started it.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

import uvicorn

from arena.adapters.engine.app import build_app
from arena.adapters.engine.gguf import NotGguf
from arena.adapters.engine.models import Shelf, install
from arena.adapters.engine.runner import usable_cores
from arena.adapters.engine.scheduler import Limits, Scheduler

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """CONFIG: `models` [{name, path, digest}], `limits` (fields of Limits), `parent` (its id)."""
    config = json.loads(sys.argv[1])
    report = _take_stdout()
    _die_with_parent(config["parent"])
    try:
        # Where the library cannot be loaded at all, that is said now and not at the first reply.
        import xllamacpp  # noqa: F401

        shelf = Shelf(
            [install(each["name"], Path(each["path"]), each["digest"]) for each in config["models"]]
        )
    except (ImportError, OSError, NotGguf) as error:
        _tell(report, {"error": str(error), "kind": type(error).__name__})
        raise SystemExit(1) from error
    asyncio.run(_serve(shelf, Limits(**{"cores": usable_cores()} | config["limits"]), report))
    # Threads that still write would hold up an orderly exit.
    os._exit(0)


async def _serve(shelf: Shelf, limits: Limits, report: TextIO) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        settings = uvicorn.Config(
            build_app(shelf, Scheduler(limits)),
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            # Longer than clients keep idle connections, so that it is never the server who closes.
            timeout_keep_alive=600,
            timeout_graceful_shutdown=1,
        )
        _tell(report, {"url": f"http://127.0.0.1:{listening.getsockname()[1]}"})
        await uvicorn.Server(settings).serve([listening])


def _take_stdout() -> TextIO:
    """Standard output for the report alone; what libraries print goes to standard error."""
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return report


def _tell(report: TextIO, line: dict[str, Any]) -> None:
    report.write(json.dumps(line) + "\n")
    report.flush()


def _die_with_parent(parent: int) -> None:
    """On every system by the end of standard input, which the parent holds open; on Linux also by
    a signal of the kernel, since another child of the parent could hold that pipe open too."""
    threading.Thread(target=_wait_for_end_of_input, name="lifeline", daemon=True).start()
    if sys.platform != "linux":
        return

    def leave_if_orphaned(*_: object) -> None:
        # The kernel also signals when only the thread that started this process has ended.
        if os.getppid() != parent:
            os._exit(0)

    signal.signal(signal.SIGUSR1, leave_if_orphaned)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1, 0, 0, 0)
    leave_if_orphaned()


def _wait_for_end_of_input() -> None:
    # By descriptor: a buffered reader would hold a lock that an exit of the interpreter waits for.
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
