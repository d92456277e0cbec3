"""`python -m arena bench draws`: what each policy of the draw costs and saves, as a table.

It draws what `arena.bench.draws` measures, and does not know how that is done.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict

from arena.bench.draws import ERROR_AT, NEWCOMER_SE, DrawBench, Plan, Row
from arena.cli.terminal import Bar, add_row, console, figure, print_json, table
from arena.core.battle.matchup import Policy

NUMBERS = (*("Votes to the best", "Of uniform's", "Coverage", "Leader's"), *("Error", "Newcomer"))


def bench_draws(options: argparse.Namespace) -> int:
    plan = Plan(
        contenders=options.contenders,
        size=options.size,
        votes=options.votes,
        repeat=options.repeat,
        spreads=options.spread,
        seed=options.seed,
    )
    with Bar() as bar:
        rows = DrawBench(plan, bar.show).run()
    if options.json:
        print_json([asdict(row) for row in rows])
    else:
        _print(plan, rows)
    return 0


def _print(plan: Plan, rows: Sequence[Row]) -> None:
    for spread in plan.spreads:
        title = f"{plan.contenders} contenders, battles of {plan.size}, strengths ±{spread} points"
        drawn = table(title, "Policy", *NUMBERS, numbers=NUMBERS)
        for row in rows:
            if row.spread == spread:
                add_row(drawn, row.policy, *_figures(row, plan))
        console.print(drawn)
    console.print(
        f"Means of {plan.repeat} simulated arenas for each policy. Votes to the best: until the "
        "best is ranked first in 95 % of them; in brackets the 95 % interval of the ratio. "
        "Coverage: how often the 95 % interval holds the truth, of all and of those ranked "
        f"first. Error: of a rating, in points, after {ERROR_AT} votes. Newcomer: votes cast "
        f"until its standard error is {NEWCOMER_SE:.0f} points."
    )


def _figures(row: Row, plan: Plan) -> list[str]:
    needed = figure(row.votes_needed, "{:.0f}")
    return [
        needed if row.votes_needed else f"over {plan.votes}",
        _ratio(row),
        figure(row.coverage, "{:.3f}"),
        figure(row.leader_coverage, "{:.3f}"),
        figure(row.error),
        figure(row.newcomer, "{:.0f}"),
    ]


def _ratio(row: Row) -> str:
    if row.ratio_upper is None or row.policy == Policy.UNIFORM:
        return figure(row.ratio, "{:.2f}")
    if row.ratio_lower is None:
        return f"{figure(row.ratio, '{:.2f}')} (at most {row.ratio_upper:.2f})"
    return f"{figure(row.ratio, '{:.2f}')} ({row.ratio_lower:.2f}–{row.ratio_upper:.2f})"
