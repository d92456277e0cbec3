"""`arena study plan`: how many raters and prompts tell a difference; and after a study, was it enough.

It does not know how a study is played.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from arena import settings as config
from arena.cli.arguments import (
    BLIND,
    as_json,
    blindable_slices,
    choice,
    number,
    numbers,
    one_of,
    within,
)
from arena.cli.terminal import Bar, console, figure, print_json, table
from arena.core.battle.entities import MAX_CONTENDERS, MIN_CONTENDERS, PANES, Format
from arena.core.errors import BadInput

ENOUGH = 0.8
"""The share of studies that should tell the difference."""

RATERS, PROMPTS = "6,12,24", "20,40,80"


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Studies are simulated with the assumptions given, and each is fitted as the leaderboard "
        "does; told means that the 95 % interval of the best two leaves out 0. Battles are played "
        "round by round, as a study of that --size and --format is. With --of-votes the "
        "assumptions are what the ledger's votes (or those of --votes FILE) show."
    )
    positive = within(float, 1, 2000, "a number of points")
    gap = "points between the best two that are to be told; default: 50"
    parser.add_argument("--gap", type=positive, default=50.0, metavar="POINTS", help=gap)
    number(parser, "--contenders", 2, 50, 3, "that meet")
    number(parser, "--size", 2, MAX_CONTENDERS, 2, "contenders of a battle")
    one_of(parser, "--format", *Format, help="how a battle goes")
    number(parser, "--per-prompt", 1, 100, 3, "raters of each prompt")
    numbers(parser, "--raters", 1, 10_000, RATERS, "to try")
    numbers(parser, "--prompts", 1, 10_000, PROMPTS, "to try")
    share = within(float, 0, 0.95, "a share")
    parser.add_argument("--ties", type=share, default=0.2, metavar="SHARE", help="default: 0.2")
    spread = within(float, 0, 5, "a number of logits")
    for name, value, what in (("--taste", 0.3, "raters"), ("--suit", 0.5, "prompts")):
        told = f"by how much {what} differ in whom they favour, in logits; default: {value}"
        parser.add_argument(name, type=spread, default=value, metavar="SD", help=told)
    number(parser, "--times", 20, 10_000, 200, "simulated studies of each")
    parser.add_argument("--of-votes", action="store_true", help="assume what votes show")
    parser.add_argument(
        "--votes", default="", metavar="FILE", help="of a file in place of the ledger"
    )
    as_json(parser, "the table")
    blindable_slices(parser)


def run(options: Namespace) -> int:
    from arena import frames
    from arena.core.standings.plan import Assumed, assumptions, power
    from arena.core.standings.slices import Slice
    from arena.core.standings.votes import counted

    own = ("gap", "contenders", "size", "per_prompt", "ties", "taste", "suit")
    panes = PANES[Format(options.format)]
    assumed = Assumed(**{name: getattr(options, name) for name in own}, panes=panes)
    raters, prompts = options.raters, options.prompts
    here: tuple[int, int] | None = None
    if options.of_votes or options.votes:
        labels = {name: said for name, said in choice(options).items() if name != "ties"}
        file = Path(options.votes) if options.votes else None
        chosen = Slice.asked(**labels)
        source = frames.Source(config.load(), file, unblind=options.unblind)
        votes = frames.rows_of(source, chosen)
        if counted(votes).empty and source.blind(options.study):
            raise BadInput(f"There are no votes to assume anything by. {BLIND}")
        assumed, *found = assumptions(votes, assumed)
        here = found[0], found[1]
        raters, prompts = tuple(sorted({*raters, here[0]})), tuple(sorted({*prompts, here[1]}))
    if max(raters) < assumed.per_prompt:
        raise BadInput(
            f"{assumed.per_prompt} raters of each prompt need as many raters at least. Try more "
            "with --raters, or fewer of each with --per-prompt."
        )
    # Of two both are the same.
    fewer = assumed.panes < min(assumed.size, PANES[Format.ELIMINATION])
    played = Format.KNOCKOUT if fewer else Format.ELIMINATION
    with Bar() as bar:
        rows = []
        pairs = [(r, p) for r in raters if r >= assumed.per_prompt for p in prompts]
        for done, (r, p) in enumerate(pairs):
            bar.show(f"Simulating {r} raters on {p} prompts", done / len(pairs))
            rows.append(power(assumed, r, p, times=options.times))
    if options.json:
        known = {name: getattr(assumed, name) for name in own} | {"format": played.value}
        print_json({"assumed": known, "plan": rows})
        return 0
    columns = {
        "Raters": lambda row: str(row["raters"]),
        "Prompts": lambda row: str(row["prompts"]),
        "Battles": lambda row: str(row["battles"]),
        "Told": lambda row: figure(row["power"], "{:.0%}"),
        "95 %": lambda row: f"{row['power_lower']:.0%} to {row['power_upper']:.0%}",
        "Interval": lambda row: f"± {row['half_width']:.0f}",
    }
    told = (
        f"{assumed.gap:.0f} points between the best of {assumed.contenders}, "
        f"{assumed.per_prompt} raters of each prompt, {assumed.ties:.0%} ties, battles of "
        f"{assumed.size}" + (f" by {played}" if assumed.size > MIN_CONTENDERS else "")
    )
    console.print(table(told, columns, rows))
    if here:
        (row,) = (r for r in rows if (r["raters"], r["prompts"]) == here)
        enough = "That was enough" if row["power"] >= ENOUGH else "That was not enough"
        console.print(
            f"{enough}: {here[0]} raters on {here[1]} prompts tell a gap like this in "
            f"{row['power']:.0%} of studies; {ENOUGH:.0%} is usual."
        )
    return 0
