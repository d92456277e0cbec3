"""`arena study init`: the file of a new study, with a line on everything that can be said in it.

It does not know what the lines mean.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from arena.cli.files import writable
from arena.cli.terminal import console
from arena.core.errors import BadInput

TEMPLATE = Path(__file__).with_name("template.toml")


def arguments(parser: ArgumentParser) -> None:
    file = "default: study.toml; prompts.csv is written beside it, if there is none"
    parser.add_argument("file", nargs="?", default="study.toml", metavar="FILE", help=file)


def run(options: Namespace) -> int:
    place = Path(options.file)
    prompts = place.with_name("prompts.csv")
    if place.exists():
        raise BadInput(f"{place} is there already. Name another file.")
    with writable(place):
        with place.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.read_text(encoding="utf-8"))
        if not prompts.exists():
            prompts.write_text(TEMPLATE.with_suffix(".csv").read_text("utf-8"), "utf-8")
    console.print(f"Written: {place}. Fill it in, then: arena study check {place}")
    return 0
