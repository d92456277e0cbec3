"""The picture that previews of a shared battle show: what can be written in it, and what cannot."""

from __future__ import annotations

import io
from itertools import combinations

import pytest
from PIL import Image

from arena.core.battle.sharing import Shared
from arena.core.battle.view import Reveal, RevealedSeat
from arena.web.shared import PAPER, SIZE, painted


def picture(prompt: str = "", name: str = "phi3:mini") -> Image.Image:
    seat = RevealedSeat("A", name, name, 1, True, 0, False, None, None, None, False)
    reveal = Reveal("", "", (seat,), 1, True)
    told = Shared("2026-03-01", "elimination", (prompt,), {}, (), reveal)
    return Image.open(io.BytesIO(painted(told)))


@pytest.mark.parametrize("letters", ["äöüÄßéñçø¿", "Яжщъ", "ωφΣ", "–“”’→×"])
def test_each_letter_of_a_prompt_is_drawn_as_itself(letters: str) -> None:
    """Not as the box that stands for all that the font lacks."""
    drawn = [picture(f"An {letter}") for letter in letters]
    assert not [pair for pair in combinations(drawn, 2) if pair[0] == pair[1]]
    assert picture("o\u0308") == picture("ö"), "also where it was sent in two parts"


def test_what_cannot_be_drawn_is_left_out_and_a_contender_is_then_called_by_its_letter() -> None:
    assert picture("لماذا السماء زرقاء؟") == picture()
    assert picture(name="نموذج") == picture(name="Model A")
    assert picture(name="Qwen 通义") == picture(name="Qwen")


def test_a_name_that_is_too_long_ends_so_as_to_be_seen() -> None:
    long = picture(name="m" * 200)
    margin = long.crop((SIZE[0] - 60, 0, *SIZE))
    assert margin.getcolors() == [(60 * SIZE[1], Image.new("RGB", (1, 1), PAPER).getpixel((0, 0)))]
    assert picture(name="i" * 60) != picture(name="i" * 40), "and one that fits is whole"
