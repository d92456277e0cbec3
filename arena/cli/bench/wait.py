"""`arena bench wait`: from the last token until the vote is open.

It does not know how that is measured.
"""

from argparse import ArgumentParser, Namespace
from functools import partial

from arena.cli.arguments import number, seconds, to_json


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Starts arenas of its own on a host that writes steadily."
    number(parser, "--tokens", 10, 5000, 150, "of a reply")
    number(parser, "--repeat", 1, 100, 5, "battles of each kind")
    seconds(parser, "--reading", 10, "before the vote in a knockout")
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.bench.stream import wait
    from arena.cli.bench.figures import draw

    words = "The longest of each. From a knockout's vote on, its acknowledgement is not counted."
    title = f"Replies of {options.tokens} tokens"
    return draw(
        options, title, words, partial(wait, options.tokens, options.repeat, options.reading)
    )
