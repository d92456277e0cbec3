"""`arena bench soak`: what tabs that close at random and hosts that restart leave behind.

It does not know how that is measured.
"""

from argparse import ArgumentParser, Namespace
from functools import partial

from arena.cli.arguments import number, seconds, to_json


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Starts arenas of its own on a host that writes steadily."
    seconds(parser, "--minutes", 30, "of rough use", "minutes")
    number(parser, "--tabs", 1, 1000, 20, "at once")
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.bench.endurance import soak
    from arena.cli.bench.figures import draw

    words = "Between the first fifth and the end, each time when all tabs have been closed a while."
    return draw(options, "Soak", words, partial(soak, options.minutes, options.tabs))
