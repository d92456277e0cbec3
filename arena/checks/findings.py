"""What a check finds: a status, what is so, and how to mend it.

It does not know what is checked.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """status: ok, warn (battles can be played) or fail (something has to be mended first)."""

    check: str
    status: Literal["ok", "warn", "fail"]
    message: str
    mend: str = ""


def called() -> str:
    """How the command line was called, for help and for what it says can be run."""
    doors = {"__main__": "python -m arena", "app": "python app.py"}
    return doors.get(Path(sys.argv[0]).stem, "arena")


def ok(check: str, message: str) -> Finding:
    return Finding(check, "ok", message)


def warn(check: str, message: str, mend: str = "") -> Finding:
    return Finding(check, "warn", message, mend)


def fail(check: str, message: str, mend: str = "") -> Finding:
    return Finding(check, "fail", message, mend)
