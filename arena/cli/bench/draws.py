"""`arena bench draws`: what each policy of the draw costs and saves, as a table.

It draws what `arena.bench.draws` measures, and does not know how that is done.
"""

from argparse import ArgumentParser, Namespace

from arena.cli.arguments import number, numbers, to_json
from arena.cli.terminal import Bar, figure, table, told


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Plays simulated arenas of known strengths under every policy of the draw. Needs no host "
        "and no ledger; the same seed gives the same figures."
    )
    number(parser, "--contenders", 4, 30, 8, "in each arena")
    number(parser, "--votes", 100, 50_000, 12_000, "cast in each arena")
    number(parser, "--repeat", 10, 5000, 1000, "arenas for each policy")
    number(parser, "--size", 2, 3, 3, "contenders of a battle, 2 or 3")
    number(parser, "--seed", 0, 2**31, 1, "of all chance")
    spread = "standard deviations of the strengths, in points"
    numbers(parser, "--spread", 1, 1000, "130,260", spread)
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.bench import draws

    plan = draws.Plan(
        contenders=options.contenders,
        size=options.size,
        votes=options.votes,
        repeat=options.repeat,
        spreads=options.spread,
        seed=options.seed,
    )
    with Bar() as bar:
        rows = list(draws.run(plan, bar.show))
    columns = {
        "Policy": lambda r: r.policy,
        "Votes to the best": lambda r: figure(r.votes_needed, "{:.0f}", f"over {plan.votes}"),
        "Coverage": lambda r: figure(r.coverage, "{:.3f}"),
        "Leader's": lambda r: figure(r.leader_coverage, "{:.3f}"),
        "Error": lambda r: figure(r.error),
    }
    size = f"{plan.contenders} contenders, battles of {plan.size}"
    drawn = [
        table(
            f"{size}, strengths ±{spread} points",
            columns,
            [row for row in rows if row.spread == spread],
            ("Policy",),
        )
        for spread in plan.spreads
    ]
    words = (
        f"Means of {plan.repeat} simulated arenas for each policy. Votes to the best: until the "
        "best is ranked first in 95 % of them. Coverage: how often the 95 % interval holds the "
        "truth, of all and of those ranked first. Error: of a rating, in points, after "
        f"{draws.ERROR_AT} votes."
    )
    told(options.json, rows, drawn, words)
    return 0
