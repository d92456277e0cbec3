"""`arena export`: the ledger's votes as a file for other tools.

It does not know formats, only where they go.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING

from arena import settings as config
from arena.cli.arguments import blindable_slices, choice, one_of
from arena.cli.files import replacing, spare_ledger, writable
from arena.cli.terminal import errors
from arena.core.errors import BadInput

if TYPE_CHECKING:
    from arena.core.ports import Ledger

STANDARD_OUTPUT = "-"


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "The first columns are those of LMArena's published data; excluded_reason says what is "
        "not ranked. dpo: pairs to train on, in TRL's format. latex: the standings as a table."
    )
    one_of(parser, "--format", "csv", "parquet", "jsonl", "dpo", "latex")
    strict = "only LMArena's columns, and only votes that are ranked"
    parser.add_argument("--strict", action="store_true", help=strict)
    output = "default: -, the standard output"
    parser.add_argument("--output", default=STANDARD_OUTPUT, metavar="FILE", help=output)
    pictures = "write the images that these votes name into this folder, each as DIGEST.jpg"
    parser.add_argument("--images", metavar="FOLDER", help=pictures)
    blindable_slices(parser)


def run(options: Namespace) -> int:
    from arena import exchange, frames
    from arena.core.standings.board import Query
    from arena.core.standings.slices import Slice
    from arena.play.studies import blinded

    if options.images and options.format == "latex":
        raise BadInput("A table of standings names no images. Leave out --images.")
    settings = config.load()
    left_out: Counter[str] = Counter()
    pictured: set[str] = set()
    chosen = Slice.asked(**choice(options))

    async def votes(ledger: Ledger, file: IO[bytes]) -> None:
        pieces = exchange.export(
            ledger,
            options.format,
            chosen,
            strict=options.strict,
            hold_back=None if options.unblind else lambda: blinded(ledger),
            left_out=left_out,
            pictured=pictured,
        )
        async for piece in pieces:
            file.write(piece)
        if options.images:
            await _pictures(ledger, pictured, Path(options.images))

    def work(file: IO[bytes]) -> None:
        if options.format == "latex":
            source = frames.Source(settings, unblind=options.unblind)
            board = frames.board(source, Query(chosen))
            file.write(exchange.latex(board).encode())
        else:
            frames.from_ledger(settings, lambda ledger: votes(ledger, file), "refused")

    if options.output != STANDARD_OUTPUT:
        place = Path(options.output)
        spare_ledger(settings, place)
        with writable(place), replacing(place) as draft:
            work(draft)
        errors.print(f"Written: {place} ({place.stat().st_size / 1e3:,.0f} kB)")
        _tell(left_out)
        return 0
    if options.format == "parquet" and sys.stdout.isatty():
        raise BadInput("Parquet is nothing to read on a terminal. Name a file with --output.")
    work(sys.stdout.buffer)
    sys.stdout.buffer.flush()
    _tell(left_out)
    return 0


async def _pictures(ledger: Ledger, named: set[str], folder: Path) -> None:
    from arena.exchange import pictures

    with writable(folder):
        gone = await pictures.write(ledger, named, folder)
    errors.print(f"Images written: {len(named) - gone} into {folder}")
    if gone:
        errors.print(f"Images that are no longer kept: {gone}.")


def _tell(left_out: Counter[str]) -> None:
    """Why votes are no pairs."""
    cut = left_out.pop("cut back", 0)
    if cut:
        errors.print(f"Cut back to the last turn that both answered: {cut}.")
    if left_out:
        reasons = ", ".join(f"{votes} {why}" for why, votes in sorted(left_out.items()))
        errors.print(f"Votes that are no pairs: {reasons}.")
