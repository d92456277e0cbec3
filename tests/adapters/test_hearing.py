"""Halves of characters, wherever the frames of a host end."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from arena.adapters.hosts.hearing import Halves

UNITS = st.text(st.characters() | st.sampled_from("\ud83c\udf19\ud83d\udc68\udfffa"), max_size=20)


def joined(pieces: list[str]) -> str:
    halves = Halves()
    return "".join([*map(halves.joined, pieces), halves.joined("", last=True)])


@given(st.text(), st.lists(st.integers(0, 40), max_size=8))
def test_a_text_in_halves_comes_out_whole(text: str, cuts: list[int]) -> None:
    units = text.encode("utf-16-le")
    edges = [0, *sorted(2 * cut for cut in cuts), len(units)]
    frames = [units[a:b] for a, b in pairwise(edges)]
    assert joined([frame.decode("utf-16-le", "surrogatepass") for frame in frames]) == text


@given(st.lists(UNITS, max_size=6))
def test_what_comes_out_can_be_written_and_ordinary_characters_stay(pieces: list[str]) -> None:
    out = joined(pieces)
    out.encode()
    assert out.count("a") == "".join(pieces).count("a")


def test_halves_that_stay_alone_are_replaced() -> None:
    assert (
        joined(["\ud83d", "\ud83d", "\udf19 ", "\udf19", "\ud83c"])
        == "\ufffd\U0001f719 \ufffd\ufffd"
    )
