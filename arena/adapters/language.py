"""Which language a text is in, by py3langid: a naive Bayes model over byte n-grams that is part
of the package, so that nothing is fetched (https://pypi.org/project/py3langid/).

It does not know what the text is for.
"""

from __future__ import annotations

import asyncio
import threading
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from arena.core.battle.record import UNDETERMINED

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LEAST = 0.3
"""Below this probability a language is not named: what scores less is two or three words, a
formula or code, and wrong as often as right."""

MOST_CHARACTERS = 2000
"""More of the text does not change the answer."""

_loading = threading.Lock()


@cache
def _identifier() -> LanguageIdentifier:
    # Half a second of work, for which no page waits.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def load() -> None:
    """What the first question would load; once, however many ask at the same time."""
    with _loading:
        _identifier()


async def language_of(text: str) -> str:
    """ISO 639-1 code, or 639-2/3 where there is none of two letters; `und` where it cannot be
    told, as for a few words, numbers or code."""
    # Once it is loaded, an answer takes less time than a thread does.
    if not _identifier.cache_info().currsize:
        await asyncio.to_thread(load)
    return _told(text)


@lru_cache(maxsize=128)
def _told(text: str) -> str:
    # A battle is asked about at each of its votes.
    code, probability = _identifier().classify(text[:MOST_CHARACTERS])
    return str(code) if probability >= LEAST else UNDETERMINED
