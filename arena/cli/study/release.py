"""`arena study release`: a folder to publish, from which every table can be made anew.

It does not know what stands in it.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from arena import settings as config
from arena.cli.files import writable
from arena.cli.terminal import console, errors, harmless
from arena.core.errors import BadInput


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Texts are screened for what may be about a person: e-mail addresses, IBANs, card numbers, "
        "public IP addresses, and telephone numbers with + and their country's number or as they "
        "are written in a --region. Where something is found nothing is written before --personal "
        "says what becomes of it. Exit code 1 then."
    )
    parser.add_argument("name", metavar="NAME", help="of the study, which is closed")
    parser.add_argument("folder", metavar="FOLDER", help="made where there is none")
    licence = "under which it is published; default: cc-by-4.0"
    parser.add_argument("--licence", default="cc-by-4.0", metavar="NAME", help=licence)
    personal = "keep what was found as it is, or mask it"
    parser.add_argument("--personal", choices=("keep", "mask"), default="", help=personal)
    region = "where telephone numbers may be written without their country's, as DE; repeatable"
    parser.add_argument("--region", action="append", default=[], metavar="REGION", help=region)


def run(options: Namespace) -> int:
    from arena import release, studies
    from arena.exchange import personal

    settings, folder = config.load(), Path(options.folder)
    regions = personal.regions_of(options.region)
    if not options.personal:
        frames = studies.frames_of(settings, options.name, unblind=True)
        found = release.screened(frames, regions)
        for each in found[:50]:
            said = f"{each.table}, row {each.row + 1}, {each.column}: {each.kind} {each.text}"
            errors.print(harmless(said), style="yellow")
        if found:
            raise BadInput(
                f"{len(found)} findings may be about people. Look at them, then say --personal "
                "mask or --personal keep. Nothing was written."
            )
    with writable(folder):
        release.release(
            settings,
            options.name,
            folder,
            licence=options.licence,
            mask=options.personal == "mask",
            regions=regions,
        )
    console.print(f"Released to {folder}. Rebuilt and compared by: arena study rebuild {folder}")
    return 0
