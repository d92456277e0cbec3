"""What a `.env` file sets, or why it cannot be read, by the line and without a word of it.

A line that python-dotenv would pass over is refused: a quote that is not closed would drop a
password. What looks like a variable in a value, as ${HOME}, is the value: passwords may. It does
not know which settings there are.
"""

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from arena.core.errors import ConfigError, line_of

_KEY = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def values_of(file: Path) -> Mapping[str, str | None]:
    """None of a file that is not there. Raises ConfigError."""
    try:
        text = file.read_bytes().decode("utf-8-sig") if file.is_file() else ""
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read ({error.strerror}). Give the account that runs the arena the "
            "right to read it, or take it away."
        ) from None
    except UnicodeDecodeError as error:
        line = line_of(error)
        raise ConfigError(
            f"{file}, line {line}: this is not UTF-8. Save it again as UTF-8."
        ) from None
    for binding in parse_stream(StringIO(text)):
        named = binding.key is None or (_KEY.fullmatch(binding.key) and binding.value is not None)
        if binding.error or not named:
            said = binding.original.string
            line = binding.original.line + said[: -len(said.lstrip())].count("\n")
            raise ConfigError(
                f"{file}, line {line} cannot be understood. Write KEY=value, and close a quote "
                "that the value begins with."
            )
    return dotenv_values(stream=StringIO(text), interpolate=False)
