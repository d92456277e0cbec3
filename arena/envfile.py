"""What a `.env` file sets, or why it cannot be read, by the line and without a word of it.

A line that python-dotenv would pass over is refused: a quote that is not closed would drop a
password. So is a key that sets nothing, where it may stand for one of ours; what others read in
the file is theirs. What looks like a variable in a value, as ${x}, is the value: passwords may.
Where there is such a variable, the line is refused too: other readers would put in what that says.
It does not know which settings there are.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from arena.core.errors import ConfigError, line_of

BEGINS = re.compile(r"\W*ARENA_", re.IGNORECASE)
"""How a key begins that no other program has, also where it is misspelt."""

_KEY = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)(:-[^}]*)?\}", re.ASCII)


def values_of(
    file: Path, known: Sequence[str], environ: Mapping[str, str]
) -> Mapping[str, str | None]:
    """None of a file that is not there. known: the keys of settings. Raises ConfigError."""
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
    bindings = list(parse_stream(StringIO(text)))
    variables = {*environ, *(binding.key for binding in bindings)}
    for binding in bindings:
        key = binding.key or ""
        # One without a value is Docker's way to say that the environment has it.
        sets = _KEY.fullmatch(key) and (binding.value is not None or environ.get(key))
        # However it is written, it may stand for a setting.
        if binding.error or (not sets and (BEGINS.match(key) or nearest(key, known))):
            raise ConfigError(
                f"{_place(file, binding)} cannot be understood. Write KEY=value, and close a quote "
                "that the value begins with."
            )
        for variable in _VARIABLE.finditer(binding.value or "" if key in known else ""):
            if variable[1] in variables:
                raise ConfigError(
                    f"{_place(file, binding)}: ${{{variable[1]}}} is no variable here. Write its "
                    "value."
                )
    return dotenv_values(stream=StringIO(text), interpolate=False)


def nearest(key: str, known: Sequence[str]) -> str:
    """The setting that was meant, if that can be told; else empty."""
    return next(iter(get_close_matches(key.upper(), known, 1, 0.8)), "")


def _place(file: Path, binding: Binding) -> str:
    said = binding.original.string
    line = binding.original.line + said[: -len(said.lstrip())].count("\n")
    return f"{file}, line {line}"
