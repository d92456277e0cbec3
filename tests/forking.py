"""The arena in a process of its own that has it imported already: forked off by another, which
takes a tenth of what Python takes to import it anew.

`python -m tests.forking SOCKET` is that other process. It forks for each who asks, with the
streams, the environment and the folder of whoever asks, until nobody holds its standard input.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

from filelock import FileLock

from arena.settings import quiet_libraries

ROOT = Path(__file__).resolve().parent.parent
Run = Callable[[Sequence[str]], int]
"""Does what these words ask for; returns the exit code."""

TOLD = struct.Struct("i")
"""What is answered, twice: the number of the process, and its exit code once it has ended."""


def forked(caller: socket.socket, run: Run) -> None:
    """Returns in this process only; of two others one runs, and one tells how that ended."""
    message, streams, _, _ = socket.recv_fds(caller, 1 << 20, 3)
    if os.fork():
        for stream in streams:
            os.close(stream)
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if running := os.fork():
        for stream in streams:
            os.close(stream)
        caller.send(TOLD.pack(running))
        _, status = os.waitpid(running, 0)
        caller.send(TOLD.pack(os.waitstatus_to_exitcode(status)))
        os._exit(0)
    caller.close()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asked = json.loads(message)
    for ours, theirs in enumerate(streams):
        os.dup2(theirs, ours)
        os.close(theirs)
    # Those of the parent know whether its own streams can be wound.
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.exit(run(asked["words"]))


def serve(door: str, run: Run) -> None:
    """Forks until standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(door)
        listening.listen()
        sys.stdout.write("open\n")
        sys.stdout.flush()
        while True:
            awake, _, _ = select.select([listening, sys.stdin], [], [])
            if sys.stdin in awake:
                return
            caller, _ = listening.accept()
            with caller:
                forked(caller, run)


def opened(
    module: str, door: Path, cwd: Path = ROOT, stdin: int = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    """A process that forks, once it can be asked. It ends when its `stdin` is closed."""
    server = subprocess.Popen(
        [sys.executable, "-m", module, door], cwd=cwd, stdin=stdin, stdout=subprocess.PIPE
    )
    assert server.stdout
    assert server.stdout.readline() == b"open\n"
    return server


outliving: list[subprocess.Popen[bytes]] = []


@cache
def door() -> str:
    """Where all tests of this run ask. Whichever worker asks first opens it, and it stays until the
    last one that has asked is gone."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"alone-{os.getpid()}")
    folder = Path(tempfile.gettempdir()) / f"arena-door-{run}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path, held = folder / "door", folder / "held"
    with FileLock(f"{folder}.lock"):
        try:
            os.open(held, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # Nobody reads there: it is not open yet, or not any more.
            held.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            os.mkfifo(held)
            read = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
            os.open(held, os.O_WRONLY)  # As long as this process lives.
            outliving.append(opened("tests.forking", path, stdin=read))
            os.close(read)
    return str(path)


class Forked:
    """An arena that was forked off: as much of `subprocess.Popen` as the tests use of it."""

    def __init__(
        self,
        words: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        stdout: IO[bytes] | None,
        stdin: int | None = None,
    ) -> None:
        """stdout: where it prints; None for a pipe that is read here. stdin: what it reads; None
        for nothing."""
        self.returncode: int | None = None
        self.stdout: IO[str] | None = None
        out = stdout.fileno() if stdout else None
        if out is None:
            printed, out = os.pipe()
            self.stdout = os.fdopen(printed, errors="replace")
        asked = {"words": [*words], "environment": {**env}, "folder": str(cwd)}
        self._told = socket.socket(socket.AF_UNIX)
        self._told.connect(door())
        with Path(os.devnull).open() as nothing:
            read = nothing.fileno() if stdin is None else stdin
            socket.send_fds(self._told, [json.dumps(asked).encode()], [read, out, out])
        if not stdout:
            os.close(out)
        self.pid = self._number()

    def _number(self) -> int:
        number: int = TOLD.unpack(self._told.recv(TOLD.size, socket.MSG_WAITALL))[0]
        return number

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self.returncode = self._number()
            self._told.close()
        return self.returncode

    def wait(self, timeout: float) -> int:
        if self.returncode is None and not select.select([self._told], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("arena", timeout)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, how: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, how)


if __name__ == "__main__":
    quiet_libraries()
    import arena.compose
    import arena.frames
    import arena.server.application
    import arena.server.serving  # noqa: F401
    from arena.adapters import language
    from arena.cli import main

    # Each arena loads it once it is up, which takes as long as all else that it does by then.
    language.load()

    def run(words: Sequence[str]) -> int:
        if words[:1] == ["-m"]:
            sys.argv = [*words[1:]]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
            return 0
        sys.argv = ["app.py", *words]
        return main(words)

    serve(sys.argv[1], run)
    folder = Path(sys.argv[1]).parent
    shutil.rmtree(folder)
    Path(f"{folder}.lock").unlink(missing_ok=True)
