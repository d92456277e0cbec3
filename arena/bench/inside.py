"""An arena that can be looked into: `python -m arena.bench.inside FILE`.

At SIGUSR1 a profile of its functions begins. At SIGUSR2 it is written into the file, for
`python -m pstats FILE`, or else the number of tasks is. It does not know what is played.
"""

import asyncio
import cProfile
import runpy
import signal
import sys
from pathlib import Path

profile = cProfile.Profile()
begun: list[bool] = []
file = Path(sys.argv[1])


def begin(*_: object) -> None:
    begun.append(True)
    profile.enable()


def write(*_: object) -> None:
    if begun:
        profile.dump_stats(file)
    else:
        file.write_text(str(len(asyncio.all_tasks())), encoding="ascii")


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, write)
    sys.argv[1:] = ["serve"]
    runpy.run_module("arena", run_name="__main__", alter_sys=True)
