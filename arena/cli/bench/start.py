"""`arena bench start`: from starting the arena to its first page, beside a plain Gradio app.

It does not know how that is measured.
"""

from argparse import ArgumentParser, Namespace
from functools import partial

from arena.cli.arguments import number, to_json


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Starts both in turn."
    number(parser, "--repeat", 1, 100, 5, "starts of each")
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.bench.footprint import start
    from arena.cli.bench.figures import draw

    words = "Medians of the time from starting the process until its page has arrived."
    return draw(options, "Starting", words, partial(start, options.repeat))
