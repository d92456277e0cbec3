"""`arena verify`: whether every vote is as it was written, and none is missing or was put in.

It does not know how that is found.
"""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from arena import settings as config
from arena.cli.arguments import as_json
from arena.cli.terminal import console, errors, print_json
from arena.core.ports import Verified


def _head(text: str) -> str:
    if not re.fullmatch(r"\d+:[0-9a-f]{64}(\+\d+:[0-9a-f]{64})?", text):
        raise ArgumentTypeError("a head is a number and 64 hex digits, as verify tells it")
    return text


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "The head stands for all votes so far: published with a paper, it shows later that none "
        "of them was changed since."
    )
    head = "a head that was told before, which must be found again"
    parser.add_argument("--head", type=_head, metavar="HEAD", help=head)
    as_json(parser, "what was found")


async def run(options: Namespace) -> int:
    from arena import compose

    found = await compose.verified(config.load(), options.head or "")
    if options.json:
        told = {"votes": found.votes, "head": found.head, "faults": found.faults}
        print_json(told, one_line=True)
    else:
        tell(found)
    return 1 if found.faults else 0


def tell(found: Verified) -> None:
    for fault in found.faults:
        errors.print(f"  fault   {fault}", style="red")
    if found.more:
        errors.print(f"  and {found.more} more", style="red")
    console.print(f"  votes   {found.votes:,}")
    console.print(f"  head    {found.head or 'none yet'}", soft_wrap=True)
