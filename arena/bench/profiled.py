"""An arena whose time is accounted for by function: `python -m arena.bench.profiled FILE`.

It begins at SIGUSR1, and at SIGUSR2 writes the file, for `python -m pstats FILE`. It does not
know what is played meanwhile.
"""

import cProfile
import runpy
import signal
import sys

if __name__ == "__main__":
    profile = cProfile.Profile()
    signal.signal(signal.SIGUSR1, lambda *_: profile.enable())
    signal.signal(signal.SIGUSR2, lambda *_, file=sys.argv[1]: profile.dump_stats(file))
    sys.argv[1:] = ["serve"]
    runpy.run_module("arena", run_name="__main__", alter_sys=True)
