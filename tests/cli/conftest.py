"""Commands as a person or a script runs them, with a ledger of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from arena.cli import main, terminal
from tests.nginx import free_port
from tests.running import OURS


@dataclass
class Ran:
    """What a command did: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out, parse_constant=_no_json)

    def lines(self, start: str) -> list[str]:
        return [line for line in self.out.splitlines() if line.startswith(start)]


def _no_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


Run = Callable[..., Ran]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "arena.db"


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    ledger: Path,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs a command with its own ledger and cache and only the settings given, on a terminal
    of so many columns."""
    for name in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{ledger}")
    monkeypatch.setenv("ARENA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ARENA_PORT", str(free_port()))

    def command(*arguments: object, columns: int = 120, **settings: str) -> Ran:
        with monkeypatch.context() as patch:
            # The consoles have read COLUMNS when they were made, if it was set then.
            for console in (terminal.console, terminal.errors):
                patch.setattr(console, "width", columns)
            for key, value in settings.items():
                patch.setenv(key, value)
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as wrong:
                code = int(str(wrong.code))
        out, err = capsys.readouterr()
        assert "\x1b" not in out + err and "Traceback" not in out + err
        return Ran(code, out, err)

    return command
