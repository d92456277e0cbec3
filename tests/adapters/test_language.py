"""A prompt's language is told where it can be, and never guessed."""

from __future__ import annotations

import asyncio

import pytest

from arena.adapters import language
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


def test_however_many_ask_first_what_answers_is_loaded_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from py3langid.langid import LanguageIdentifier

    loads, load = [], LanguageIdentifier.from_model_file

    def counted(*args: object, **options: object) -> LanguageIdentifier:
        loads.append(args)
        return load(*args, **options)

    monkeypatch.setattr(LanguageIdentifier, "from_model_file", counted)
    language._identifier.cache_clear()

    async def ask() -> set[str]:
        texts = (f"Why is the sky blue on day {day}, and not violet?" for day in range(8))
        return set(await asyncio.gather(*map(language_of, texts)))

    assert asyncio.run(ask()) == {"en"}
    assert len(loads) == 1
