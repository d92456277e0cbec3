"""HTML from the templates beside this file, in which whatever comes from elsewhere is escaped.

It does not know what is drawn.
"""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from arena.web.words import ENGLISH, Words, everywhere


def drawn(template: str, words: Words = ENGLISH, **values: Any) -> str:
    """The template of that name with these values; `t` gives its texts, `words` all else."""
    values |= {"words": words, "t": words.html}
    return _TEMPLATES.get_template(f"{template}.html").render(values).strip()


def shown(template: str, **values: str) -> str:
    """The same for a component that everybody sees, each in their own language."""
    key = "-".join(("drawn", template, *values.values()))
    return everywhere(key, lambda words: drawn(template, words, **values))


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
