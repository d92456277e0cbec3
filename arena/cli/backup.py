"""`arena backup`: a copy of the ledger in one file, made while the arena runs, and checked.

It does not know how a copy is made.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from arena import settings as config
from arena.cli.files import spare_ledger
from arena.cli.terminal import console
from arena.cli.verify import tell


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="takes the place of an older one")


async def run(options: Namespace) -> int:
    from arena import compose

    settings = config.load()
    spare_ledger(settings, options.file)
    tell(await compose.backed_up(settings, options.file))
    console.print(f"Written: {options.file}")
    return 0
