"""`arena study open`: from now on raters may come by its link.

It does not know how raters are led.
"""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

from arena import settings as config
from arena.cli.terminal import console


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the study's file")


async def run(options: Namespace) -> int:
    from arena import studies
    from arena.compose import ledger_of, reaching, roster_of
    from arena.core.study.file import with_roster
    from arena.play.images import kept_for_good
    from arena.play.studies import open_study

    settings = config.load()
    read, images, _ = studies.read(Path(options.file))
    study = with_roster(read, roster_of(settings))
    if images and not study.ahead:
        async with reaching(settings, engine=False) as house:
            study = study.seen_by(house.hosts.seeing())
    async with ledger_of(settings, "made") as ledger:
        await kept_for_good(ledger, images)
        await open_study(ledger, study, datetime.now(UTC))
    console.print(f"{study.name} is open. Each rater has a link of their own:")
    console.print(f"  http://127.0.0.1:{settings.port}/?study={study.name}&rater=NAME")
    console.print("Without a name the page gives one. Panels fill in theirs.")
    return 0
