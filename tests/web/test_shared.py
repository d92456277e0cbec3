"""The page of a shared battle, as models wrote it; and the picture that previews of it show: what can
be written in it, and what cannot."""

from __future__ import annotations

import io
from itertools import combinations

import pytest
from PIL import Image

from arena.core.battle.sharing import Shared
from arena.core.battle.view import Reveal, RevealedSeat
from arena.web.shared import PAPER, SIZE, draw, painted
from arena.web.words import ENGLISH


def told(prompt: str = "", name: str = "phi3:mini", reply: str = "") -> Shared:
    seat = RevealedSeat("A", name, name, 1, True, 0, False, None, None, None, False)
    reveal = Reveal("", "", (seat,), 1, True)
    return Shared("2026-03-01", "elimination", (prompt,), {"A": (reply,)}, (), reveal)


def picture(prompt: str = "", name: str = "phi3:mini") -> Image.Image:
    return Image.open(io.BytesIO(painted(told(prompt, name))))


def written(reply: str) -> str:
    page = draw(told(reply=reply), ENGLISH, "http://localhost/b/x")
    return page.partition('<div class="reply" dir="auto">')[2].partition("</div>")[0].strip()


@pytest.mark.parametrize(
    "formula",
    [
        r"\(x_{1,2} = \frac{-b \pm \sqrt{b^2-4ac}}{2a}\)",
        "\\[\nE = mc^2 \\\\\na_1 * b_1 * c_1\n\\]",
        "$$c * d * e$$",
        "\\begin{align}\na *b* \\\\\nc\n\\end{align}",
        "$a_i + b_i$",
        "$2^n$",
        "$c*d$",
        r"$\{x\}$",
    ],
)
def test_a_formula_stands_as_it_was_written(formula: str) -> None:
    shown = f'<code class="maths">{formula}</code>'
    assert written(f"So {formula} and {formula}.") == f"<p>So {shown} and {shown}.</p>"


@pytest.mark.parametrize(
    "text",
    ["It is $5 or $6.", "I have $20 and 30$ left.", "a $HOME or $PATH.", "$ 5 and 6 $", "$$"],
)
def test_prices_and_variables_are_no_formulas(text: str) -> None:
    assert written(text) == f"<p>{text}</p>"


def test_verse_keeps_its_lines_and_bold_ends_before_a_letter_of_a_script_without_spaces() -> None:
    assert written("Roses are red,\nviolets blue.") == "<p>Roses are red,<br>\nviolets blue.</p>"
    bold = "<strong>重点：</strong>"
    assert written("这是**重点：**后面，**重点：**") == f"<p>这是{bold}后面，{bold}</p>"
    assert written("a_b_c, 2 * 3 * 4, **A**b") == "<p>a_b_c, 2 * 3 * 4, <strong>A</strong>b</p>"


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
