"""`arena bench draws`: what each policy of the draw costs and saves, as a table.

It draws what `arena.bench.draws` measures, and does not know how that is done.
"""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from arena.cli.arguments import as_json, number, numbers
from arena.cli.terminal import Bar, console, figure, print_json, table


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
    as_json(parser, "the figures")


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
    if options.json:
        print_json([asdict(row) for row in rows])
        return 0
    columns = {
        "Policy": lambda r: r.policy,
        "Votes to the best": lambda r: figure(r.votes_needed, "{:.0f}", f"over {plan.votes}"),
        "Coverage": lambda r: figure(r.coverage, "{:.3f}"),
        "Leader's": lambda r: figure(r.leader_coverage, "{:.3f}"),
        "Error": lambda r: figure(r.error),
    }
    for spread in plan.spreads:
        title = f"{plan.contenders} contenders, battles of {plan.size}, strengths ±{spread} points"
        own = [row for row in rows if row.spread == spread]
        console.print(table(title, columns, own, ("Policy",)))
    console.print(
        f"Means of {plan.repeat} simulated arenas for each policy. Votes to the best: until the "
        "best is ranked first in 95 % of them. Coverage: how often the 95 % interval holds the "
        "truth, of all and of those ranked first. Error: of a rating, in points, after "
        f"{draws.ERROR_AT} votes."
    )
    return 0
