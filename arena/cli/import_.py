"""`arena import`: votes from files into the ledger, all of them or none.

It does not know file formats, nor what a vote needs.
"""

from __future__ import annotations

import signal
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from arena import settings as config
from arena.cli import INTERRUPTED
from arena.cli.terminal import Bar, console, errors
from arena.core.errors import BadInput, KnownVotes

if TYPE_CHECKING:
    from arena.core.battle.record import VoteRow


class Stopped(Exception):
    """Somebody pressed Ctrl-C while rows were still coming; the ledger takes none of them."""


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "CSV, Parquet, JSON lines or a JSON array: of our own export, of LMArena's releases, "
        "MT-bench's judgments, PPE, compar:IA or Open WebUI's feedback, or with model_a, model_b "
        "and winner alone. All files or, if anything is wrong, none; what "
        "is here already is refused, and so is what names a study that was opened here."
    )
    parser.add_argument("files", nargs="+", metavar="FILE")
    study = "what to call these votes; default: as they say, else the file's name"
    parser.add_argument("--study", default="", metavar="NAME", help=study)
    pictures = "the folder that `arena export --images` wrote, for the images these votes name"
    parser.add_argument("--images", metavar="FOLDER", help=pictures)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="check the files as the import would, and write no vote",
    )


def run(options: Namespace) -> int:
    from arena import exchange, frames
    from arena.exchange import pictures

    settings = config.load()
    votes = exchange.Votes(list(map(Path, options.files)), datetime.now(UTC), options.study)
    folder = Path(options.images) if options.images else None
    with Bar() as bar:
        rows = votes.rows(bar.reading) if folder else ()
        named = {digest for row in rows for digest in row.images}
        images = pictures.there(folder, named) if folder else ()
        try:
            with _stopping() as stop:
                # Read once, as that takes longest; what is wrong comes at the end, and then the
                # ledger takes none.
                coming = _until(stop, votes.rows(bar.reading))
                if folder and not options.dry_run:
                    keep = partial(pictures.keep, digests=images, folder=folder)
                    frames.from_ledger(settings, keep, "made")
                count = frames.from_ledger(
                    settings,
                    lambda ledger: ledger.add(coming, dry=options.dry_run),
                    "empty" if options.dry_run else "made",
                    looking=options.dry_run,
                )
        except KnownVotes as fault:
            places = votes.places(fault.ids, bar.reading)
            listed = "".join(f"\n  {place}" for place in places)
            raise BadInput(
                "These votes, or others on the same two replies, are here already, so nothing "
                "was imported. Leave them out or, if they are others that are numbered alike, "
                f"name another --study; then import again:{listed}"
                + ("\n  … and perhaps more" if len(fault.ids) == fault.most else "")
            ) from None
        except Stopped:
            errors.print("Interrupted. Nothing was imported.")
            return INTERRUPTED
    done = "can be read. Nothing was written" if options.dry_run else "imported"
    console.print(f"{count} vote{'s' * (count != 1)} {done}.")
    if folder and not options.dry_run:
        console.print(f"Images: {len(images)} of {len(named)} that the votes name.")
    for why, number in votes.passed.items():
        console.print(f"Passed over: {number} with {why}.")
    return 0


@contextmanager
def _stopping() -> Iterator[Event]:
    """Ctrl-C sets the event, so that the thread which writes can end in good order."""
    stop = Event()
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _until(stop: Event, rows: Iterable[VoteRow]) -> Iterator[VoteRow]:
    for row in rows:
        if stop.is_set():
            raise Stopped
        yield row
