"""`arena study plan`: how many raters and prompts tell a difference; and after a study, was it enough.

It does not know how a study is played.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from arena import settings as config
from arena.cli.arguments import BLIND, as_json, blindable_slices, choice, number, numbers, within
from arena.cli.terminal import Bar, console, figure, print_json, table
from arena.core.errors import BadInput

ENOUGH = 0.8
"""The share of studies that should tell the difference."""

RATERS, PROMPTS = "6,12,24", "20,40,80"


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Studies are simulated with the assumptions given, and each is fitted as the leaderboard "
        "does; told means that the 95 % interval of the best two leaves out 0. A battle is "
        "simulated as one pair; one of three says more. With --of-votes the assumptions are what "
        "the ledger's votes (or those of --votes FILE) show."
    )
    positive = within(float, 1, 2000, "a number of points")
    gap = "points between the best two that are to be told; default: 50"
    parser.add_argument("--gap", type=positive, default=50.0, metavar="POINTS", help=gap)
    number(parser, "--contenders", 2, 50, 3, "that meet")
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

    own = ("gap", "contenders", "per_prompt", "ties", "taste", "suit")
    assumed = Assumed(**{name: getattr(options, name) for name in own})
    raters, prompts = options.raters, options.prompts
    here: tuple[int, int] | None = None
    several = False
    if options.of_votes or options.votes:
        labels = {name: said for name, said in choice(options).items() if name != "ties"}
        file = Path(options.votes) if options.votes else None
        chosen = Slice.asked(**labels)
        source = frames.Source(config.load(), file, unblind=options.unblind)
        votes = frames.rows_of(source, chosen)
        ranked = counted(votes)
        if ranked.empty and source.blind(options.study):
            raise BadInput(f"There are no votes to assume anything by. {BLIND}")
        assumed, *found = assumptions(votes, assumed)
        here = found[0], found[1]
        several = len(ranked) > ranked["battle_id"].nunique()
        raters, prompts = tuple(sorted({*raters, here[0]})), tuple(sorted({*prompts, here[1]}))
    if max(raters) < assumed.per_prompt:
        raise BadInput(
            f"{assumed.per_prompt} raters of each prompt need as many raters at least. Try more "
            "with --raters, or fewer of each with --per-prompt."
        )
    with Bar() as bar:
        rows = []
        pairs = [(r, p) for r in raters if r >= assumed.per_prompt for p in prompts]
        for done, (r, p) in enumerate(pairs):
            bar.show(f"Simulating {r} raters on {p} prompts", done / len(pairs))
            rows.append(power(assumed, r, p, times=options.times))
    if options.json:
        print_json({"assumed": {name: getattr(assumed, name) for name in own}, "plan": rows})
        return 0
    columns = {
        "Raters": lambda row: str(row["raters"]),
        "Prompts": lambda row: str(row["prompts"]),
        "Votes": lambda row: str(row["votes"]),
        "Told": lambda row: figure(row["power"], "{:.0%}"),
        "95 %": lambda row: f"{row['power_lower']:.0%} to {row['power_upper']:.0%}",
        "Interval": lambda row: f"± {row['half_width']:.0f}",
    }
    told = (
        f"{assumed.gap:.0f} points between the best of {assumed.contenders}, "
        f"{assumed.per_prompt} raters of each prompt, {assumed.ties:.0%} ties"
    )
    console.print(table(told, columns, rows))
    if here:
        (row,) = (r for r in rows if (r["raters"], r["prompts"]) == here)
        enough = "That was enough" if row["power"] >= ENOUGH else "That was not enough"
        console.print(
            f"{enough}: {here[0]} raters on {here[1]} prompts tell a gap like this in "
            f"{row['power']:.0%} of studies; {ENOUGH:.0%} is usual."
        )
        if several:
            console.print(
                "A battle is simulated as one pair; those of three say more, so the difference is "
                "told at least as often."
            )
    return 0
