"""How a text is formatted in Markdown: headings, list items and bold spans, by kind.

The kinds are those that LMArena counts for style control. It does not know what is made of them.
"""

import re

KINDS = {
    "header": ("h1", "h2", "h3", "h4", "h5", "h6"),
    "list": ("ordered", "unordered"),
    "bold": ("**", "__"),
}

_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
# With the line feed before: it is found faster than the beginning of a line.
_HEADER = re.compile(r"\n(#{1,6})(?=\s)")
_ITEM = re.compile(r"\n[ \t]*(?:([-*+])|\d+[.)])(?=\s)")
_BOLD = re.compile(r"(\*\*)[^*\n]+\*\*|__[^_\n]+__")
_STARS = re.compile(r"(\*\*)[^*\n]+\*\*")


def counts(*texts: str) -> dict[str, dict[str, int]]:
    """What → kind → how often in all texts, for all of `KINDS`. Code between fences is no
    Markdown; a fence that is never closed ends with its text."""
    prose = "\n".join(("", *(_FENCED.sub("", text) for text in texts)))
    found = {what: dict.fromkeys(kinds, 0) for what, kinds in KINDS.items()}
    for signs in _HEADER.findall(prose):
        found["header"][f"h{len(signs)}"] += 1
    for bullet in _ITEM.findall(prose):
        found["list"]["unordered" if bullet else "ordered"] += 1
    for stars in (_BOLD if "__" in prose else _STARS).findall(prose):
        found["bold"]["**" if stars else "__"] += 1
    return found
