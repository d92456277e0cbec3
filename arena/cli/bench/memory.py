"""`arena bench memory`: what open pages and battles that are over keep.

It does not know how that is measured.
"""

from argparse import ArgumentParser, Namespace
from functools import partial

from arena.cli.arguments import number, numbers, to_json


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Starts arenas of its own on a host that writes steadily."
    numbers(parser, "--pages", 1, 5000, "100,1000", "how many are open")
    number(parser, "--battles", 10, 1_000_000, 10_000, "that are played to their end")
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.bench.footprint import memory
    from arena.cli.bench.figures import draw

    words = "Resident memory of the arena's process. On each page a move was made."
    return draw(options, "Memory", words, partial(memory, options.pages, options.battles))
