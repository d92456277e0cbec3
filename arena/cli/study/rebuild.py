"""`arena study rebuild`: every table of a release, made anew from the release alone and compared.

It does not know how tables are made.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from arena.cli.terminal import console, errors


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Asks no ledger and no host. Exit code 0: all is as it was written; 1: not so."
    parser.add_argument("folder", metavar="FOLDER", help="the release")


def run(options: Namespace) -> int:
    from arena import release

    wrong = release.rebuilt(Path(options.folder))
    for each in wrong:
        errors.print(each, style="red")
    if not wrong:
        console.print("Every file is as it was released, and every table comes out the same.")
    return int(bool(wrong))
