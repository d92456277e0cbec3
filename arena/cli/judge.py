"""`arena judge`: a model judges the replies that people judged, and is judged by them.

It does not know how a model is asked, nor what a verdict is.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from arena import settings as config
from arena.cli.arguments import BLIND, as_json, blindable_slices, choice, number
from arena.cli.terminal import Bar, console, errors, figure, print_json, table
from arena.core.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

MEASURES = {
    "agreement": "says what people say",
    "kappa": "that against chance (Cohen’s kappa)",
    "flips": "another verdict in the other order",
    "reversed": "the other one wins in the other order",
    "first_seat": "for the reply shown first",
    "longer": "for the longer reply",
    "own_family": "for its own family",
}


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Each two replies are judged in both orders, ties allowed, with the words of "
        "arena/play/judge.txt. Verdicts are kept as votes of the rater judge:MODEL and never "
        "ranked beside people's. What was judged before is not asked again, and what could not be "
        "read comes last."
    )
    parser.add_argument("--model", required=True, metavar="NAME", help="as a host calls it")
    number(
        parser,
        "--most",
        0,
        1_000_000,
        0,
        "pairs of replies to judge at most, of those not judged yet; 0: all",
    )
    told = "ask nothing; tell what the verdicts so far say of the judge"
    parser.add_argument("--report", action="store_true", help=told)
    as_json(parser, "the findings")
    blindable_slices(parser)


async def run(options: Namespace) -> int:
    from arena.compose import ledger_of, reaching
    from arena.core.standings.judge import family, findings
    from arena.core.standings.slices import Slice
    from arena.play.judging import TRIES, Judge, cases, tried, verdicts
    from arena.play.studies import blinded

    settings = config.load()
    async with ledger_of(settings, "empty") as ledger:
        hidden = frozenset() if options.unblind else await blinded(ledger)
        chosen = Slice.asked(**choice(options))
        wanted, people = await cases(ledger, chosen, options.model, hidden)
        if not wanted:
            raise BadInput(
                "There is nothing to judge: no vote that is ranked has both replies. Play battles, "
                "import votes with conversations, or ask for less."
                + (f" {BLIND}" if hidden else "")
            )
        if not options.report:
            hosted = replace(settings, models=(options.model,), roster=None)
            with Bar() as bar:
                async with reaching(hosted, bar.readiness, engine=False) as house:
                    if not house.hosts.contenders():
                        raise BadInput(
                            f"No host has {options.model!r:.60}. Pull it there, or name another "
                            "one. " + " ".join(house.hosts.problems)
                        )
                    judge = Judge(house.hosts, ledger, options.model)
                    owed = (await judge.owed(wanted))[: options.most or None]
                    faults = []
                    done = 0
                    async for fault in judge.judge(owed, datetime.now(UTC)):
                        done += 1
                        faults += [fault] if fault else []
                        bar.show(f"Judged {done} of {len(owed)}", done / len(owed))
            if faults:
                if len(faults) == len(owed):
                    raise faults[-1]
                errors.print(
                    f"{len(faults)} pairs were not judged, as the host failed over them: "
                    f"{faults[-1]} None of that is counted; judge again."
                )
        read, not_read = await tried(ledger, options.model)
        unread = sum(case.item in not_read for case in wanted)
        asked = unread + sum(case.item in read for case in wanted)
        found = findings(await verdicts(ledger, options.model), people, family(options.model))
    if options.json:
        from arena.core.codec import records

        told = {"model": options.model, "asked": asked, "unread": unread}
        print_json({**told, "findings": records(found)})
    else:
        _print(options.model, found)
        if unread:
            console.print(
                f"{unread} pairs without a verdict that can be read, of {asked} that were asked "
                "for, count in none of this. Each is asked for again after all others, "
                f"{TRIES} times in all."
            )
    return 0


def _print(model: str, found: pd.DataFrame) -> None:
    from arena.core.codec import records

    columns = {
        "Measure": lambda row: MEASURES[row["measure"]],
        "Value": lambda row: figure(row["value"], _how(row)),
        "95 %": lambda row: (
            f"{figure(row['lower'], _how(row))} to {figure(row['upper'], _how(row))}"
        ),
        "People": lambda row: figure(row["people"], _how(row)),
        "Of": lambda row: str(row["number"]),
    }
    console.print(table(f"{model} as a judge", columns, records(found), ("Measure",)))


def _how(row: Mapping[str, Any]) -> str:
    return "{:.2f}" if row["measure"] == "kappa" else "{:.0%}"
