"""`arena bench cpu`: what a battle costs an arena, and a profile of that.

It does not know how that is measured.
"""

from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

from arena.cli.arguments import MOST, checkout, number, numbers, replies, to_json


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Starts an arena of its own on a host that writes steadily."
    replies(parser)
    number(parser, "--battles", 1, MOST, 8, "for each figure, or as many as are played at once")
    numbers(parser, "--at-once", 1, MOST, "1,10", "how many are played at once")
    profile = "also keep a profile of the most at once in this file, for python -m pstats"
    parser.add_argument("--profile", default="", metavar="FILE", help=profile)
    checkout(parser, "measure another checkout of the project instead")
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.bench.browser import Plan
    from arena.bench.cpu import measured, profiled
    from arena.bench.launched import fast
    from arena.cli.bench.figures import draw

    plan, at_once = Plan(options.tokens, options.rate), options.at_once
    other = options.against[-1] if options.against else None
    words = "CPU of the arena's process, from the host to the browser's socket, votes included."
    if options.profile:
        fast(profiled(plan, options.battles, max(at_once), Path(options.profile).resolve()))
        words += f" Profile: python -m pstats {options.profile}"
    title = f"A battle of 3 × {plan.tokens} tokens at {plan.rate} tokens/s"
    return draw(options, title, words, partial(measured, plan, options.battles, at_once, other))
