"""The rules of the house that no tool of `.ci/check` knows: how long a file is, what nothing is
called, and that what is installed is the same everywhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [*ROOT.glob("*.py"), *(ROOT / "arena").rglob("*.py")]
TESTS = [*(ROOT / "tests").rglob("*.py")]

LONGEST_FILE = 350
BANNED = {"util", "utils", "common", "manager", "helper", "helpers"}


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_too_long() -> None:
    lines = {_named(path): len(path.read_text().splitlines()) for path in SOURCES}
    too_long = {name: count for name, count in lines.items() if count > LONGEST_FILE}
    assert not too_long, "split by what they are about"


@pytest.mark.untraced
def test_nothing_is_called_by_a_name_that_says_nothing() -> None:
    said = []
    for path in (*SOURCES, *TESTS):
        tree = ast.walk(ast.parse(path.read_text()))
        definitions = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        names = [node.name for node in tree if isinstance(node, definitions)]
        for name in (*path.relative_to(ROOT).with_suffix("").parts, *names):
            words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
            said += [f"{_named(path)}: {name}"] * bool(words & BANNED)
    assert not said


def test_every_package_is_pinned_exactly() -> None:
    files = (ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt")
    lines = [line for file in files for line in file.read_text().splitlines()]
    pins = [line for line in lines if line and not line.startswith("#")]
    loose = [pin for pin in pins if not re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+(; .+)?", pin)]
    assert pins and not loose
