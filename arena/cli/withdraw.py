"""`arena withdraw`: take back the link of a battle that somebody shared.

It does not know how links are kept.
"""

from argparse import ArgumentParser, Namespace

from arena import settings as config
from arena.cli.terminal import console


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "The battle's votes stay as they are."
    parser.add_argument("link", help="the address, …/b/<link>, or what follows /b/")


async def run(options: Namespace) -> int:
    from arena.compose import ledger_of

    link = options.link.rstrip("/").rpartition("/")[2]
    async with ledger_of(config.load()) as ledger:
        if not await ledger.shared(link):
            console.print(f"Nothing is shared as {link}.")
            return 1
        await ledger.unshare(link)
    console.print(f"{link} is not shown to anybody any more.")
    return 0
