"""How many tokens a prompt has, about, by those that a host counts in a sample of it.

Hosts may cut what does not fit and say so by a number alone. It does not know hosts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

SAMPLE = 400
"""Characters of a prompt whose tokens are counted, to tell how many all of it has."""
OVERHEAD = 24
"""Tokens that a template puts around a short prompt, at most, in the families that are common."""
LEAST = 0.7
"""Of the tokens that were estimated, so many are read at least where nothing was cut."""

Messages = Sequence[Mapping[str, Any]]


def texts(messages: Messages) -> list[str]:
    return [str(message["content"]) for message in messages]


def size(messages: Messages) -> int:
    """In bytes."""
    return sum(len(text.encode(errors="replace")) for text in texts(messages))


def sampled(messages: Messages) -> list[dict[str, str]]:
    """A prompt from the middle of the longest message."""
    longest = max(texts(messages), key=len)
    start = max(0, len(longest) - SAMPLE) // 2
    return [{"role": "user", "content": longest[start : start + SAMPLE]}]


def estimated(messages: Messages, counted: int) -> int:
    """counted: the tokens of what is `sampled`, template included."""
    (sample,) = texts(sampled(messages))
    tokens = max(1, counted - OVERHEAD)
    return tokens * sum(map(len, texts(messages))) // max(1, len(sample))
