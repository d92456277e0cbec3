"""Images made anew: nothing of their files but what is seen, upright, small, and no bomb."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from arena.adapters.images import LARGEST, LONGEST_SIDE, cleaned
from arena.core.errors import BadInput

ORIENTATION, GPS, MAKER = 0x0112, 0x8825, 0x010F


def file(
    size: tuple[int, int] = (60, 30), kind: str = "JPEG", mode: str = "RGB", **how: Any
) -> bytes:
    image = Image.new(mode, size, "red" if mode == "RGB" else 0)
    made = io.BytesIO()
    image.save(made, kind, **how)
    return made.getvalue()


def photo() -> bytes:
    """Taken with the camera on its side, somewhere."""
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKER] = 6, "a maker of cameras"
    exif.get_ifd(GPS).update({1: "N", 2: (52.0, 31.0, 12.0)})
    return file(exif=exif, comment=b"a comment")


def test_where_it_was_taken_and_with_what_stays_behind_and_it_stands_upright() -> None:
    before = photo()
    assert Image.open(io.BytesIO(before)).getexif().get_ifd(GPS)
    made = cleaned(before)
    after = Image.open(io.BytesIO(made))
    assert after.format == "JPEG" and after.size == (30, 60)
    assert not after.getexif() and not set(after.info) - {
        "jfif",
        "jfif_version",
        "jfif_unit",
        "jfif_density",
    }
    assert b"maker" not in made and b"comment" not in made and b"Exif" not in made


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_images_of_every_kind_become_small_ones_of_one_kind(kind: str) -> None:
    after = Image.open(io.BytesIO(cleaned(file((3000, 1000), kind))))
    assert (after.format, after.mode, after.width) == ("JPEG", "RGB", LONGEST_SIDE)


def test_what_is_transparent_is_white() -> None:
    after = Image.open(io.BytesIO(cleaned(file(kind="PNG", mode="RGBA"))))
    assert after.getpixel((5, 5)) == (255, 255, 255)


def test_grey_of_16_bits_is_the_same_grey() -> None:
    for see_through, grey in ((None, 0x40), (0x1240, 0x40), (0x4020, 0xFF)):
        made = io.BytesIO()
        Image.new("I;16", (60, 30), 0x4020).save(made, "PNG", transparency=see_through)
        after = Image.open(io.BytesIO(cleaned(made.getvalue())))
        assert after.getpixel((5, 5)) == (grey, grey, grey)


BAD = {
    "no image": lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "a path": lambda: b"/etc/passwd",
    "nothing": lambda: b"",
    "half of one": lambda: file((600, 600))[:400],
    "another kind": lambda: file(kind="TIFF"),
    "more pixels than are looked at": lambda: file((9000, 9000), "PNG", compress_level=1),
    "a bomb": lambda: file((20000, 20000), "PNG", mode="1", compress_level=1),
    "more bytes than are taken": lambda: b"\xff\xd8" + bytes(LARGEST),
}


@pytest.mark.parametrize("what", BAD)
def test_anything_else_is_refused(what: str) -> None:
    with pytest.raises(BadInput):
        cleaned(BAD[what]())
