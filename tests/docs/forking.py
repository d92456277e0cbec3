"""`python -m tests.docs.forking SOCKET`: has the arena imported, and forks off a process for each
command that is asked for, with the streams, the environment and the folder of whoever asks."""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import sys
from collections.abc import Sequence

import arena.compose
import arena.frames  # noqa: F401
from arena.bench import standings
from arena.cli import main

SCRIPT = "--"

# Whoever reads the pages has time for a hundred measurements of each figure.
standings.REFITS = standings.TOLD = 2


def run(words: Sequence[str]) -> int:
    """The command or, after SCRIPT, the file of Python. What would serve until it is stopped is
    answered by the doctor, who reads the same settings and asks the same hosts."""
    if words[:1] == [SCRIPT]:
        sys.argv = [*words[1:]]
        runpy.run_path(words[1], run_name="__main__")
        return 0
    return main(["doctor"] if served(words) else words)


def served(words: Sequence[str]) -> bool:
    return not words or words[0] == "serve" or words[0].startswith("-")


def forked(caller: socket.socket) -> None:
    """Returns in this process only; of two others one is the command and one tells its exit
    code."""
    message, streams, _, _ = socket.recv_fds(caller, 1 << 20, 3)
    if os.fork():
        for stream in streams:
            os.close(stream)
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if command := os.fork():
        _, status = os.waitpid(command, 0)
        caller.send(bytes([os.waitstatus_to_exitcode(status) % 256]))
        os._exit(0)
    asked = json.loads(message)
    for ours, theirs in enumerate(streams):
        os.dup2(theirs, ours)
    # Those of the parent know whether its own streams can be wound.
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.exit(run(asked["words"]))


def serve(door: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(door)
        listening.listen()
        sys.stdout.write("open\n")
        sys.stdout.flush()
        while True:
            caller, _ = listening.accept()
            with caller:
                forked(caller)


if __name__ == "__main__":
    serve(sys.argv[1])
