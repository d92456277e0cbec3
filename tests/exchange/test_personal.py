"""Personal data in texts that anybody may have written."""

from __future__ import annotations

import time

from arena.exchange.personal import Finding, findings


def test_a_long_word_is_screened_at_once() -> None:
    """Each of its letters could begin an address."""
    word = "x" * 60_000
    began = time.perf_counter()
    assert findings(f"{word} a.b+c@mail.example.org") == [Finding("email", 60_001, 60_023)]
    assert time.perf_counter() - began < 5
