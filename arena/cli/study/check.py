"""`arena study check`: every fault of a study's file by line, and what the study will take.

It does not know what is a fault.
"""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

from arena import settings as config
from arena.cli.terminal import console, errors
from arena.core.errors import ArenaError, BadInput


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Exit code 0: it can be opened as it is; 1: it has faults, which are told."
    parser.add_argument("file", metavar="FILE", help="the study's file")
    parser.add_argument("--offline", action="store_true", help="do not ask the hosts for models")


async def run(options: Namespace) -> int:
    from arena import studies
    from arena.core.study.faults import FaultyStudy
    from arena.core.study.file import COLUMNS

    try:
        study, images, unread = studies.read(Path(options.file))
    except FaultyStudy as error:
        for fault in error.faults:
            errors.print(str(fault), style="red")
        return 1
    checks = len(study.attention) + study.repeats + bool(study.practice)
    for line in (
        f"{study.name}: {len(study.items):,} prompts, {len(study.contenders)} contenders",
        f"  battles  {study.battles:,} that are ranked: {study.raters} for each prompt",
        f"  raters   {study.needed:,} at least, each with up to {study.quota} prompts and {checks} others",
        f"  time     {study.hours:.1f} h of people in all, at {study.minutes:g} min a battle",
    ):
        console.print(line)
    if images:
        console.print(f"  images   {len(images):,}, made anew without what else their files hold")
    if study.ahead:
        console.print(
            f"  replies  {len(study.items) * len(study.contenders):,} to be written ahead"
        )
    if unread:
        known = f"{', '.join(unread)}. What is: {', '.join(COLUMNS)}"
        said = f"  note     the prompts have columns that are not read: {known}"
        errors.print(said, style="yellow")
    over = study.closes and study.closes <= datetime.now(UTC)
    if over:
        said = f"  fault    it closes at {study.closes}, which is over"
        errors.print(said, style="red")
    alone = await _named_alone(study.name)
    if not options.offline:
        await _hosts([contender.name for contender in study.contenders], seen=bool(images))
    return int(bool(over) or not alone)


async def _named_alone(name: str) -> bool:
    """Whether it may have its name, as far as the ledger can be asked; it is told if not."""
    from arena.compose import ledger_of
    from arena.play.studies import named_alone

    try:
        async with ledger_of(config.load(), "empty", looking=True) as ledger:
            await named_alone(ledger, name)
    except BadInput as error:
        errors.print(f"  fault    {error}", style="red")
        return False
    except ArenaError as error:
        errors.print(f"  ledger   cannot be asked: {error}", style="yellow")
    return True


async def _hosts(names: list[str], *, seen: bool) -> None:
    """Contenders that no host has are told; their answers may come from a file. seen: those that
    take no images too."""
    from arena.compose import reaching

    try:
        async with reaching(config.load(), engine=False) as house:
            there = {contender.name for contender in house.hosts.contenders()}
            blind = there.intersection(names) - house.hosts.seeing() if seen else ()
    except ArenaError as error:
        errors.print(f"  hosts    cannot be asked: {error}", style="yellow")
        return
    for name in names:
        if name not in there:
            said = f"  note     no host has {name}; its answers have to come from a file"
            errors.print(said, style="yellow")
        elif name in blind:
            said = f"  note     {name} takes no images; it is drawn for no prompt with one"
            errors.print(said, style="yellow")
