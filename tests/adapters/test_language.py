"""A prompt's language is told where it can be, and never guessed."""

from __future__ import annotations

import asyncio

import pytest

from arena.adapters.language import language_of


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Why is the sky blue, and not violet?", "en"),
        ("Warum ist der Himmel blau und nicht violett?", "de"),
        ("Explique le théorème de Pythagore à un enfant.", "fr"),
        ("資本主義とは何ですか", "ja"),
        ("Почему небо голубое, а не фиолетовое?", "ru"),
    ],
)
def test_a_sentence_has_a_language(text: str, code: str) -> None:
    assert asyncio.run(language_of(text)) == code


@pytest.mark.parametrize("text", ["", "Hi", "2+2=?", "x^2 + 3x = 0", "def f(x): return x+1"])
def test_what_could_be_anything_is_undetermined(text: str) -> None:
    assert asyncio.run(language_of(text)) == "und"
