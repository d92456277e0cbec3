"""An image as models get it: made anew from its pixels, upright, small enough and without anything
else that its file held, such as where it was taken.

It takes bytes, never a path or an address. It does not know battles.
"""

import io
from threading import Lock

from PIL import Image, ImageOps

from arena.core.errors import BadInput

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
LARGEST = 3 * 1024**2
"""Bytes of a file."""
MOST_PIXELS = 30_000_000
LONGEST_SIDE = 1024
"""Pixels. Models that see scale images to about as many, or to fewer."""
QUALITY = 85
PAPER = "white"
"""Behind what is transparent."""

_ONE_AT_A_TIME = Lock()
"""Pixels take a hundred times the room of their file."""


def cleaned(data: bytes) -> bytes:
    """JPEG. Raises BadInput for what is no image, or too large a one."""
    if len(data) > LARGEST:
        raise BadInput(
            f"An image has more than {LARGEST // 1024**2} MB. Please send a smaller one."
        )
    with _ONE_AT_A_TIME:
        try:
            return _drawn_anew(data)
        except BadInput:
            raise
        except Exception as error:  # Decoders fail in many ways at what nobody has drawn.
            raise BadInput(
                "A file is no image that can be read here. Please send JPEG, PNG, WebP or GIF."
            ) from error


def _drawn_anew(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            raise BadInput(
                f"An image has more than {MOST_PIXELS // 10**6} million pixels. Please send a "
                "smaller one."
            )
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        upright = _in_8_bits(ImageOps.exif_transpose(image)).convert("RGBA")
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    # A new one, since comments and profiles go along with a copy.
    drawn = Image.new("RGB", upright.size, PAPER)
    drawn.paste(upright, mask=upright)
    file = io.BytesIO()
    drawn.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits is else cut off at the 255th of its 65,536 shades."""
    if not image.mode.startswith("I"):
        return image
    grey = image.point(lambda shade: shade * (1 / 257) + 0.5).convert("L")
    if "transparency" in grey.info:
        grey.info["transparency"] = round(grey.info["transparency"] / 257)
    return grey
