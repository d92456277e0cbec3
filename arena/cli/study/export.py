"""`arena study export`: a study's prompts, replies, votes and raters as files in a folder.

It does not know what stands in them.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from arena import settings as config
from arena.cli.arguments import one_of
from arena.cli.files import writable
from arena.cli.terminal import console


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "While the study is open contenders go by other names, unless --unblind is given. What "
        "raters' links brought stands in raters, so keep that file to yourself."
    )
    parser.add_argument("name", metavar="NAME", help="of the study")
    parser.add_argument("folder", metavar="FOLDER", help="made where there is none")
    one_of(parser, "--format", "csv", "jsonl", "parquet")
    parser.add_argument("--unblind", action="store_true", help="with the contenders' names")


def run(options: Namespace) -> int:
    from arena import studies
    from arena.exchange.folder import write

    found = studies.frames_of(config.load(), options.name, unblind=options.unblind)
    folder = Path(options.folder)
    tables = {name: getattr(found, name) for name in ("prompts", "replies", "votes", "raters")}
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            write(table, folder / f"{name}.{options.format}")
    blind = ", blind" if found.blind else ""
    rows = ", ".join(f"{len(table):,} {name}" for name, table in tables.items())
    console.print(f"Written to {folder}{blind}: {rows}")
    return 0
