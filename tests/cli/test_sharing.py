"""A public link from the terminal: what is asked first, and a code that a phone reads."""

from __future__ import annotations

import pytest

from arena.cli import serve
from arena.core.errors import BadInput
from arena.settings import load


def answering(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Somebody at the terminal; what they were asked."""
    told, typed = [], iter(answers)

    def ask(question: str) -> str:
        told.append(question)
        return next(typed)

    monkeypatch.setattr(serve, "getpass", ask)
    monkeypatch.setattr("builtins.input", ask)
    return told


def test_a_password_and_a_limit_are_asked_for_where_none_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARENA_OPENS_PER_MINUTE", "0")
    told = answering(monkeypatch, "open sesame", "7")
    settings = serve.asked(load())
    assert (settings.password, settings.opens_per_minute) == ("open sesame", 7)
    assert len(told) == 2 and "password" in told[0]


def test_nothing_typed_leaves_it_open_and_what_is_set_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, "")
    assert not serve.asked(load()).gated
    monkeypatch.setenv("ARENA_PASSWORD", "set before")
    monkeypatch.setattr(serve, "getpass", lambda _: pytest.fail("asked again"))
    assert serve.asked(load()).password == "set before"


def test_whoever_ends_the_questions_shares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(_: str) -> str:
        raise EOFError

    monkeypatch.setattr(serve, "getpass", ended)
    with pytest.raises(BadInput, match="ARENA_PASSWORD"):
        serve.asked(load())


def test_a_link_is_drawn_as_a_square_of_blocks() -> None:
    lines = serve.scannable("https://0123456789abcdef.gradio.live").strip("\n").splitlines()
    assert len(lines) > 12 and any("█" in line or "▀" in line or "▄" in line for line in lines)
