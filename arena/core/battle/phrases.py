"""The tables of `phrases.toml`, which says what each of them is, and of files like it.

It does not know what is done with them.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def tables(file: str) -> Mapping[str, Any]:
    """Of a file beside this one."""
    return tomllib.loads(Path(__file__).with_name(file).read_text(encoding="utf-8"))


_TABLES = tables("phrases.toml")


def words(table: str, *, latin: bool | None = None, only: str = "") -> list[str]:
    """Of all languages. latin: only those in Latin letters, or only the others, of a table that
    tells them apart. only: those of this kind."""
    texts = {kind: text for kind, text in _TABLES[table].items() if only in ("", kind)}
    return [
        w for kind, text in texts.items() if latin in (None, kind == "latin") for w in text.split()
    ]


def pattern(table: str, kind: str = "") -> str:
    """The alternatives of all languages; what matches nothing where there is none of this kind.
    Those of other scripts are only tried where there is such a letter, as all of them take long."""
    texts = _TABLES[table].get(kind, {}) if kind else _TABLES[table]
    lines = [line for text in texts.values() for line in text.splitlines() if line]
    latin = [line for line in lines if _LATIN.search(_ESCAPED.sub("", line))]
    others = "|".join(line for line in lines if line not in latin)
    return "|".join([*latin, *([f"{_FOREIGN}(?:{others})"] if others else [])]) or "(?!)"


def whole(table: str) -> str:
    """Of a table whose patterns go over several lines."""
    return "|".join(text.replace("\n", "") for text in _TABLES[table].values())


_ESCAPED, _LATIN = re.compile(r"\\u\w{4}|\\[bdsw]"), re.compile(r"[A-Za-z]|\.\*")
_FOREIGN = r"(?=[^\w\ue000]*[^\x00-\x7f\ue000])"
