"""`arena study status`: how far a study is, who judges, and what is still needed.

It does not know how that is counted.
"""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from arena import settings as config
from arena.cli.arguments import as_json
from arena.cli.terminal import console, figure, print_json, table


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the study")
    unblind = "with standings and the contenders' names, also while it is open"
    parser.add_argument("--unblind", action="store_true", help=unblind)
    as_json(parser, "the figures")


def run(options: Namespace) -> int:
    from arena import studies

    found = studies.frames_of(config.load(), options.name, unblind=options.unblind)
    told = found.status
    if options.json:
        from arena.core.codec import records

        beside = {name: records(getattr(found, name)) for name in ("agreement", "raters", "judges")}
        print_json(asdict(told) | beside)
        return 0
    state = "open" if told.open else "closed" if told.closed else "over: nobody judges any more"
    due = "" if told.open or told.closed else f"arena study close {told.study}"
    alpha = found.agreement[found.agreement["measure"] == "alpha"].iloc[0]
    value, *ends = (figure(float(alpha[name]), "{:.2f}") for name in ("value", "lower", "upper"))
    for line in (
        f"{told.study} is {state}",
        *([f"  to do    its votes count once it is closed: {due}"] if due else ()),
        f"  prompts  {told.complete:,} of {told.prompts:,} have all their raters",
        f"  battles  {told.judged:,} of {told.battles:,}",
        f"  raters   {told.raters:,} came, {told.finished:,} have finished",
        f"  pairs    have met {told.met[0]} to {told.met[1]} times",
        f"  checks   {told.attention_passed} of {told.attention_of} attention checks passed",
        f"  agree    Krippendorff's alpha {value}, 95 % interval {' to '.join(ends)}",
        f"  a vote   {figure(told.seconds)} s, the median of raters",
        f"  needed   {told.hours_left:.1f} h of people",
    ):
        console.print(line)
    columns = {
        "Rater": lambda row: str(row.rater),
        "Judged": lambda row: f"{row.judged} of {row.of}",
        "Checks": lambda row: f"{row.attention_passed} of {row.attention_of}",
        "Seconds": lambda row: figure(row.median_seconds),
        "Agrees": lambda row: figure(row.agrees, "{:.2f}"),
        "First seat": lambda row: figure(row.first_seat, "{:.2f}"),
    }
    rows = found.raters.itertuples()
    if len(found.raters):
        console.print(table("Raters", columns, rows, ["Rater"]))
    measures = found.judges.set_index(["judge", "measure"])
    for judge in found.judges["judge"].unique():
        says, flips = measures.loc[judge, "agreement"], measures.loc[judge, "flips"]
        between = f"{figure(says['lower'], '{:.0%}')} to {figure(says['upper'], '{:.0%}')}"
        console.print(
            f"  {judge} says what people say in {figure(says['value'], '{:.0%}')} of "
            f"{says['number']:,} votes ({between}; people among themselves "
            f"{figure(says['people'], '{:.0%}')}), and something else in the other order in "
            f"{figure(flips['value'], '{:.0%}')}"
        )
    if not found.blind and len(found.votes):
        shown = {
            "Contender": lambda row: str(row.contender),
            "Rating": lambda row: figure(row.rating, "{:.0f}"),
            "95 %": lambda row: f"{figure(row.lower, '{:.0f}')} to {figure(row.upper, '{:.0f}')}",
            "Votes": lambda row: str(row.votes),
        }
        standings = found.leaderboard().itertuples()
        console.print(table("Standings", shown, standings, ["Contender"]))
    return 0
