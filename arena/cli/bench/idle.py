"""`arena bench idle`: what an arena costs that nobody uses, as a table.

It draws what `arena.bench.idle` measures, and does not know how that is done.
"""

from argparse import ArgumentParser, Namespace
from operator import itemgetter

from arena.cli.arguments import MOST, numbers, seconds, to_json
from arena.cli.terminal import Bar, table, told


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Starts an arena on the hosts of the settings, without its votes, and measures its CPU."
    )
    seconds(parser, "--seconds", 30, "for each figure")
    numbers(parser, "--pages", 1, MOST, "1,25", "how many are open at once")
    to_json(parser)


async def run(options: Namespace) -> int:
    from arena.bench import idle

    with Bar() as bar:
        rows = await idle.run(options.seconds, options.pages, bar.show)
    texts = ("Pages", "Scene")
    programs = dict.fromkeys(row.program for row in rows)
    columns = {name: itemgetter(name) for name in (*texts, *programs)}
    lines: dict[tuple[int, str], dict[str, str]] = {}
    for row in rows:
        line = lines.setdefault((row.pages, row.scene), {})
        line |= {"Pages": str(row.pages), "Scene": row.scene, row.program: f"{row.cpu:.2%}"}
    drawn = table("CPU while nobody plays", columns, lines.values(), texts)
    told(options.json, rows, [drawn], "Of one core, for each process.")
    return 0
