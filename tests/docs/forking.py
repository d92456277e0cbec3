"""`python -m tests.docs.forking SOCKET`: forks off a process for each command of the pages."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence

import arena.compose
import arena.frames  # noqa: F401
from arena.bench import standings
from arena.cli import main
from tests.forking import serve

SCRIPT = "--"
FEW_STUDIES = ("--times", "20")

# Whoever reads the pages has time for a hundred measurements of each figure.
standings.REFITS = standings.TOLD = 2


def run(words: Sequence[str]) -> int:
    """The command or, after SCRIPT, the file of Python. What would serve until it is stopped is
    answered by the doctor, who reads the same settings and asks the same hosts."""
    if words[:2] == ["study", "plan"]:
        words = [*words, *FEW_STUDIES]
    if words[:1] == [SCRIPT]:
        sys.argv = [*words[1:]]
        runpy.run_path(words[1], run_name="__main__")
        return 0
    return main(["doctor"] if served(words) else words)


def served(words: Sequence[str]) -> bool:
    return not words or words[0] == "serve" or words[0].startswith("-")


if __name__ == "__main__":
    serve(sys.argv[1], run)
