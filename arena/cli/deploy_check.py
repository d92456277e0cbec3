"""`arena deploy-check`: whether a deployment of several replicas is sound, and how to
mend it.

It tells what `arena.checks.deployment` finds.
"""

from argparse import ArgumentParser, Namespace

from arena.cli.arguments import as_json, url
from arena.cli.doctor import CODES, told


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Asks as a visitor does, plays one battle as study `smoke`, which is never ranked, and "
        f"opens another, which gets no vote. {CODES}"
    )
    url(parser)
    as_json(parser, "the checks")


async def run(options: Namespace) -> int:
    from arena.checks.deployment import examine

    return told(await examine(options.url), options.json)
