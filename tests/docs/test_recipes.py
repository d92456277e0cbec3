"""CONTRIBUTING, done from its top to its end in a checkout: what it says to write is written, what
it says to change is changed, its commands are run, and in the end the tests that it names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.checkout import checkout
from tests.docs.pages import ROOT, Block, blocks, text
from tests.docs.test_pages import CONTRIBUTING
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeOllama

FAKE = "127.0.0.1:11500"
HELD = ["tests/docs/test_pages.py", "tests/test_settings.py"]
"""What is told of commands and settings, which are more by then."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_contributing_holds_from_its_top_to_its_end(tmp_path: Path) -> None:
    tests, touched = [*HELD], set[Path]()
    file = Path()
    with (
        checkout(tmp_path, fresh=True) as at,
        FakeOllama.in_thread([LLAMA, MISTRAL, PHI], warm=True) as host,
    ):
        for block in blocks(CONTRIBUTING):
            if block.kind == "sh":
                _, calls = at.sh(f"at={block.place}\n{block.text.replace(FAKE, host.url)}")
                tests += [test for words in calls for test in named(words)]
                continue
            if paths := re.findall(r"`([\w./]+)`", block.lead):
                file = tmp_path / paths[-1]
                touched.add(file)
            if block.kind == "diff":
                file.write_text(changed(file.read_text(), block))
            else:
                assert not file.exists(), f"{block.place} overwrites {file}"
                file.write_text(block.text)
    files = [str(file) for file in touched if file.suffix == ".py"]
    for command in (
        ["ruff", "format", "--check", "--diff", *files],
        ["ruff", "check", "--no-cache", *files],
        ["pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *tests],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            # What these reach is not measured, also where what others reach is.
            env=os.environ | {"PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def changed(before: str, block: Block) -> str:
    """With the lines that the block takes away, and those they stand among, made what they are
    after it. They stand there once."""
    lines = block.text.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    assert before.count(old) == 1, f"{block.place}: stands there {before.count(old)} times"
    return before.replace(old, new)


def named(words: list[str]) -> list[str]:
    """The tests that a call of pytest names; any other call has options that there are."""
    match words:
        case ["python", "-m", "pytest", *tests]:
            return tests
        case ["python", "-m", module, *options] if module.startswith("tests."):
            helped = [sys.executable, "-m", module, "--help"]
            told = subprocess.run(helped, cwd=ROOT, capture_output=True, text=True, check=True)
            assert all(option in told.stdout for option in options), words
        case [("check" | "run") as gate, *options]:
            assert all(option in text(ROOT / ".ci" / gate) for option in options), words
    return []
