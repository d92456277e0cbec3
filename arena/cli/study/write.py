"""`arena study write`: every reply of a study before raters come, or answers from elsewhere.

It does not know how replies are asked for, only how far that is.
"""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from arena import settings as config
from arena.cli.arguments import number
from arena.cli.terminal import Bar, console, errors

if TYPE_CHECKING:
    from arena.core.study.design import Study


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "What was written is kept as soon as it is there: broken off and started again, it goes on "
        "where it was. Exit code 0: every reply is there; 1: some are missing, which are told."
    )
    parser.add_argument("file", metavar="FILE", help="the study's file")
    answers = "take them from this file (prompt_id, contender, reply, turn) and ask no host"
    parser.add_argument("--answers", default="", metavar="FILE", help=answers)
    number(parser, "--at-once", 1, 64, 4, "replies that are asked for at the same time")


async def run(options: Namespace) -> int:
    from arena import studies
    from arena.compose import cleaned, ledger_of, reaching
    from arena.core.study.file import with_roster
    from arena.play.images import Images, Showing, kept_for_good
    from arena.play.studies import named_alone
    from arena.play.writing import write

    study, images, _ = studies.read(Path(options.file))
    if options.answers:
        return await _taken(study, images, Path(options.answers))
    settings = config.load()
    async with ledger_of(settings, "made") as ledger:
        await named_alone(ledger, study.name)
        await kept_for_good(ledger, images)
        with Bar() as bar:
            async with reaching(settings, bar.readiness) as house:
                known = with_roster(study, house.hosts.contenders())
                failed = await write(
                    known.seen_by(house.hosts.seeing()),
                    Showing(house.hosts, Images(ledger, cleaned)),
                    ledger,
                    _estimating(bar),
                    at_once=options.at_once,
                    now=lambda: datetime.now(UTC),
                )
    for each in failed[:20]:
        said = f"{each.prompt_id}, {each.contender}: {each.why}"
        errors.print(said, style="red")
    console.print(_left(study, len(failed)))
    return int(bool(failed))


async def _taken(study: "Study", images: Mapping[str, bytes], place: Path) -> int:
    from arena.compose import ledger_of
    from arena.core.study.faults import FaultyStudy
    from arena.core.study.written import answers, owed, seeing, told
    from arena.exchange.tables import rows_of
    from arena.play.images import kept_for_good
    from arena.play.studies import named_alone

    found, faults = answers(study, rows_of(place))
    if faults:
        raise FaultyStudy(faults[:50])
    async with ledger_of(config.load(), "made") as ledger:
        await named_alone(ledger, study.name)
        await kept_for_good(ledger, images)
        new = await ledger.keep(study.name, found)
        there = await ledger.written(study.name)
        missing = len(owed(seeing(study, there), there))
    console.print(f"{new:,} answers taken, {len(found) - new:,} were here already.")
    if others := len(told(found) - told(there)):
        said = f"{others:,} are others than those here, which stay. Name the study otherwise."
        errors.print(said, style="yellow")
    console.print(_left(study, missing))
    return int(bool(missing))


def _left(study: "Study", missing: int) -> str:
    if missing:
        return f"{missing:,} replies are missing. Run it again, or take them from a file."
    return f"Every reply of {study.name} is there. It can be opened: arena study open FILE"


def _estimating(bar: Bar) -> Callable[[int, int], None]:
    began = time.monotonic()

    def told(done: int, total: int) -> None:
        if total:
            left = (time.monotonic() - began) / done * (total - done) if done else None
            about = f", about {left / 60:.0f} min left" if left is not None else ""
            bar.show(f"Written {done} of {total}{about}", done / total)

    return told
