"""Arguments that several commands take, and the values they may have.

It does not know the commands.
"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

Number = TypeVar("Number", int, float)

LABELS = {
    "topic": "votes on this topic only",
    "study": "of this study only",
    "language": "on prompts in this language only, by ISO 639-1: en, or English",
    "channel": "cast through this channel only: web, api, notebook, share, import, judge",
    "rater": "of this rater only",
}
CHOICE = (*LABELS, "since", "until", "ties", "bad", "style", "order", "anchor")
MOST = 1000
"""Users or replies that a bench takes at most."""


def url(parser: ArgumentParser) -> None:
    parser.add_argument("--url", default="", help="of the arena; default: ARENA_PORT here")


def as_json(parser: ArgumentParser, what: str) -> None:
    parser.add_argument("--json", action="store_true", help=f"{what} as JSON, for scripts")


def to_json(parser: ArgumentParser) -> None:
    """For `terminal.told`."""
    where = "write the figures as JSON into this file; without its name, print them so"
    parser.add_argument("--json", nargs="?", const="-", default="", metavar="FILE", help=where)


def replies(parser: ArgumentParser) -> None:
    """What a bench's own host writes."""
    number(parser, "--tokens", 10, 5000, 250, "of a reply")
    number(parser, "--rate", 1, 1000, 40, "tokens/s of a reply")


def checkout(parser: ArgumentParser, what: str) -> None:
    """Other folders of the project."""

    def parse(text: str) -> Path:
        folder = Path(text).resolve()
        if (folder / "arena" / "__main__.py").is_file():
            return folder
        raise ArgumentTypeError(f"there is no checkout of the project in {text!r}")

    parser.add_argument(
        "--against", action="append", type=parse, default=[], metavar="FOLDER", help=what
    )


def one_of(parser: ArgumentParser, name: str, *allowed: str, help: str = "") -> None:
    """The first that is allowed is the default."""
    told = f"{help}; default: {allowed[0]}" if help else f"default: {allowed[0]}"
    parser.add_argument(name, choices=allowed, default=allowed[0], help=told)


def number(
    parser: ArgumentParser, name: str, least: int, most: int, default: int, help: str
) -> None:
    """A whole one."""
    told = f"{help}; default: {default}"
    type = within(int, least, most, "a whole number")
    parser.add_argument(name, type=type, default=default, metavar="N", help=told)


def numbers(
    parser: ArgumentParser, name: str, least: int, most: int, default: str, help: str
) -> None:
    """Whole ones, comma-separated; they come sorted, each once."""
    one = within(int, least, most, "a whole number")

    def parse(text: str) -> tuple[int, ...]:
        return tuple(sorted({one(part.strip()) for part in text.split(",")}))

    told = f"{help}; default: {default}"
    parser.add_argument(name, type=parse, default=default, metavar="N,N,…", help=told)


def seconds(
    parser: ArgumentParser, name: str, default: float, help: str, unit: str = "seconds"
) -> None:
    told = f"{help}; default: {default:g}"
    type = within(float, 0.2, 3600, f"a number of {unit}")
    parser.add_argument(name, type=type, default=default, metavar=unit.upper(), help=told)


def within(
    kind: Callable[[str], Number], least: float, most: float, what: str
) -> Callable[[str], Number]:
    def parse(text: str) -> Number:
        with suppress(ValueError):
            if least <= (value := kind(text)) <= most:
                return value
        raise ArgumentTypeError(f"{text!r} is not {what} from {least} to {most}")

    return parse


def slices(parser: ArgumentParser) -> None:
    """Which votes."""
    for name, meaning in LABELS.items():
        read = _language if name == "language" else str
        parser.add_argument(f"--{name}", default="", type=read, metavar="NAME", help=meaning)
    since = "a day or time in ISO 8601; UTC without a zone"
    parser.add_argument("--since", default="", metavar="TIME", help=since)
    until = "likewise; a day counts with all of it"
    parser.add_argument("--until", default="", metavar="TIME", help=until)


def _language(said: str) -> str:
    if not said:  # As it mostly is; names take long to load.
        return said
    from arena.exchange.values import language

    return str(language(said))


def blindable_slices(parser: ArgumentParser) -> None:
    """Which votes, and whether those that raters of open studies cast are among them."""
    slices(parser)
    unblind(parser)


def unblind(parser: ArgumentParser) -> None:
    told = "with what raters of studies have judged that are still open"
    parser.add_argument("--unblind", action="store_true", help=told)


BLIND = "What raters of open studies have judged is left out; --unblind has that too."
"""For whoever finds nothing where it is."""


def choice(options: Namespace) -> dict[str, Any]:
    """What was said of which votes and by which method, as `Query.asked` or `Slice.asked`."""
    return {name: said for name, said in vars(options).items() if name in CHOICE}
