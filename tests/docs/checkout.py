"""A checkout of one's own, in which a reader's commands are run by a shell as they stand.

What would take a package manager, a service manager or root is only written down.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import ROOT
from tests.forking import opened

COPIED = (
    *("arena", "tests", "docs", ".ci", ".github", ".env", "app.py", "README.md", "LICENSE"),
    *("pyproject.toml", "requirements.txt"),
)
NOT_RUN = (
    *("apt-get", "systemctl", "runuser", "nginx", "docker", "ollama", "sqlite3", "curl"),
    *("python", "python3", "editor"),
)
"""Programs that are only written down, with what they were called with. An editor writes what was
put there for it; what is run of Python goes around the one here."""

STUB = """#!/bin/sh
{ printf '%s\\0' "${0##*/}" "$@"; printf '\\n'; } >> "$CALLS"
"""
EDITOR = f"""{STUB}cat edited > "$1"
"""
PYTHON = """#!/bin/sh
case "$*" in
  app.py*) exec arena serve ;;
  "-m arena "*) shift 2; exec arena "$@" ;;
  -*) exec "$STUBS/python" "$@" ;;
  *) exec arena -- "$@" ;;
esac
"""
ARENA = f"""#!{sys.executable} -SE
import json, os, socket, sys
asked = {{"words": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}}
with socket.socket(socket.AF_UNIX) as door:
    door.connect(os.environ["DOOR"])
    socket.send_fds(door, [json.dumps(asked).encode()], [0, 1, 2])
    told = door.recv(8, socket.MSG_WAITALL)
    sys.exit(int.from_bytes(told[4:], sys.byteorder, signed=True) % 256 if len(told) == 8 else 1)
"""
"""Has the command run by a process of tests.docs.forking."""

FRESH = f"""#!/bin/sh
[ "${{1-serve}}" != serve ] || set -- doctor
exec {sys.executable} -m arena "$@"
"""

PATH = re.compile(r"[\w.@-]*/[\w./@-]+|[\w-]+\.(?:txt|toml|py)")
"""A word that names a file or a folder."""

FAILED = "trap 'echo \"${at-}: $BASH_COMMAND\" >&2' ERR\n"
"""Says which command, and of which block where the script has said so."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """root: the copy."""

    root: Path

    def sh(self, script: str) -> tuple[str, list[list[str]]]:
        """Have bash run this, as strictly as it can; it ends well. Returns what was printed, and
        what was only written down, call by call and word by word: its files are there."""
        calls, stubs = self.root / "calls", self.root / "stubs"
        calls.write_text("")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", FAILED + script],
            cwd=self.root,
            env={
                "PATH": f"{stubs}:/usr/bin:/bin",
                "HOME": str(self.root),
                "STUBS": str(stubs),
                "CALLS": str(calls),
                "DOOR": str(self.root / "door"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        made = [line.removesuffix("\0").split("\0") for line in calls.read_text().splitlines()]
        for program, *words in made:
            for word in filter(PATH.fullmatch, words):
                assert (self.root / word).exists(), f"{program} is given {word}"
        return done.stdout, made


@contextmanager
def checkout(root: Path, *, fresh: bool = False) -> Iterator[Checkout]:
    """A copy of this project in the folder, ready for commands. fresh: each command imports the
    arena anew, as it may have been changed."""
    for copied in map(ROOT.joinpath, COPIED):
        if copied.is_dir():
            shutil.copytree(copied, root / copied.name)
        else:
            shutil.copy(copied, root)
    stubs, programs = root / "stubs", root / ".venv" / "bin"
    for folder in (stubs, programs):
        folder.mkdir(parents=True)
    for gate in ("check", "run"):
        _executable(root / ".ci" / gate, STUB)
    for program in NOT_RUN:
        _executable(stubs / program, STUB)
    _executable(stubs / "editor", EDITOR)
    _executable(stubs / "arena", FRESH if fresh else ARENA)
    _executable(programs / "python", PYTHON)
    if fresh:
        yield Checkout(root)
        return
    with opened("tests.docs.forking", root / "door", cwd=root) as server:
        try:
            yield Checkout(root)
        finally:
            server.kill()


def _executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
