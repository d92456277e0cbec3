"""`arena bench capacity`: how many battles at once an arena carries, as a table.

It draws what `arena.bench.capacity` measures, and does not know how that is done.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from arena.cli.arguments import checkout, number, replies, seconds, to_json
from arena.cli.terminal import Bar, figure, milliseconds, table, told

if TYPE_CHECKING:
    from arena.bench.capacity import Step

FIGURES: Mapping[str, Callable[[Step], str]] = {
    "At once": lambda s: str(s.seen.tabs),
    "Opening": lambda s: milliseconds(s.seen.opening),
    "First": lambda s: milliseconds(s.seen.first),
    "Gap p50/95": lambda s: f"{milliseconds(s.seen.gap_p50)}/{milliseconds(s.seen.gap)}",
    "Late": lambda s: figure(100 * s.seen.late, "{:.1f} %"),
    "CPU": lambda s: f"{s.seen.cpu:.0%}",
    "Others": lambda s: f"{s.seen.others:.0%}",
    "Bench": lambda s: milliseconds(max(s.seen.driver_late, s.seen.host_late)),
    "": lambda s: " ".join((*s.broke, *["(spoilt)"] * s.seen.spoilt)),
}


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Starts arenas of its own on a host that writes steadily, and raises the number of "
        "battles at once, each of three replies, until at p95 opening one or its first update "
        "takes over 0.5 s, updates are over 2 ticks apart, or a reply is late by 5 %."
    )
    replies(parser)
    number(parser, "--start", 1, 5000, 16, "battles at once to begin with")
    number(parser, "--most", 1, 5000, 512, "battles at once to end with")
    seconds(parser, "--seconds", 10, "that each step is looked at")
    checkout(parser, "also measure another checkout of the project, step by step; may be repeated")
    plain = "also measure a plain Gradio app that sends each token"
    parser.add_argument("--plain", action="store_true", help=plain)
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.bench.browser import Plan
    from arena.bench.capacity import capacity
    from arena.bench.launched import fast

    with Bar() as bar:
        measuring = capacity(
            Plan(options.tokens, options.rate),
            start=options.start,
            most=options.most,
            seconds=options.seconds,
            against=options.against,
            plain=options.plain,
            told=bar.show,
        )
        held, steps = fast(measuring)
    drawn = [
        table(
            f"{name}: {most} battles at once",
            FIGURES,
            [s for s in steps if s.program == name],
            ("",),
        )
        for name, most in held.items()
    ]
    told(options.json, {"held": held, "steps": steps}, drawn, WORDS)
    return 0


WORDS = (
    "At p95 in ms. CPU is that of the program's process, others are everybody else on its core. "
    "Bench: how late its own tabs and its host ran; where these, and not the program, were "
    "measured, the step is called spoilt. What breaks is tried twice."
)
