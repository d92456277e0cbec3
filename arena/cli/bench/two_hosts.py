"""`arena bench two-hosts`: two hosts against one, and a cold one beside a warm one.

It does not know how that is measured.
"""

from argparse import ArgumentParser, Namespace
from functools import partial

from arena.cli.arguments import number, seconds, to_json


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Starts arenas of its own on a host that writes steadily."
    number(parser, "--tabs", 1, 1000, 16, "that play at once")
    seconds(parser, "--seconds", 20, "for each figure")
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.bench.endurance import two_hosts
    from arena.cli.bench.figures import draw

    words = "Hosts of two slots each. The cold one has nothing loaded, while the warm one has room."
    return draw(options, "Hosts", words, partial(two_hosts, options.tabs, options.seconds))
