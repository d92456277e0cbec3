"""What ties a process of the engine to the one that started it: a line of report, a common end.

The process tells its parent one line of JSON on standard output, and leaves at once when the parent
does: nothing in it needs saving. It does not know what the process is for.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any, Never

_PR_SET_PDEATHSIG = 1


class Lifeline:
    """Made first of all, in the process's main thread. `parent` is the id of its parent. A `deaf`
    process may not run Python for seconds, so the kernel kills it, also when only the thread that
    started it has ended; another one is asked, and stays in that case."""

    def __init__(self, parent: int, *, deaf: bool = False) -> None:
        self._parent = parent
        # Standard output is for the report alone; what libraries print goes to standard error.
        self._report = os.dup(1)
        os.dup2(2, 1)
        # On every system by the end of standard input, which the parent holds open; on Linux also
        # by a signal of the kernel, since another child of the parent could hold it open too.
        threading.Thread(target=self._outlive_input, name="lifeline", daemon=True).start()
        if sys.platform == "linux":
            signal.signal(signal.SIGUSR1, self._leave_if_orphaned)
            farewell = signal.SIGKILL if deaf else signal.SIGUSR1
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, farewell, 0, 0, 0)
            self._leave_if_orphaned()

    def tell(self, line: Mapping[str, Any]) -> None:
        """The one line of report."""
        os.write(self._report, json.dumps(line).encode() + b"\n")
        os.close(self._report)

    def fail(self, error: Exception) -> Never:
        """Tell why the process is of no use, and end it."""
        self.tell({"error": str(error), "kind": type(error).__name__})
        raise SystemExit(1) from error

    def _leave_if_orphaned(self, *_: object) -> None:
        if os.getppid() != self._parent:
            os._exit(0)

    def _outlive_input(self) -> None:
        # By descriptor: a buffered reader would hold a lock that an exit of Python waits for.
        while os.read(0, 4096):
            pass
        os._exit(0)
