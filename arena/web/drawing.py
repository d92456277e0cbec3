"""HTML from the templates beside this file, in which whatever comes from elsewhere is escaped.

It does not know what is drawn.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from arena.web.words import DASH, USUAL, WORDS, Words, everywhere


def drawn(template: str, words: Words = WORDS[USUAL], **values: Any) -> str:
    """The template of that name with these values; `t` gives its texts, `words` all else."""
    values |= {"words": words, "t": words.html}
    return _TEMPLATES.get_template(f"{template}.html").render(values).strip()


def shown(template: str, **values: str) -> str:
    """The same for a component that everybody sees, each in their own language."""
    key = "-".join(("drawn", template, *values.values()))
    return everywhere(key, lambda words: drawn(template, words, **values))


def figure(value: float | None, how: str = "{:,.0f}") -> str:
    return DASH if value is None or pd.isna(value) else how.format(value)


def counted(count: int, what: str) -> str:
    """“1 vote”, “1,200 votes”."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def signed(value: float, zero: str = "0") -> str:
    number = round(value)
    return f"+{number}" if number > 0 else f"−{-number}" if number < 0 else zero


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
_TEMPLATES.filters |= {"figure": figure, "counted": counted, "signed": signed}
