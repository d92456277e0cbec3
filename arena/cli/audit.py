"""`arena audit`: raters whose votes no judge of replies would cast, and what ranks would be without.

It does not know how they are found.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from arena import settings as config
from arena.cli.arguments import BLIND, as_json, unblind
from arena.cli.terminal import console, print_json, table

if TYPE_CHECKING:
    import pandas as pd

    from arena.core.audit.search import Finding
    from arena.core.ports import Ledger
    from arena.play.audits import Move


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Of votes that count. What it finds accuses nobody yet: look at the votes, then exclude "
        "with `arena exclude --rater`. Exit code 1 where somebody was found."
    )
    as_json(parser, "what was found")
    unblind(parser)


def run(options: Namespace) -> int:
    from arena import frames
    from arena.core.audit.search import ALPHA
    from arena.play.audits import audited

    settings = config.load()
    votes = frames.from_ledger(settings, lambda ledger: _votes(ledger, options.unblind))
    found = audited(votes)
    report = found.report
    if options.json:
        print_json(found)
    elif not report.ballots:
        console.print("There is nothing to audit: no vote that counts is decided and has a rater.")
        if frames.Source(settings, unblind=options.unblind).blind():
            console.print(BLIND)
    else:
        if report.findings:
            console.print(table("Improbable voters", _FOUND, report.findings, ("Rater", "What")))
        if found.moves:
            console.print(table("Ranks without them", _MOVES, found.moves, ("Contender",)))
        console.print(
            f"{report.ballots:,} ballots of {report.raters:,} raters, whose tastes differ by "
            f"{report.taste:.2f} logits; {len(report.findings)} found. The chance to accuse "
            f"anybody who judges by a taste of their own, at a pace like others', is at most "
            f"{ALPHA:.0%}."
        )
    return 1 if report.findings else 0


async def _votes(ledger: Ledger, unblind: bool) -> pd.DataFrame:
    from arena import frames
    from arena.core.standings.slices import BATTLES, without
    from arena.play.audits import COLUMNS, TALK, with_prompts
    from arena.play.studies import blinded

    hidden = frozenset() if unblind else await blinded(ledger)

    def made(chunk: pd.DataFrame) -> pd.DataFrame:
        # Of conversations only a digest of the prompt is kept.
        return with_prompts(without(chunk, hidden))

    columns = tuple(dict.fromkeys((frames.SEQUENCE, *COLUMNS, *BATTLES, TALK)))
    return await frames.in_chunks(ledger, columns, made, frames.TALKS_AT_ONCE)


SAID = {
    "for": "keeps {about}, whatever it writes",
    "against": "drops {about}, whatever it writes",
    "lift": "keeps {about} and drops whoever is strongest beside it",
    "place": "goes by place {about} from the left",
    "random": "drops anybody alike",
    "haste": "votes faster than anybody reads",
    "burst": "casts in bursts",
    "copy": "agrees with {about} on everything",
    "ring": "one of many who vote {about} together",
}
_FOUND: dict[str, Callable[[Finding], str]] = {
    "Rater": lambda f: f.rater,
    "What": lambda f: SAID[f.kind].format(about=f.about),
    "Ballots": lambda f: f"{f.ballots:,}",
    "Evidence": lambda f: f"10^{f.evidence:.0f}",
}
_MOVES: dict[str, Callable[[Move], str]] = {
    "Contender": lambda m: m.contender,
    "With": lambda m: str(m.before),
    "Without": lambda m: str(m.after),
}
