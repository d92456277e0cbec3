"""`arena restore`: a copy of the ledger back in its place, checked before and after.

It does not know how it is put there.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from arena import settings as config
from arena.cli.terminal import console
from arena.cli.verify import tell


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "An arena that runs goes on with the copy by itself. A file that was in its place is kept "
        "beside; a database has to be empty."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="as `backup` has written it")


async def run(options: Namespace) -> int:
    from arena import compose

    found, aside = await compose.restored(config.load(), options.file)
    tell(found)
    if aside:
        console.print(f"What was there is kept as {aside}")
    return 0
