"""`arena withdraw`: take back the link of a battle that somebody shared.

It does not know how links are kept.
"""

from argparse import ArgumentParser, Namespace

from arena import settings as config
from arena.cli.terminal import console


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "The battle's votes stay as they are."
    parser.add_argument("battle", help="its address, …/b/<battle>, or what follows /b/")


async def run(options: Namespace) -> int:
    from arena.compose import ledger_of

    battle = options.battle.rstrip("/").rpartition("/")[2]
    async with ledger_of(config.load()) as ledger:
        if not await ledger.shared(battle):
            console.print(f"Nothing is shared as {battle}.")
            return 1
        await ledger.unshare(battle)
    console.print(f"{battle} is not shown to anybody any more.")
    return 0
