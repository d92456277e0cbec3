"""The command lines of the commands about votes: leaderboard, export, import.

It does not know what they do; the commands themselves are imported when they run.
"""

from __future__ import annotations

import argparse
from typing import Any, Protocol

LABELS = {
    "topic": "votes on this topic only",
    "study": "of this study only",
    "language": "on prompts in this language only, by ISO 639-1: en",
    "channel": "cast through this channel only: web, api, notebook, share, import",
    "rater": "of this rater only",
}
CHOICE = (*LABELS, "since", "until", "ties", "bad", "style", "order", "anchor")


def choice(options: argparse.Namespace) -> dict[str, Any]:
    """What was said of which votes and by which method, as `Query.asked` or `Slice.asked`."""
    return {name: said for name, said in vars(options).items() if name in CHOICE}


class Command(Protocol):
    """Adds a command and returns its parser. module: where its function is, if its name is none
    that Python allows."""

    def __call__(
        self, name: str, help: str, more: str = "", module: str = ""
    ) -> argparse.ArgumentParser: ...


def add(command: Command) -> None:
    _leaderboard(command)
    _export(command)
    _import(command)


def _leaderboard(command: Command) -> None:
    leaderboard = command(
        "leaderboard",
        "the standings of the ledger or of a file of votes",
        "Exit code 0, also where there are no votes yet.",
    )
    leaderboard.add_argument(
        "--format",
        choices=("table", "csv", "json", "latex"),
        default="table",
        help="default: table",
    )
    leaderboard.add_argument(
        "--votes",
        default="",
        metavar="FILE",
        help="rank the votes of a file, in any format that can be imported, without importing it",
    )
    _slices(leaderboard)
    leaderboard.add_argument(
        "--ties",
        choices=("half", "drop"),
        default="half",
        help="a tie is half a win each, or left out; default: half",
    )
    leaderboard.add_argument(
        "--bad",
        choices=("tie", "drop"),
        default="tie",
        help="both bad is taken for a tie, or left out; default: tie",
    )
    leaderboard.add_argument(
        "--style",
        action="store_true",
        help="correct the ratings for length and formatting of the replies",
    )
    leaderboard.add_argument(
        "--order", action="store_true", help="correct them for seat and for having stayed"
    )
    leaderboard.add_argument(
        "--anchor", default="", metavar="NAME", help="the contender whose rating is to be 1000"
    )


def _export(command: Command) -> None:
    export = command(
        "export",
        "write the votes to a file for other tools",
        "The first columns are those of LMArena's published data; excluded_reason says what is "
        "not ranked. dpo: pairs to train on, in TRL's format. latex: the standings as a table.",
    )
    export.add_argument(
        "--format",
        choices=("csv", "parquet", "jsonl", "dpo", "latex"),
        default="csv",
        help="default: csv",
    )
    export.add_argument(
        "--strict",
        action="store_true",
        help="only LMArena's columns, and only votes that are ranked",
    )
    export.add_argument(
        "--output", default="-", metavar="FILE", help="default: -, the standard output"
    )
    _slices(export)


def _import(command: Command) -> None:
    take = command(
        "import",
        "take votes from files into the ledger",
        "CSV, Parquet, JSON lines or a JSON array, of our own export, of LMArena's releases, or "
        "with model_a, model_b and winner alone. All files or, if anything is wrong, none; what "
        "is here already is refused.",
        module="import_",
    )
    take.add_argument("files", nargs="+", metavar="FILE")
    take.add_argument(
        "--study",
        default="",
        metavar="NAME",
        help="what to call these votes; default: as they say, else the file's name",
    )
    take.add_argument("--dry-run", action="store_true", help="check the files and write nothing")


def _slices(parser: argparse.ArgumentParser) -> None:
    for name, meaning in LABELS.items():
        parser.add_argument(f"--{name}", default="", metavar="NAME", help=meaning)
    parser.add_argument(
        "--since", default="", metavar="TIME", help="a day or time in ISO 8601; UTC without a zone"
    )
    parser.add_argument(
        "--until", default="", metavar="TIME", help="likewise; a day counts with all of it"
    )
