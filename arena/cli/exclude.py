"""`arena exclude`: which raters and ballots are not ranked and why; exclude some, or include them again.

It does not know how votes are kept, nor how it is found out whom to exclude.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from datetime import UTC, datetime

from arena import settings as config
from arena.cli.arguments import as_json, choice, slices
from arena.cli.terminal import console, print_json, table
from arena.core.errors import BadInput
from arena.core.ports import BALLOT, RATER, Exclusion, Ledger, standing


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Without votes it lists what is excluded. A rater alone is excluded with all votes, also "
        "those to come; with other choices, and as ballots, only votes that are there. Nothing is "
        "deleted: votes stay in the ledger and in exports, as excluded by the operator."
    )
    ballot = "this ballot; may be given again"
    parser.add_argument("--ballot", action="append", default=[], metavar="ID", help=ballot)
    slices(parser)
    parser.add_argument("--because", default="", metavar="WORDS", help="the reason, which is kept")
    parser.add_argument("--include", action="store_true", help="take an exclusion back")
    parser.add_argument("--history", action="store_true", help="list every decision so far")
    as_json(parser, "what is excluded")


async def run(options: Namespace) -> int:
    from arena.compose import ledger_of

    named = {name: said for name, said in choice(options).items() if said}
    async with ledger_of(config.load()) as ledger:
        if named or options.ballot:
            if not options.because.strip():
                raise BadInput("An exclusion needs its reason: --because, in a few words.")
            subjects = [*await _chosen(ledger, named), *await _ballots(ledger, options.ballot)]
            await _decide(ledger, subjects, options)
        decisions = await ledger.exclusions()
    shown = decisions if options.history else standing(decisions)
    if options.json:
        print_json(shown)
    elif not shown:
        console.print("Nothing is excluded.")
    else:
        console.print(table("Excluded by the operator", _COLUMNS, shown, _COLUMNS))
    return 0


async def _decide(ledger: Ledger, subjects: list[tuple[str, str]], options: Namespace) -> None:
    now, reason = datetime.now(UTC), options.because.strip()
    known = {(each.kind, each.subject) for each in standing(await ledger.exclusions())}
    changed = [each for each in dict.fromkeys(subjects) if (each in known) == options.include]
    if not changed:
        raise BadInput(f"All of these are {'included' if options.include else 'excluded'} already.")
    decided = [
        Exclusion(kind, subject, not options.include, reason, now) for kind, subject in changed
    ]
    await ledger.exclude(decided)


async def _chosen(ledger: Ledger, named: dict[str, str]) -> list[tuple[str, str]]:
    """What a slice stands for. Raises BadInput where it holds no vote."""
    from arena.core.standings.slices import Slice

    if not named:
        return []
    slice = Slice.asked(since=named.pop("since", None), until=named.pop("until", None), **named)
    columns = tuple(dict.fromkeys(("ballot_id", "rater", *slice.columns)))
    votes = slice.of(await ledger.votes(columns))
    if votes.empty:
        raise BadInput("There is no vote of these. `arena audit` and `arena export` name raters.")
    if slice.columns == ("rater",):
        return [(RATER, rater) for rater in votes["rater"].unique() if rater]
    return [(BALLOT, ballot) for ballot in votes["ballot_id"].unique()]


async def _ballots(ledger: Ledger, named: list[str]) -> list[tuple[str, str]]:
    if not named:
        return []
    known = set((await ledger.votes(("ballot_id",)))["ballot_id"])
    if unknown := [ballot for ballot in named if ballot not in known]:
        raise BadInput(f"There is no ballot {unknown[0]!r:.80}. Nothing was decided.")
    return [(BALLOT, ballot) for ballot in named]


_COLUMNS: dict[str, Callable[[Exclusion], str]] = {
    "What": lambda e: e.kind,
    "Which": lambda e: e.subject,
    "": lambda e: "excluded" if e.excluded else "included again",
    "When": lambda e: f"{e.decided_at:%Y-%m-%d %H:%M} UTC",
    "Why": lambda e: e.reason,
}
