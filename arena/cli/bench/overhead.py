"""`arena bench overhead`: what the page's path adds to a reply, beside the official client.

It does not know how that is measured.
"""

from argparse import ArgumentParser, Namespace
from functools import partial

from arena.cli.arguments import number, replies, to_json


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Starts arenas of its own on a host that writes steadily."
    replies(parser)
    number(parser, "--repeat", 1, 100, 5, "battles")
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.bench.browser import Plan
    from arena.bench.stream import overhead
    from arena.cli.bench.figures import draw

    plan = Plan(options.tokens, options.rate)
    words = "Medians. The page shows nothing before each model has begun to write."
    title = f"Three replies of {plan.tokens} tokens at {plan.rate} tokens/s, alone"
    return draw(options, title, words, partial(overhead, plan, options.repeat))
