"""What is counted as Markdown, and what is not."""

from __future__ import annotations

import time

import pytest

from arena.core.markdown import KINDS, counts


def found(text: str) -> dict[str, int]:
    """Only what is there, by kind."""
    return {kind: n for kinds in counts(text).values() for kind, n in kinds.items() if n}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\n## Two\n###### Six\n####### seven\n#none", {"h1": 1, "h2": 1, "h6": 1}),
        ("- a\n  * b\n+ c\n\n\n- d", {"unordered": 4}),
        ("1. a\n23) b\n1.c\n-d", {"ordered": 2}),
        ("**a** and __b__, **c __d__ e**, ** f\n**", {"**": 2, "__": 1}),
        ("```\n# a\n- b\n**c**\n```\n# d", {"h1": 1}),
        ("```\n# never closed", {}),
        ("plain", {}),
        ("", {}),
    ],
)
def test_headings_items_and_bold_spans_are_counted_by_kind(
    text: str, expected: dict[str, int]
) -> None:
    assert found(text) == expected


def test_every_kind_is_told_also_when_there_is_none() -> None:
    assert {what: tuple(kinds) for what, kinds in counts("").items()} == KINDS


def test_a_fence_that_is_never_closed_ends_with_its_text() -> None:
    several = counts("```\n# none", "# one\n- two")
    assert sum(several["header"].values()) == sum(several["list"].values()) == 1


@pytest.mark.parametrize(
    "text", ["\n" * 200_000, "**" * 100_000, "__a" * 100_000, "```" * 99_999, " " * 200_000]
)
def test_no_text_takes_long(text: str) -> None:
    began = time.perf_counter()
    counts(text)
    assert time.perf_counter() - began < 20
