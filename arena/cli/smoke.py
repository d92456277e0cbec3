"""`arena smoke`: whole battles against a running arena, as a person plays them, timed.

It draws what `arena.checks.playing` times. It does not know how a page is asked.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from arena import settings as config
from arena.cli.arguments import as_json, one_of, url
from arena.cli.terminal import Bar, console, figure, print_json, table
from arena.core.errors import ArenaError

if TYPE_CHECKING:
    from arena.checks.playing import Timing

QUESTIONS = {
    "simple": "What is the capital of France? Answer in one sentence.",
    "hard": "Three people pay 10 each for a room that costs 25. The clerk keeps 2 of the 5 that go "
    "back, so each paid 9, which makes 27, and with the 2 that makes 29. Where is the missing 1? "
    "Explain step by step where the reasoning goes wrong, then give the correct account.",
}


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Its votes are kept as study `smoke` and never ranked. Exit code 0: every battle was "
        "decided; 1: not so."
    )
    url(parser)
    one_of(parser, "--format", "elimination", "knockout")
    as_json(parser, "the timings")


async def run(options: Namespace) -> int:
    from arena.checks.page import Page
    from arena.checks.playing import Player
    from arena.checks.visitor import Visitor, let_in, local_arena

    settings = config.load()
    url, allowed = options.url or local_arena(settings), await let_in(settings)
    timings = []
    async with Visitor(url, allowed=allowed, browses=True) as browser:
        await browser.call("/api/arena/status")
        page = await Page.opened(browser)
        with Bar() as bar:
            for number, (name, prompt) in enumerate(QUESTIONS.items()):
                bar.show(f"Playing the {name} question", number / len(QUESTIONS))
                player = Player(page, name)
                try:
                    await player.play(prompt, options.format)
                except ArenaError as error:
                    player.timing.failed = str(error)
                timings.append(player.timing)
    if options.json:
        print_json({"url": browser.url, "battles": timings})
    else:
        _print(browser.url, timings)
    return int(any(timing.failed for timing in timings))


def _print(url: str, timings: Sequence[Timing]) -> None:
    # Narrow enough for a terminal of 80 columns.
    drawn = table(
        f"Battles at {url}",
        {
            "Question": lambda t: t.question,
            "First text": lambda t: figure(t.first_text_s, "{:.2f} s"),
            "Voting": lambda t: figure(t.voting_open_s, "{:.2f} s"),
            "Reveal": lambda t: figure(t.reveal_s, "{:.3f} s"),
            "In all": lambda t: f"{t.total_s:.2f} s",
            "Length": lambda t: str(t.characters),
            "Votes": lambda t: str(t.votes),
            "Result": lambda t: "failed" if t.failed else "decided",
        },
        timings,
        ("Question", "Result"),
    )
    console.print(drawn)
    for timing in timings:
        if timing.failed:
            console.print(f"{timing.question}: {timing.failed}", style="red")
    console.print("Its votes are kept as study 'smoke' and not ranked.")
