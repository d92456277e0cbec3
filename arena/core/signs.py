"""Signs of text of which nothing is seen where they stand alone.

It does not know what a text is for.
"""

import unicodedata

_UNSEEN = frozenset("Cc Cf Cn Co Cs Me Mn Zl Zp Zs".split())
"""Categories of Unicode: spaces, marks on nothing, what joins or directs."""
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that are drawn as nothing."""


def unseen(sign: str) -> bool:
    return unicodedata.category(sign) in _UNSEEN or sign in _BLANK
