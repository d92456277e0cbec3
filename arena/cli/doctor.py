"""`arena doctor`: what would keep the arena from playing, and how to mend it.

It tells what `arena.checks.doctor` finds.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from arena.checks.findings import Finding
from arena.cli.arguments import as_json
from arena.cli.terminal import console, print_json

STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}
CODES = "Exit code 0: no problem; 1: a problem; 2: a wrong command line."


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = f"Changes nothing. {CODES}"
    as_json(parser, "the checks")


async def run(options: Namespace) -> int:
    from arena.checks.doctor import examine

    return told(await examine(), options.json)


def told(findings: Sequence[Finding], as_json: bool) -> int:
    """Print the findings; returns the exit code: 1 where something has to be mended."""
    counts = {status: sum(f.status == status for f in findings) for status in STYLES}
    failed = bool(counts["fail"])
    if as_json:
        print_json({"ok": not failed, "findings": findings})
        return int(failed)
    for finding in findings:
        line = f"{finding.status:<5} {finding.check:<9} {finding.message}"
        console.print(line, style=STYLES[finding.status])
        if finding.mend:
            console.print(f"{'':<16}{finding.mend}")
    problems = "1 problem" if counts["fail"] == 1 else f"{counts['fail']} problems"
    warnings = "1 warning" if counts["warn"] == 1 else f"{counts['warn']} warnings"
    console.print(f"{problems}, {warnings}.")
    return int(failed)
