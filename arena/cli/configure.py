"""`python -m arena configure`: check an Ollama host, then write it into `.env`.

The file is replaced in one step, with all its other lines and its permissions as they were.
It does not know which settings there are, only their names and lines.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from arena import settings as config
from arena.cli.terminal import console, errors
from arena.core.ports import ArenaError, ConfigError, NoCapacity

NEW_FILE_MODE = 0o644


def configure(options: argparse.Namespace) -> int:
    wanted = {"OLLAMA_HOST": options.ollama_host.strip()}
    if options.ollama_port:
        wanted["OLLAMA_PORT"] = options.ollama_port
    file = Path(options.file) if options.file else config.ROOT / ".env"
    settings = config.load(file=file, **wanted, OLLAMA_HOSTS="")
    settings = config.replaced(settings, ollama_hosts=())
    (host,) = settings.hosts()
    try:
        asyncio.run(_check(settings))
    except NoCapacity as error:
        if not options.force:
            raise NoCapacity(f"{error} Nothing was written; --force writes it all the same.") from error
        errors.print(f"Written all the same: {error}", style="yellow", markup=False)
    # Several hosts would win over the one that is written.
    write(file, {**wanted, "OLLAMA_HOSTS": ""})
    console.print(f"{file}: OLLAMA_HOST is {host.url} now.", markup=False)
    return 0
