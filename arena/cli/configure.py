"""`arena configure`: check an Ollama host, then write it into `.env`.

The file is replaced in one step, with all its other lines and its permissions as they were.
It does not know what settings mean, only the names of those it writes.
"""

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from arena import settings as config
from arena.cli.files import replacing
from arena.cli.terminal import console, errors
from arena.core.errors import ConfigError, NoCapacity

PLAIN = re.compile(r"[\w.:/\[\]~%-]+")
"""What stands in a .env file without quotes."""


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Writes atomically and keeps all other lines. Exit code 0: written; 1: the host does not "
        "answer or has too few models, and nothing was written."
    )
    parser.add_argument("--ollama-host", required=True, help="an IP, host:port or URL")
    parser.add_argument("--ollama-port", default="", help="for a host given without one")
    file = "default: the project's .env; of an installed copy, that in this folder"
    parser.add_argument("--file", default="", help=file)
    parser.add_argument("--force", action="store_true", help="write whatever the check says")


async def run(options: Namespace) -> int:
    file = Path(options.file) if options.file else config.ENV_FILE
    wanted = {"OLLAMA_HOST": options.ollama_host.strip()}
    if options.ollama_port:
        wanted["OLLAMA_PORT"] = options.ollama_port.strip()
    settings = replace(config.load(file=file, **wanted), ollama_hosts=())
    if not all(PLAIN.fullmatch(value) for value in wanted.values()):
        raise ConfigError("--ollama-host takes letters, digits and .:/-_[] only.")
    (host,) = settings.hosts()
    try:
        await _check(settings, host.url)
    except NoCapacity as error:
        if not options.force:
            advice = "Nothing was written; --force writes it all the same."
            raise NoCapacity(f"{error} {advice}") from error
        errors.print(f"{error} It is written all the same.", style="yellow")
    write(file, wanted, emptied=("OLLAMA_HOSTS",))
    console.print(f"{file} names {host.url} now. It holds from the next start.")
    if config.load(file=file).hosts() != (host,):
        errors.print(
            "The environment sets another host (OLLAMA_HOST, OLLAMA_PORT or OLLAMA_HOSTS) and "
            "wins over the file. Unset it there.",
            style="yellow",
        )
    return 0


async def _check(settings: config.Settings, url: str) -> None:
    """Print what the host is and has. Raises NoCapacity where no battle could be had."""
    from arena.compose import reaching

    async with reaching(settings) as house:
        report = next(each for each in house.hosts.reports() if each.url == url)
        if not report.up:
            raise NoCapacity(f"{url} is no Ollama host that can be reached. {report.last_fault}")
        names = ", ".join(model.name for model in report.models) or "none"
        console.print(f"{url} answers: Ollama {report.version}")
        console.print(f"installed: {names}")
        for problem in house.hosts.problems:
            console.print(f"note: {problem}", style="yellow")
        playing = ", ".join(c.name for c in house.hosts.contenders()) or "none"
        console.print(f"contenders: {playing}")
        if refusal := house.hosts.refusal():
            raise NoCapacity(refusal)


def write(file: Path, values: Mapping[str, str], emptied: tuple[str, ...] = ()) -> None:
    """Set these keys in the file and leave all else; `emptied` are keys that lose their value
    where they have one. Raises ConfigError, and then the file is as it was."""
    try:
        before = file.read_bytes().decode() if file.exists() else ""
        with replacing(file) as draft:
            draft.write(edited(before, values, emptied).encode())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"{file} cannot be written ({reason}). It is as it was. Run this as an account that "
            "may write there, or name another file with --file."
        ) from error


def edited(text: str, values: Mapping[str, str], emptied: tuple[str, ...] = ()) -> str:
    """The text of a .env file with these values; keys that it does not have come at its end."""
    end = "\r\n" if "\r\n" in text else "\n"
    changes = {**dict.fromkeys(emptied, ""), **values}
    for key, value in changes.items():
        line = re.compile(rf"^([ \t]*(?:export[ \t]+)?{key}[ \t]*=).*?(\r?)$", re.MULTILINE)
        text, found = line.subn(rf"\g<1>{value}\2", text)
        if not found and key in values:
            text += ("" if not text or text.endswith("\n") else end) + f"{key}={value}{end}"
    return text
