"""The pages for readers, README and docs/, taken apart: headings, links, tables, fenced blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

FENCE = re.compile(r"^```(.*)$")
HEADING = re.compile(r"^(#+) (.+)$")
LINK = re.compile(r"\]\(([^)\s]+)\)|<(https?://[^>\s]+)>")
CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: where it stands, under which heading, of which kind, and what the line
    before it says."""

    page: Path
    line: int
    heading: str
    kind: str
    lead: str
    text: str

    @property
    def place(self) -> str:
        return f"{name(self.page)}:{self.line}"


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, kind: str = "") -> list[Block]:
    """Those of that kind, or all."""
    return [block for block in _blocks(page) if kind in ("", block.kind)]


def _blocks(page: Path) -> Iterator[Block]:
    heading = lead = ""
    begun: tuple[int, str] | None = None
    held: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if begun and fence:
            at, kind = begun
            yield Block(page, at, heading, kind, lead, "".join(f"{one}\n" for one in held))
            begun, held, lead = None, [], ""
        elif begun:
            held.append(line)
        elif fence:
            begun = (number, fence[1])
        elif found := HEADING.match(line):
            heading, lead = found[2], ""
        elif line.strip():
            lead = line
    assert not begun, f"{name(page)}:{begun} is never closed"


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page may say after #, as GitHub makes it."""
    found = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in found}


def links(page: Path) -> list[str]:
    return [a or b for a, b in LINK.findall(prose(page))]


def table(page: Path, head: str) -> dict[str, list[str]]:
    """Of the table whose first heading this is: what its first column names in backticks → the
    other cells of that row."""
    rows: dict[str, list[str]] = {}
    (found,) = re.findall(
        rf"^\| {re.escape(head)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text(page), re.MULTILINE
    )
    for line in found.splitlines():
        first, *rest = (cell.strip() for cell in line.strip("|").split(" | "))
        for key in CODE.findall(first):
            assert key not in rows, f"{name(page)} has {key} twice below {head}"
            rows[key] = rest
    return rows


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")
